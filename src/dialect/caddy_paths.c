// SPDX-License-Identifier: Apache-2.0
// What changes paths or leads to another one: redir, rewrite, uri, handle_path.
#include "base/num.h"
#include "dialect/caddy_priv.h"

// --- texts with placeholders ---

// A group of the matcher's expression, "{re.NAME.1}", at the start of text: as "$1" behind to.
// Returns its length, or 0.
static size_t put_group(struct caddy_line *l, struct str text, struct text *to)
{
    static const char *const starts[] = {"{re.", "{http.regexp."};
    struct str name, pattern, rest, number;
    uint64_t group;
    size_t end = str_find(text, '}');
    if (end == STR_NPOS || !caddy_path_regexp(l, &name, &pattern))
        return 0;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct str start = str_of(starts[i]);
        if (!str_starts(text, start))
            continue;
        rest = str_from(text.ptr + start.len, end - start.len);
        if (name.len > 0 && str_starts(rest, name))
            rest = str_skip(rest, name.len + 1);
        number = rest;
        if (num_dec(number, 9, &group) != ERR_OK)
            return 0;
        text_printf(to, "${%u}", (unsigned)group);
        return end + 1;
    }
    return 0;
}

// Placeholders as those of redirects; ret_groups: there are groups of an expression in it. False:
// one that nothing here stands for.
static bool expand(struct draft *d, struct caddy_line *l, struct str text, struct str *ret,
                   bool *ret_groups)
{
    static const struct {
        const char *from, *to;
    } known[] = {
        {"{uri}", "{path}{query}"},
        {"{http.request.uri}", "{path}{query}"},
        {"{path}", "{path}"},
        {"{http.request.uri.path}", "{path}"},
        {"{?query}", "{query}"},
        {"?{query}", "{query}"},
        {"?{http.request.uri.query}", "{query}"},
        {"{host}", "{host}"},
        {"{http.request.host}", "{host}"},
        {"{scheme}", "{scheme}"},
        {"{http.request.scheme}", "{scheme}"},
        {"{hostport}", "{host}"},
        {"{http.request.hostport}", "{host}"},
    };
    bool is_fine = true;
    struct text to = {0};
    *ret_groups = false;
    while (is_fine && text.len > 0) {
        size_t i = 0, n = put_group(l, text, &to);
        *ret_groups |= n > 0;
        while (n == 0 && i < sizeof known / sizeof *known &&
               !str_starts(text, str_of(known[i].from)))
            i++;
        if (n == 0 && i < sizeof known / sizeof *known) {
            text_put(&to, str_of(known[i].to));
            n = str_of(known[i].from).len;
        } else if (n == 0) {
            is_fine = text.ptr[0] != '{' && text.ptr[0] != '}' && text.ptr[0] != '$';
            text_byte(&to, text.ptr[0]);
            n = 1;
        }
        text = str_skip(text, n);
    }
    *ret = draft_text(d, text_str(&to));
    text_fini(&to);
    return is_fine;
}

static void put_redirect(struct caddy_site *s, struct caddy_line *l)
{
    static const struct {
        const char *word, *code;
    } codes[] = {{"", "302"},     {"temporary", "302"}, {"permanent", "301"},
                 {"html", "302"}, {"301", "301"},       {"302", "302"},
                 {"303", "303"},  {"307", "307"},       {"308", "308"}};
    struct draft *d = s->c->d;
    size_t at = caddy_args(l);
    struct str code = caddy_word(l, at + 1), to, name, pattern;
    bool has_groups;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!str_eq(code, str_of(codes[i].word)))
            continue;
        if (!expand(d, l, caddy_word(l, at), &to, &has_groups) || to.len == 0)
            break;
        struct conf_node *settings = caddy_filter(s, l, "redirect");
        if (has_groups && caddy_path_regexp(l, &name, &pattern))
            draft_set(d, settings, STR("from"), pattern, l->place);
        draft_set(d, settings, STR("to"), to, l->place);
        draft_set(d, settings, STR("code"), str_of(codes[i].code), l->place);
        if (str_eq(code, STR("html")))
            caddy_note(s->c, l, DRAFT_CHANGED, "it is a redirect, and no page that leads on");
        return;
    }
    caddy_refuse(s, l,
                 "the URL has a placeholder that redirects here don't know, or such a status");
}

