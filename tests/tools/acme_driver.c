// SPDX-License-Identifier: Apache-2.0
// Drives src/acme for tests/e2e/test_acme_client.py: a JSON object per line on stdin is a call,
// JSON lines on stdout are its events and, last, its result. Where a challenge is to be presented
// it asks and waits for the answer on stdin. SIGTERM cancels.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/acme.h"
#include "acme/dns_update.h"
#include "acme/dns_view.h"
#include "base/text.h"

static struct acme_cancel cancel;
static struct acme *client;

static struct str arg(const json_t *o, const char *key)
{
    return str_of(json_string_value(json_object_get(o, key)));
}

static json_t *json_of(struct str s)
{
    json_t *value = json_stringn(s.ptr ? s.ptr : "", s.len);
    return value ? value : json_null();
}

static void emit(json_t *o)
{
    char *line = json_dumps(o, JSON_COMPACT);
    puts(line);
    fflush(stdout);
    free(line);
    json_decref(o);
}

static json_t *read_line(void)
{
    json_error_t error;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, stdin);
    json_t *o = n > 0 ? json_loadb(line, (size_t)n, 0, &error) : NULL;
    free(line);
    return o;
}

// --- the solver: whoever reads our events ---

static json_t *challenge_event(const char *event, const struct acme_challenge *c)
{
    json_t *o = json_pack("{ss ss}", "event", event, "kind", acme_challenge_name(c->kind));
    json_object_set_new(o, "name", json_of(c->name));
    json_object_set_new(o, "wildcard", json_boolean(c->is_wildcard));
    json_object_set_new(o, "token", json_of(c->token));
    json_object_set_new(o, "key_authorization", json_of(c->key_authorization));
    json_object_set_new(o, "txt_name", json_of(c->txt_name));
    json_object_set_new(o, "txt_value", json_of(c->txt_value));
    return o;
}

static bool was_allowed(struct text *why)
{
    json_t *answer = read_line();
    bool is_fine = json_is_true(json_object_get(answer, "ok"));
    text_put(why, arg(answer, "why"));
    json_decref(answer);
    return is_fine;
}

static bool present(void *unused, const struct acme_challenge *c, struct text *why)
{
    (void)unused;
    emit(challenge_event("present", c));
    return was_allowed(why);
}

static bool settle(void *unused, const struct acme_challenge *const *c, size_t n, struct text *why)
{
    (void)unused, (void)c;
    emit(json_pack("{ss sI}", "event", "settle", "n", (json_int_t)n));
    return was_allowed(why);
}

static void clean_up(void *unused, const struct acme_challenge *c)
{
    (void)unused;
    emit(challenge_event("clean_up", c));
}

static void step(void *unused, enum acme_step at, struct str detail)
{
    (void)unused;
    json_t *o = json_pack("{ss ss}", "event", "step", "step", acme_step_text(at));
    json_object_set_new(o, "detail", json_of(detail));
    emit(o);
}

// --- results ---

static const char *const kind_names[] = {
#define X(id, type, is_passing, next) #id,
    ACME_PROBLEM_LIST(X)
#undef X
};

static json_t *json_of_problem(const struct acme_problem *p)
{
    json_t *subs = json_array();
    for (size_t i = 0; i < p->n_subs; i++)
        json_array_append_new(subs, json_of_problem(&p->subs[i]));
    json_t *o = json_pack("{ss so si sI sb}", "kind", kind_names[p->kind], "subs", subs, "status",
                          (int)p->status, "retry_after", (json_int_t)p->retry_after_s, "passing",
                          (int)p->is_passing);
    json_object_set_new(o, "type", json_of(p->type));
    json_object_set_new(o, "detail", json_of(p->detail));
    json_object_set_new(o, "name", json_of(p->name));
    json_object_set_new(o, "next", json_of(p->next_step));
    json_object_set_new(o, "challenge", json_string(acme_challenge_name(p->challenge)));
    return o;
}

static void emit_result(enum acme_result result, json_t *values, const struct acme_problem *p)
{
    static const char *const names[] = {"done", "failed", "rate-limited", "cancelled"};
    json_t *o = values ? values : json_object();
    json_object_set_new(o, "event", json_string("result"));
    json_object_set_new(o, "result", json_string(names[result]));
    if (result != ACME_DONE)
        json_object_set_new(o, "problem", json_of_problem(p));
    emit(o);
}

// --- calls ---

struct call {
    const json_t *o;
    struct arena mem;
    struct acme_problem problem;
    EVP_PKEY *key;  // "key"
    json_t *values; // of the result
};

