// SPDX-License-Identifier: Apache-2.0
// Locations as routes. nginx takes an exact one; else it finds the longest prefix, which is taken
// when it has "^~"; else the first expression that fits; else that prefix.
#include <stdlib.h>

#include "dialect/nginx_priv.h"

// Sites have 1000000 and more, see snapshot_routes.c.
#define PRIORITY_HOST 3000000 // before every site
#define PRIORITY_WILD 700000  // and by the length of the name
#define PRIORITY_TAIL 400000  // so, too
#define PRIORITY_REGEX 400000 // downwards, in the order of the file
#define LOCATIONS_MAX 900

static struct nginx_location location_of(struct nginx_directive *block)
{
    static const struct {
        struct str modifier;
        enum nginx_match match;
        bool ignores_case;
    } modifiers[] = {
        {STR_INIT("="), NGINX_MATCH_EXACT, false},
        {STR_INIT("^~"), NGINX_MATCH_FIRM, false},
        {STR_INIT("~*"), NGINX_MATCH_REGEX, true}, // before "~", with which it begins
        {STR_INIT("~"), NGINX_MATCH_REGEX, false},
    };
    struct nginx_location l = {.block = block, .text = nginx_word(block, 1)};
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        if (!str_starts(l.text, modifiers[i].modifier))
            continue;
        l.match = modifiers[i].match;
        l.ignores_case = modifiers[i].ignores_case;
        l.text =
            block->n_words > 2 ? nginx_word(block, 2) : str_skip(l.text, modifiers[i].modifier.len);
        break;
    }
    return l;
}

// Locations inside locations: a prefix is tried like those beside the outer one, for it is longer,
// and whether expressions come before it is the outer one's matter. An expression goes before all
// that stands outside, see put_rule.
static void put_inside(struct nginx_server *s, const struct nginx_location *outer,
                       struct nginx_location *l)
{
    l->is_firm = l->match == NGINX_MATCH_FIRM;
    if (outer) {
        l->outer = outer->block;
        l->outer_text = outer->text;
        if (l->match == NGINX_MATCH_FIRM || l->match == NGINX_MATCH_PREFIX)
            l->match = outer->match;
    }
    if (l->match != NGINX_MATCH_REGEX || !nginx_get(l->block, "location"))
        return;
    l->is_closed = true;
    nginx_mark_done(l->block);
    nginx_note(s->n, l->block, DRAFT_CLOSED,
               "locations inside one with an expression can't be carried over");
}

static void add_location(struct nginx_server *s, struct nginx_locations *ls,
                         struct nginx_location l)
{
    struct nginx_location *items =
        ARENA_GROW(&s->n->d->mem, struct nginx_location, ls->items, ls->n, &ls->cap);
    if (!items || ls->n == LOCATIONS_MAX) {
        s->n->d->is_full = true;
        return;
    }
    ls->items = items;
    ls->items[ls->n++] = l;
}

static void collect(struct nginx_server *s, const struct nginx_location *outer,
                    struct nginx_directive *block, struct nginx_locations *ls)
{
    for (struct nginx_directive *d = block->first; d; d = d->next) {
        if (!nginx_is(d, "location") || !d->is_block)
            continue;
        d->is_done = true;
        struct nginx_location l = location_of(d);
        if (str_starts(l.text, STR("@"))) {
            nginx_note(s->n, d, DRAFT_LOST, "only errors and missing files lead there");
            nginx_mark_done(d);
        } else if (str_search(l.text, STR("/.well-known/acme-challenge")) != STR_NPOS) {
            nginx_note(s->n, d, DRAFT_NEEDLESS, "challenges of authorities are answered anyway");
            nginx_mark_done(d);
        } else {
            put_inside(s, outer, &l);
            add_location(s, ls, l);
            if (!l.is_closed)
                collect(s, &l, d, ls);
        }
    }
}

static int rank(const struct nginx_location *l)
{
    switch (l->match) {
    case NGINX_MATCH_EXACT:
        return 0;
    case NGINX_MATCH_FIRM:
        return 2;
    case NGINX_MATCH_REGEX:
        return l->outer ? 1 : 3;
    case NGINX_MATCH_PREFIX:
        return 4;
    }
    return 4;
}

static int by_turn(const void *left, const void *right)
{
    const struct nginx_location *a = left, *b = right;
    if (rank(a) != rank(b))
        return rank(a) - rank(b);
    // Expressions by what they are in, the longest first; then in the order of the file.
    bool is_regex = a->match == NGINX_MATCH_REGEX;
    size_t a_len = is_regex ? a->outer_text.len : a->text.len;
    size_t b_len = is_regex ? b->outer_text.len : b->text.len;
    if (a_len != b_len)
        return a_len > b_len ? -1 : 1;
    return a->block->index < b->block->index ? -1 : a->block->index > b->block->index;
}

