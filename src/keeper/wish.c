// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "gate/issuers_conf.h"
#include "keeper/state_path.h"

#define WISH_MAX_BYTES ((size_t)1 << 30)

// --- the certificates of settings ---

// Calls fn with each certificate that settings name; site: whose it is, NULL: an entrypoint's.
typedef void certificate_fn(void *arg, const struct certificate_conf *c,
                            const struct snapshot_site *site);

static void each_of_list(const struct conf_list *list, const struct snapshot_site *site,
                         certificate_fn *fn, void *arg)
{
    for (size_t i = 0; i < list->n; i++)
        fn(arg, list->items[i], site);
}

static void each_certificate(const struct snapshot *s, certificate_fn *fn, void *arg)
{
    const struct conf_map *entries = &s->settings.entrypoints;
    for (size_t i = 0; i < entries->n; i++) {
        const struct entrypoint_conf *e = entries->items[i].value;
        if (e->tls.is_on)
            each_of_list(&e->tls.certificates, NULL, fn, arg);
    }
    for (size_t i = 0; i < s->n_sites; i++) {
        const struct site_conf *site = s->sites[i].item->value;
        if (s->sites[i].tls_entries != 0)
            each_of_list(&site->tls.certificates, &s->sites[i], fn, arg);
    }
}

static void count_one(void *arg, const struct certificate_conf *c, const struct snapshot_site *site)
{
    (void)c;
    (void)site;
    ++*(size_t *)arg;
}

// A folder's path ends with a slash, or it is there.
static bool is_folder(struct str path)
{
    char name[PATH_MAX];
    struct stat st;
    if (str_ends(path, STR("/")))
        return true;
    int n = snprintf(name, sizeof name, STR_FMT, STR_ARG(path));
    return n > 0 && (size_t)n < sizeof name && stat(name, &st) == 0 && S_ISDIR(st.st_mode);
}

static struct certs_file_wish file_of(const struct certificate_conf *c)
{
    return (struct certs_file_wish){
        .cert = c->cert.text,
        .key = c->key.text,
        .is_folder = c->key.text.len == 0 && is_folder(c->cert.text),
        .is_default = c->is_default,
    };
}

// --- wishes ---

static struct wish *new_wish(size_t n_files, size_t n_names)
{
    struct wish *w = MEM_NEW(struct wish);
    arena_init(&w->mem, WISH_MAX_BYTES, NULL, 0);
    struct certs_file_wish *files = ARENA_ARRAY(&w->mem, struct certs_file_wish, n_files + 1);
    struct keeper_certs_name *names = ARENA_ARRAY(&w->mem, struct keeper_certs_name, n_names + 1);
    if (!files || !names)
        panic("the settings want more certificates than fit");
    w->certs = (struct keeper_certs_wish){.files = files, .names = names};
    w->issue.needs = ARENA_ARRAY(&w->mem, struct issue_need, n_names + 1);
    if (!w->issue.needs)
        panic("the settings want more certificates than fit");
    return w;
}

// WHY: the arrays are const for those who read them; they are new_wish's.
static void add_file(struct wish *w, const struct certs_file_wish *f)
{
    struct certs_file_wish *files = (struct certs_file_wish *)(uintptr_t)w->certs.files;
    files[w->certs.n_files++] = (struct certs_file_wish){
        .cert = arena_dup(&w->mem, f->cert),
        .key = arena_dup(&w->mem, f->key),
        .is_folder = f->is_folder,
        .is_default = f->is_default,
    };
}

static void add_name(struct wish *w, const struct keeper_certs_name *n)
{
    struct str *copy = ARENA_ARRAY(&w->mem, struct str, n->n_names);
    if (!copy)
        panic("the settings want more certificates than fit");
    for (size_t i = 0; i < n->n_names; i++)
        copy[i] = arena_dup(&w->mem, n->names[i]);
    struct keeper_certs_name *names = (struct keeper_certs_name *)(uintptr_t)w->certs.names;
    names[w->certs.n_names++] = (struct keeper_certs_name){
        .id = arena_dup(&w->mem, n->id),
        .names = copy,
        .n_names = n->n_names,
        .issuer = arena_dup(&w->mem, n->issuer),
        .is_default = n->is_default,
    };
}

