// SPDX-License-Identifier: Apache-2.0
// Text to tree: a recursive descent over
//     or = and { "||" and } · and = unary { "&&" unary } · unary = "!" unary | "(" or ")" | matcher
//     matcher = name "(" string { "," string } ")"
// After a syntax error parsing ends; what is wrong with values is collected. rule_values.c makes
// values canonical.
#include "route/rule_parse.h"
#include "base/ascii.h"
#include "base/mem.h"
#include "conf/conf.h"

static const struct matcher {
    const char *name;
    enum rule_kind kind;
    unsigned min, max;
} matchers[] = {
#define X(id, name_, min_, max_) {.name = name_, .kind = RULE_##id, .min = min_, .max = max_},
    RULE_MATCHER_LIST(X)
#undef X
};

static const char *const matcher_names[] = {
#define X(id, name, min, max) name,
    RULE_MATCHER_LIST(X)
#undef X
        NULL,
};

// Names that other versions of the language have, and what to write instead.
static const struct {
    const char *name, *instead;
} old_names[] = {
    {"HostHeader", "Host"},
    {"Headers", "Header"},
    {"HeadersRegexp", "HeaderRegexp"},
    {"PathStrip", "Path and the filter strip-prefix"},
    {"PathPrefixStrip", "PathPrefix and the filter strip-prefix"},
    {"AddPrefix", "the filter add-prefix"},
};

struct place rule_place(const struct rule_parser *p, const char *at)
{
    struct place place = p->place;
    if (place.line == 0)
        return place;
    for (const char *c = p->text.ptr; c < at; c++) {
        if (*c == '\n') {
            place.line++;
            place.column = 1;
        } else {
            place.column++;
        }
    }
    return place;
}

// A syntax error at p->at: nothing behind it can be understood.
static struct rule_node *fail(struct rule_parser *p, const char *wanted)
{
    struct str rest = str_from(p->at, (size_t)(p->end - p->at));
    size_t shown = 0;
    while (shown < rest.len && shown < 20 && rest.ptr[shown] > ' ' && rest.ptr[shown] < 127)
        shown++;
    if (rest.len == 0)
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, p->at), "the rule ends where %s belongs",
                  wanted);
    else if (shown == 0)
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, p->at),
                  "expected %s at character %zu of the rule", wanted,
                  (size_t)(p->at - p->text.ptr) + 1);
    else
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, p->at),
                  "expected %s at character %zu of the rule, found '" STR_FMT "'", wanted,
                  (size_t)(p->at - p->text.ptr) + 1, STR_ARG(str_first(rest, shown)));
    p->has_failed = true;
    return NULL;
}

void *rule_no_memory(struct rule_parser *p)
{
    if (!p->has_failed)
        diag_fail(p->diags, ERR_LIMIT, p->place, "the memory for settings is used up");
    p->has_failed = true;
    return NULL;
}

static void skip_space(struct rule_parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
}

static bool take(struct rule_parser *p, struct str token)
{
    skip_space(p);
    if (!str_starts(str_from(p->at, (size_t)(p->end - p->at)), token))
        return false;
    p->at += token.len;
    return true;
}

static struct rule_node *node_new(struct rule_parser *p, enum rule_kind kind, const char *start)
{
    if (p->n_nodes == RULE_NODES_MAX) {
        diag_fail(p->diags, ERR_LIMIT, rule_place(p, start), "the rule has more than %d parts",
                  RULE_NODES_MAX);
        p->has_failed = true;
        return NULL;
    }
    p->n_nodes++;
    struct rule_node *n = ARENA_NEW(p->mem, struct rule_node);
    if (!n)
        return rule_no_memory(p);
    n->kind = kind;
    n->source = str_from(start, (size_t)(p->at - start));
    return n;
}

// Decodes a Go escape behind a backslash: those that make sense here.
static bool escape(struct rule_parser *p, char *ret)
{
    if (p->at == p->end)
        return false;
    char c = *p->at++;
    switch (c) {
    case '\\':
    case '"':
        *ret = c;
        return true;
    case 'n':
        *ret = '\n';
        return true;
    case 'r':
        *ret = '\r';
        return true;
    case 't':
        *ret = '\t';
        return true;
    case 'x':
        if (p->end - p->at < 2 || !ascii_is(p->at[0], ASCII_HEX) || !ascii_is(p->at[1], ASCII_HEX))
            return false;
        *ret = (char)(ascii_hex(p->at[0]) << 4 | ascii_hex(p->at[1]));
        p->at += 2;
        return true;
    default:
        return false;
    }
}

// "…" with escapes, p->at behind the opening quote.
static bool quoted(struct rule_parser *p, struct str *ret)
{
    char *buf = ARENA_ARRAY(p->mem, char, (size_t)(p->end - p->at) + 1);
    if (!buf) {
        rule_no_memory(p);
        return false;
    }
    size_t n = 0;
    while (p->at < p->end && *p->at != '"' && *p->at != '\n') {
        char c = *p->at++;
        if (c == '\\' && !escape(p, &c)) {
            p->at--;
            fail(p, "\\\\, \\\", \\n, \\r, \\t or \\xHH (backticks take text as it is)");
            return false;
        }
        buf[n++] = c;
    }
    *ret = str_from(buf, n);
    return true;
}