static enum acme_result do_new(struct call *c)
{
    acme_free(client);
    struct acme_options options = {
        .directory_url = arg(c->o, "directory"),
        .ca_pem = arg(c->o, "ca"),
        .allow_http = json_is_true(json_object_get(c->o, "allow_http")),
        .request_timeout_ms = json_integer_value(json_object_get(c->o, "timeout_ms")),
        .poll_first_ms = 20,
        .answer_max_bytes = (size_t)json_integer_value(json_object_get(c->o, "answer_max")),
        .cancel = &cancel,
    };
    client = acme_new(&options, &c->mem, &c->problem);
    return client ? ACME_DONE : ACME_FAILED;
}

static enum acme_result do_directory(struct call *c)
{
    const struct acme_directory *d;
    enum acme_result result = acme_directory(client, &d, &c->mem, &c->problem);
    if (result != ACME_DONE)
        return result;
    json_object_set_new(c->values, "terms", json_of(d->terms));
    json_object_set_new(c->values, "website", json_of(d->website));
    json_object_set_new(c->values, "needs_eab", json_boolean(d->needs_eab));
    json_object_set_new(c->values, "n_profiles", json_integer((json_int_t)d->n_profiles));
    return result;
}

static size_t texts(const json_t *o, const char *key, struct str *ret, size_t max)
{
    const json_t *list = json_object_get(o, key);
    size_t n = MIN(json_array_size(list), max);
    for (size_t i = 0; i < n; i++)
        ret[i] = str_of(json_string_value(json_array_get(list, i)));
    return n;
}

static void put_account(struct call *c, const struct acme_account *account)
{
    json_t *contacts = json_array();
    for (size_t i = 0; i < account->n_contacts; i++)
        json_array_append_new(contacts, json_of(account->contacts[i]));
    json_object_set_new(c->values, "url", json_of(account->url));
    json_object_set_new(c->values, "is_new", json_boolean(account->is_new));
    json_object_set_new(c->values, "contacts", contacts);
}

static enum acme_result do_account(struct call *c)
{
    struct str contacts[8];
    struct acme_account account;
    struct acme_account_wish wish = {
        .contacts = contacts,
        .n_contacts = texts(c->o, "contacts", contacts, ARRAY_LEN(contacts)),
        .agrees_terms = !json_is_false(json_object_get(c->o, "agrees")),
        .only_existing = json_is_true(json_object_get(c->o, "only_existing")),
        .eab_kid = arg(c->o, "eab_kid"),
        .eab_key = arg(c->o, "eab_key"),
    };
    enum acme_result result =
        acme_account_open(client, c->key, &wish, &c->mem, &account, &c->problem);
    if (result == ACME_DONE)
        put_account(c, &account);
    return result;
}

static enum acme_result do_use(struct call *c)
{
    acme_account_use(client, c->key, arg(c->o, "url"));
    return ACME_DONE;
}

static enum acme_result do_contacts(struct call *c)
{
    struct str contacts[8];
    struct acme_account account;
    size_t n = texts(c->o, "contacts", contacts, ARRAY_LEN(contacts));
    enum acme_result result =
        acme_account_set_contacts(client, contacts, n, &c->mem, &account, &c->problem);
    if (result == ACME_DONE)
        put_account(c, &account);
    return result;
}

static enum acme_result do_fetch(struct call *c)
{
    struct acme_account account;
    enum acme_result result = acme_account_fetch(client, &c->mem, &account, &c->problem);
    if (result == ACME_DONE)
        put_account(c, &account);
    return result;
}

static enum acme_result do_change_key(struct call *c)
{
    return acme_account_change_key(client, c->key, &c->mem, &c->problem);
}

static enum acme_result do_deactivate(struct call *c)
{
    return acme_account_deactivate(client, &c->mem, &c->problem);
}

static enum acme_result do_order(struct call *c)
{
    static const struct acme_solver solver = {present, settle, clean_up, step, NULL};
    static struct str names[ACME_NAMES_MAX];
    struct str kinds_text[8];
    enum acme_challenge_kind kinds[8];
    struct acme_certificate cert;
    size_t n_kinds = texts(c->o, "challenges", kinds_text, ARRAY_LEN(kinds));
    for (size_t i = 0; i < n_kinds; i++)
        kinds[i] = acme_challenge_parse(kinds_text[i]);
    struct acme_order_wish wish = {
        .names = names,
        .n_names = texts(c->o, "names", names, ARRAY_LEN(names)),
        .key = c->key,
        .order_url = arg(c->o, "order"),
        .profile = arg(c->o, "profile"),
        .replaces = arg(c->o, "replaces"),
        .preferred_issuer = arg(c->o, "preferred"),
        .challenges = kinds,
        .n_challenges = n_kinds,
        .solver = &solver,
        .timeout_ms = json_integer_value(json_object_get(c->o, "timeout_ms")),
    };
    enum acme_result result = acme_order_run(client, &wish, &c->mem, &cert, &c->problem);
    if (result != ACME_DONE)
        return result;
    json_object_set_new(c->values, "chain", json_of(cert.chain_pem));
    json_object_set_new(c->values, "issuer", json_of(cert.issuer_name));
    json_object_set_new(c->values, "preferred", json_boolean(cert.is_preferred));
    json_object_set_new(c->values, "ari_id", json_of(tls_cert_ari_id(&cert.leaf, &c->mem)));
    return result;
}

