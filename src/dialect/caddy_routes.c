// SPDX-License-Identifier: Apache-2.0
// A site's directives as routes. They are sorted as Caddy does it, then walked with what is known
// of the request: one that answers becomes a route, one that changes something for some requests
// splits the way. What comes first has the higher priority.
#include "dialect/caddy_priv.h"

#define ROUTES_MAX 1000 // of a site
#define STEPS_MAX 400   // of a block
#define DEPTH_MAX 64

struct frame {
    const struct caddy_step *steps;
    size_t n, at;
    bool has_handled, has_rewritten; // those that are left don't count
    const struct frame *behind;      // goes on there
};

struct walk {
    struct caddy_site *s;
    struct conf_node *list;
    struct str hosts; // a rule in front of all; empty: the site says it
    size_t n_routes;
    bool is_over;
};

static struct frame steps_of(struct walk *w, const struct caddy_line *block, bool is_sorted,
                             const struct frame *behind)
{
    struct caddy_step *steps = ARENA_ARRAY(&w->s->c->d->mem, struct caddy_step, STEPS_MAX);
    struct frame f = {.steps = steps, .behind = behind};
    if (!steps)
        w->s->c->d->is_full = true;
    for (struct caddy_line *l = block->first; l && steps; l = l->next) {
        if (str_starts(caddy_word(l, 0), STR("@")))
            continue;
        if (f.n == STEPS_MAX) {
            w->is_over = true;
            break;
        }
        caddy_classify(w->s->c, l, &steps[f.n++]);
    }
    if (is_sorted)
        caddy_sort(steps, f.n);
    return f;
}

// --- routes ---

static struct str join(struct caddy *c, struct str a, struct str b)
{
    if (a.len == 0 || b.len == 0)
        return a.len == 0 ? b : a;
    return draft_printf(c->d, STR_FMT " && " STR_FMT, STR_ARG(a), STR_ARG(b));
}

static void use(struct walk *w, struct caddy_state *state, struct str filter)
{
    if (filter.len == 0)
        return;
    if (state->n_use == CADDY_USE_MAX)
        w->is_over = true;
    else
        state->use[state->n_use++] = filter;
}

static void emit(struct walk *w, const struct caddy_state *state, struct str cond,
                 struct str filter, struct str service, struct place place)
{
    struct draft *d = w->s->c->d;
    if (w->is_over || ++w->n_routes > ROUTES_MAX) {
        w->is_over = true;
        return;
    }
    struct conf_node *route = draft_push_map(d, w->list, place);
    struct str rule = join(w->s->c, w->hosts, join(w->s->c, state->cond, cond));
    draft_set(d, route, STR("match"), rule.len > 0 ? rule : STR("PathPrefix(`/`)"), place);
    for (size_t i = 0; i < state->n_use; i++)
        draft_push(d, draft_list(d, route, STR("use"), place), state->use[i], place);
    if (filter.len > 0)
        draft_push(d, draft_list(d, route, STR("use"), place), filter, place);
    if (service.len > 0)
        draft_set(d, route, STR("to"), service, place);
}

static void refuse(struct walk *w, const struct caddy_state *state, struct str cond,
                   struct caddy_line *l, const char *why)
{
    caddy_note(w->s->c, l, DRAFT_CLOSED, "%s", why);
    // The filters in front may have protected it as well, and stay.
    emit(w, state, cond, caddy_refusal(w->s->c, l->place), STR_NONE, l->place);
}

static void walk(struct walk *w, struct frame at, const struct caddy_state *state, unsigned depth);

// What is behind a matcher.
static struct caddy_state narrow(struct walk *w, const struct caddy_state *state,
                                 const struct caddy_cond *cond)
{
    struct caddy_state inner = *state;
    inner.cond = join(w->s->c, state->cond, cond->rule);
    if (cond->path.len > state->path.len && !state->is_rewritten)
        inner.path = cond->path;
    return inner;
}