// Several sites may name the same.
static void want_file(struct wish *w, const struct certs_file_wish *f)
{
    struct str paths = arena_concat(&w->mem, f->cert, STR("\n"), f->key);
    if (!map_set(&w->files, paths, w))
        add_file(w, f);
}

static void want_certificate(void *arg, const struct certificate_conf *c,
                             const struct snapshot_site *site)
{
    (void)site;
    struct certs_file_wish f = file_of(c);
    want_file(arg, &f);
}

static const char *state_of(const struct settings *s, struct arena *mem)
{
    char path[PATH_MAX];
    if (s->state.text.len > 0)
        return arena_dup(mem, s->state.text).ptr;
    (void)state_default_path(path,
                             sizeof path); // one that is too long can't be opened, which is told
    return arena_dup(mem, str_of(path)).ptr;
}

// --- authorities ---

static const enum acme_challenge_kind usual_challenges[] = {ACME_CHALLENGE_TLS_ALPN_01,
                                                            ACME_CHALLENGE_HTTP_01};

static void choose_challenges(const struct acme_conf *c, struct issue_issuer *ret)
{
    for (size_t i = 0; i < c->challenges.n && i < ARRAY_LEN(ret->challenges); i++)
        ret->challenges[ret->n_challenges++] = acme_challenge_parse(c->challenges.items[i].text);
    if (ret->n_challenges > 0)
        return;
    memcpy(ret->challenges, usual_challenges, sizeof usual_challenges);
    ret->n_challenges = ARRAY_LEN(usual_challenges);
    if (c->dns_hook.text.len > 0)
        ret->challenges[ret->n_challenges++] = ACME_CHALLENGE_DNS_01;
}

static const struct str *choose_contacts(const struct settings *s, const struct acme_conf *c,
                                         struct arena *mem, size_t *ret_n)
{
    struct str *contacts = ARENA_ARRAY(mem, struct str, c->email.n + 1);
    if (!contacts)
        panic("the settings have more issuers than fit");
    *ret_n = 0;
    for (size_t i = 0; i < c->email.n; i++)
        contacts[(*ret_n)++] = arena_dup(mem, c->email.items[i].text);
    if (*ret_n == 0 && s->email.text.len > 0)
        contacts[(*ret_n)++] = arena_dup(mem, s->email.text);
    return contacts;
}

static struct issue_issuer issuer_of(const struct settings *s, struct str name,
                                     const struct acme_conf *c, struct arena *mem)
{
    struct issue_issuer issuer = {
        .name = arena_dup(mem, name),
        .directory = arena_dup(mem, issuers_directory_url(c->directory.text)),
        .key_kind = (enum tls_key_kind)c->key,
        .profile = arena_dup(mem, c->profile.text),
        .preferred_chain = arena_dup(mem, c->preferred_chain.text),
        .ca_pem = arena_dup(mem, c->ca.content),
        .eab_kid = arena_dup(mem, c->eab.kid.text),
        .eab_key = arena_dup(mem, c->eab.key.text),
        .dns_hook = arena_dup(mem, c->dns_hook.text),
        .dns_wait_ms = c->dns_wait_ms,
    };
    issuer.contacts = choose_contacts(s, c, mem, &issuer.n_contacts);
    choose_challenges(c, &issuer);
    return issuer;
}

static void add_issuers(struct wish *w, const struct settings *s)
{
    static const struct acme_conf defaults = {.directory = {.text = STR_INIT(ISSUERS_DEFAULT)}};
    struct issue_issuer *issuers = ARENA_ARRAY(&w->mem, struct issue_issuer, s->issuers.n + 1);
    if (!issuers)
        panic("the settings have more issuers than fit");
    size_t n = 0;
    for (size_t i = 0; i < s->issuers.n; i++) {
        const struct issuer_conf *c = s->issuers.items[i].value;
        issuers[n++] = issuer_of(s, s->issuers.items[i].name, &c->acme, &w->mem);
    }
    if (n == 0 && s->email.text.len > 0)
        issuers[n++] = issuer_of(s, STR(ISSUERS_DEFAULT), &defaults, &w->mem);
    w->issue.issuers = issuers;
    w->issue.n_issuers = n;
}

