// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "certs/entry.h"
#include "certs/meta.h"
#include "keeper/issue_account.h"
#include "keeper/issue_dns.h"
#include "keeper/to_json.h"
#include "rt/log.h"

#define ENTRY_MEM_BYTES ((size_t)4096)
#define JOB_MEM_BYTES ((size_t)16 << 20)
#define SETTLE_MS 30000 // for the gate's workers to have the proofs
#define MOVED_AFTER 3   // failures of a renewal in a row
#define ARI_UNSUPPORTED_S (7 * 86400)

struct run {
    const struct issue_job *job;
    struct arena mem;
    struct acme *acme;
    struct issue_account account;
    struct issue_dns dns;
    struct str entry;   // in mem: of the order under way
    EVP_PKEY *key;      // of the certificate
    struct str key_pem; // in mem, a secret
    struct certs_meta tries;
    struct acme_problem problem;
};

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

// --- orders under way ---

// An authority's order for a certificate: "ID@ISSUER". What would be too long ends with a hash.
static struct str entry_name(struct str id, struct str issuer, struct arena *mem)
{
    char end[24];
    struct str name = arena_concat(mem, id, STR("@"), certs_id_of(issuer, mem));
    if (name.len <= CERTS_ENTRY_NAME_MAX_BYTES)
        return name;
    uint64_t h = 14695981039346656037u; // FNV-1a, 64 bits
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.ptr[i]) * 1099511628211u;
    snprintf(end, sizeof end, "@%016" PRIx64, h);
    return arena_concat(mem, str_first(name, CERTS_ENTRY_NAME_MAX_BYTES - strlen(end)), str_of(end),
                        STR_NONE);
}

enum err issue_order_get(int orders, struct str id, struct str issuer, struct arena *mem,
                         struct certs_meta *ret_meta, struct str *ret_key_pem)
{
    struct certs_entry_file files[] = {{.name = "key.pem"}, {.name = "meta.json"}};
    const char *why;
    enum err err =
        certs_entry_get(orders, entry_name(id, issuer, mem), files, ARRAY_LEN(files), mem, &why);
    if (err != ERR_OK)
        return err;
    if (!certs_meta_read(files[1].bytes, mem, ret_meta))
        return ERR_SYNTAX;
    *ret_key_pem = files[0].bytes;
    return ERR_OK;
}

void issue_order_forget(int orders, struct str id, struct str issuer)
{
    struct arena mem;
    const char *why;
    arena_init(&mem, ENTRY_MEM_BYTES, NULL, 0);
    if (certs_entry_remove(orders, entry_name(id, issuer, &mem), &why) == ERR_SYSTEM)
        log_warn("what is known of an order for " STR_FMT " can't be removed: %s", STR_ARG(id),
                 why);
    arena_fini(&mem);
}

static bool save_tries(struct run *r)
{
    struct text json = {.ptr = NULL};
    const char *why = NULL;
    certs_meta_write(&r->tries, &json);
    const struct certs_entry_file files[] = {{.name = "key.pem", .bytes = r->key_pem},
                                             {.name = "meta.json", .bytes = text_str(&json)}};
    enum err err = certs_entry_put(r->job->orders, r->entry, files, ARRAY_LEN(files), &why);
    text_fini(&json);
    if (err != ERR_OK)
        log_error("the order of " STR_FMT " can't be kept: %s", STR_ARG(r->job->need.id), why);
    return err == ERR_OK;
}

// --- the key, and what is known of earlier tries ---

static bool read_stored(struct run *r, struct certs_stored *ret)
{
    const char *why;
    return certs_store_get(r->job->store, r->job->need.id, now_s(), &r->mem, ret, &why) == ERR_OK;
}

static bool prepare(struct run *r)
{
    const struct issue_job *job = r->job;
    struct text pem = {.ptr = NULL};
    struct certs_stored stored;
    const char *why;
    enum err err = issue_order_get(job->orders, job->need.id, job->issuer->name, &r->mem, &r->tries,
                                   &r->key_pem);
    if (err == ERR_SYSTEM)
        return false;
    // One that has led to the certificate which the store has was done; only its traces were left.
    bool is_done = err == ERR_OK && r->tries.order.len > 0 && read_stored(r, &stored) &&
                   str_eq(stored.meta.order, r->tries.order);
    if (err == ERR_OK && !is_done && str_eq(r->tries.issuer, job->issuer->name) &&
        str_eq(r->tries.directory, job->issuer->directory))
        r->key = tls_key_read(r->key_pem, &why);
    if (r->key && tls_key_kind_of(r->key) == job->issuer->key_kind) {
        r->tries.last_try_s = now_s();
        return save_tries(r);
    }
    tls_key_free(r->key);
    r->key = tls_key_new(job->issuer->key_kind);
    if (!r->key || !tls_key_put_pem(r->key, &pem))
        return false;
    r->key_pem = arena_dup(&r->mem, text_str(&pem));
    text_wipe(&pem);
    r->tries = (struct certs_meta){.names = job->need.names,
                                   .n_names = job->need.n_names,
                                   .issuer = job->issuer->name,
                                   .directory = job->issuer->directory,
                                   .created_s = now_s(),
                                   .last_try_s = now_s()};
    return r->key_pem.len > 0 && save_tries(r);
}

