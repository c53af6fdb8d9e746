// SPDX-License-Identifier: Apache-2.0
// From rules to routes. A rule that answers becomes a route with its condition, before those of the
// rules behind it. One that changes something for some requests splits the way: the rules behind it
// are asked once for those requests, then for all.
#include "dialect/haproxy_rules.h"

#define FORKS_MAX 64 // of one frontend and bind

struct step {
    struct haproxy_line *line;
    bool is_action; // http-request: "allow" goes on behind them
};

struct steps {
    struct step *items;
    size_t n, cap;
};

static void walk(struct haproxy_run *r, const struct steps *steps, size_t i,
                 struct haproxy_state s);

// --- which rules there are ---

static void add_step(struct haproxy *h, struct steps *steps, struct haproxy_line *l, bool is_action)
{
    struct step *items = ARENA_GROW(&h->d->mem, struct step, steps->items, steps->n, &steps->cap);
    if (!items) {
        h->d->is_full = true;
        return;
    }
    l->is_done = true;
    steps->items = items;
    steps->items[steps->n++] = (struct step){.line = l, .is_action = is_action};
}

static void add_steps(struct haproxy *h, struct steps *steps, struct haproxy_section *at,
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
static struct steps rules_of(struct haproxy *h, struct haproxy_section *s)
{
    struct steps steps = {.n = 0};
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

// --- the state ---

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

static void remember(struct haproxy_state *s, const struct haproxy_asked *a)
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

// Where a condition's unknown part is, and what becomes of it.
static void note_unknown(struct haproxy_run *r, struct haproxy_line *l,
                         const struct haproxy_expr *e, enum draft_fate fate, const char *what)
{
    const struct haproxy_expr *part = haproxy_unknown_part(e);
    haproxy_note(r->h, l, fate, STR_FMT "; %s", STR_ARG(part->text), what);
}

// --- routes ---

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

// Puts a route unless no request can come so far. True: none gets past it.
static bool answer(struct haproxy_run *r, const struct haproxy_state *s,
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

// --- rules that refuse ---

static bool is_word(const struct haproxy_line *l, unsigned i, const char *word)
{
    return str_eq(haproxy_word(l, i), str_of(word));
}

static unsigned status_of(const struct haproxy_line *l, unsigned otherwise)
{
    for (unsigned i = 1; i + 1 < l->n; i++) {
        struct str value = l->words[i + 1];
        bool is_status = is_word(l, i, "deny_status") || is_word(l, i, "status");
        if (is_status && value.len == 3 && value.ptr[0] >= '2' && value.ptr[0] <= '5')
            return (unsigned)(value.ptr[0] - '0') * 100 + (unsigned)(value.ptr[1] - '0') % 10 * 10 +
                   (unsigned)(value.ptr[2] - '0') % 10;
    }
    return otherwise;
}

// The one part of a term that is a password or a rate; the others in *ret_rest. NULL: there is
// none, or another unknown one.
static const struct haproxy_expr *special_part(struct haproxy_run *r, const struct haproxy_cond *c,
                                               size_t term, const struct haproxy_expr **ret_rest)
{
    const struct haproxy_expr *found = NULL, *rest = &haproxy_true;
    for (size_t i = 0; i < c->terms[term].n; i++) {
        const struct haproxy_expr *e = c->terms[term].parts[i];
        bool is_special =
            e->kind == HAPROXY_RATE || (e->kind == HAPROXY_NOT && e->a->kind == HAPROXY_AUTH);
        if (is_special && found)
            return NULL;
        if (is_special)
            found = e;
        else
            rest = haproxy_and(r->h->d, rest, e);
    }
    *ret_rest = rest;
    return found && !haproxy_unknown_part(rest) ? found : NULL;
}

// Requests that meet rest pass through this filter from here on.
static void guard(struct haproxy_run *r, const struct steps *steps, size_t i,
                  struct haproxy_state *s, const struct haproxy_expr *rest, struct str filter)
{
    if (rest->kind == HAPROXY_FALSE)
        return;
    if (rest->kind == HAPROXY_TRUE) {
        haproxy_state_use(r, s, filter, true);
        return;
    }
    struct haproxy_state some = *s;
    some.cond = haproxy_and(r->h->d, s->cond, rest);
    if (r->n_forks++ >= FORKS_MAX) {
        haproxy_note(r->h, steps->items[i - 1].line, DRAFT_CLOSED,
                     "there are too many combinations of conditions to make a route of each: all "
                     "for whom it holds are refused");
        haproxy_put_route(r, &some, steps->items[i - 1].line,
                          haproxy_refusal(r->h, 503, steps->items[i - 1].line), STR_NONE);
        return;
    }
    haproxy_state_use(r, &some, filter, true);
    walk(r, steps, i, some);
}

// One term of a rule that refuses. True: nobody gets past it.
static bool refuse_term(struct haproxy_run *r, const struct steps *steps, size_t i,
                        struct haproxy_state *s, const struct haproxy_cond *c, size_t term)
{
    struct haproxy_line *l = steps->items[i].line;
    bool is_auth = is_word(l, 1, "auth");
    unsigned status = status_of(l, is_word(l, 1, "tarpit") ? 500 : 403);
    const struct haproxy_expr *rest, *special = special_part(r, c, term, &rest);
    const struct haproxy_expr *e = haproxy_term(r->h->d, c, term);
    if (special && !r->front->is_tcp) {
        struct str filter = special->kind == HAPROXY_RATE
                                ? haproxy_limit(r, l, special, is_word(l, 1, "deny") ? status : 429)
                                : haproxy_password(r, l, special->a);
        if (filter.len > 0) {
            guard(r, steps, i + 1, s, rest, filter);
            return false;
        }
    }
    if (e->kind == HAPROXY_FALSE)
        return false;
    const struct haproxy_expr *part = haproxy_unknown_part(e);
    if (part)
        note_unknown(r, l, e, DRAFT_CLOSED, "all for whom it could hold are refused");
    else if (is_auth)
        haproxy_note(r->h, l, DRAFT_CLOSED,
                     "it asks for a password without saying whose: all are refused");
    const struct haproxy_expr *most = haproxy_at_most(r->h->d, e);
    if (r->front->is_tcp) {
        s->cond = haproxy_and(r->h->d, s->cond, haproxy_not(r->h->d, most));
        return s->cond->kind == HAPROXY_FALSE;
    }
    struct str filter =
        part || is_auth ? haproxy_refusal(r->h, 403, l) : haproxy_answer(r, l, 2, status);
    return answer(r, s, most, l, filter);
}

static bool refuse(struct haproxy_run *r, const struct steps *steps, size_t i,
                   struct haproxy_state *s)
{
    struct haproxy_line *l = steps->items[i].line;
    struct haproxy_asked a = haproxy_asking(r, s, false);
    struct haproxy_cond c;
    haproxy_cond_read(&a, l, 1, &c);
    r->used_bind |= a.used_bind;
    struct haproxy_state own = *s;
    remember(&own, &a);
    for (size_t term = 0; term < c.n; term++)
        if (refuse_term(r, steps, i, &own, &c, term))
            return true;
    s->uses = own.uses;
    s->cond = own.cond;
    return false;
}

// --- other rules ---

static bool is_refusal(const struct haproxy_line *l)
{
    static const char *const names[] = {"deny", "reject", "tarpit", "silent-drop", "auth"};
    unsigned at = is_word(l, 0, "tcp-request") ? 2 : 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is_word(l, at, names[i]))
            return true;
    return false;
}

// The rules behind the actions.
static size_t behind_actions(const struct steps *steps, size_t i)
{
    while (i < steps->n && steps->items[i].is_action)
        i++;
    return i;
}

// A rule that answers: a redirect, or "return". True: nobody gets past it.
static bool reply(struct haproxy_run *r, struct haproxy_line *l, const struct haproxy_state *s,
                  const struct haproxy_expr *e)
{
    bool is_old = is_word(l, 0, "redirect");
    struct str filter;
    if (haproxy_unknown_part(e)) {
        note_unknown(r, l, e, DRAFT_CLOSED, "all for whom it could hold are refused");
        filter = haproxy_refusal(r->h, 503, l);
    } else if (is_old || is_word(l, 1, "redirect")) {
        filter = haproxy_redirect(r, l, is_old ? 1 : 2);
    } else {
        filter = haproxy_answer(r, l, 2, status_of(l, 200));
    }
    if (filter.len == 0)
        filter = haproxy_refusal(r->h, 503, l);
    return answer(r, s, haproxy_at_most(r->h->d, e), l, filter);
}

// What a server answers can't be refused, so nobody asks it.
static bool refuse_answers(struct haproxy_run *r, struct haproxy_line *l,
                           const struct haproxy_state *s, const struct haproxy_expr *e)
{
    haproxy_note(r->h, l, DRAFT_CLOSED,
                 "answers of servers can't be refused by a condition: all requests are");
    return answer(r, s, haproxy_at_most(r->h->d, e), l, haproxy_refusal(r->h, 502, l));
}

// Does an action under its condition; where that depends on the request, the rest of the rules is
// asked for these requests first.
static void act(struct haproxy_run *r, const struct steps *steps, size_t i, struct haproxy_state *s,
                const struct haproxy_expr *e)
{
    struct haproxy_line *l = steps->items[i].line;
    bool is_response = is_word(l, 0, "http-response");
    bool is_allow = is_word(l, is_word(l, 0, "tcp-request") ? 2 : 1,
                            is_word(l, 0, "http-request") ? "allow" : "accept");
    if (e->kind == HAPROXY_FALSE)
        return;
    if (haproxy_unknown_part(e)) {
        note_unknown(r, l, e, DRAFT_LOST, "so it isn't done for any request");
        return;
    }
    if (e->kind != HAPROXY_TRUE && r->n_forks++ >= FORKS_MAX) {
        haproxy_note(r->h, l, DRAFT_LOST,
                     "there are too many combinations of conditions to make a route of each");
        return;
    }
    struct haproxy_state some = *s;
    some.cond = haproxy_and(r->h->d, s->cond, e);
    if (is_allow) {
        walk(r, steps, behind_actions(steps, i), some);
        if (e->kind == HAPROXY_TRUE)
            s->cond = &haproxy_false;
        return;
    }
    if (!haproxy_change(r, &some, l, is_response))
        return;
    if (e->kind == HAPROXY_TRUE)
        *s = some;
    else
        walk(r, steps, i + 1, some);
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
    struct steps steps = rules_of(r->h, back->s);
    add_step(r->h, &steps, l, false);
    walk(r, &steps, 0, s);
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
        note_unknown(r, l, e, DRAFT_CLOSED, "all for whom it could hold are refused");
    if (!back || haproxy_unknown_part(e)) {
        const struct haproxy_expr *most = haproxy_at_most(r->h->d, e);
        struct haproxy_state own = *s;
        if (r->front->is_tcp)
            return most->kind == HAPROXY_TRUE;
        return answer(r, &own, most, l, haproxy_refusal(r->h, 503, l));
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
static bool step(struct haproxy_run *r, const struct steps *steps, size_t i,
                 struct haproxy_state *s)
{
    struct haproxy_line *l = steps->items[i].line;
    bool is_tcp_rule = is_word(l, 0, "tcp-request");
    bool is_choice = is_word(l, 0, "use_backend") || is_word(l, 0, "default_backend");
    if (r->in_backend && is_choice) {
        serve(r, *s, l); // the line that led to this backend
        return true;
    }
    if (is_word(l, 0, "stats"))
        return haproxy_stats(r, s, l);
    bool is_response = is_word(l, 0, "http-response");
    if (is_refusal(l) && !is_response)
        return refuse(r, steps, i, s);
    struct haproxy_asked a = haproxy_asking(r, s, is_response);
    const struct haproxy_expr *e = haproxy_cond(&a, l, 1);
    if (is_word(l, 1, "replace-header") && e->kind != HAPROXY_FALSE)
        e = haproxy_and(r->h->d, e, haproxy_replaces(&a, l));
    r->used_bind |= a.used_bind;
    struct haproxy_state own = *s;
    remember(&own, &a);
    if (is_choice)
        return choose(r, &own, l, e);
    if (is_response && is_refusal(l))
        return e->kind != HAPROXY_FALSE && refuse_answers(r, l, &own, e);
    bool is_reply =
        is_word(l, 0, "redirect") ||
        (is_word(l, 0, "http-request") && (is_word(l, 1, "redirect") || is_word(l, 1, "return")));
    if (is_reply)
        return e->kind != HAPROXY_FALSE && reply(r, l, &own, e);
    if (is_tcp_rule && !is_word(l, 2, "accept")) {
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

static void walk(struct haproxy_run *r, const struct steps *steps, size_t i, struct haproxy_state s)
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
    struct steps steps = rules_of(h, p->s);
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
        walk(&r, &steps, 0, s);
        for (size_t k = i + 1; k < p->n_binds; k++) {
            if (is_done[k] || (r.used_bind && !same_answers(&p->binds[i], &p->binds[k])))
                continue;
            is_done[k] = true;
            share(h, &p->binds[k], first);
        }
    }
}