// Who signs, and for which of the names: a public authority not for local ones. chosen: by
// settings; may be empty.
static struct str choose_issuer(const struct wish *w, struct str chosen, const struct str *names,
                                size_t n, struct str *ret_names, size_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (chosen.len > 0 || !certs_is_local_name(names[i]))
            ret_names[(*ret_n)++] = names[i];
    }
    if (chosen.len > 0)
        return chosen;
    return w->issue.n_issuers > 0 && *ret_n > 0 ? w->issue.issuers[0].name
                                                : STR(CERTS_ISSUER_LOCAL);
}

// WHY: the array is const for those who read it; it is new_wish's.
static void add_need(struct wish *w, const struct issue_need *need)
{
    struct issue_need *needs = (struct issue_need *)(uintptr_t)w->issue.needs;
    struct str *copy = ARENA_ARRAY(&w->mem, struct str, need->n_names);
    if (!copy)
        panic("the settings want more certificates than fit");
    for (size_t i = 0; i < need->n_names; i++)
        copy[i] = arena_dup(&w->mem, need->names[i]);
    needs[w->issue.n_needs++] = (struct issue_need){.id = arena_dup(&w->mem, need->id),
                                                    .names = copy,
                                                    .n_names = need->n_names,
                                                    .issuer = arena_dup(&w->mem, need->issuer)};
}

// A certificate for all of the names, of which the first is its id.
static void want_names(struct wish *w, struct str chosen, const struct str *names, size_t n)
{
    struct str *signed_names = MEM_ARRAY(struct str, n);
    size_t n_signed;
    struct str issuer = choose_issuer(w, chosen, names, n, signed_names, &n_signed);
    struct str id = certs_id_of(names[0], &w->mem);
    add_name(w,
             &(struct keeper_certs_name){.id = id, .names = names, .n_names = n, .issuer = issuer});
    if (!str_eq(issuer, STR(CERTS_ISSUER_LOCAL)))
        add_need(w, &(struct issue_need){
                        .id = id, .names = signed_names, .n_names = n_signed, .issuer = issuer});
    mem_free(signed_names);
}

struct wish *wish_new(const struct snapshot *s)
{
    size_t n_files = 0;
    each_certificate(s, count_one, &n_files);
    struct wish *w = new_wish(n_files, s->n_sites + s->n_hosts);
    w->certs.has_tls = s->doors != NULL;
    w->state = state_of(&s->settings, &w->mem);
    add_issuers(w, &s->settings);
    each_certificate(s, want_certificate, w);
    for (size_t i = 0; i < s->n_sites; i++) {
        const struct snapshot_site *site = &s->sites[i];
        const struct site_conf *conf = site->item->value;
        if (site->tls_entries != 0 && site->n_names > 0)
            want_names(w, conf->tls.issuer.text, site->names, site->n_names);
    }
    for (const struct snapshot_host *h = s->hosts; h; h = h->next)
        want_names(w, h->issuer->text, &h->name, 1);
    return w;
}

struct wish *wish_both(const struct wish *first, const struct wish *second)
{
    const struct keeper_certs_wish *a = &first->certs, *b = &second->certs;
    struct wish *w = new_wish(a->n_files + b->n_files, a->n_names + b->n_names);
    struct map ids = {.n = 0};
    w->certs.has_tls = a->has_tls || b->has_tls;
    w->issue = first->issue; // orders are for what comes; borrowed, see the header
    w->state = arena_dup(&w->mem, str_of(first->state)).ptr;
    for (size_t i = 0; i < a->n_files; i++)
        want_file(w, &a->files[i]);
    for (size_t i = 0; i < b->n_files; i++)
        want_file(w, &b->files[i]);
    for (size_t i = 0; i < a->n_names; i++) {
        add_name(w, &a->names[i]);
        map_set(&ids, a->names[i].id, w);
    }
    for (size_t i = 0; i < b->n_names; i++) {
        if (!map_get(&ids, b->names[i].id))
            add_name(w, &b->names[i]);
    }
    map_fini(&ids);
    return w;
}