static bool string(struct rule_parser *p, struct rule_arg *ret)
{
    skip_space(p);
    const char *start = p->at;
    char quote = p->at < p->end ? *p->at : '\0';
    if (quote != '`' && quote != '"') {
        fail(p, quote == '\'' ? "a value in backticks (single quotes are not allowed)"
                              : "a value in backticks");
        return false;
    }
    p->at++;
    ret->at = p->at;
    if (quote == '"') {
        if (!quoted(p, &ret->text))
            return false;
    } else {
        while (p->at < p->end && *p->at != '`')
            p->at++;
        ret->text = str_from(ret->at, (size_t)(p->at - ret->at));
    }
    if (p->at == p->end || *p->at != quote) {
        p->at = start;
        fail(p, quote == '`' ? "a value with a closing backtick"
                             : "a value with a closing quote on the same line");
        return false;
    }
    p->at++;
    return true;
}

static const char *const known_matchers[] = {
    [RULE_OF_REQUESTS] = ("Host, HostRegexp, Path, PathPrefix, PathRegexp, Method, Header, "
                          "HeaderRegexp, Query, QueryRegexp and ClientIP"),
    [RULE_OF_CONNECTIONS] = "HostSNI, HostSNIRegexp and ClientIP",
    [RULE_OF_LABELS] = "Label and LabelRegex",
};

static void unknown_matcher(struct rule_parser *p, struct str name)
{
    struct place place = rule_place(p, name.ptr);
    for (size_t i = 0; i < ARRAY_LEN(old_names); i++) {
        if (!str_ieq(name, str_of(old_names[i].name)))
            continue;
        diag_fail(p->diags, ERR_SYNTAX, place, "there is no matcher '%s': use %s",
                  old_names[i].name, old_names[i].instead);
        return;
    }
    struct str shown = str_first(name, 64);
    const char *near = conf_suggest(name, matcher_names);
    if (near)
        diag_fail(p->diags, ERR_SYNTAX, place, "unknown matcher '" STR_FMT "': did you mean '%s'?",
                  STR_ARG(shown), near);
    else
        diag_fail(p->diags, ERR_SYNTAX, place, "unknown matcher '" STR_FMT "': there are %s",
                  STR_ARG(shown), known_matchers[p->scope]);
}

// Names match in any case, as Traefik's do.
static const struct matcher *find_matcher(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++)
        if (str_ieq(name, str_of(matchers[i].name)))
            return &matchers[i];
    return NULL;
}

static bool arguments(struct rule_parser *p, struct rule_arg args[static RULE_VALUES_MAX],
                      unsigned *ret_n)
{
    unsigned n = 0;
    if (!take(p, STR("("))) {
        skip_space(p);
        bool is_v1 = p->at < p->end && *p->at == ':';
        fail(p, is_v1 ? "'(' (Name: value is the language of Traefik 1)" : "'('");
        return false;
    }
    while (!take(p, STR(")"))) {
        if (n > 0 && !take(p, STR(","))) {
            fail(p, "',' or ')'");
            return false;
        }
        if (n == RULE_VALUES_MAX) {
            fail(p, "no more values: a matcher takes 256 at most, so");
            return false;
        }
        if (!string(p, &args[n]))
            return false;
        n++;
    }
    *ret_n = n;
    return true;
}

static struct rule_node *matcher(struct rule_parser *p)
{
    skip_space(p);
    const char *start = p->at;
    while (p->at < p->end && ascii_is(*p->at, ASCII_ALPHA | ASCII_DIGIT))
        p->at++;
    struct str name = str_from(start, (size_t)(p->at - start));
    if (name.len == 0)
        return fail(p, p->scope == RULE_OF_LABELS ? "a matcher such as Label(`name`, `value`)"
                                                  : "a matcher such as Host(`example.com`)");
    unsigned n = 0;
    if (!arguments(p, p->args, &n))
        return NULL;
    struct rule_node *node = node_new(p, RULE_HOST, start);
    if (!node)
        return NULL;
    const struct matcher *m = find_matcher(name);
    if (!m) {
        unknown_matcher(p, name);
    } else if (n < m->min || n > m->max) {
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, start), "%s takes %s, not %u", m->name,
                  m->max == RULE_VALUES_MAX ? "one or more values"
                  : m->min == 2             ? "a name and a value"
                                            : "a name and at most one value",
                  n);
    } else {
        node->kind = m->kind;
        rule_values_fill(p, node, p->args, n);
    }
    return node;
}

static struct rule_node *parse_or(struct rule_parser *p);

