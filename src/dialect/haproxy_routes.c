// SPDX-License-Identifier: Apache-2.0
// From rules to routes. A rule that answers becomes a route with its condition, before those of the
// rules behind it. One that changes something for some requests splits the way: the rules behind it
// are asked once for those requests, then for all.
#include "dialect/haproxy_walk.h"

// --- which rules there are ---

static void add_step(struct haproxy *h, struct haproxy_steps *steps, struct haproxy_line *l,
                     bool is_action)
{
    struct haproxy_rule_step *items =
        ARENA_GROW(&h->d->mem, struct haproxy_rule_step, steps->items, steps->n, &steps->cap);
    if (!items) {
        h->d->is_full = true;
        return;
    }
    l->is_done = true;
    steps->items = items;
    steps->items[steps->n++] = (struct haproxy_rule_step){.line = l, .is_action = is_action};
}

static void add_steps(struct haproxy *h, struct haproxy_steps *steps, struct haproxy_section *at,
                      const char *first, const char *second, bool is_action)
{
    if (at->defaults && at->defaults->name.len > 0 && is_action)
        add_steps(h, steps, at->defaults, first, second, is_action);
    for (size_t i = 0; i < at->n; i++)
        if (str_eq(at->lines[i].words[0], str_of(first)) &&
            (!second || str_eq(haproxy_word(&at->lines[i], 1), str_of(second))))
            add_step(h, steps, &at->lines[i], is_action);
}

// Any of its lines switches the page on.
static struct haproxy_line *find_stats(struct haproxy_section *s)
{
    struct haproxy_line *uri = haproxy_last(s, "stats", "uri");
    struct haproxy_line *any = haproxy_last(s, "stats", NULL);
    return uri ? uri : any;
}

// In HAProxy's own order.
static struct haproxy_steps rules_of(struct haproxy *h, struct haproxy_section *s)
{
    struct haproxy_steps steps = {.n = 0};
    add_steps(h, &steps, s, "tcp-request", "connection", true);
    add_steps(h, &steps, s, "tcp-request", "session", true);
    add_steps(h, &steps, s, "tcp-request", "content", true);
    add_steps(h, &steps, s, "http-request", NULL, true);
    add_steps(h, &steps, s, "http-response", NULL, true);
    struct haproxy_line *stats = find_stats(s);
    if (stats)
        add_step(h, &steps, stats, false);
    add_steps(h, &steps, s, "redirect", NULL, false);
    return steps;
}

// --- other rules ---

static bool is_refusal(const struct haproxy_line *l)
{
    static const char *const names[] = {"deny", "reject", "tarpit", "silent-drop", "auth"};
    unsigned at = haproxy_is_word(l, 0, "tcp-request") ? 2 : 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (haproxy_is_word(l, at, names[i]))
            return true;
    return false;
}

// The rules behind the actions.
static size_t behind_actions(const struct haproxy_steps *steps, size_t i)
{
    while (i < steps->n && steps->items[i].is_action)
        i++;
    return i;
}

// A rule that answers: a redirect, or "return". True: nobody gets past it.
static bool reply(struct haproxy_run *r, struct haproxy_line *l, const struct haproxy_state *s,
                  const struct haproxy_expr *e)
{
    bool is_old = haproxy_is_word(l, 0, "redirect");
    struct str filter;
    if (haproxy_unknown_part(e)) {
        haproxy_note_unknown(r, l, e, DRAFT_CLOSED, "all for whom it could hold are refused");
        filter = haproxy_refusal(r->h, 503, l);
    } else if (is_old || haproxy_is_word(l, 1, "redirect")) {
        filter = haproxy_redirect(r, l, is_old ? 1 : 2);
    } else {
        filter = haproxy_answer(r, l, 2, haproxy_status(l, 200));
    }
    if (filter.len == 0)
        filter = haproxy_refusal(r->h, 503, l);
    return haproxy_put_answer(r, s, haproxy_at_most(r->h->d, e), l, filter);
}

// What a server answers can't be refused, so nobody asks it.
static bool refuse_answers(struct haproxy_run *r, struct haproxy_line *l,
                           const struct haproxy_state *s, const struct haproxy_expr *e)
{
    haproxy_note(r->h, l, DRAFT_CLOSED,
                 "answers of servers can't be refused by a condition: all requests are");
    return haproxy_put_answer(r, s, haproxy_at_most(r->h->d, e), l, haproxy_refusal(r->h, 502, l));
}