// --- proofs ---

static bool present(void *arg, const struct acme_challenge *c, struct text *why)
{
    struct run *r = arg;
    if (c->kind == ACME_CHALLENGE_DNS_01)
        return issue_dns_put(&r->dns, c, why);
    return issue_proofs_put(r->job->proofs, c, now_s(), why);
}

static bool settle(void *arg, const struct acme_challenge *const *c, size_t n, struct text *why)
{
    struct run *r = arg;
    (void)c; // all that were presented
    (void)n;
    if (!issue_dns_settle(&r->dns, why))
        return false;
    if (issue_proofs_settle(r->job->proofs, SETTLE_MS))
        return true;
    text_put(why, STR("the gate didn't take the proofs in time"));
    return false;
}

static void clean_up(void *arg, const struct acme_challenge *c)
{
    struct run *r = arg;
    if (c->kind == ACME_CHALLENGE_DNS_01)
        issue_dns_clear(&r->dns, c);
    else
        issue_proofs_drop(r->job->proofs, c);
}

static void step(void *arg, enum acme_step at, struct str detail)
{
    struct run *r = arg;
    if (at == ACME_STEP_ORDERED) {
        r->tries.order = arena_dup(&r->mem, detail);
        (void)save_tries(r);
    }
    log_debug("certificate " STR_FMT ": %s " STR_FMT, STR_ARG(r->job->need.id), acme_step_text(at),
              STR_ARG(detail));
    if (r->job->step) {
        struct text line = {.ptr = NULL};
        text_printf(&line, "%s%s" STR_FMT, acme_step_text(at), detail.len > 0 ? ": " : "",
                    STR_ARG(detail));
        r->job->step(r->job->step_arg, line.ptr);
        text_fini(&line);
    }
}

// --- the order ---

static enum acme_result order(struct run *r, struct str replaces, struct acme_certificate *ret)
{
    const struct issue_job *job = r->job;
    const struct acme_solver solver = {
        .present = present, .settle = settle, .clean_up = clean_up, .step = step, .arg = r};
    const struct acme_order_wish wish = {.names = job->need.names,
                                         .n_names = job->need.n_names,
                                         .key = r->key,
                                         .order_url = r->tries.order,
                                         .profile = job->issuer->profile,
                                         .replaces = replaces,
                                         .preferred_issuer = job->issuer->preferred_chain,
                                         .challenges = job->issuer->challenges,
                                         .n_challenges = job->issuer->n_challenges,
                                         .solver = &solver};
    enum acme_result result = acme_order_run(r->acme, &wish, &r->mem, ret, &r->problem);
    if (result == ACME_FAILED && r->problem.kind == ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST &&
        issue_account_use(&r->account, true) == ACME_DONE)
        result = acme_order_run(r->acme, &wish, &r->mem, ret, &r->problem);
    return result;
}

static void keep_certificate(struct run *r, const struct acme_certificate *cert,
                             struct issue_outcome *ret)
{
    const struct issue_job *job = r->job;
    const char *why = NULL;
    const struct certs_meta meta = {.names = job->need.names,
                                    .n_names = job->need.n_names,
                                    .issuer = job->issuer->name,
                                    .directory = job->issuer->directory,
                                    .profile = job->issuer->profile,
                                    .order = r->tries.order,
                                    .url = cert->url,
                                    .key_type = str_of(tls_key_kind_name(job->issuer->key_kind)),
                                    .created_s = now_s(),
                                    .renewed_s = now_s()};
    if (certs_store_put(job->store, job->need.id, cert->chain_pem, r->key_pem, &meta, &why) !=
        ERR_OK) {
        ret->result = ACME_FAILED;
        ret->is_passing = true;
        snprintf(ret->error, sizeof ret->error, "the certificate can't be kept: %s", why);
        return;
    }
    if (certs_entry_remove(job->orders, r->entry, &why) != ERR_OK)
        log_warn("the finished order of " STR_FMT " can't be removed: %s", STR_ARG(job->need.id),
                 why);
}

