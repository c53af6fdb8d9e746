// SPDX-License-Identifier: Apache-2.0
// Names and locations as rules.
#include "base/ascii.h"
#include "dialect/nginx_priv.h"

// A text in a rule. False: it has both kinds of quotes.
static bool put_quoted(struct text *to, struct str s)
{
    char quote = '`';
    if (str_find(s, '`') != STR_NPOS) {
        if (str_find(s, '"') != STR_NPOS || str_find(s, '\\') != STR_NPOS)
            return false;
        quote = '"';
    }
    text_byte(to, quote);
    text_put(to, s);
    text_byte(to, quote);
    return true;
}

static bool put_term(struct text *to, const char *matcher, const char *before, struct str s)
{
    struct text word = {0};
    text_printf(&word, "%s" STR_FMT, before, STR_ARG(s));
    text_printf(to, "%s(", matcher);
    bool is_fine = put_quoted(to, text_str(&word));
    text_byte(to, ')');
    text_fini(&word);
    return is_fine;
}

static bool is_below(const struct nginx_directive *d, const struct nginx_directive *outer)
{
    while (d && d != outer)
        d = d->parent;
    return d != NULL;
}

// An expression inside a location counts where nginx finds that one: not where a longer prefix
// beside it fits, nor one in it with "^~".
static bool put_inner_regex(struct text *to, const struct nginx_locations *ls,
                            const struct nginx_location *l)
{
    bool is_fine = put_term(to, "PathPrefix", "", l->outer_text);
    text_put(to, STR(" && "));
    is_fine &= put_term(to, "PathRegexp", l->ignores_case ? "(?i)" : "", l->text);
    for (size_t i = 0; i < ls->n; i++) {
        const struct nginx_location *other = &ls->items[i];
        bool is_prefix = other->match == NGINX_MATCH_PREFIX || other->match == NGINX_MATCH_FIRM;
        if (!is_prefix || other->text.len <= l->outer_text.len ||
            !str_starts(other->text, l->outer_text) ||
            (is_below(other->block, l->outer) && !other->is_firm))
            continue;
        text_put(to, STR(" && !"));
        is_fine &= put_term(to, "PathPrefix", "", other->text);
    }
    return is_fine;
}

bool nginx_put_rule(struct text *to, const struct nginx_locations *ls,
                    const struct nginx_location *l)
{
    switch (l->match) {
    case NGINX_MATCH_EXACT:
        return put_term(to, "Path", "", l->text);
    case NGINX_MATCH_REGEX:
        if (l->outer)
            return put_inner_regex(to, ls, l);
        return put_term(to, "PathRegexp", l->ignores_case ? "(?i)" : "", l->text);
    case NGINX_MATCH_PREFIX:
        return put_term(to, "PathPrefix", "", l->text);
    case NGINX_MATCH_FIRM:
        break;
    }
    bool is_fine = put_term(to, "PathPrefix", "", l->text);
    // A longer prefix without "^~" would have been found instead, and then expressions count.
    for (size_t i = 0; i < ls->n; i++) {
        const struct nginx_location *other = &ls->items[i];
        if (other->match != NGINX_MATCH_PREFIX || other->text.len <= l->text.len ||
            !str_starts(other->text, l->text))
            continue;
        text_put(to, STR(" && !"));
        is_fine &= put_term(to, "PathPrefix", "", other->text);
    }
    return is_fine;
}

// A part of a name, as it is, between two expressions.
static bool put_host_pattern(struct text *to, const char *before, struct str name,
                             const char *behind)
{
    struct text pattern = {0};
    text_put(&pattern, str_of(before));
    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_is(name.ptr[i], ASCII_ALPHA | ASCII_DIGIT) && name.ptr[i] != '-' &&
            name.ptr[i] != '_')
            text_byte(&pattern, '\\');
        text_byte(&pattern, name.ptr[i]);
    }
    text_put(&pattern, str_of(behind));
    bool is_fine = put_term(to, "HostRegexp", "", text_str(&pattern));
    text_fini(&pattern);
    return is_fine;
}

bool nginx_put_hosts(struct text *to, const struct nginx_server *s, enum nginx_name_kind kind)
{
    bool is_fine = true;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < s->n_names; i++)
        n += s->names[i].kind == kind;
    if (n > 1)
        text_byte(to, '(');
    for (size_t i = 0; i < s->n_names; i++) {
        const struct nginx_server_name *name = &s->names[i];
        if (name->kind != kind)
            continue;
        if (at++ > 0)
            text_put(to, STR(" || "));
        switch (kind) {
        case NGINX_NAME_EXACT:
            is_fine &= put_term(to, "Host", "", name->text);
            break;
        case NGINX_NAME_WILD:
            is_fine &= put_host_pattern(to, "^.+", str_skip(name->text, 1), "$");
            break;
        case NGINX_NAME_TAIL:
            is_fine &= put_host_pattern(to, "^", name->text, ".+$");
            break;
        case NGINX_NAME_REGEX:
            is_fine &= put_term(to, "HostRegexp", "(?i)", name->text);
            break;
        }
    }
    if (n > 1)
        text_byte(to, ')');
    return is_fine;
}