static struct rule_node *unary(struct rule_parser *p)
{
    skip_space(p);
    const char *start = p->at;
    bool is_not = take(p, STR("!"));
    if (!is_not && !take(p, STR("(")))
        return matcher(p);
    if (p->depth == RULE_NESTING_MAX) {
        diag_fail(p->diags, ERR_LIMIT, rule_place(p, start), "the rule is nested more than %d deep",
                  RULE_NESTING_MAX);
        p->has_failed = true;
        return NULL;
    }
    p->depth++;
    struct rule_node *inner = is_not ? unary(p) : parse_or(p);
    p->depth--;
    if (!inner)
        return NULL;
    if (!is_not)
        return take(p, STR(")")) ? inner : fail(p, "&&, || or ')'");
    struct rule_node *n = node_new(p, RULE_NOT, start);
    if (n)
        n->first = inner;
    return n;
}

// operand { token operand } as one node with all operands, or the operand alone.
static struct rule_node *chain(struct rule_parser *p, enum rule_kind kind, struct str token,
                               struct rule_node *(*operand)(struct rule_parser *p))
{
    skip_space(p);
    const char *start = p->at;
    struct rule_node *first = operand(p), *last = first;
    struct rule_node *n = NULL;
    while (last && take(p, token)) {
        if (!n && !(n = node_new(p, kind, start)))
            return NULL;
        struct rule_node *more = operand(p);
        if (!more)
            return NULL;
        last = last->next = more;
    }
    if (!last || !n)
        return last ? first : NULL;
    n->first = first;
    n->source = str_from(start, (size_t)(p->at - start));
    return n;
}

static struct rule_node *parse_and(struct rule_parser *p)
{
    return chain(p, RULE_AND, STR("&&"), unary);
}

static struct rule_node *parse_or(struct rule_parser *p)
{
    return chain(p, RULE_OR, STR("||"), parse_and);
}

static bool check_text(const struct rule_parser *p)
{
    if (p->text.len > RULE_TEXT_MAX) {
        diag_fail(p->diags, ERR_LIMIT, p->place, "the rule is longer than %d bytes", RULE_TEXT_MAX);
        return false;
    }
    for (const char *c = p->text.ptr; c < p->end; c++) {
        if ((uint8_t)*c >= ' ' || *c == '\t' || *c == '\n' || *c == '\r')
            continue;
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, c), "the rule has a control byte");
        return false;
    }
    return true;
}

static struct rule *parse(struct str text, struct place place, enum rule_scope scope,
                          struct arena *mem, struct diags *diags)
{
    struct diags own = {.n = 0}; // so that errors can be counted when nobody wants them
    struct rule_parser p = {
        .text = {text.len > 0 ? text.ptr : "", text.len},
        .place = place,
        .scope = scope,
        .mem = mem,
        .diags = diags ? diags : &own,
    };
    p.at = p.text.ptr;
    p.end = p.text.ptr + p.text.len;
    size_t n_errors = p.diags->n_errors;
    p.rule = ARENA_NEW(mem, struct rule);
    p.args = mem_alloc_raw(RULE_VALUES_MAX * sizeof *p.args);
    if (!p.rule) {
        rule_no_memory(&p);
    } else if (check_text(&p)) {
        p.rule->text = p.text;
        p.rule->root = parse_or(&p);
        skip_space(&p);
        if (!p.has_failed && p.at < p.end)
            fail(&p, "&& or ||");
    }
    bool is_good = p.diags->n_errors == n_errors;
    mem_free(p.args);
    diags_fini(&own);
    if (is_good)
        return p.rule;
    rule_fini(p.rule);
    return NULL;
}

struct rule *rule_parse(struct str text, struct place place, struct arena *mem, struct diags *diags)
{
    return parse(text, place, RULE_OF_REQUESTS, mem, diags);
}

struct rule *rule_parse_tcp(struct str text, struct place place, struct arena *mem,
                            struct diags *diags)
{
    return parse(text, place, RULE_OF_CONNECTIONS, mem, diags);
}

struct rule *rule_parse_labels(struct str text, struct place place, struct arena *mem,
                               struct diags *diags)
{
    return parse(text, place, RULE_OF_LABELS, mem, diags);
}

// Behind a quoted text, which begins at *at; at the end of text when it doesn't end.
static size_t skip_quoted(struct str text, size_t at)
{
    char quote = text.ptr[at++];
    while (at < text.len && text.ptr[at] != quote)
        at += text.ptr[at] == '\\' && quote == '"' ? 2 : 1;
    return at + 1;
}

bool rule_is_tcp(struct str text)
{
    for (size_t at = 0; at < text.len;) {
        if (text.ptr[at] == '`' || text.ptr[at] == '"') {
            at = skip_quoted(text, at);
            continue;
        }
        size_t n = 0;
        while (at + n < text.len && ascii_is(text.ptr[at + n], ASCII_ALPHA | ASCII_DIGIT))
            n++;
        struct str word = str_from(text.ptr + at, n);
        if (str_ieq(word, STR("HostSNI")) || str_ieq(word, STR("HostSNIRegexp")))
            return true;
        at += MAX(n, (size_t)1);
    }
    return false;
}