static void describe(const struct acme_problem *p, struct text *to)
{
    if (p->name.len > 0)
        text_printf(to, STR_FMT ": ", STR_ARG(p->name));
    text_put(to, p->detail);
    if (p->type.len > 0)
        text_printf(to, " (" STR_FMT ")", STR_ARG(p->type));
    for (size_t i = 0; i < p->n_subs; i++) {
        text_put(to, STR("; "));
        text_printf(to, STR_FMT ": " STR_FMT, STR_ARG(p->subs[i].name), STR_ARG(p->subs[i].detail));
    }
    if (p->next_step.len > 0)
        text_printf(to, ". " STR_FMT, STR_ARG(p->next_step));
}

// What an authority says of a name that leads to another machine, or nowhere any more.
static bool leads_elsewhere(const struct acme_problem *p)
{
    return p->kind == ACME_PROBLEM_CONNECTION || p->kind == ACME_PROBLEM_DNS ||
           p->kind == ACME_PROBLEM_INCORRECT_RESPONSE || p->kind == ACME_PROBLEM_TLS ||
           p->kind == ACME_PROBLEM_UNAUTHORIZED;
}

// A certificate that was to be had once: its name may have moved. Before the authority's words,
// where a short form doesn't cut it off.
static void hint_at_move(const struct run *r, struct text *to)
{
    const struct acme_problem *p = &r->problem;
    int64_t n = r->tries.n_failures + 1;
    for (size_t i = 0; i < r->problem.n_subs && !leads_elsewhere(p); i++)
        p = &r->problem.subs[i];
    if (n < MOVED_AFTER || !leads_elsewhere(p))
        return;
    struct str name = p->name.len > 0 ? p->name : r->job->need.names[0];
    text_printf(to,
                "it seems that " STR_FMT " no longer points here (%" PRId64 " failures in a row; "
                "'sallyport cert doctor' looks; if it has moved for good, take it out of the "
                "settings and 'sallyport cert forget " STR_FMT "'): ",
                STR_ARG(name), n, STR_ARG(r->job->need.id));
}

static void keep_failure(struct run *r, struct issue_outcome *ret)
{
    struct text words = {.ptr = NULL};
    ret->is_passing = r->problem.is_passing;
    if (ret->is_renewal && ret->result != ACME_CANCELLED)
        hint_at_move(r, &words);
    describe(&r->problem, &words);
    snprintf(ret->error, sizeof ret->error, STR_FMT, STR_ARG(text_str(&words)));
    text_fini(&words);
    if (ret->result == ACME_CANCELLED || !r->key)
        return;
    r->tries.n_failures++;
    r->tries.last_try_s = now_s();
    r->tries.next_try_s = r->problem.retry_after_s > 0 ? now_s() + r->problem.retry_after_s : 0;
    r->tries.last_error = str_of(ret->error);
    (void)save_tries(r);
}

static void get_certificate(struct run *r, struct issue_outcome *ret)
{
    struct certs_stored stored;
    struct acme_certificate cert;
    struct str replaces = STR_NONE;
    ret->is_renewal = read_stored(r, &stored);
    if (ret->is_renewal && str_eq(stored.meta.directory, r->job->issuer->directory))
        replaces = tls_cert_ari_id(&stored.cert.leaf, &r->mem);
    ret->result = issue_account_use(&r->account, false);
    if (ret->result == ACME_DONE)
        ret->result = order(r, replaces, &cert);
    if (ret->result == ACME_DONE)
        keep_certificate(r, &cert, ret);
    else
        keep_failure(r, ret);
}

static void get_renewal_info(struct run *r, struct issue_outcome *ret)
{
    struct certs_stored stored;
    struct acme_renewal info;
    const char *why;
    if (!read_stored(r, &stored))
        return;
    struct str id = tls_cert_ari_id(&stored.cert.leaf, &r->mem);
    struct certs_meta meta = stored.meta;
    ret->result = acme_renewal_info(r->acme, id, &r->mem, &info, &r->problem);
    if (ret->result == ACME_DONE) {
        meta.ari_start_s = info.start_s;
        meta.ari_end_s = info.end_s;
        meta.ari_explanation = info.explanation;
        meta.ari_next_s = now_s() + info.retry_after_s;
    } else {
        meta.ari_next_s =
            now_s() + ARI_UNSUPPORTED_S / (r->problem.kind == ACME_PROBLEM_UNSUPPORTED ? 1 : 7);
    }
    if (certs_store_put_meta(r->job->store, r->job->need.id, &meta, &why) != ERR_OK) {
        log_warn("the renewal window of " STR_FMT " can't be kept: %s", STR_ARG(r->job->need.id),
                 why);
        ret->result = ACME_FAILED;
    }
}