static enum acme_result do_revoke(struct call *c)
{
    const char *why;
    enum acme_reason reason = ACME_REASON_UNSPECIFIED;
    X509 *cert = tls_cert_read(arg(c->o, "cert"), &why);
    (void)acme_reason_parse(arg(c->o, "reason"), &reason);
    struct str der = cert ? tls_cert_der(cert, &c->mem) : STR_NONE;
    tls_cert_free(cert);
    return acme_revoke(client, der, c->key, reason, &c->mem, &c->problem);
}

static enum acme_result do_renewal(struct call *c)
{
    struct acme_renewal renewal;
    enum acme_result result =
        acme_renewal_info(client, arg(c->o, "id"), &c->mem, &renewal, &c->problem);
    if (result != ACME_DONE)
        return result;
    json_object_set_new(c->values, "start", json_integer(renewal.start_s));
    json_object_set_new(c->values, "end", json_integer(renewal.end_s));
    json_object_set_new(c->values, "retry_after", json_integer(renewal.retry_after_s));
    json_object_set_new(c->values, "explanation", json_of(renewal.explanation));
    return result;
}

static enum acme_result put_err(struct call *c, enum err err, struct text *why)
{
    json_object_set_new(c->values, "err", json_string(err_text(err)));
    json_object_set_new(c->values, "why", json_of(text_str(why)));
    text_fini(why);
    return ACME_DONE;
}

static enum acme_result do_dns_update(struct call *c)
{
    struct text why = {0};
    bool adds = !json_is_true(json_object_get(c->o, "remove"));
    struct dns_update_options o = {
        .server = arg(c->o, "server"),
        .zone = arg(c->o, "zone"),
        .key_name = arg(c->o, "key_name"),
        .secret_base64 = arg(c->o, "secret"),
        .timeout_ms = json_integer_value(json_object_get(c->o, "timeout_ms")),
        .by_tcp = json_is_true(json_object_get(c->o, "tcp")),
        .cancel = &cancel,
    };
    (void)dns_tsig_parse(arg(c->o, "algorithm"), &o.algorithm);
    enum err err = dns_update_txt(&o, adds ? DNS_UPDATE_ADD : DNS_UPDATE_REMOVE, arg(c->o, "name"),
                                  arg(c->o, "value"), &why);
    return put_err(c, err, &why);
}

static enum acme_result do_dns_view(struct call *c)
{
    struct text why = {0};
    struct str servers[8];
    struct dns_view_options o = {
        .resolver = arg(c->o, "resolver"),
        .servers = servers,
        .n_servers = texts(c->o, "servers", servers, ARRAY_LEN(servers)),
        .timeout_ms = json_integer_value(json_object_get(c->o, "timeout_ms")),
        .pause_ms = 20,
        .cancel = &cancel,
    };
    return put_err(c, dns_view_wait(&o, arg(c->o, "name"), arg(c->o, "value"), &why), &why);
}

static const struct {
    const char *name;
    enum acme_result (*run)(struct call *c);
} calls[] = {
    {"new", do_new},
    {"directory", do_directory},
    {"account", do_account},
    {"use", do_use},
    {"contacts", do_contacts},
    {"fetch", do_fetch},
    {"change-key", do_change_key},
    {"deactivate", do_deactivate},
    {"order", do_order},
    {"revoke", do_revoke},
    {"renewal", do_renewal},
    {"dns-update", do_dns_update},
    {"dns-view", do_dns_view},
};

static void run_call(const json_t *o)
{
    const char *why;
    struct call c = {.o = o, .values = json_object()};
    struct str key = arg(o, "key");
    arena_init(&c.mem, ACME_MEM_BYTES, NULL, 0);
    c.key = key.len > 0 ? tls_key_read(key, &why) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (str_eq(arg(o, "do"), str_of(calls[i].name))) {
            enum acme_result result = calls[i].run(&c);
            emit_result(result, c.values, &c.problem);
            c.values = NULL;
        }
    }
    json_decref(c.values);
    tls_key_free(c.key);
    arena_fini(&c.mem);
}

static void *wait_for_signal(void *set)
{
    int number;
    sigwait(set, &number);
    acme_cancel_set(&cancel);
    return NULL;
}

int main(void)
{
    static sigset_t set;
    pthread_t thread;
    acme_cancel_init(&cancel);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signal, &set) != 0)
        return 1;
    pthread_detach(thread);
    for (json_t *o; (o = read_line());) {
        run_call(o);
        json_decref(o);
    }
    acme_free(client);
    return 0;
}