void wish_free(struct wish *w)
{
    if (!w)
        return;
    map_fini(&w->files);
    arena_fini(&w->mem);
    mem_free(w);
}

// --- checking ---

struct check {
    struct diags *diags;
    int64_t now_s;
    const struct certificate_conf *first_default;
    enum err err;
};

static void fail(struct check *k, struct place place, struct str path, const char *why)
{
    k->err = diag_fail(k->diags, ERR_SYNTAX, place, "the certificate '" STR_FMT "': %s",
                       STR_ARG(path), why);
}

static bool covers_one(const struct tls_cert_info *leaf, const struct snapshot_site *site)
{
    for (size_t i = 0; i < site->n_names; i++) {
        if (tls_cert_covers(leaf, site->names[i]))
            return true;
    }
    return false;
}

static void look_at(struct check *k, const struct certificate_conf *c, const struct certs_file *f,
                    const struct snapshot_site *site, bool is_in_folder)
{
    if (f->why && is_in_folder) { // others' work, perhaps half done: no reason to refuse settings
        diag_warn(k->diags, c->cert.place, "the certificate '" STR_FMT "' is left out: %s",
                  STR_ARG(f->path), f->why);
    } else if (f->why) {
        fail(k, c->cert.place, f->path, f->why);
    } else if (f->cert.flaws != 0) {
        diag_warn(k->diags, c->cert.place, "the certificate '" STR_FMT "': %s", STR_ARG(f->path),
                  tls_flaw_text(f->cert.flaws));
    } else if (site && !is_in_folder && !covers_one(&f->cert.leaf, site)) {
        diag_warn(k->diags, c->cert.place,
                  "the certificate '" STR_FMT "' is for other names than those of the site "
                  "'" STR_FMT "'",
                  STR_ARG(f->path), STR_ARG(site->item->name));
    }
}

static void check_one(void *arg, const struct certificate_conf *c, const struct snapshot_site *site)
{
    struct check *k = arg;
    struct certs_file_wish wish = file_of(c);
    if (c->is_default && wish.is_folder)
        fail(k, c->place, c->cert.text, "a folder can't be the default, only a file in it");
    const struct certificate_conf *first = k->first_default;
    if (c->is_default && first && !str_eq(first->cert.text, c->cert.text))
        fail(k, c->place, c->cert.text, "another certificate is the default already");
    if (c->is_default && !k->first_default)
        k->first_default = c;
    struct certs_files *files = certs_files_new();
    (void)certs_files_want(files, &wish, 1, k->now_s);
    for (size_t i = 0; i < certs_files_n(files); i++)
        look_at(k, c, certs_files_get(files, i), site, wish.is_folder);
    certs_files_free(files);
}

static bool has_issuer(const struct settings *s, struct str name)
{
    if (str_eq(name, STR(CERTS_ISSUER_LOCAL)))
        return true;
    for (size_t i = 0; i < s->issuers.n; i++) {
        if (str_eq(s->issuers.items[i].name, name))
            return true;
    }
    return s->issuers.n == 0 && s->email.text.len > 0 && str_eq(name, STR(ISSUERS_DEFAULT));
}

static void check_issuer(struct check *k, const struct settings *s, const struct conf_text *name)
{
    if (name->text.len > 0 && !has_issuer(s, name->text))
        k->err = diag_fail(k->diags, ERR_NOT_FOUND, name->place,
                           "there is no issuer '" STR_FMT "'; name one of 'issuers', or local",
                           STR_ARG(name->text));
}

enum err wish_check_files(const struct snapshot *s, int64_t now_s, struct diags *diags)
{
    struct check k = {.diags = diags, .now_s = now_s, .err = ERR_OK};
    each_certificate(s, check_one, &k);
    for (size_t i = 0; i < s->n_sites; i++)
        check_issuer(&k, &s->settings,
                     &((const struct site_conf *)s->sites[i].item->value)->tls.issuer);
    for (size_t i = 0; i < s->settings.routes.n; i++)
        check_issuer(&k, &s->settings,
                     &((const struct route_conf *)s->settings.routes.items[i])->tls.issuer);
    return k.err;
}
