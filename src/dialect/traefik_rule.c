// SPDX-License-Identifier: Apache-2.0
// One pass: texts between matchers are copied, each matcher with its values is written anew.
#include "dialect/traefik_rule.h"

#include "base/ascii.h"
#include "base/text.h"

#define VALUES_MAX 64

struct matcher {
    struct str name;
    struct str values[VALUES_MAX]; // without quotes, as they stand
    size_t n;
    bool has_escapes; // a value in double quotes with a backslash in it: left alone
};

// --- reading ---

static size_t skip_space(struct str s, size_t at)
{
    while (at < s.len && ascii_is(s.ptr[at], ASCII_VALUE) &&
           (s.ptr[at] == ' ' || s.ptr[at] == '\t'))
        at++;
    return at;
}

// Reads `NAME(value, …)` at *at. False: it's none, and *at is where it was.
static bool read_matcher(struct str rule, size_t *at, struct matcher *ret)
{
    size_t i = *at;
    *ret = (struct matcher){.n = 0};
    while (i < rule.len && ascii_is(rule.ptr[i], ASCII_ALPHA | ASCII_DIGIT))
        i++;
    ret->name = str_from(rule.ptr + *at, i - *at);
    i = skip_space(rule, i);
    if (ret->name.len == 0 || i == rule.len || rule.ptr[i] != '(')
        return false;
    do {
        i = skip_space(rule, i + 1);
        char quote = i < rule.len ? rule.ptr[i] : '\0';
        if ((quote != '`' && quote != '"') || ret->n == VALUES_MAX)
            return false;
        size_t n = str_find(str_skip(rule, i + 1), quote);
        if (n == STR_NPOS)
            return false;
        struct str value = str_from(rule.ptr + i + 1, n);
        ret->has_escapes |= quote == '"' && str_find(value, '\\') != STR_NPOS;
        ret->values[ret->n++] = value;
        i = skip_space(rule, i + n + 2);
    } while (i < rule.len && rule.ptr[i] == ',');
    if (i == rule.len || rule.ptr[i] != ')')
        return false;
    *at = i + 1;
    return true;
}

// --- templates ---

static bool has_template(struct str value)
{
    size_t open = str_find(value, '{');
    return open != STR_NPOS && str_find(str_skip(value, open), '}') != STR_NPOS;
}

// "{3}" and "{2,5}" belong to an expression, "{name}" and "{name:…}" to version 2.
static bool is_named(struct str inner)
{
    return inner.len > 0 && !ascii_is(inner.ptr[0], ASCII_DIGIT) && inner.ptr[0] != ',';
}

static bool has_named_template(struct str value)
{
    size_t open = str_find(value, '{');
    return open != STR_NPOS && has_template(value) && is_named(str_skip(value, open + 1));
}

static void put_literal(struct str s, struct text *to)
{
    for (size_t i = 0; i < s.len; i++) {
        if (str_find(STR(".+*?()|[]{}^$\\"), s.ptr[i]) != STR_NPOS)
            text_byte(to, '\\');
        text_byte(to, s.ptr[i]);
    }
}

// Where the brace that opens at `open` closes; braces inside count.
static size_t closing_brace(struct str s, size_t open)
{
    size_t depth = 0;
    for (size_t i = open; i < s.len; i++) {
        if (s.ptr[i] == '{')
            depth++;
        else if (s.ptr[i] == '}' && --depth == 0)
            return i;
    }
    return s.len;
}

// gorilla/mux's template as an expression: `/p/{id:[0-9]+}` is `/p/(?:[0-9]+)`.
static void put_template(struct str value, const char *any, struct text *to)
{
    while (value.len > 0) {
        size_t open = MIN(str_find(value, '{'), value.len);
        size_t close = closing_brace(value, open);
        put_literal(str_first(value, open), to);
        if (close >= value.len) {
            put_literal(str_skip(value, open), to);
            return;
        }
        struct str inner = str_from(value.ptr + open + 1, close - open - 1), regex;
        if (str_cut(inner, ':', NULL, &regex))
            text_printf(to, "(?:" STR_FMT ")", STR_ARG(regex));
        else
            text_put(to, str_of(any));
        value = str_skip(value, close + 1);
    }
}

// --- writing ---

static void put_value(struct str value, struct text *to)
{
    char quote = str_find(value, '`') == STR_NPOS ? '`' : '"';
    text_byte(to, quote);
    for (size_t i = 0; i < value.len; i++) {
        if (quote == '"' && (value.ptr[i] == '"' || value.ptr[i] == '\\'))
            text_byte(to, '\\');
        text_byte(to, value.ptr[i]);
    }
    text_byte(to, quote);
}

