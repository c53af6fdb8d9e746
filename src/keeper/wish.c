// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "keeper/state_path.h"
#include "keeper/wish_demand.h"
#include "keeper/wish_issuers.h"
#include "upstream/service.h"

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

// --- names ---

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
                                                    .sources = need->sources,
                                                    .n_sources = need->n_sources};
}

// A certificate for all of the names, of which the first is its id. on_demand: not for its
// wildcards, which are the local CA's until a name below is asked for.
static void want_names(struct wish *w, const struct settings *s, const struct conf_texts *chosen,
                       const struct str *names, size_t n, bool on_demand)
{
    struct str *asked = MEM_ARRAY(struct str, n), *signed_names = MEM_ARRAY(struct str, n);
    struct issue_need need = {.id = certs_id_of(names[0], &w->mem), .names = signed_names};
    struct str issuer = STR(CERTS_ISSUER_LOCAL);
    size_t n_asked = 0;
    for (size_t i = 0; i < n; i++) {
        if (!on_demand || !str_starts(names[i], STR("*.")))
            asked[n_asked++] = names[i];
    }
    if (n_asked > 0)
        issuer = wish_issuers_choose(w, s, chosen, asked, n_asked, signed_names, &need);
    add_name(w, &(struct keeper_certs_name){
                    .id = need.id, .names = names, .n_names = n, .issuer = issuer});
    if (need.n_sources > 0)
        add_need(w, &need);
    mem_free(asked);
    mem_free(signed_names);
}

static void want_learnt(void *arg, struct str server)
{
    struct wish *w = arg;
    if (!map_get(&w->learnt, server))
        map_set(&w->learnt, arena_dup(&w->mem, server), w);
}

static void want_of_service(struct wish *w, const struct handler *service)
{
    service_each_learnt(service, want_learnt, w);
    w->has_sticky = w->has_sticky || service_is_sticky(service);
}

static const struct str *copy_texts(struct wish *w, const struct conf_texts *texts)
{
    struct str *copy = ARENA_ARRAY(&w->mem, struct str, texts->n + 1);
    if (!copy)
        panic("the settings' hooks don't fit");
    for (size_t i = 0; i < texts->n; i++)
        copy[i] = arena_dup(&w->mem, texts->items[i].text);
    return copy;
}

static void want_hooks(struct wish *w, const struct hooks_conf *c)
{
    w->hooks = (struct hooks_wish){.issued = copy_texts(w, &c->issued),
                                   .n_issued = c->issued.n,
                                   .trouble = copy_texts(w, &c->trouble),
                                   .n_trouble = c->trouble.n,
                                   .timeout_ms = c->timeout_ms};
    w->expires_within_s = c->expires_within_ms / 1000;
}

struct wish *wish_new(const struct snapshot *s)
{
    size_t n_files = 0;
    each_certificate(s, count_one, &n_files);
    struct wish *w = new_wish(n_files, s->n_sites + s->n_hosts);
    w->certs.has_tls = s->doors != NULL;
    w->state = state_of(&s->settings, &w->mem);
    wish_issuers_add(w, &s->settings);
    wish_demand_add(w, s);
    want_hooks(w, &s->settings.hooks);
    each_certificate(s, want_certificate, w);
    for (size_t i = 0; i < s->n_sites; i++) {
        const struct snapshot_site *site = &s->sites[i];
        const struct site_conf *conf = site->item->value;
        if (site->tls_entries != 0 && site->n_names > 0)
            want_names(w, &s->settings, &conf->tls.issuer, site->names, site->n_names,
                       conf->tls.on_demand);
    }
    for (const struct snapshot_host *h = s->hosts; h; h = h->next)
        want_names(w, &s->settings, h->issuer, &h->name, 1, false);
    for (size_t i = 0; i < s->all_services.n; i++)
        want_of_service(w, s->all_services.items[i]);
    return w;
}

struct wish *wish_both(const struct wish *first, const struct wish *second)
{
    const struct keeper_certs_wish *a = &first->certs, *b = &second->certs;
    struct wish *w = new_wish(a->n_files + b->n_files, a->n_names + b->n_names);
    struct map ids = {.n = 0};
    w->certs.has_tls = a->has_tls || b->has_tls;
    w->has_sticky = first->has_sticky || second->has_sticky;
    w->demand = first->demand;
    w->issue = first->issue; // orders are for what comes; borrowed, see the header
    w->hooks = first->hooks; // the same
    w->expires_within_s = first->expires_within_s;
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
    MAP_FOR(e, &first->learnt)
    want_learnt(w, e->key);
    MAP_FOR(e, &second->learnt)
    want_learnt(w, e->key);
    return w;
}

void wish_free(struct wish *w)
{
    if (!w)
        return;
    map_fini(&w->files);
    map_fini(&w->learnt);
    arena_wipe(&w->mem); // keys of external accounts
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

enum err wish_check_files(const struct snapshot *s, int64_t now_s, struct diags *diags)
{
    struct check k = {.diags = diags, .now_s = now_s, .err = ERR_OK};
    each_certificate(s, check_one, &k);
    hooks_check(&s->settings.hooks, diags);
    enum err issuers_err = wish_issuers_check(s, diags);
    enum err demand_err = wish_demand_check(s, diags);
    return k.err ? k.err : issuers_err ? issuers_err : demand_err;
}
