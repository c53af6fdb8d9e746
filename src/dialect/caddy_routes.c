// SPDX-License-Identifier: Apache-2.0
// A site's directives as routes. They are sorted as Caddy does it, then walked with what is known
// of the request: one that answers becomes a route, one that changes something for some requests
// splits the way. What comes first has the higher priority.
#include "dialect/caddy_priv.h"

#define ROUTES_MAX 1000 // of a site
#define STEPS_MAX 400   // of a block
#define DEPTH_MAX 64

// Caddy's own order, and what is said of those that become nothing. What isn't here may protect,
// and nobody knows where: it comes first.
static const struct directive {
    const char *name;
    enum caddy_kind kind;
    const char *why;
} order[] = {
    {"tls", CADDY_HARMLESS, NULL},
    {"bind", CADDY_HARMLESS, NULL},
    {"log", CADDY_HARMLESS, "see 'access-log', which is of all sites"},
    {"skip_log", CADDY_HARMLESS, "'access-log' has all requests"},
    {"log_skip", CADDY_HARMLESS, "'access-log' has all requests"},
    {"log_append", CADDY_HARMLESS, "see the fields of 'access-log'"},
    {"log_name", CADDY_HARMLESS, "see 'access-log', which is of all sites"},
    {"handle_errors", CADDY_HARMLESS, "see the filter 'error-pages'"},
    {"tracing", CADDY_HARMLESS, "see 'tracing'"},
    {"map", CADDY_HARMLESS, "there are no variables; what needs one is refused"},
    {"vars", CADDY_HARMLESS, "there are no variables; what needs one is refused"},
    {"fs", CADDY_HARMLESS, "files aren't served here"},
    {"root", CADDY_HARMLESS, "files aren't served here"},
    {"header", CADDY_FILTER, NULL},
    {"request_body", CADDY_FILTER, NULL},
    {"redir", CADDY_ANSWER, NULL},
    {"method", CADDY_REFUSED, "the method stays what it is"},
    {"rewrite", CADDY_REWRITE, NULL},
    {"uri", CADDY_FILTER, NULL},
    {"try_files", CADDY_REFUSED, "files aren't served here; put a server behind it"},
    {"basicauth", CADDY_FILTER, NULL},
    {"basic_auth", CADDY_FILTER, NULL},
    {"forward_auth", CADDY_FILTER, NULL},
    {"request_header", CADDY_FILTER, NULL},
    {"encode", CADDY_FILTER, NULL},
    {"push", CADDY_HARMLESS, "browsers don't take pushed answers any more"},
    {"templates", CADDY_REFUSED, "files aren't served here; put a server behind it"},
    {"handle", CADDY_HANDLE, NULL},
    {"handle_path", CADDY_HANDLE, NULL},
    {"route", CADDY_ROUTE, NULL},
    {"abort", CADDY_ANSWER, NULL},
    {"error", CADDY_ANSWER, NULL},
    {"respond", CADDY_ANSWER, NULL},
    {"metrics", CADDY_REFUSED, "see 'metrics@internal'"},
    {"reverse_proxy", CADDY_ANSWER, NULL},
    {"php_fastcgi", CADDY_REFUSED, "programs aren't run here; put a server with HTTP behind it"},
    {"file_server", CADDY_REFUSED, "files aren't served here; put a server behind it"},
    {"acme_server", CADDY_REFUSED, "there is no authority for others here"},
};

struct step {
    struct caddy_line *line;
    enum caddy_kind kind;
    const char *why;
    size_t rank, index;
    struct str path;
    bool has_matcher;
};

struct frame {
    const struct step *steps;
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

static const struct directive *directive_of(const struct caddy_line *l)
{
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (caddy_is(l, order[i].name))
            return &order[i];
    return NULL;
}

bool caddy_is_ordered(struct str name)
{
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (str_eq(name, str_of(order[i].name)))
            return true;
    return false;
}

bool caddy_is_guard(const struct caddy_line *l)
{
    const struct directive *d = directive_of(l);
    if (!d)
        return !str_starts(caddy_word(l, 0), STR("@"));
    bool is_auth =
        caddy_is(l, "basicauth") || caddy_is(l, "basic_auth") || caddy_is(l, "forward_auth");
    bool is_refusal = caddy_is(l, "respond") || caddy_is(l, "error") || caddy_is(l, "abort");
    return d->kind == CADDY_REFUSED || is_auth || is_refusal;
}

static void classify(struct step *step)
{
    const struct directive *d = directive_of(step->line);
    bool is_alone;
    step->kind = d ? d->kind : CADDY_REFUSED;
    step->why = d ? d->why : "nothing here does the same";
    step->rank = d ? (size_t)(d - order) + 1 : 0;
    if (caddy_is(step->line, "basic_auth") || caddy_is(step->line, "handle_path"))
        step->rank--; // two names of one
    step->path = caddy_path(step->line, &is_alone);
    step->has_matcher = caddy_args(step->line) == 2 && !str_eq(caddy_word(step->line, 1), STR("*"));
}

static struct str without_star(struct str path)
{
    path.len -= str_ends(path, STR("*"));
    return path;
}

// Caddy's comparison, which isn't transitive. Where versions differ it is that of 2.10.
static bool comes_before(const struct step *a, const struct step *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->path.len == 0 || b->path.len == 0)
        return a->has_matcher && !b->has_matcher;
    struct str x = without_star(a->path), y = without_star(b->path);
    return x.len != y.len ? x.len > y.len : str_eq(x, y) && a->path.len < b->path.len;
}

// By insertion, as Caddy does it for as few as there are: with this comparison another way may have
// another result.
static void sort(struct step *steps, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && comes_before(&steps[k], &steps[k - 1]); k--) {
            struct step moved = steps[k];
            steps[k] = steps[k - 1];
            steps[k - 1] = moved;
        }
}

static struct frame steps_of(struct walk *w, const struct caddy_line *block, bool is_sorted,
                             const struct frame *behind)
{
    struct draft *d = w->s->c->d;
    struct step *steps = ARENA_ARRAY(&d->mem, struct step, STEPS_MAX);
    struct frame f = {.steps = steps, .behind = behind};
    if (!steps)
        d->is_full = true;
    for (struct caddy_line *l = block->first; l && steps; l = l->next) {
        if (str_starts(caddy_word(l, 0), STR("@")))
            continue;
        if (f.n == STEPS_MAX) {
            w->is_over = true;
            break;
        }
        steps[f.n] = (struct step){.line = l, .index = f.n};
        classify(&steps[f.n++]);
    }
    if (is_sorted)
        sort(steps, f.n);
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
    if (cond->path.len > state->path.len)
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
    const struct step *step = &at.steps[at.at];
    struct caddy_state inner = narrow(w, state, cond);
    struct frame next = at, behind;
    next.at++;
    behind = next;
    behind.has_rewritten |= step->kind == CADDY_REWRITE;
    caddy_put_filter(w->s, step->line);
    if (step->kind == CADDY_REWRITE || caddy_is(step->line, "uri"))
        inner.is_rewritten |= !takes_prefix(w, step->line, &inner);
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
static bool is_passed(struct walk *w, const struct frame *at, const struct step *step)
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
        const struct step *step = &at.steps[at.at];
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
