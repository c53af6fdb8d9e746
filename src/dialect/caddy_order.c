// SPDX-License-Identifier: Apache-2.0
// The order in which Caddy looks at directives, which isn't that of the file.
#include "dialect/caddy_priv.h"

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

_Static_assert(sizeof order / sizeof *order <= CADDY_DIRECTIVES_MAX, "they have a rank each");

#define N_DIRECTIVES (sizeof order / sizeof *order)

// Its place in the table; N_DIRECTIVES: none.
static size_t index_of(struct str name)
{
    size_t i = 0;
    while (i < N_DIRECTIVES && !str_eq(name, str_of(order[i].name)))
        i++;
    return i;
}

// Two names of one have one rank.
static struct str first_name(struct str name)
{
    return str_eq(name, STR("basic_auth"))    ? STR("basicauth")
           : str_eq(name, STR("handle_path")) ? STR("handle")
                                              : name;
}

void caddy_order_init(struct caddy *c)
{
    for (size_t i = 0; i < N_DIRECTIVES; i++)
        c->ranks[i] = (uint8_t)(i + 1);
}

bool caddy_put_order(struct caddy *c, const struct caddy_line *l)
{
    size_t moved = index_of(first_name(caddy_word(l, 1)));
    size_t other = index_of(first_name(caddy_word(l, 3)));
    struct str where = caddy_word(l, 2);
    bool is_before = str_eq(where, STR("before")), is_after = str_eq(where, STR("after"));
    bool is_first = str_eq(where, STR("first")), is_last = str_eq(where, STR("last"));
    if (moved == N_DIRECTIVES)
        return true; // a module's: refused wherever it stands
    if ((!is_first && !is_last && !is_before && !is_after) ||
        ((is_before || is_after) && (other == N_DIRECTIVES || other == moved)))
        return false;
    // Taken out, then put in.
    for (size_t i = 0; i < N_DIRECTIVES; i++)
        c->ranks[i] = (uint8_t)(c->ranks[i] - (c->ranks[i] > c->ranks[moved]));
    c->ranks[moved] = 0;
    uint8_t to = is_first  ? 1
                 : is_last ? (uint8_t)N_DIRECTIVES
                           : (uint8_t)(c->ranks[other] + is_after);
    for (size_t i = 0; i < N_DIRECTIVES; i++)
        c->ranks[i] = (uint8_t)(c->ranks[i] + (c->ranks[i] >= to));
    c->ranks[moved] = to;
    return true;
}

bool caddy_is_guard(const struct caddy_line *l)
{
    size_t i = index_of(caddy_word(l, 0));
    if (i == N_DIRECTIVES)
        return !str_starts(caddy_word(l, 0), STR("@"));
    bool is_auth =
        caddy_is(l, "basicauth") || caddy_is(l, "basic_auth") || caddy_is(l, "forward_auth");
    bool is_refusal = caddy_is(l, "respond") || caddy_is(l, "error") || caddy_is(l, "abort");
    return order[i].kind == CADDY_REFUSED || is_auth || is_refusal;
}

void caddy_classify(const struct caddy *c, struct caddy_line *l, struct caddy_step *ret)
{
    size_t i = index_of(caddy_word(l, 0)), first = index_of(first_name(caddy_word(l, 0)));
    bool is_known = i < N_DIRECTIVES, is_alone;
    struct str matcher = caddy_args(l) == 2 ? caddy_word(l, 1) : STR("*");
    *ret = (struct caddy_step){
        .line = l,
        .kind = is_known ? order[i].kind : CADDY_REFUSED,
        .why = is_known ? order[i].why : "nothing here does the same",
        .rank = is_known ? c->ranks[first] : 0,
        .path = caddy_path(l, &is_alone),
        .has_matcher = !str_eq(matcher, STR("*")),
    };
}

static struct str without_star(struct str path)
{
    path.len -= str_ends(path, STR("*"));
    return path;
}

// Caddy's comparison, which isn't transitive. Where versions differ it is that of 2.10.
static bool comes_before(const struct caddy_step *a, const struct caddy_step *b)
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
void caddy_sort(struct caddy_step *steps, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && comes_before(&steps[k], &steps[k - 1]); k--) {
            struct caddy_step moved = steps[k];
            steps[k] = steps[k - 1];
            steps[k - 1] = moved;
        }
}