// --- what a location does ---

static bool serves_files(const struct nginx_directive *block)
{
    static const char *const names[] = {"try_files",
                                        "root",
                                        "alias",
                                        "fastcgi_pass",
                                        "uwsgi_pass",
                                        "scgi_pass",
                                        "memcached_pass",
                                        "autoindex",
                                        "stub_status",
                                        "empty_gif",
                                        "content_by_lua_block",
                                        "js_content",
                                        "dav_methods"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (nginx_get(block, names[i]))
            return true;
    return false;
}

static void respond(struct nginx_server *s, struct conf_node *target, struct place place)
{
    struct conf_node *settings = nginx_filter(s, target, "respond", place);
    draft_set(s->n->d, settings, STR("status"), STR("404"), place);
    draft_set(s->n->d, settings, STR("body"), STR("Not found.\n"), place);
}

// Clients are asked for certificates by a site alone.
static void close_without_certificates(struct nginx_server *s, struct conf_node *target)
{
    struct nginx_directive *d = nginx_setting(s->block, "ssl_verify_client");
    if (!d || !str_eq(nginx_word(d, 1), STR("on")))
        return;
    nginx_note(s->n, d, DRAFT_CLOSED,
               "only sites ask clients for certificates; hosts that aren't named exactly are "
               "refused");
    nginx_close(s, target, d);
}

// What answers before it matters who asks. True: everything is answered.
static bool put_answers(struct nginx_server *s, struct nginx_directive *block, struct str regex,
                        struct conf_node *target)
{
    if (block != s->block && nginx_put_answers(s, s->block, STR_NONE, target))
        return true;
    bool is_internal = nginx_level(block, "internal") != NULL;
    if (is_internal)
        respond(s, target, block->place);
    if (!is_internal && !nginx_put_answers(s, block, regex, target))
        return false;
    nginx_mark_done(block); // nothing else in it is reached
    return true;
}

static void fill(struct nginx_server *s, const struct nginx_location *l, struct conf_node *target)
{
    struct nginx_directive *block = l->block;
    struct str regex = l->match == NGINX_MATCH_REGEX ? l->text : STR_NONE;
    nginx_put_filters(s, block, target);
    if (!s->is_in_site)
        close_without_certificates(s, target);
    bool answers = put_answers(s, block, regex, target);
    bool is_shut = answers || nginx_put_access(s, block, target);
    nginx_put_request_fields(s, block, target);
    if (answers || nginx_put_proxy(s, l, target) || is_shut)
        return;
    if (nginx_get(block, "rewrite") && !serves_files(block)) { // it is for what that doesn't fit
        respond(s, target, block->place);
        return;
    }
    if (block != s->block)
        nginx_mark_done(block);
    nginx_note(s->n, block, DRAFT_CLOSED,
               serves_files(block) ? "files and programs aren't served here; put a server behind it"
                                   : "it names no server");
    nginx_close(s, target, block);
}

// --- routes ---

// A list that has routes, and what stands in front of their rules.
struct routes {
    struct conf_node *list;
    bool is_free, is_default;  // those of no site; for hosts that nobody knows
    enum nginx_name_kind kind; // of the names that count, when it is free
    unsigned long priority;    // of the last; 0: their length is right
};

static void put_route(struct nginx_server *s, const struct nginx_locations *ls, size_t i,
                      const struct routes *routes)
{
    struct draft *d = s->n->d;
    const struct nginx_location *l = &ls->items[i];
    struct conf_node *route = draft_push_map(d, routes->list, l->block->place);
    struct text rule = {0};
    bool is_fine = true;
    if (routes->is_free && !routes->is_default) {
        is_fine = nginx_put_hosts(&rule, s, routes->kind);
        text_put(&rule, STR(" && "));
    }
    is_fine &= nginx_put_rule(&rule, ls, l);
    if (!is_fine) {
        nginx_note(s->n, l->block, DRAFT_CLOSED,
                   "rules have no text with both kinds of quotes; all of the server is refused");
        text_fini(&rule);
        rule = (struct text){0};
        text_put(&rule, STR("PathPrefix(`/`)"));
        nginx_close(s, route, l->block);
    }
    draft_set(d, route, STR("match"), text_str(&rule), l->block->place);
    text_fini(&rule);
    if (routes->priority > 0)
        draft_set(d, route, STR("priority"), draft_printf(d, "%lu", routes->priority + ls->n - i),
                  l->block->place);
    if (routes->is_free) {
        struct conf_node *at = draft_list(d, route, STR("entrypoints"), l->block->place);
        const struct conf_node *from = routes->is_default ? s->default_at : s->entrypoints;
        for (const struct conf_node *e = from->first; e; e = e->next)
            draft_push(d, at, e->text, e->place);
    }
    s->is_in_site = !routes->is_free;
    if (l->is_closed)
        nginx_close(s, route, l->block);
    else if (is_fine)
        fill(s, l, route);
    nginx_share_filters(s->n, route);
}

static void put_routes(struct nginx_server *s, const struct nginx_locations *ls,
                       const struct routes *routes)
{
    for (size_t i = 0; i < ls->n; i++)
        put_route(s, ls, i, routes);
}

// Whether the order by the length of rules isn't that of nginx.
static bool needs_priorities(const struct nginx_locations *ls)
{
    for (size_t i = 0; i < ls->n; i++)
        if (ls->items[i].match != NGINX_MATCH_PREFIX)
            return true;
    return false;
}

static unsigned long base_priority(struct nginx_server *s, size_t n_routes,
                                   enum nginx_name_kind kind)
{
    size_t longest = 0;
    switch (kind) {
    case NGINX_NAME_EXACT:
        return PRIORITY_HOST;
    case NGINX_NAME_WILD:
    case NGINX_NAME_TAIL:
        for (size_t i = 0; i < s->n_names; i++)
            if (s->names[i].kind == kind)
                longest = MAX(longest, s->names[i].text.len);
        return (kind == NGINX_NAME_WILD ? PRIORITY_WILD : PRIORITY_TAIL) +
               MIN(longest, (size_t)255) * 1000;
    case NGINX_NAME_REGEX:
        break;
    }
    s->n->n_regex_routes += n_routes + 1;
    return PRIORITY_REGEX - MIN(s->n->n_regex_routes, (size_t)PRIORITY_REGEX - LOCATIONS_MAX);
}

// Of names that no site has; and of those with a star, which a site's stand for one label of.
static void put_free_routes(struct nginx_server *s, const struct nginx_locations *ls,
                            struct conf_node *list)
{
    for (enum nginx_name_kind kind = NGINX_NAME_EXACT; kind <= NGINX_NAME_REGEX; kind++) {
        bool has_kind = false;
        if (s->site && kind != NGINX_NAME_WILD)
            continue;
        for (size_t i = 0; i < s->n_names; i++)
            has_kind |= s->names[i].kind == kind;
        if (has_kind)
            put_routes(s, ls,
                       &(struct routes){.list = list,
                                        .is_free = true,
                                        .kind = kind,
                                        .priority = base_priority(s, ls->n, kind)});
    }
}

// A server that serves by itself what no location takes is one more location.
static void complete(struct nginx_server *s, struct nginx_locations *ls)
{
    struct nginx_location own = {.block = s->block, .text = STR("/")};
    bool has_all = false;
    for (size_t i = 0; i < ls->n; i++)
        has_all |= ls->items[i].match == NGINX_MATCH_PREFIX && str_eq(ls->items[i].text, STR("/"));
    if (nginx_get(s->block, "return"))
        ls->n = 0; // nothing else is reached
    if (ls->n == 0 || (!has_all && serves_files(s->block)))
        add_location(s, ls, own);
}

void nginx_put_locations(struct nginx_server *s)
{
    struct draft *d = s->n->d;
    struct nginx_locations ls = {.n = 0};
    collect(s, NULL, s->block, &ls);
    complete(s, &ls);
    if (d->is_full)
        return;
    qsort(ls.items, ls.n, sizeof *ls.items, by_turn);
    if (s->site && ls.n == 1 && str_eq(ls.items[0].text, STR("/")) &&
        ls.items[0].match == NGINX_MATCH_PREFIX) {
        s->is_in_site = true;
        fill(s, &ls.items[0], s->site);
        nginx_share_filters(s->n, s->site);
    } else if (s->site) {
        struct routes routes = {.list = draft_list(d, s->site, STR("routes"), s->block->place),
                                .priority = needs_priorities(&ls) ? PRIORITY_HOST : 0};
        put_routes(s, &ls, &routes);
    }
    struct conf_node *free = draft_list(d, d->root, STR("routes"), s->block->place);
    put_free_routes(s, &ls, free);
    if (s->default_at->first)
        put_routes(
            s, &ls,
            &(struct routes){.list = free, .is_free = true, .is_default = true, .priority = 1});
    if (!free->first)
        draft_remove(d->root, STR("routes"));
}