// Does an action under its condition; where that depends on the request, the rest of the rules is
// asked for these requests first.
static void act(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                struct haproxy_state *s, const struct haproxy_expr *e)
{
    struct haproxy_line *l = steps->items[i].line;
    bool is_response = haproxy_is_word(l, 0, "http-response");
    bool is_allow = haproxy_is_word(l, haproxy_is_word(l, 0, "tcp-request") ? 2 : 1,
                                    haproxy_is_word(l, 0, "http-request") ? "allow" : "accept");
    if (e->kind == HAPROXY_FALSE)
        return;
    if (haproxy_unknown_part(e)) {
        haproxy_note_unknown(r, l, e, DRAFT_LOST, "so it isn't done for any request");
        return;
    }
    if (e->kind != HAPROXY_TRUE && r->n_forks++ >= HAPROXY_FORKS_MAX) {
        haproxy_note(r->h, l, DRAFT_LOST,
                     "there are too many combinations of conditions to make a route of each");
        return;
    }
    struct haproxy_state some = *s;
    some.cond = haproxy_and(r->h->d, s->cond, e);
    if (is_allow) {
        haproxy_walk(r, steps, behind_actions(steps, i), some);
        if (e->kind == HAPROXY_TRUE)
            s->cond = &haproxy_false;
        return;
    }
    if (!haproxy_change(r, &some, l, is_response))
        return;
    if (e->kind == HAPROXY_TRUE)
        *s = some;
    else
        haproxy_walk(r, steps, i + 1, some);
}

// --- where requests go ---

struct haproxy_proxy *haproxy_find_backend(struct haproxy *h, struct str name)
{
    for (size_t i = 0; i < h->n_proxies; i++)
        if (h->proxies[i].has_back && str_eq(h->proxies[i].s->name, name))
            return &h->proxies[i];
    return NULL;
}

// The end of the way: servers, or 503 where there are none.
static void serve(struct haproxy_run *r, struct haproxy_state s, struct haproxy_line *l)
{
    struct haproxy_proxy *p = r->proxy;
    haproxy_state_flush(r, &s);
    if (p->has_back && p->service.len > 0 && p->is_tcp == r->front->is_tcp)
        haproxy_put_route(r, &s, l, STR_NONE, haproxy_service(r, &s));
    else if (!r->front->is_tcp)
        haproxy_put_route(r, &s, l, haproxy_refusal(r->h, 503, NULL), STR_NONE);
}

// Through the rules of a backend to its servers.
static void enter(struct haproxy_run *r, struct haproxy_state s, struct haproxy_proxy *back,
                  struct haproxy_line *l)
{
    struct haproxy_proxy *front = r->proxy;
    haproxy_state_flush(r, &s);
    r->proxy = back;
    r->in_backend = true;
    if (back != front)
        haproxy_proxy_filters(r, &s);
    struct haproxy_steps steps = rules_of(r->h, back->s);
    add_step(r->h, &steps, l, false);
    haproxy_walk(r, &steps, 0, s);
    r->proxy = front;
    r->in_backend = false;
}

static struct str backend_name(const struct haproxy_line *l)
{
    return haproxy_word(l, 1);
}

// use_backend and default_backend. True: nobody gets past it.
static bool choose(struct haproxy_run *r, const struct haproxy_state *s, struct haproxy_line *l,
                   const struct haproxy_expr *e)
{
    struct haproxy_proxy *back = haproxy_find_backend(r->h, backend_name(l));
    if (!back)
        haproxy_note(r->h, l, DRAFT_CLOSED,
                     "there is no backend of this name that is known "
                     "beforehand: who would be sent there is refused");
    else if (haproxy_unknown_part(e))
        haproxy_note_unknown(r, l, e, DRAFT_CLOSED, "all for whom it could hold are refused");
    if (!back || haproxy_unknown_part(e)) {
        const struct haproxy_expr *most = haproxy_at_most(r->h->d, e);
        struct haproxy_state own = *s;
        if (r->front->is_tcp)
            return most->kind == HAPROXY_TRUE;
        return haproxy_put_answer(r, &own, most, l, haproxy_refusal(r->h, 503, l));
    }
    struct haproxy_state own = *s;
    own.cond = haproxy_and(r->h->d, s->cond, e);
    if (own.cond->kind != HAPROXY_FALSE)
        enter(r, own, back, l);
    bool is_end = e->kind == HAPROXY_TRUE || (r->seen && haproxy_is_contrary(r->seen, own.cond));
    r->seen = own.cond;
    return is_end;
}

