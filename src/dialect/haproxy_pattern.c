// SPDX-License-Identifier: Apache-2.0
// Values of questions as texts and expressions of rules.
#include <string.h>

#include "dialect/haproxy_question.h"

struct str haproxy_quote(struct draft *d, struct str text)
{
    struct text t = {.len = 0};
    if (str_find(text, '`') == STR_NPOS) {
        text_printf(&t, "`" STR_FMT "`", STR_ARG(text));
    } else {
        text_byte(&t, '"');
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '"' || text.ptr[i] == '\\')
                text_byte(&t, '\\');
            text_byte(&t, text.ptr[i]);
        }
        text_byte(&t, '"');
    }
    struct str own = draft_text(d, text_str(&t));
    text_fini(&t);
    return own;
}

void haproxy_put_literal(struct str s, struct text *to)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '{' || s.ptr[i] == '}')
            text_printf(to, "\\x%02x", (unsigned)s.ptr[i]);
        else if (strchr("\\^$.|?*+()[]", s.ptr[i]) && s.ptr[i] != '\0')
            text_printf(to, "\\%c", s.ptr[i]);
        else
            text_byte(to, s.ptr[i]);
    }
}

static struct str without_slashes(struct str s)
{
    while (s.len > 0 && s.ptr[0] == '/')
        s = str_skip(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    return s;
}

static void put_value(const struct haproxy_question *q, struct str v, struct haproxy_bounds b,
                      struct text *to)
{
    bool from_begin = q->match == HAPROXY_MATCH_STR || q->match == HAPROXY_MATCH_BEG ||
                      q->match == HAPROXY_MATCH_OTHER;
    bool to_end = q->match == HAPROXY_MATCH_STR || q->match == HAPROXY_MATCH_END ||
                  q->match == HAPROXY_MATCH_OTHER;
    if (q->match == HAPROXY_MATCH_REG) {
        bool is_open = v.len == 0 || v.ptr[0] != '^';
        bool is_closed = str_ends(v, STR("$")) && !str_ends(v, STR("\\$"));
        struct str inner = str_skip(v, !is_open);
        inner.len -= is_closed;
        text_printf(to, "%s%s(?:" STR_FMT ")%s", is_open && b.any[0] == '\0' ? "" : b.begin,
                    is_open ? b.any : "", STR_ARG(inner), is_closed ? b.end : "");
        return;
    }
    if (q->match == HAPROXY_MATCH_DIR || q->match == HAPROXY_MATCH_DOM) {
        text_put(to, q->match == HAPROXY_MATCH_DIR ? STR("(?:^|[/?])") : STR("(?:^|[/?.:])"));
        haproxy_put_literal(q->match == HAPROXY_MATCH_DIR ? without_slashes(v) : v, to);
        text_put(to, q->match == HAPROXY_MATCH_DIR ? STR("(?:[/?]|$)") : STR("(?:[/?.:]|$)"));
        return;
    }
    text_put(to, str_of(from_begin || b.any[0] != '\0' ? b.begin : ""));
    text_put(to, str_of(from_begin ? "" : b.any));
    haproxy_put_literal(v, to);
    if (to_end)
        text_put(to, str_of(b.end));
}

struct str haproxy_pattern(const struct haproxy_question *q, struct str before,
                           struct haproxy_bounds b)
{
    struct text t = {.len = 0};
    if (q->ignore_case)
        text_put(&t, STR("(?i)"));
    text_put(&t, before);
    if (q->n > 1)
        text_put(&t, STR("(?:"));
    for (size_t i = 0; i < q->n; i++) {
        if (i > 0)
            text_byte(&t, '|');
        put_value(q, q->values[i], b, &t);
    }
    if (q->n > 1)
        text_byte(&t, ')');
    struct str own = draft_text(q->d, text_str(&t));
    text_fini(&t);
    return own;
}

struct str haproxy_call(const struct haproxy_question *q, const char *name)
{
    struct text t = {.len = 0};
    text_printf(&t, "%s(", name);
    for (size_t i = 0; i < q->n; i++) {
        struct str quoted = haproxy_quote(q->d, q->values[i]);
        text_printf(&t, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(quoted));
    }
    text_byte(&t, ')');
    struct str own = draft_text(q->d, text_str(&t));
    text_fini(&t);
    return own;
}

struct str haproxy_call_with(const struct haproxy_question *q, const char *name, struct str key,
                             struct str value)
{
    struct str quoted_key = haproxy_quote(q->d, key), quoted = haproxy_quote(q->d, value);
    return key.len > 0 ? draft_printf(q->d, "%s(" STR_FMT ", " STR_FMT ")", name,
                                      STR_ARG(quoted_key), STR_ARG(quoted))
                       : draft_printf(q->d, "%s(" STR_FMT ")", name, STR_ARG(quoted));
}
