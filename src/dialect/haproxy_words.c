// SPDX-License-Identifier: Apache-2.0
#include "dialect/haproxy_words.h"

#include "base/ascii.h"
#include "base/assert.h"

struct reader {
    const struct dialect_input *in;
    struct draft *d;
    struct diags *diags;
    struct map env; // what setenv and presetenv said: struct str
    struct haproxy_file *file;
    struct place place;
    struct haproxy_section *defaults; // the last ones: later proxies are based on them
};

static bool fail(struct reader *r, const char *what)
{
    diag_fail(r->diags, ERR_SYNTAX, r->place, "%s", what);
    return false;
}

static struct str variable(struct reader *r, struct str name)
{
    const struct str *own = map_get(&r->env, name);
    if (own)
        return *own;
    struct str value;
    const char *why;
    bool is_set = r->in->files->read_env &&
                  r->in->files->read_env(r->in->files->arg, name, &r->d->mem, &value, &why);
    return is_set ? value : STR_NONE;
}

// $NAME, ${NAME} or ${NAME-DEFAULT}; *at stands behind the '$'.
static bool put_variable(struct reader *r, struct str line, size_t *at, struct text *to)
{
    bool has_brace = *at < line.len && line.ptr[*at] == '{';
    size_t start = *at + has_brace, end = start;
    while (end < line.len &&
           (ascii_is(line.ptr[end], ASCII_ALPHA | ASCII_DIGIT) || line.ptr[end] == '_'))
        end++;
    struct str name = str_from(line.ptr + start, end - start);
    struct str otherwise = STR_NONE;
    if (has_brace && end < line.len && line.ptr[end] == '-') {
        size_t close = str_find(str_skip(line, end), '}');
        if (close == STR_NPOS)
            return fail(r, "a variable has no closing '}'");
        otherwise = str_from(line.ptr + end + 1, close - 1);
        end += close;
    }
    if (has_brace && (end == line.len || line.ptr[end] != '}'))
        return fail(r, "a variable has no closing '}', or a name that is none");
    if (name.len == 0)
        return fail(r, "a '$' between double quotes has no name of a variable behind it");
    struct str value = variable(r, name);
    text_put(to, value.len > 0 ? value : otherwise);
    *at = end + has_brace;
    return true;
}

// What stands behind a backslash outside of single quotes; *at is behind it.
static bool put_escape(struct reader *r, struct str line, size_t *at, bool in_quotes,
                       struct text *to)
{
    char c = *at < line.len ? line.ptr[*at] : '\0';
    bool is_plain = c == ' ' || c == '\\' || c == '"' || (!in_quotes && (c == '#' || c == '\'')) ||
                    (in_quotes && c == '$');
    if (is_plain)
        text_byte(to, c);
    else if (c == 'n' || c == 'r' || c == 't')
        text_byte(to, (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : '\t'));
    else if (c == 'x') {
        if (line.len - *at < 3 || !ascii_is(line.ptr[*at + 1], ASCII_HEX) ||
            !ascii_is(line.ptr[*at + 2], ASCII_HEX))
            return fail(r, "'\\x' needs two hexadecimal digits");
        int byte = ascii_hex(line.ptr[*at + 1]) << 4 | ascii_hex(line.ptr[*at + 2]);
        if (byte == 0 || byte > 0x7f)
            return fail(r, "'\\x' with a byte that isn't ASCII can't be converted");
        text_byte(to, (char)byte);
        *at += 2;
    } else {
        text_byte(to, '\\'); // it means nothing to HAProxy, so it stays
        return true;
    }
    *at += 1;
    return true;
}

// Appends the next word of line at *at to *to. False: there is none, or an error (then diags has
// it).
static bool next_word(struct reader *r, struct str line, size_t *at, struct text *to)
{
    while (*at < line.len && (line.ptr[*at] == ' ' || line.ptr[*at] == '\t'))
        (*at)++;
    if (*at == line.len || line.ptr[*at] == '#')
        return false;
    char quote = '\0';
    while (*at < line.len) {
        char c = line.ptr[*at];
        if (quote == '\0' && (c == ' ' || c == '\t' || c == '#'))
            break;
        (*at)++;
        if (c == quote)
            quote = '\0';
        else if (quote == '\0' && (c == '"' || c == '\''))
            quote = c;
        else if (c == '\\' && quote != '\'') {
            if (!put_escape(r, line, at, quote == '"', to))
                return false;
        } else if (c == '$' && quote == '"') {
            if (!put_variable(r, line, at, to))
                return false;
        } else
            text_byte(to, c);
    }
    return quote == '\0' || fail(r, "a quote isn't closed on its line");
}

// The words of a line. False with an error.
static bool split(struct reader *r, struct str line, struct str *words, unsigned *ret_n)
{
    size_t at = 0, n_errors = r->diags->n_errors;
    unsigned n = 0;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    for (bool is_more = true; is_more;) {
        struct text word = {.len = 0};
        is_more = next_word(r, line, &at, &word);
        if (is_more && n == HAPROXY_WORDS_MAX)
            is_more = fail(r, "the line has more than 64 words, of which HAProxy drops the rest");
        else if (is_more)
            words[n++] = draft_text(r->d, text_str(&word));
        text_fini(&word);
    }
    *ret_n = n;
    return r->diags->n_errors == n_errors;
}

