// SPDX-License-Identifier: Apache-2.0
// HAProxy's configuration as settings: frontends become entrypoints and routes, backends services.
#include "dialect/dialect.h"
#include "dialect/haproxy_priv.h"

static bool is_proxy(const struct haproxy_section *s)
{
    return s->kind == HAPROXY_FRONTEND || s->kind == HAPROXY_BACKEND || s->kind == HAPROXY_LISTEN;
}

static void take_mode(struct haproxy *h, struct haproxy_proxy *p)
{
    // HAProxy's own default is tcp.
    struct haproxy_line *l = haproxy_last(p->s, "mode", NULL);
    p->is_tcp = !l || !str_eq(haproxy_word(l, 1), STR("http"));
    if (l && p->is_tcp && !str_eq(haproxy_word(l, 1), STR("tcp")))
        haproxy_note(h, l, DRAFT_LOST, "there are the modes http and tcp");
}

static bool is_off(struct haproxy *h, struct haproxy_proxy *p)
{
    struct haproxy_line *l = haproxy_last(p->s, "disabled", NULL);
    if (!l)
        return false;
    haproxy_note(h, l, DRAFT_NEEDLESS, "the section is disabled, so nothing became of it");
    for (size_t i = 0; i < p->s->n; i++)
        p->s->lines[i].is_done = true;
    return true;
}

static void find_proxies(struct haproxy *h)
{
    h->proxies = ARENA_ARRAY(&h->d->mem, struct haproxy_proxy, h->file.n + 1);
    if (!h->proxies) {
        h->d->is_full = true;
        return;
    }
    for (size_t i = 0; i < h->file.n; i++) {
        struct haproxy_section *s = &h->file.sections[i];
        struct haproxy_proxy p = {.s = s};
        if (!is_proxy(s) || is_off(h, &p))
            continue;
        take_mode(h, &p);
        p.has_front = s->kind != HAPROXY_BACKEND;
        p.has_back = s->kind != HAPROXY_FRONTEND;
        h->proxies[h->n_proxies++] = p;
    }
}

// The first rule that fits is the one that counts, as it was there.
static void rank_routes(struct haproxy *h)
{
    for (size_t i = 0; i < h->n_routes; i++)
        draft_set(h->d, h->routes[i], STR("priority"),
                  draft_printf(h->d, "%zu", (h->n_routes - i) * 10), h->routes[i]->place);
}

static void convert_parts(struct haproxy *h)
{
    for (size_t i = 0; i < h->file.n; i++) {
        if (h->file.sections[i].kind == HAPROXY_GLOBAL)
            haproxy_global(h, &h->file.sections[i]);
        if (h->file.sections[i].kind == HAPROXY_RESOLVERS)
            haproxy_resolvers(h, &h->file.sections[i]);
    }
    haproxy_logs(h);
    find_proxies(h);
    for (size_t i = 0; i < h->n_proxies; i++)
        if (h->proxies[i].has_front)
            haproxy_binds(h, &h->proxies[i]);
    for (size_t i = 0; i < h->n_proxies && !h->d->is_full; i++)
        if (h->proxies[i].has_back)
            haproxy_backend(h, &h->proxies[i]);
    for (size_t i = 0; i < h->n_proxies && !h->d->is_full; i++)
        if (h->proxies[i].has_front)
            haproxy_routes(h, &h->proxies[i]);
    rank_routes(h);
    haproxy_judge_rest(h);
}

static bool convert(const struct dialect_input *in, struct draft *d, struct diags *diags)
{
    struct haproxy h = {.in = in, .d = d};
    if (!haproxy_read(in, d, diags, &h.file))
        return false;
    if (!d->is_full)
        convert_parts(&h);
    map_fini(&h.filters);
    map_fini(&h.services);
    map_fini(&h.noted);
    return true;
}

const struct dialect dialect_haproxy = {
    .name = "haproxy",
    .title = "HAProxy",
    .convert = convert,
};