// --- paths for servers ---

static void put_rewrite(struct caddy_site *s, struct caddy_line *l, struct str from, struct str to)
{
    struct conf_node *settings = caddy_filter(s, l, "rewrite");
    draft_set(s->c->d, settings, STR("from"), from, l->place);
    draft_set(s->c->d, settings, STR("to"), to, l->place);
}

static struct str escaped(struct draft *d, const char *before, struct str s, const char *after)
{
    struct text to = {0};
    text_put(&to, str_of(before));
    caddy_put_escaped(&to, s, "\\*");
    text_put(&to, str_of(after));
    struct str copy = draft_text(d, text_str(&to));
    text_fini(&to);
    return copy;
}

// As Caddy does it: without a look at where a segment ends, and Locations stay as they are.
static void strip(struct caddy_site *s, struct caddy_line *l, struct str prefix)
{
    prefix.len -= str_ends(prefix, STR("/"));
    put_rewrite(s, l, escaped(s->c->d, "(?i)^", prefix, "/?"), STR("/"));
}

static bool is_new_path(struct str to)
{
    return str_starts(to, STR("/")) && caddy_is_plain(to) && str_find(to, '?') == STR_NPOS &&
           str_find(to, '$') == STR_NPOS;
}

// The whole path by groups of the matcher's expression.
static bool rewrite_groups(struct caddy_site *s, struct caddy_line *l, struct str text)
{
    struct str name, pattern, to;
    bool has_groups;
    if (!caddy_path_regexp(l, &name, &pattern) || !str_starts(pattern, STR("^")) ||
        !str_ends(pattern, STR("$")) || !expand(s->c->d, l, text, &to, &has_groups) ||
        !has_groups || !str_starts(to, STR("/")) || str_search(to, STR("{path}")) != STR_NPOS ||
        str_search(to, STR("{host}")) != STR_NPOS || str_search(to, STR("{scheme}")) != STR_NPOS ||
        str_find(to, '?') != STR_NPOS)
        return false;
    if (str_ends(to, STR("{query}")))
        to.len -= 7; // it stays in any case
    if (str_search(to, STR("{query}")) != STR_NPOS)
        return false;
    put_rewrite(s, l, pattern, to);
    return true;
}

// What stands for the path and the query as they are.
static struct str without_uri(struct str to)
{
    static const char *const ends[] = {"{uri}", "{http.request.uri}", "{path}?{query}", "{path}"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(to, str_of(ends[i])))
            return str_first(to, to.len - str_of(ends[i]).len);
    return STR_NONE;
}

static struct str target_of(const struct caddy_line *l)
{
    struct str to = caddy_word(l, caddy_args(l));
    if (str_ends(to, STR("?{query}")) && !str_ends(to, STR("{path}?{query}")))
        to.len -= 8; // it stays in any case
    return to;
}

struct str caddy_new_path(struct caddy *c, const struct caddy_line *l)
{
    struct str to = target_of(l), prefix = without_uri(to), path, query;
    if (prefix.len > 1 && is_new_path(prefix)) {
        prefix.len -= str_ends(prefix, STR("/"));
        return draft_printf(c->d, STR_FMT "/*", STR_ARG(prefix));
    }
    (void)str_cut(to, '?', &path, &query);
    return is_new_path(path) ? path : STR_NONE;
}

