// SPDX-License-Identifier: Apache-2.0
#include "dialect/haproxy_cond.h"

// What HAProxy defines itself (configuration manual, 7.4).
static const struct {
    const char *name;
    const char *words[4];
} predefined[] = {
    {"FALSE", {"always_false"}},
    {"TRUE", {"always_true"}},
    {"HTTP", {"req.proto_http"}},
    {"HTTP_URL_ABS", {"always_false"}},
    {"HTTP_URL_SLASH", {"path_beg", "/"}},
    {"HTTP_URL_STAR", {"always_false"}},
    {"LOCALHOST", {"src", "127.0.0.0/8", "::1"}},
    {"METH_CONNECT", {"method", "CONNECT"}},
    {"METH_DELETE", {"method", "DELETE"}},
    {"METH_GET", {"method", "GET", "HEAD"}},
    {"METH_HEAD", {"method", "HEAD"}},
    {"METH_OPTIONS", {"method", "OPTIONS"}},
    {"METH_POST", {"method", "POST"}},
    {"METH_PUT", {"method", "PUT"}},
    {"METH_TRACE", {"method", "TRACE"}},
    {"REQ_CONTENT", {"wait_end"}},
    {"WAIT_END", {"wait_end"}},
};

static void remember(struct haproxy_asked *a, struct place place)
{
    for (unsigned i = 0; i < a->n_also; i++)
        if (a->also[i].line == place.line)
            return;
    if (a->n_also < ARRAY_LEN(a->also))
        a->also[a->n_also++] = place;
}

static const struct haproxy_expr *ask_predefined(struct haproxy_asked *a, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(predefined); i++) {
        if (!str_eq(name, str_of(predefined[i].name)))
            continue;
        struct str words[4];
        unsigned n = 0;
        for (; n < 4 && predefined[i].words[n]; n++)
            words[n] = str_of(predefined[i].words[n]);
        return haproxy_ask(a, words, n);
    }
    return haproxy_unknown(
        a->d, draft_printf(a->d, "there is no acl '" STR_FMT "'", STR_ARG(str_first(name, 64))));
}

// An acl by its name: true when any of its lines is.
static const struct haproxy_expr *ask_named(struct haproxy_asked *a, struct str name)
{
    const struct haproxy_expr *any = NULL;
    unsigned n_lines = 0;
    for (size_t i = 0; i < a->proxy->n; i++) {
        struct haproxy_line *l = &a->proxy->lines[i];
        if (!str_eq(l->words[0], STR("acl")) || !str_eq(haproxy_word(l, 1), name) || l->n < 3)
            continue;
        l->is_done = true;
        if (n_lines++ == HAPROXY_ACL_LINES_MAX)
            return haproxy_unknown(a->d, STR("its acl has more than 256 lines"));
        remember(a, l->place);
        const struct haproxy_expr *e = haproxy_ask(a, l->words + 2, l->n - 2);
        any = any ? haproxy_or(a->d, any, e) : e;
    }
    return any ? any : ask_predefined(a, name);
}

// "name", "!name", "{ … }", "!{ … }" at *i, which moves behind it.
static const struct haproxy_expr *read_part(struct haproxy_asked *a, const struct haproxy_line *l,
                                            unsigned *i)
{
    struct str word = haproxy_word(l, *i);
    bool is_not = false;
    while (word.len > 0 && word.ptr[0] == '!') {
        is_not = !is_not;
        word = str_skip(word, 1);
        if (word.len == 0)
            word = haproxy_word(l, ++*i);
    }
    ++*i;
    const struct haproxy_expr *e;
    if (str_eq(word, STR("{"))) {
        unsigned first = *i;
        while (*i < l->n && !str_eq(l->words[*i], STR("}")))
            ++*i;
        bool is_closed = *i<l->n && * i> first;
        e = is_closed ? haproxy_ask(a, l->words + first, *i - first)
                      : haproxy_unknown(a->d, STR("its braces hold nothing, or aren't closed"));
        ++*i;
    } else {
        e = ask_named(a, word);
    }
    return is_not ? haproxy_not(a->d, e) : e;
}

unsigned haproxy_find_if(const struct haproxy_line *l, unsigned from)
{
    while (from < l->n && !str_eq(l->words[from], STR("if")) &&
           !str_eq(l->words[from], STR("unless")))
        from++;
    return from;
}

static void add_part(struct haproxy_asked *a, struct haproxy_cond *c, size_t term,
                     const struct haproxy_expr *e)
{
    if (c->terms[term].n == 0)
        c->terms[term].parts =
            ARENA_ARRAY(&a->d->mem, const struct haproxy_expr *, HAPROXY_WORDS_MAX);
    if (c->terms[term].parts)
        c->terms[term].parts[c->terms[term].n++] = e;
    else
        a->d->is_full = true;
}

static void read_terms(struct haproxy_asked *a, const struct haproxy_line *l, unsigned from,
                       struct haproxy_cond *ret)
{
    ret->n = 1;
    for (unsigned i = from; i < l->n;) {
        if (str_eq(l->words[i], STR("or")) || str_eq(l->words[i], STR("||"))) {
            i++;
            if (ret->terms[ret->n - 1].n > 0)
                ret->n++;
            continue;
        }
        add_part(a, ret, ret->n - 1, read_part(a, l, &i));
    }
    if (ret->terms[ret->n - 1].n == 0)
        add_part(a, ret, ret->n - 1, haproxy_unknown(a->d, STR("its condition has no end")));
}

void haproxy_cond_read(struct haproxy_asked *asked, const struct haproxy_line *l, unsigned from,
                       struct haproxy_cond *ret)
{
    *ret = (struct haproxy_cond){.n = 0};
    unsigned at = haproxy_find_if(l, from);
    if (at >= l->n) {
        ret->n = 1;
        add_part(asked, ret, 0, &haproxy_true);
        return;
    }
    read_terms(asked, l, at + 1, ret);
    if (!str_eq(l->words[at], STR("unless")))
        return;
    const struct haproxy_expr *e = haproxy_not(asked->d, haproxy_cond_expr(asked->d, ret));
    // "unless a or b" is "if !a !b", so that each stays a part.
    struct haproxy_cond parts = {.n = 1};
    bool is_flat = true;
    for (size_t i = 0; i < ret->n; i++)
        is_flat = is_flat && ret->terms[i].n == 1;
    for (size_t i = 0; i < ret->n && is_flat; i++)
        add_part(asked, &parts, 0, haproxy_not(asked->d, ret->terms[i].parts[0]));
    if (!is_flat)
        add_part(asked, &parts, 0, e);
    *ret = parts;
}

const struct haproxy_expr *haproxy_term(struct draft *d, const struct haproxy_cond *c, size_t i)
{
    const struct haproxy_expr *all = &haproxy_true;
    for (size_t k = 0; k < c->terms[i].n; k++)
        all = haproxy_and(d, all, c->terms[i].parts[k]);
    return all;
}

const struct haproxy_expr *haproxy_cond_expr(struct draft *d, const struct haproxy_cond *c)
{
    const struct haproxy_expr *any = &haproxy_false;
    for (size_t i = 0; i < c->n; i++)
        any = haproxy_or(d, any, haproxy_term(d, c, i));
    return any;
}

const struct haproxy_expr *haproxy_cond(struct haproxy_asked *asked, const struct haproxy_line *l,
                                        unsigned from)
{
    struct haproxy_cond c;
    haproxy_cond_read(asked, l, from, &c);
    return haproxy_cond_expr(asked->d, &c);
}