// The first of its block's that fits: what is in it, then what is behind all of them.
static void walk_handle(struct walk *w, struct frame at, const struct caddy_state *state,
                        const struct caddy_cond *cond, unsigned depth)
{
    struct caddy_line *l = at.steps[at.at].line;
    struct caddy_state inner = narrow(w, state, cond);
    struct frame next = at, rest;
    next.at++;
    rest = next;
    rest.has_handled = true;
    if (caddy_is(l, "handle_path")) {
        caddy_put_filter(w->s, l);
        use(w, &inner, l->filter);
        struct str path = caddy_word(l, 1);
        path.len -= str_ends(path, STR("*"));
        path.len -= str_ends(path, STR("/"));
        inner.prefix =
            draft_printf(w->s->c->d, STR_FMT STR_FMT, STR_ARG(state->prefix), STR_ARG(path));
    }
    if (l->is_refused)
        refuse(w, state, cond->rule, l, "such a path can't be taken off here");
    else
        walk(w, steps_of(w, l, true, &rest), &inner, depth + 1);
    if (cond->rule.len > 0)
        walk(w, next, state, depth + 1);
}

// Takes a prefix off that the path is known to have: matchers know how it was before.
static bool takes_prefix(struct walk *w, const struct caddy_line *l, struct caddy_state *state)
{
    size_t at = caddy_args(l);
    struct str prefix = caddy_word(l, at + 1), path = state->path;
    prefix.len -= str_ends(prefix, STR("/"));
    if (!caddy_is(l, "uri") || !str_eq(caddy_word(l, at), STR("strip_prefix")) ||
        state->is_rewritten || !str_starts(path, state->prefix))
        return false;
    path = str_skip(path, state->prefix.len);
    if (!str_starts(path, prefix) || !str_starts(str_skip(path, prefix.len), STR("/")))
        return false;
    state->prefix =
        draft_printf(w->s->c->d, STR_FMT STR_FMT, STR_ARG(state->prefix), STR_ARG(prefix));
    return true;
}

// A directive that acts and lets the request go on.
static void walk_filter(struct walk *w, struct frame at, const struct caddy_state *state,
                        const struct caddy_cond *cond, unsigned depth)
{
    const struct caddy_step *step = &at.steps[at.at];
    struct caddy_state inner = narrow(w, state, cond);
    struct frame next = at, behind;
    next.at++;
    behind = next;
    behind.has_rewritten |= step->kind == CADDY_REWRITE;
    caddy_put_filter(w->s, step->line);
    bool is_uri = caddy_is(step->line, "uri") && !takes_prefix(w, step->line, &inner);
    if (step->kind == CADDY_REWRITE || is_uri) {
        inner.is_rewritten = true;
        inner.path = is_uri ? STR_NONE : caddy_new_path(w->s->c, step->line);
    }
    use(w, &inner, step->line->filter);
    if (step->line->is_refused)
        emit(w, &inner, STR_NONE, caddy_refusal(w->s->c, step->line->place), STR_NONE,
             step->line->place);
    else
        walk(w, behind, &inner, depth + 1);
    if (cond->rule.len > 0)
        walk(w, next, state, depth + 1);
}

static void walk_route(struct walk *w, struct frame at, const struct caddy_state *state,
                       const struct caddy_cond *cond, unsigned depth)
{
    struct caddy_state inner = narrow(w, state, cond);
    struct frame next = at;
    next.at++;
    walk(w, steps_of(w, at.steps[at.at].line, false, &next), &inner, depth + 1);
    if (cond->rule.len > 0)
        walk(w, next, state, depth + 1);
}

static void put_answer(struct walk *w, const struct caddy_state *state, struct str cond,
                       struct caddy_line *l)
{
    if (caddy_is(l, "reverse_proxy"))
        caddy_put_proxy(w->s, l);
    else
        caddy_put_filter(w->s, l);
    struct str filter = l->is_refused ? caddy_refusal(w->s->c, l->place) : l->filter;
    emit(w, state, cond, filter, l->is_refused ? STR_NONE : l->service, l->place);
}

// Whether a step does nothing for the requests of a state.
static bool is_passed(struct walk *w, const struct frame *at, const struct caddy_step *step)
{
    if (step->kind == CADDY_HARMLESS && step->why)
        caddy_note(w->s->c, step->line, DRAFT_LOST, "%s", step->why);
    return step->kind == CADDY_HARMLESS || (step->kind == CADDY_HANDLE && at->has_handled) ||
           (step->kind == CADDY_REWRITE && at->has_rewritten);
}

