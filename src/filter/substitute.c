// SPDX-License-Identifier: Apache-2.0
#include "filter/substitute.h"

#include "base/ascii.h"

#define MATCHES_MAX 256

// What is made, in an arena.
struct made {
    struct arena *mem;
    char *ptr;
    size_t n, cap;
    bool is_full;  // the arena
    bool is_over;  // SUBSTITUTE_MAX_BYTES
    bool in_query; // a '?' of the template has been put
};

// --- parsing ---

static bool is_name_byte(char c)
{
    return ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || c == '_';
}

bool substitute_take(struct str *rest, const struct regex *re, int *ret_group, struct str *ret_text)
{
    ASSERT(rest->len > 0 && rest->ptr[0] == '$');
    struct str name = str_skip(*rest, 1);
    *ret_group = -1;
    if (name.len > 0 && name.ptr[0] == '$') {
        *ret_text = STR("$");
        *rest = str_skip(name, 1);
        return true;
    }
    if (name.len > 0 && name.ptr[0] == '{') {
        struct str tail;
        if (!str_cut(str_skip(name, 1), '}', &name, &tail))
            return false;
        *rest = tail;
    } else {
        size_t n = 0;
        while (n < name.len && is_name_byte(name.ptr[n]))
            n++;
        *rest = str_skip(name, n);
        name = str_first(name, n);
    }
    *ret_group = regex_group(re, name);
    return *ret_group >= 0;
}

enum err substitute_parse(const struct conf_text *template, const struct regex *re,
                          const struct filter_env *env, struct substitute *ret)
{
    for (struct str rest = template->text; rest.len > 0;) {
        struct substitute_part part = {.group = -1};
        size_t n = MIN(str_find(rest, '$'), rest.len);
        if (n > 0) {
            part.text = str_first(rest, n);
            rest = str_skip(rest, n);
        } else if (!substitute_take(&rest, re, &part.group, &part.text)) {
            return diag_fail(env->diags, ERR_SYNTAX, template->place,
                             "'" STR_FMT "' has a '$' with no group of the expression behind it; "
                             "write $1 to $9, ${1} before letters and digits, ${NAME}, and $$ for "
                             "a dollar",
                             STR_ARG(template->text));
        }
        if (ret->n_parts == SUBSTITUTE_PARTS_MAX)
            return diag_fail(env->diags, ERR_LIMIT, template->place,
                             "the template has more than %d parts", SUBSTITUTE_PARTS_MAX);
        ret->parts[ret->n_parts++] = part;
    }
    return ERR_OK;
}

// --- building ---

static void put(struct made *m, struct str s)
{
    if (m->is_full || m->is_over || s.len == 0)
        return;
    if (s.len > SUBSTITUTE_MAX_BYTES - m->n) {
        m->is_over = true;
        return;
    }
    if (s.len > m->cap - m->n) {
        size_t cap = MIN(MAX(m->cap * 2, m->n + s.len), SUBSTITUTE_MAX_BYTES);
        char *bigger = ARENA_ARRAY(m->mem, char, cap);
        if (!bigger) {
            m->is_full = true;
            return;
        }
        if (m->n > 0)
            memcpy(bigger, m->ptr, m->n);
        m->ptr = bigger;
        m->cap = cap;
    }
    memcpy(m->ptr + m->n, s.ptr, s.len);
    m->n += s.len;
}

static void put_escaped(struct made *m, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        const char escape[] = {'%', digits[(uint8_t)c >> 4], digits[c & 15]};
        bool is_special = c == '&' || c == '=' || c == '+' || c == ';';
        put(m, is_special ? str_from(escape, sizeof escape) : str_from(&c, 1));
    }
}

// What the client sent, in a group or around what was found.
static void put_sent(struct made *m, struct str s, bool escapes)
{
    if (escapes && m->in_query)
        put_escaped(m, s);
    else
        put(m, s);
}

static void put_template(struct made *m, const struct substitute *s, const struct str *groups,
                         bool escapes)
{
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct substitute_part *p = &s->parts[i];
        if (p->group < 0) {
            put(m, p->text);
            m->in_query = m->in_query || str_find(p->text, '?') != STR_NPOS;
        } else {
            put_sent(m, groups[p->group], escapes);
        }
    }
}

enum substitute_end substitute_all(const struct substitute *s, const struct regex *re,
                                   struct str subject, bool escapes, struct arena *mem,
                                   struct str *ret)
{
    struct made m = {.mem = mem};
    struct str groups[REGEX_GROUPS_MAX];
    size_t copied = 0, n_matches = 0, n_tries = 0;
    for (size_t at = 0; at <= subject.len; n_tries++) {
        enum regex_result found = regex_find(re, subject, at, groups);
        if (found == REGEX_BROKEN || n_tries == MATCHES_MAX)
            return SUBSTITUTE_BROKEN;
        if (found == REGEX_NO)
            break;
        size_t start = subject.len > 0 ? (size_t)(groups[0].ptr - subject.ptr) : 0;
        size_t end = start + groups[0].len;
        at = groups[0].len > 0 ? end : end + 1;
        if (groups[0].len == 0 && n_matches > 0 && start == copied)
            continue;
        put_sent(&m, str_from(subject.ptr + copied, start - copied), escapes);
        put_template(&m, s, groups, escapes);
        copied = end;
        n_matches++;
    }
    if (n_matches == 0)
        return SUBSTITUTE_NONE;
    put_sent(&m, str_skip(subject, copied), escapes);
    if (m.is_full)
        return SUBSTITUTE_NO_ROOM;
    *ret = str_from(m.ptr, m.n);
    return m.is_over ? SUBSTITUTE_BROKEN : SUBSTITUTE_DONE;
}
