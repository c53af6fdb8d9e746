// SPDX-License-Identifier: Apache-2.0
// What was decided so far on the way to a route, and the route that is made of it.
#include "dialect/haproxy_walk.h"

struct haproxy_asked haproxy_asking(struct haproxy_run *r, const struct haproxy_state *s,
                                    bool is_answer)
{
    return (struct haproxy_asked){
        .d = r->h->d,
        .files = r->h->in->files,
        .proxy = r->proxy->s,
        .is_tcp = r->front->is_tcp,
        .is_answer = is_answer,
        .has_tls = r->bind->has_tls,
        .port = r->bind->port,
        .changed = s->changed,
        .fields = s->fields,
    };
}

void haproxy_state_remember(struct haproxy_state *s, const struct haproxy_asked *a)
{
    for (unsigned i = 0; i < a->n_also && s->n_also < ARRAY_LEN(s->also); i++)
        s->also[s->n_also++] = a->also[i];
}

void haproxy_state_use(struct haproxy_run *r, struct haproxy_state *s, struct str filter,
                       bool is_guard)
{
    for (const struct haproxy_use *u = s->uses; u; u = u->before)
        if (str_eq(u->name, filter))
            return;
    struct haproxy_use *use = ARENA_NEW(&r->h->d->mem, struct haproxy_use);
    if (!use) {
        r->h->d->is_full = true;
        return;
    }
    *use = (struct haproxy_use){.before = s->uses, .name = filter, .is_guard = is_guard};
    s->uses = use;
}

void haproxy_note_unknown(struct haproxy_run *r, struct haproxy_line *l,
                          const struct haproxy_expr *e, enum draft_fate fate, const char *what)
{
    const struct haproxy_expr *part = haproxy_unknown_part(e);
    haproxy_note(r->h, l, fate, STR_FMT "; %s", STR_ARG(part->text), what);
}

static void put_uses(struct haproxy_run *r, const struct haproxy_use *use, bool guards_only,
                     struct conf_node *list, struct place place)
{
    if (!use)
        return;
    put_uses(r, use->before, guards_only, list, place);
    if (!guards_only || use->is_guard)
        draft_push(r->h->d, list, use->name, place);
}

void haproxy_put_route(struct haproxy_run *r, const struct haproxy_state *s, struct haproxy_line *l,
                       struct str answer, struct str service)
{
    struct haproxy *h = r->h;
    struct conf_node **routes =
        ARENA_GROW(&h->d->mem, struct conf_node *, h->routes, h->n_routes, &h->cap_routes);
    if (!routes || h->n_routes == HAPROXY_ROUTES_MAX) {
        h->d->is_full = true;
        return;
    }
    struct place place = l ? l->place : r->front->s->place;
    struct conf_node *list = draft_list(h->d, h->d->root, STR("routes"), (struct place){.line = 0});
    struct conf_node *route = draft_push_map(h->d, list, place);
    for (unsigned i = 0; i < s->n_also; i++)
        draft_also(h->d, route, s->also[i]);
    draft_set(h->d, route, STR("match"), haproxy_expr_text(h->d, s->cond, r->front->is_tcp), place);
    struct conf_node *entries = draft_list(h->d, route, STR("entrypoints"), place);
    draft_push(h->d, entries, r->bind->name, place);
    struct conf_node *uses = draft_list(h->d, route, STR("use"), place);
    if (!r->front->is_tcp)
        put_uses(r, s->uses, answer.len > 0, uses, place);
    if (answer.len > 0)
        draft_push(h->d, uses, answer, place);
    if (uses->n == 0)
        draft_remove(route, STR("use"));
    if (service.len > 0)
        draft_set(h->d, route, STR("to"), service, place);
    h->routes = routes;
    h->routes[h->n_routes++] = route;
}

bool haproxy_put_answer(struct haproxy_run *r, const struct haproxy_state *s,
                        const struct haproxy_expr *cond, struct haproxy_line *l, struct str filter)
{
    struct haproxy_state own = *s;
    own.cond = haproxy_and(r->h->d, s->cond, cond);
    if (own.cond->kind == HAPROXY_FALSE)
        return false;
    // At a TCP entrypoint nothing can be answered: what no route takes is closed.
    if (!r->front->is_tcp)
        haproxy_put_route(r, &own, l, filter, STR_NONE);
    bool is_end = cond->kind == HAPROXY_TRUE || (r->seen && haproxy_is_contrary(r->seen, own.cond));
    r->seen = own.cond;
    return is_end;
}