static void walk(struct walk *w, struct frame at, const struct caddy_state *state, unsigned depth)
{
    w->is_over |= depth > DEPTH_MAX;
    while (!w->is_over) {
        while (at.at == at.n && at.behind)
            at = *at.behind;
        if (at.at == at.n)
            break;
        const struct caddy_step *step = &at.steps[at.at];
        struct caddy_cond cond;
        if (is_passed(w, &at, step)) {
            at.at++;
            continue;
        }
        if (!caddy_match(w->s, state, step->line, &cond)) {
            refuse(w, state, STR_NONE, step->line,
                   "its matcher can't be had here, and what is behind it");
            return;
        }
        if (cond.fit == CADDY_NEVER) {
            at.at++;
            continue;
        }
        if (step->kind == CADDY_HANDLE || step->kind == CADDY_ROUTE || step->kind == CADDY_FILTER ||
            step->kind == CADDY_REWRITE) {
            (step->kind == CADDY_HANDLE  ? walk_handle
             : step->kind == CADDY_ROUTE ? walk_route
                                         : walk_filter)(w, at, state, &cond, depth);
            return;
        }
        if (step->kind == CADDY_ANSWER)
            put_answer(w, state, cond.rule, step->line);
        else
            refuse(w, state, cond.rule, step->line, step->why);
        if (cond.rule.len == 0)
            return;
        at.at++;
    }
    // Caddy answers with nothing.
    if (!w->is_over)
        emit(w, state, STR_NONE, STR("empty"), STR_NONE, w->s->block->place);
}

static void put_empty(struct caddy *c, const struct conf_node *list)
{
    for (const struct conf_node *route = list->first; route; route = route->next) {
        const struct conf_node *used = conf_node_get(route, STR("use"));
        if (!used || !str_eq(used->last->text, STR("empty")))
            continue;
        struct conf_node *filters = draft_map(c->d, c->d->root, STR("filters"), route->place);
        struct conf_node *filter = draft_map(c->d, filters, STR("empty"), route->place);
        struct conf_node *respond = draft_map(c->d, filter, STR("respond"), route->place);
        draft_set(c->d, respond, STR("status"), STR("200"), route->place);
        draft_set(c->d, respond, STR("body"), STR(""), route->place);
    }
}

void caddy_put_routes(struct caddy_site *s, struct conf_node *list, struct str hosts,
                      const struct conf_node *entrypoints, unsigned long top)
{
    struct draft *d = s->c->d;
    struct conf_node *made = ARENA_NEW(&d->mem, struct conf_node);
    if (!made) {
        d->is_full = true;
        return;
    }
    *made = (struct conf_node){.kind = CONF_NODE_SEQ, .place = s->block->place};
    struct walk w = {.s = s, .list = made, .hosts = hosts};
    struct caddy_state state = {.n_use = 0};
    if (s->c->has_own_order)
        refuse(&w, &state, STR_NONE, s->block,
               "'order' among the global options says what comes first, which isn't understood");
    else
        walk(&w, steps_of(&w, s->block, true, NULL), &state, 0);
    if (w.is_over) {
        *made = (struct conf_node){.kind = CONF_NODE_SEQ, .place = s->block->place};
        w.is_over = false;
        w.n_routes = 0;
        refuse(&w, &state, STR_NONE, s->block, "it has more cases than can be told apart");
    }
    put_empty(s->c, made);
    unsigned long left = made->n;
    for (struct conf_node *r = made->first, *next; r; r = next, left--) {
        next = r->next;
        struct conf_node *route = draft_push_map(d, list, r->place);
        route->first = r->first;
        route->last = r->last;
        route->n = r->n;
        draft_set(d, route, STR("priority"), draft_printf(d, "%lu", top + left), r->place);
        for (const struct conf_node *e = entrypoints ? entrypoints->first : NULL; e; e = e->next)
            draft_push(d, draft_list(d, route, STR("entrypoints"), e->place), e->text, e->place);
    }
}