static void revoke(struct run *r, struct issue_outcome *ret)
{
    const struct issue_job *job = r->job;
    struct certs_stored stored;
    const char *why = "it isn't in the store";
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    // By its own key: that works whatever has become of the account.
    if (read_stored(r, &stored) && (cert = tls_cert_read(stored.cert.chain_pem, &why)) != NULL &&
        (key = tls_key_read(stored.cert.key_pem, &why)) != NULL)
        ret->result = acme_revoke(r->acme, tls_cert_der(cert, &r->mem), key, job->reason, &r->mem,
                                  &r->problem);
    else
        acme_problem_set(&r->problem, &r->mem, ACME_PROBLEM_LOCAL, "%s", why);
    tls_key_free(key);
    tls_cert_free(cert);
    if (ret->result == ACME_DONE && certs_store_forget(job->store, job->need.id, &why) != ERR_OK) {
        acme_problem_set(&r->problem, &r->mem, ACME_PROBLEM_LOCAL,
                         "it is revoked, but still in the store: %s", why);
        ret->result = ACME_FAILED;
    }
    if (ret->result != ACME_DONE)
        keep_failure(r, ret);
}

static void show_account(struct run *r, struct issue_outcome *ret)
{
    struct acme_account account;
    ret->result = issue_account_fetch(&r->account, &account);
    if (ret->result != ACME_DONE)
        return;
    ret->account = json_object();
    json_object_set_new(ret->account, "issuer", to_json_text(r->job->issuer->name));
    json_object_set_new(ret->account, "directory", to_json_text(r->job->issuer->directory));
    json_object_set_new(ret->account, "url", to_json_text(account.url));
    json_object_set_new(ret->account, "status", json_string(acme_status_text(account.status)));
    json_object_set_new(ret->account, "contacts",
                        to_json_texts(account.contacts, account.n_contacts));
}

static void do_account(struct run *r, struct issue_outcome *ret)
{
    if (r->job->kind == ISSUE_ACCOUNT_SHOW)
        show_account(r, ret);
    else if (r->job->kind == ISSUE_ACCOUNT_CONTACTS)
        ret->result = issue_account_set_contacts(&r->account);
    else if (r->job->kind == ISSUE_ACCOUNT_ROLL_OVER)
        ret->result = issue_account_roll_over(&r->account);
    else
        ret->result = issue_account_deactivate(&r->account);
    if (ret->result != ACME_DONE)
        keep_failure(r, ret);
}

void issue_run(const struct issue_job *job, struct issue_outcome *ret)
{
    struct run r = {.job = job};
    *ret = (struct issue_outcome){.result = ACME_FAILED};
    arena_init(&r.mem, JOB_MEM_BYTES, NULL, 0);
    r.dns = (struct issue_dns){.issuer = job->issuer, .cancel = job->cancel, .mem = &r.mem};
    r.entry = entry_name(job->need.id, job->issuer->name, &r.mem);
    const struct acme_options options = {.directory_url = job->issuer->directory,
                                         .ca_pem = job->issuer->ca_pem,
                                         .cancel = job->cancel};
    r.acme = acme_new(&options, &r.mem, &r.problem);
    r.account = (struct issue_account){.issuer = job->issuer,
                                       .store = job->store,
                                       .lock = job->accounts,
                                       .acme = r.acme,
                                       .mem = &r.mem,
                                       .problem = &r.problem};
    if (r.acme && job->kind == ISSUE_RENEWAL_INFO) {
        get_renewal_info(&r, ret);
    } else if (r.acme && job->kind == ISSUE_REVOKE) {
        revoke(&r, ret);
    } else if (r.acme && issue_kind_is_account(job->kind)) {
        do_account(&r, ret);
    } else if (r.acme && prepare(&r)) {
        get_certificate(&r, ret);
    } else {
        if (r.acme)
            acme_problem_set(&r.problem, &r.mem, ACME_PROBLEM_LOCAL,
                             "no key can be made, or kept in the state folder");
        keep_failure(&r, ret);
    }
    acme_free(r.acme);
    tls_key_free(r.key);
    arena_wipe(&r.mem);
}