static void put_matcher(const char *name, const struct str *values, size_t n, struct text *to)
{
    text_printf(to, "%s(", name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            text_put(to, STR(", "));
        put_value(values[i], to);
    }
    text_byte(to, ')');
}

// `name`(`^template$`) for each value, any of which may match.
static void put_templates(const char *name, const struct matcher *m, const char *any, bool is_whole,
                          struct text *to)
{
    struct text regex = {.ptr = NULL};
    text_printf(to, "%s(", name);
    for (size_t i = 0; i < m->n; i++) {
        regex.len = 0;
        text_byte(&regex, '^');
        put_template(m->values[i], any, &regex);
        if (is_whole)
            text_byte(&regex, '$');
        if (i > 0)
            text_put(to, STR(", "));
        put_value(text_str(&regex), to);
    }
    text_byte(to, ')');
    text_fini(&regex);
}

// Query(`a=b`, `c={x:[0-9]+}`) asks for all of them.
static void put_query(const struct matcher *m, struct text *to)
{
    if (m->n > 1)
        text_byte(to, '(');
    for (size_t i = 0; i < m->n; i++) {
        struct str pair[2];
        if (i > 0)
            text_put(to, STR(" && "));
        bool has_value = str_cut(m->values[i], '=', &pair[0], &pair[1]);
        if (has_value && has_named_template(pair[1])) {
            struct text regex = {.ptr = NULL};
            text_byte(&regex, '^');
            put_template(pair[1], ".*", &regex);
            text_byte(&regex, '$');
            pair[1] = text_str(&regex);
            put_matcher("QueryRegexp", pair, 2, to);
            text_fini(&regex);
        } else {
            put_matcher("Query", pair, has_value ? 2 : 1, to);
        }
    }
    if (m->n > 1)
        text_byte(to, ')');
}

static bool any_template(const struct matcher *m)
{
    for (size_t i = 0; i < m->n; i++) {
        if (has_named_template(m->values[i]))
            return true;
    }
    return false;
}

// False: it's the same in both versions.
static bool put_translated(const struct matcher *m, bool is_v2, struct text *to)
{
    struct str name = m->name;
    if (m->has_escapes || m->n == 0)
        return false;
    if (str_ieq(name, STR("HostHeader")))
        put_matcher("Host", m->values, m->n, to);
    else if (str_ieq(name, STR("Headers")))
        put_matcher("Header", m->values, m->n, to);
    else if (str_ieq(name, STR("HeadersRegexp")))
        put_matcher("HeaderRegexp", m->values, m->n, to);
    else if (str_ieq(name, STR("HostRegexp")) && (is_v2 || any_template(m)))
        put_templates("HostRegexp", m, "[^.]+", true, to);
    else if (str_ieq(name, STR("HostSNIRegexp")) && (is_v2 || any_template(m)))
        put_templates("HostSNIRegexp", m, "[^.]+", true, to);
    else if (str_ieq(name, STR("Path")) && any_template(m))
        put_templates("PathRegexp", m, "[^/]+", true, to);
    else if (str_ieq(name, STR("PathPrefix")) && any_template(m))
        put_templates("PathRegexp", m, "[^/]+", false, to);
    else if (str_ieq(name, STR("Query")) && (is_v2 || str_find(m->values[0], '=') != STR_NPOS))
        put_query(m, to);
    else
        return false;
    return true;
}

struct str traefik_rule(struct str rule, bool is_v2, struct arena *mem)
{
    struct text to = {.ptr = NULL};
    for (size_t at = 0; at < rule.len;) {
        struct matcher m;
        size_t start = at;
        if (ascii_is(rule.ptr[at], ASCII_ALPHA) && read_matcher(rule, &at, &m)) {
            if (!put_translated(&m, is_v2, &to))
                text_put(&to, str_from(rule.ptr + start, at - start));
        } else if (rule.ptr[at] == '`' || rule.ptr[at] == '"') {
            size_t n = str_find(str_skip(rule, at + 1), rule.ptr[at]);
            at = n == STR_NPOS ? rule.len : at + n + 2;
            text_put(&to, str_from(rule.ptr + start, at - start));
        } else {
            text_byte(&to, rule.ptr[at++]);
        }
    }
    struct str ret = arena_dup(mem, text_str(&to));
    text_fini(&to);
    return ret;
}