static bool find_section(struct str name, enum haproxy_section_kind *ret)
{
    static const char *const names[] = {
#define X(id, name_) name_,
        HAPROXY_SECTION_LIST(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq(name, str_of(names[i])))
            continue;
        *ret = (enum haproxy_section_kind)i;
        return true;
    }
    return false;
}

// The section that "from NAME" means.
static struct haproxy_section *named_defaults(struct reader *r, struct str name)
{
    for (size_t i = r->file->n; i > 0; i--) {
        struct haproxy_section *s = &r->file->sections[i - 1];
        if (s->kind == HAPROXY_DEFAULTS && str_eq(s->name, name))
            return s;
    }
    return NULL;
}

static bool begin_section(struct reader *r, enum haproxy_section_kind kind, const struct str *words,
                          unsigned n)
{
    struct haproxy_file *f = r->file;
    struct haproxy_section s = {.kind = kind, .place = r->place};
    unsigned i = 1;
    if (i < n && !str_eq(words[i], STR("from")))
        s.name = words[i++];
    // "listen NAME ADDRESS" ended with version 1.5.
    if (i + 1 < n && str_eq(words[i], STR("from"))) {
        s.defaults = named_defaults(r, words[i + 1]);
        if (!s.defaults)
            return fail(r, "there are no defaults of this name above");
        i += 2;
    } else if (kind == HAPROXY_FRONTEND || kind == HAPROXY_BACKEND || kind == HAPROXY_LISTEN) {
        s.defaults = r->defaults;
    }
    if (i < n)
        return fail(r, "the section's line has more words than a name and 'from'");
    bool needs_name = kind == HAPROXY_FRONTEND || kind == HAPROXY_BACKEND || kind == HAPROXY_LISTEN;
    if (needs_name && s.name.len == 0)
        return fail(r, "the section has no name");
    ASSERT(f->n < f->cap);
    f->sections[f->n++] = s;
    if (kind == HAPROXY_DEFAULTS)
        r->defaults = &f->sections[f->n - 1];
    return true;
}

// global's setenv and its like, which later lines may use. True: it was one of them.
static bool take_env(struct reader *r, const struct str *words, unsigned n)
{
    bool is_set = str_eq(words[0], STR("setenv")), is_preset = str_eq(words[0], STR("presetenv"));
    if ((!is_set && !is_preset) || n != 3)
        return false;
    struct str *value = ARENA_NEW(&r->d->mem, struct str);
    if (!value || (is_preset && variable(r, words[1]).ptr))
        return true;
    *value = words[2];
    map_set(&r->env, words[1], value);
    return true;
}

static bool add_line(struct reader *r, const struct str *words, unsigned n)
{
    enum haproxy_section_kind kind;
    struct haproxy_file *f = r->file;
    if (words[0].len > 1 && words[0].ptr[0] == '.')
        return fail(
            r, "blocks with .if and other words with a dot can't be converted: resolve them first");
    if (find_section(words[0], &kind))
        return begin_section(r, kind, words, n);
    if (f->n == 0)
        return fail(r, "the line belongs to no section, so this isn't HAProxy's configuration");
    struct haproxy_section *s = &f->sections[f->n - 1];
    struct haproxy_line *lines =
        ARENA_GROW(&r->d->mem, struct haproxy_line, s->lines, s->n, &s->cap);
    struct str *own = ARENA_ARRAY(&r->d->mem, struct str, n);
    if (!lines || !own) {
        r->d->is_full = true;
        return true;
    }
    memcpy(own, words, n * sizeof *own);
    s->lines = lines;
    s->lines[s->n++] = (struct haproxy_line){
        .place = r->place,
        .words = own,
        .n = n,
        .is_done = s->kind == HAPROXY_GLOBAL && take_env(r, words, n),
    };
    return true;
}

static bool read_lines(struct reader *r)
{
    struct str words[HAPROXY_WORDS_MAX];
    bool is_good = true;
    for (struct str rest = r->in->text, line; rest.len > 0 && !r->d->is_full;) {
        str_cut(rest, '\n', &line, &rest);
        r->place.line++;
        unsigned n = 0;
        is_good = split(r, line, words, &n) && (n == 0 || add_line(r, words, n)) && is_good;
    }
    return is_good;
}

// At most so many: sections stay where they are, so that others can point to them.
static size_t count_lines(struct str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    return n;
}

bool haproxy_read(const struct dialect_input *in, struct draft *d, struct diags *diags,
                  struct haproxy_file *ret)
{
    *ret = (struct haproxy_file){.cap = count_lines(in->text)};
    struct reader r = {.in = in, .d = d, .diags = diags, .file = ret};
    r.place = (struct place){.source = draft_source(d, in->path, in->text)};
    ret->sections = ARENA_ARRAY(&d->mem, struct haproxy_section, ret->cap);
    if (!ret->sections || d->is_full) {
        d->is_full = true;
        return true;
    }
    bool is_good = read_lines(&r);
    map_fini(&r.env);
    if (is_good && ret->n == 0 && !d->is_full)
        is_good = fail(&r, "there is no section in it, so this isn't HAProxy's configuration");
    return is_good;
}
