// SPDX-License-Identifier: Apache-2.0
#include "dialect/nginx_words.h"

#include "base/mem.h"
#include "dialect/nginx_reader.h"

#define DEPTH_MAX 32         // blocks inside each other
#define DIRECTIVES_MAX 50000 // of all files

struct nginx_cursor nginx_cursor(const struct nginx_dumped *file, struct place place)
{
    place.line = file->line;
    return (struct nginx_cursor){file->text.ptr, file->text.ptr + file->text.len, file->text.ptr,
                                 place};
}

bool nginx_fail(struct nginx_reader *r, struct place place, const char *what)
{
    diag_fail(r->diags, ERR_SYNTAX, place, "%s", what);
    return false;
}

static struct place place_of(const struct nginx_cursor *c)
{
    struct place place = c->place;
    place.column = (unsigned)(c->at - c->line_start) + 1;
    return place;
}

static char take(struct nginx_cursor *c)
{
    char byte = *c->at++;
    if (byte == '\n') {
        c->place.line++;
        c->line_start = c->at;
    }
    return byte;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void skip_blank(struct nginx_cursor *c)
{
    bool in_comment = false;
    while (c->at < c->end && (in_comment || is_space(*c->at) || *c->at == '#')) {
        char byte = take(c);
        in_comment = (in_comment || byte == '#') && byte != '\n';
    }
}

// A backslash goes before a quote, a space or itself, and makes white space of t, r and n; before
// anything else it stays, as regular expressions need it.
static void put_escaped(struct nginx_cursor *c, struct text *to)
{
    char byte = c->at < c->end ? take(c) : '\\';
    switch (byte) {
    case '"':
    case '\'':
    case '\\':
        text_byte(to, byte);
        return;
    case 't':
        text_byte(to, '\t');
        return;
    case 'r':
        text_byte(to, '\r');
        return;
    case 'n':
        text_byte(to, '\n');
        return;
    }
    text_byte(to, '\\');
    text_byte(to, byte);
}

static bool read_quoted(struct nginx_reader *r, struct nginx_cursor *c, struct text *to)
{
    struct place place = place_of(c);
    char quote = take(c);
    while (c->at < c->end) {
        char byte = take(c);
        if (byte == '\\') {
            put_escaped(c, to);
        } else if (byte != quote) {
            text_byte(to, byte);
        } else {
            bool ends = c->at == c->end || is_space(*c->at) || *c->at == ';' || *c->at == '{' ||
                        *c->at == ')';
            return ends || nginx_fail(r, place_of(c),
                                      "a space, ';' or '{' is needed behind a closing quote");
        }
    }
    return nginx_fail(r, place, "the quote isn't closed");
}

// One that isn't in quotes. "${NAME}" is no block.
static void read_bare(struct nginx_cursor *c, struct text *to)
{
    bool after_dollar = false;
    while (c->at < c->end && !is_space(*c->at) && *c->at != ';' &&
           (*c->at != '{' || after_dollar)) {
        char byte = take(c);
        after_dollar = byte == '$';
        if (byte == '\\')
            put_escaped(c, to);
        else
            text_byte(to, byte);
    }
}

static bool read_word(struct nginx_reader *r, struct nginx_cursor *c, struct nginx_word *ret)
{
    struct text word = {0};
    bool is_quoted = *c->at == '"' || *c->at == '\'', is_fine = true;
    if (is_quoted)
        is_fine = read_quoted(r, c, &word);
    else
        read_bare(c, &word);
    *ret = (struct nginx_word){draft_text(r->d, text_str(&word)), is_quoted};
    text_fini(&word);
    return is_fine;
}

// A block has few names, and may have thousands of directives with one of them.
static void put_kind(struct nginx_directive *parent, struct nginx_directive *d)
{
    struct nginx_directive **kind = &parent->kinds;
    while (*kind && !str_eq((*kind)->words[0].text, d->words[0].text))
        kind = &(*kind)->next_kind;
    if (*kind)
        (*kind)->last_same->same = d;
    else
        *kind = d;
    (*kind)->last_same = d;
}

static struct nginx_directive *add(struct nginx_reader *r, struct nginx_directive *parent,
                                   struct place place, size_t n_words)
{
    struct nginx_directive *d = ARENA_NEW(&r->d->mem, struct nginx_directive);
    struct nginx_word *words = ARENA_ARRAY(&r->d->mem, struct nginx_word, n_words);
    if (!d || !words || ++r->n_directives > DIRECTIVES_MAX) {
        r->d->is_full = true;
        return NULL;
    }
    memcpy(words, r->words, n_words * sizeof *words);
    *d = (struct nginx_directive){.place = place,
                                  .words = words,
                                  .n_words = n_words,
                                  .parent = parent,
                                  .index = r->n_directives};
    if (parent->last)
        parent->last->next = d;
    else
        parent->first = d;
    parent->last = d;
    put_kind(parent, d);
    return d;
}

// Code of another language between braces, whose strings and comments may have braces as well: only
// its end is looked for, as nginx's Lua module does.
static bool skip_code(struct nginx_reader *r, struct nginx_cursor *c, struct place place)
{
    char quote = '\0';
    for (unsigned depth = 1; c->at < c->end;) {
        char byte = take(c);
        if (quote != '\0' && byte == '\\' && c->at < c->end)
            (void)take(c);
        else if (quote != '\0')
            quote = byte == quote || byte == '\n' ? '\0' : quote;
        else if (byte == '"' || byte == '\'')
            quote = byte;
        else if (byte == '{')
            depth++;
        else if (byte == '}' && --depth == 0)
            return true;
    }
    return nginx_fail(r, place, "the block isn't closed");
}

static bool read_block(struct nginx_reader *r, struct nginx_cursor *c,
                       struct nginx_directive *block, unsigned depth);

static bool end_directive(struct nginx_reader *r, struct nginx_cursor *c, struct nginx_directive *d,
                          char end, unsigned depth)
{
    struct str name = nginx_word(d, 0);
    if (end == ';')
        return !str_eq(name, STR("include")) || nginx_include(r, d, depth);
    d->is_block = true;
    if (str_ends(name, STR("_by_lua_block")))
        return skip_code(r, c, d->place);
    if (depth == DEPTH_MAX)
        return nginx_fail(r, d->place, "too many blocks inside each other");
    return read_block(r, c, d, depth + 1);
}

static bool read_directive(struct nginx_reader *r, struct nginx_cursor *c,
                           struct nginx_directive *parent, unsigned depth)
{
    struct place place = place_of(c);
    size_t n = 0;
    for (;;) {
        if (n == NGINX_WORDS_MAX)
            return nginx_fail(r, place, "the directive has too many words");
        if (!read_word(r, c, &r->words[n]))
            return false;
        n++;
        skip_blank(c);
        if (c->at == c->end || *c->at == '}')
            return nginx_fail(r, place, "the directive has no ';' at its end");
        if (*c->at == ';' || *c->at == '{')
            break;
    }
    char end = take(c);
    struct nginx_directive *d = add(r, parent, place, n);
    return d && end_directive(r, c, d, end, depth);
}

// To a '}' or the text's end.
static bool read_directives(struct nginx_reader *r, struct nginx_cursor *c,
                            struct nginx_directive *parent, unsigned depth)
{
    for (skip_blank(c); c->at < c->end && *c->at != '}'; skip_blank(c))
        if (!read_directive(r, c, parent, depth))
            return false;
    return true;
}

bool nginx_read_file(struct nginx_reader *r, struct nginx_cursor *c, struct nginx_directive *parent,
                     unsigned depth)
{
    if (!read_directives(r, c, parent, depth))
        return false;
    return c->at == c->end || nginx_fail(r, place_of(c), "'}' without a block that it could close");
}

static bool read_block(struct nginx_reader *r, struct nginx_cursor *c,
                       struct nginx_directive *block, unsigned depth)
{
    if (!read_directives(r, c, block, depth))
        return false;
    if (c->at == c->end)
        return nginx_fail(r, block->place, "the block isn't closed");
    (void)take(c);
    return true;
}

struct nginx_directive *nginx_read(const struct dialect_input *in, struct draft *d,
                                   struct diags *diags)
{
    struct nginx_reader *r = MEM_NEW(struct nginx_reader);
    *r = (struct nginx_reader){.in = in, .d = d, .diags = diags};
    struct place place = {.source = draft_source(d, in->path, in->text), .line = 1};
    struct nginx_directive *root = ARENA_NEW(&d->mem, struct nginx_directive);
    nginx_find_dumped(r, in->text);
    struct nginx_cursor c = {in->text.ptr, in->text.ptr + in->text.len, in->text.ptr, place};
    if (r->n_dumped > 0)
        c = nginx_cursor(&r->dumped[0], place);
    bool is_fine = false;
    if (root) {
        *root = (struct nginx_directive){.place = place, .is_block = true};
        is_fine = nginx_read_file(r, &c, root, 0);
    }
    d->is_full |= !root;
    mem_free(r);
    return is_fine ? root : NULL;
}