// --- the walk ---

// One rule. True: nobody gets past it.
static bool step(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                 struct haproxy_state *s)
{
    struct haproxy_line *l = steps->items[i].line;
    bool is_tcp_rule = haproxy_is_word(l, 0, "tcp-request");
    bool is_choice =
        haproxy_is_word(l, 0, "use_backend") || haproxy_is_word(l, 0, "default_backend");
    if (r->in_backend && is_choice) {
        serve(r, *s, l); // the line that led to this backend
        return true;
    }
    if (haproxy_is_word(l, 0, "stats"))
        return haproxy_stats(r, s, l);
    bool is_response = haproxy_is_word(l, 0, "http-response");
    if (is_refusal(l) && !is_response)
        return haproxy_refuse(r, steps, i, s);
    struct haproxy_asked a = haproxy_asking(r, s, is_response);
    const struct haproxy_expr *e = haproxy_cond(&a, l, 1);
    if (haproxy_is_word(l, 1, "replace-header") && e->kind != HAPROXY_FALSE)
        e = haproxy_and(r->h->d, e, haproxy_replaces(&a, l));
    r->used_bind |= a.used_bind;
    struct haproxy_state own = *s;
    haproxy_state_remember(&own, &a);
    if (is_choice)
        return choose(r, &own, l, e);
    if (is_response && is_refusal(l))
        return e->kind != HAPROXY_FALSE && refuse_answers(r, l, &own, e);
    bool is_reply = haproxy_is_word(l, 0, "redirect") ||
                    (haproxy_is_word(l, 0, "http-request") &&
                     (haproxy_is_word(l, 1, "redirect") || haproxy_is_word(l, 1, "return")));
    if (is_reply)
        return e->kind != HAPROXY_FALSE && reply(r, l, &own, e);
    if (is_tcp_rule && !haproxy_is_word(l, 2, "accept")) {
        // Only what is counted here matters, and limits look it up.
        l->is_done = true;
        return false;
    }
    act(r, steps, i, &own, e);
    unsigned n_also = s->n_also;
    *s = own;
    s->n_also = e->kind == HAPROXY_TRUE ? own.n_also : n_also;
    return s->cond->kind == HAPROXY_FALSE;
}

void haproxy_walk(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                  struct haproxy_state s)
{
    for (; i < steps->n && !r->h->d->is_full; i++)
        if (step(r, steps, i, &s))
            return;
    serve(r, s, NULL);
}

// --- a frontend ---

// All that its binds have in common is asked once: routes of one bind hold for others whose
// conditions have the same answers.
static bool same_answers(const struct haproxy_bind *a, const struct haproxy_bind *b)
{
    return a->has_tls == b->has_tls && a->port == b->port;
}

static void share(struct haproxy *h, const struct haproxy_bind *b, size_t first)
{
    for (size_t i = first; i < h->n_routes; i++) {
        struct conf_node *entries = conf_node_get(h->routes[i], STR("entrypoints"));
        draft_push(h->d, entries, b->name, h->routes[i]->place);
    }
}

void haproxy_routes(struct haproxy *h, struct haproxy_proxy *p)
{
    struct haproxy_steps steps = rules_of(h, p->s);
    add_steps(h, &steps, p->s, "use_backend", NULL, false);
    struct haproxy_line *otherwise = haproxy_last(p->s, "default_backend", NULL);
    if (otherwise)
        add_step(h, &steps, otherwise, false);
    bool *is_done = ARENA_ARRAY(&h->d->mem, bool, p->n_binds + 1);
    if (!is_done) {
        h->d->is_full = true;
        return;
    }
    memset(is_done, 0, p->n_binds + 1);
    for (size_t i = 0; i < p->n_binds && !h->d->is_full; i++) {
        if (is_done[i])
            continue;
        size_t first = h->n_routes;
        struct haproxy_run r = {.h = h, .front = p, .proxy = p, .bind = &p->binds[i]};
        struct haproxy_state s = {.cond = &haproxy_true};
        haproxy_proxy_filters(&r, &s);
        haproxy_walk(&r, &steps, 0, s);
        for (size_t k = i + 1; k < p->n_binds; k++) {
            if (is_done[k] || (r.used_bind && !same_answers(&p->binds[i], &p->binds[k])))
                continue;
            is_done[k] = true;
            share(h, &p->binds[k], first);
        }
    }
}