// A path and a query of its own, in which "{path}" may stand.
static bool rewrite_query(struct caddy_site *s, struct caddy_line *l, struct str to)
{
    struct str path, query, pair;
    if (!str_cut(to, '?', &path, &query) || !is_new_path(path))
        return false;
    struct text text = {0};
    bool keeps = false, is_fine = true;
    text_put(&text, path);
    for (bool is_first = true; query.len > 0 && is_fine;) {
        (void)str_cut(query, '&', &pair, &query);
        keeps |= str_eq(pair, STR("{query}"));
        if (str_eq(pair, STR("{query}")))
            continue;
        text_byte(&text, is_first ? '?' : '&');
        is_first = false;
        bool is_path = str_ends(pair, STR("={path}"));
        pair.len -= is_path ? 6 : 0;
        is_fine = caddy_is_plain(pair) && str_find(pair, '$') == STR_NPOS;
        text_put(&text, pair);
        text_put(&text, is_path ? STR("$1") : STR(""));
    }
    if (is_fine)
        put_rewrite(s, l, keeps ? STR("^(/.*)$") : STR("^(/[^?]*)(\\?.*)?$"), text_str(&text));
    if (is_fine && !keeps)
        draft_set(s->c->d, caddy_settings(s, l), STR("with-query"), STR("yes"), l->place);
    text_fini(&text);
    return is_fine;
}

static bool rewrite(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    struct str to = target_of(l), prefix = without_uri(to);
    if (l->n_words != caddy_args(l) + 1)
        return false;
    if (prefix.len > 1 && is_new_path(prefix)) {
        prefix.len -= str_ends(prefix, STR("/"));
        put_rewrite(s, l, STR("^/"), draft_printf(d, STR_FMT "/", STR_ARG(prefix)));
        return true;
    }
    if (is_new_path(to)) {
        draft_set(d, caddy_filter(s, l, "replace-path"), STR("path"), to, l->place);
        return true;
    }
    return rewrite_query(s, l, to) || rewrite_groups(s, l, to);
}

static bool change(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    size_t at = caddy_args(l);
    struct str what = caddy_word(l, at), text = caddy_word(l, at + 1), to = caddy_word(l, at + 2);
    bool is_one = l->n_words == at + 2 && caddy_is_plain(text) && text.len > 0;
    bool are_two = l->n_words == at + 3 && text.len > 0 && caddy_is_plain(to) &&
                   str_find(to, '$') == STR_NPOS && str_find(to, '?') == STR_NPOS;
    if (str_eq(what, STR("strip_prefix")) && is_one && str_starts(text, STR("/"))) {
        strip(s, l, text);
        return true;
    }
    if (str_eq(what, STR("strip_suffix")) && is_one) {
        put_rewrite(s, l, escaped(d, "^(/.*)", text, "$"), STR("$1"));
        return true;
    }
    if (str_eq(what, STR("path_regexp")) && are_two) {
        put_rewrite(s, l, text, to);
        return true;
    }
    if (str_eq(what, STR("replace")) && are_two && caddy_is_plain(text)) {
        put_rewrite(s, l, escaped(d, "", text, ""), to);
        draft_set(d, caddy_settings(s, l), STR("with-query"), STR("yes"), l->place);
        return true;
    }
    return false;
}

static bool handle_path(struct caddy_site *s, struct caddy_line *l)
{
    struct str path = caddy_word(l, 1);
    if (caddy_args(l) != 2 || !str_starts(path, STR("/")) || !str_ends(path, STR("*")))
        return false;
    path.len--;
    if (path.len > 1)
        strip(s, l, path);
    return true;
}

void caddy_put_path(struct caddy_site *s, struct caddy_line *l)
{
    if (caddy_is(l, "redir"))
        put_redirect(s, l);
    else if (caddy_is(l, "handle_path") && !handle_path(s, l))
        caddy_refuse(s, l, "only a path with '*' at its end can be taken off");
    else if ((caddy_is(l, "rewrite") && !rewrite(s, l)) || (caddy_is(l, "uri") && !change(s, l)))
        caddy_refuse(s, l, "the path can't be changed in this way here; see the filter 'rewrite'");
}
