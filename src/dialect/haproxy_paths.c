// SPDX-License-Identifier: Apache-2.0
// Actions that change the path: set-path, replace-path and their like.
#include "base/ascii.h"
#include "dialect/haproxy_rules.h"
#include "filter/common.h"

// "\1" of HAProxy's as "$1", and "$" as "$$". False: it has something else.
static bool expansion(struct haproxy_run *r, struct str format, struct str *ret)
{
    struct text t = {.len = 0};
    bool is_good = true;
    for (size_t i = 0; i < format.len && is_good; i++) {
        char c = format.ptr[i];
        bool is_group = c == '\\' && i + 1 < format.len && ascii_is(format.ptr[i + 1], ASCII_DIGIT);
        if (is_group)
            text_printf(&t, "${%c}", format.ptr[++i]);
        else if (c == '$')
            text_put(&t, STR("$$"));
        else if (c == '%' && i + 1 < format.len && format.ptr[i + 1] == '%')
            i++, text_byte(&t, '%');
        else if (c == '%' && str_starts(str_skip(format, i), STR("%[path]")))
            text_put(&t, STR("${1}")), i += strlen("%[path]") - 1;
        else
            is_good = c != '%' && c != '\\' && ascii_is(c, ASCII_TARGET);
        if (is_good && c != '\\' && c != '$' && c != '%')
            text_byte(&t, c);
    }
    *ret = draft_text(r->h->d, text_str(&t));
    text_fini(&t);
    return is_good && ret->len > 0;
}

static bool is_expression(struct str re)
{
    struct arena mem;
    char why[REGEX_WHY_BYTES];
    size_t at;
    arena_init(&mem, (size_t)1 << 20, NULL, 0);
    struct regex *regex = regex_compile(re, 0, &mem, &at, why);
    bool is_good = regex != NULL;
    regex_fini(regex);
    arena_fini(&mem);
    return is_good;
}

bool haproxy_change_path(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                         bool is_response)
{
    struct str what = haproxy_word(l, 1), from, to;
    bool is_set = str_starts(what, STR("set-"));
    bool is_path = str_ends(what, STR("-path"));
    unsigned changed = HAPROXY_CHANGED_PATH | (is_path ? 0 : HAPROXY_CHANGED_QUERY);
    if (is_response)
        return false;
    // The whole path is replaced by what comes of the groups.
    from = is_set ? STR("^(.*)$")
                  : draft_printf(r->h->d, "^.*?(?:" STR_FMT ").*$", STR_ARG(haproxy_word(l, 2)));
    if (!is_set && str_starts(haproxy_word(l, 2), STR("^")) &&
        str_ends(haproxy_word(l, 2), STR("$")))
        from = haproxy_word(l, 2);
    bool is_good = expansion(r, haproxy_word(l, is_set ? 2 : 3), &to) && str_starts(to, STR("/"));
    // "\1" may begin the path itself.
    if (!is_good && !is_set && str_starts(to, STR("${1}")))
        is_good = true;
    if (!is_good || !is_expression(from) || (is_set && !is_path)) {
        haproxy_note(r->h, l, DRAFT_LOST,
                     "a path like that can't be made; the filters 'rewrite', 'replace-path', "
                     "'strip-prefix' and 'add-prefix' change paths");
        return false;
    }
    haproxy_state_flush(r, s);
    struct conf_node *map;
    struct str key = draft_printf(r->h->d, "rewrite %u", l->place.line);
    struct str name = haproxy_filter(
        r->h, key, draft_printf(r->h->d, STR_FMT "-path", STR_ARG(r->proxy->s->name)), l->place,
        &map);
    if (map) {
        struct conf_node *rewrite = draft_map(r->h->d, map, STR("rewrite"), l->place);
        draft_set(r->h->d, rewrite, STR("from"), from, l->place);
        draft_set(r->h->d, rewrite, STR("to"), to, l->place);
        if (!is_path)
            draft_set(r->h->d, rewrite, STR("with-query"), STR("yes"), l->place);
    }
    haproxy_state_use(r, s, name, false);
    s->changed |= changed;
    return true;
}
