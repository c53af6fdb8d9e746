// SPDX-License-Identifier: Apache-2.0
#include "dialect/nginx_words.h"

#include <fnmatch.h>

#include "base/mem.h"

#define DEPTH_MAX 32         // blocks inside each other
#define INCLUDES_MAX 10      // files inside each other
#define WORDS_MAX 1024       // of a directive: a line of server names is long
#define DIRECTIVES_MAX 50000 // of all files

static const struct str dump_mark = STR_INIT("# configuration file ");

// A file in a dump of `nginx -T`.
struct dumped {
    struct str name, text;
    unsigned line; // of its first
};

struct reader {
    const struct dialect_input *in;
    struct draft *d;
    struct diags *diags;
    struct dumped *dumped; // the first is the main one
    size_t n_dumped;
    size_t n_directives;
    unsigned n_includes; // open ones
    struct nginx_word words[WORDS_MAX];
};

// Text that is being read.
struct cursor {
    const char *at, *end, *line_start;
    struct place place; // of the line
};

static struct cursor cursor_of(const struct dumped *file, struct place place)
{
    place.line = file->line;
    return (struct cursor){file->text.ptr, file->text.ptr + file->text.len, file->text.ptr, place};
}

static bool fail(struct reader *r, struct place place, const char *what)
{
    diag_fail(r->diags, ERR_SYNTAX, place, "%s", what);
    return false;
}

static struct place place_of(const struct cursor *c)
{
    struct place place = c->place;
    place.column = (unsigned)(c->at - c->line_start) + 1;
    return place;
}

static char take(struct cursor *c)
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

static void skip_blank(struct cursor *c)
{
    bool in_comment = false;
    while (c->at < c->end && (in_comment || is_space(*c->at) || *c->at == '#')) {
        char byte = take(c);
        in_comment = (in_comment || byte == '#') && byte != '\n';
    }
}

// A backslash goes before a quote, a space or itself, and makes white space of t, r and n; before
// anything else it stays, as regular expressions need it.
static void put_escaped(struct cursor *c, struct text *to)
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

static bool read_quoted(struct reader *r, struct cursor *c, struct text *to)
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
            return ends ||
                   fail(r, place_of(c), "a space, ';' or '{' is needed behind a closing quote");
        }
    }
    return fail(r, place, "the quote isn't closed");
}

// One that isn't in quotes. "${NAME}" is no block.
static void read_bare(struct cursor *c, struct text *to)
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

static bool read_word(struct reader *r, struct cursor *c, struct nginx_word *ret)
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

static struct nginx_directive *add(struct reader *r, struct nginx_directive *parent,
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
    return d;
}

// Code of another language between braces, whose strings and comments may have braces as well: only
// its end is looked for, as nginx's Lua module does.
static bool skip_code(struct reader *r, struct cursor *c, struct place place)
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
    return fail(r, place, "the block isn't closed");
}

static bool read_file(struct reader *r, struct cursor *c, struct nginx_directive *parent,
                      unsigned depth);
static bool read_block(struct reader *r, struct cursor *c, struct nginx_directive *block,
                       unsigned depth);

static bool is_pattern(struct str s)
{
    return str_find(s, '*') != STR_NPOS || str_find(s, '?') != STR_NPOS ||
           str_find(s, '[') != STR_NPOS;
}

// A file's name in a dump, or a pattern that fits it. Names that aren't absolute are below the main
// file's folder.
static bool fits(const struct reader *r, struct str pattern, struct str name)
{
    char wanted[1024], have[1024];
    struct str main = r->dumped[0].name;
    size_t folder = str_starts(pattern, STR("/")) ? 0 : main.len;
    while (folder > 0 && main.ptr[folder - 1] != '/')
        folder--;
    if (folder + pattern.len >= sizeof wanted || name.len >= sizeof have)
        return false;
    memcpy(wanted, main.ptr, folder);
    memcpy(wanted + folder, pattern.ptr, pattern.len);
    wanted[folder + pattern.len] = '\0';
    memcpy(have, name.ptr, name.len);
    have[name.len] = '\0';
    return fnmatch(wanted, have, FNM_PATHNAME | FNM_PERIOD) == 0;
}

// What else becomes of it depends on where it stands: it may have protected something.
static void put_missing(struct reader *r, struct nginx_directive *d, const char *why)
{
    d->is_done = false;
    d->missing = draft_text(r->d, str_of(why));
}

static bool include_dumped(struct reader *r, struct nginx_directive *d, unsigned depth)
{
    bool is_found = false;
    for (size_t i = 1; i < r->n_dumped; i++) {
        if (!fits(r, nginx_word(d, 1), r->dumped[i].name))
            continue;
        struct cursor c = cursor_of(&r->dumped[i], d->place);
        is_found = true;
        if (!read_file(r, &c, d->parent, depth))
            return false;
    }
    if (!is_found && !is_pattern(nginx_word(d, 1))) // a pattern may fit nothing
        put_missing(r, d, "the file isn't in this dump");
    return true;
}

static bool include_file(struct reader *r, struct nginx_directive *d, unsigned depth)
{
    struct str path = nginx_word(d, 1), text;
    const char *why = "";
    size_t folder = str_starts(path, STR("/")) ? 0 : r->in->path.len;
    while (folder > 0 && r->in->path.ptr[folder - 1] != '/')
        folder--;
    path = draft_printf(r->d, STR_FMT STR_FMT, (int)folder, r->in->path.ptr, STR_ARG(path));
    if (!r->in->files->read_file(r->in->files->arg, path, &r->d->mem, &text, &why)) {
        struct text told = {0};
        text_printf(&told, "the file can't be read: %s", why);
        put_missing(r, d, told.ptr);
        text_fini(&told);
        return true;
    }
    if (text.len > DIALECT_FILE_MAX_BYTES)
        return fail(r, d->place, "the file it names is too large");
    struct place place = {.source = draft_source(r->d, path, text), .line = 1};
    struct cursor c = {text.ptr, text.ptr + text.len, text.ptr, place};
    return read_file(r, &c, d->parent, depth);
}

// What Debian and others ship beside nginx for what it serves itself.
static bool is_about_programs(struct str path)
{
    static const char *const names[] = {"mime.types", "fastcgi_params", "fastcgi.conf",
                                        "uwsgi_params", "scgi_params"};
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/')
        at--;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(str_skip(path, at), str_of(names[i])))
            return true;
    return false;
}

// What is included stands where the directive stands.
static bool include(struct reader *r, struct nginx_directive *d, unsigned depth)
{
    struct str pattern = nginx_word(d, 1);
    d->is_done = true;
    if (d->n_words != 2)
        return fail(r, d->place, "'include' takes one file name or pattern");
    if (is_about_programs(pattern)) {
        draft_note(r->d, DRAFT_NEEDLESS, d->place, STR_NONE,
                   "it is about files and programs that nginx serves itself");
        return true;
    }
    if (r->n_includes == INCLUDES_MAX)
        return fail(r, d->place, "too many files inside each other");
    r->n_includes++;
    bool is_fine = true;
    if (r->n_dumped > 0)
        is_fine = include_dumped(r, d, depth);
    else if (is_pattern(pattern))
        put_missing(r, d,
                    "patterns aren't looked up; 'nginx -T > all.conf' writes all files into one, "
                    "which can be imported");
    else
        is_fine = include_file(r, d, depth);
    r->n_includes--;
    return is_fine;
}

static bool end_directive(struct reader *r, struct cursor *c, struct nginx_directive *d, char end,
                          unsigned depth)
{
    struct str name = nginx_word(d, 0);
    if (end == ';')
        return !str_eq(name, STR("include")) || include(r, d, depth);
    d->is_block = true;
    if (str_ends(name, STR("_by_lua_block")))
        return skip_code(r, c, d->place);
    if (depth == DEPTH_MAX)
        return fail(r, d->place, "too many blocks inside each other");
    return read_block(r, c, d, depth + 1);
}

static bool read_directive(struct reader *r, struct cursor *c, struct nginx_directive *parent,
                           unsigned depth)
{
    struct place place = place_of(c);
    size_t n = 0;
    for (;;) {
        if (n == WORDS_MAX)
            return fail(r, place, "the directive has too many words");
        if (!read_word(r, c, &r->words[n]))
            return false;
        n++;
        skip_blank(c);
        if (c->at == c->end || *c->at == '}')
            return fail(r, place, "the directive has no ';' at its end");
        if (*c->at == ';' || *c->at == '{')
            break;
    }
    char end = take(c);
    struct nginx_directive *d = add(r, parent, place, n);
    return d && end_directive(r, c, d, end, depth);
}

// To a '}' or the text's end.
static bool read_directives(struct reader *r, struct cursor *c, struct nginx_directive *parent,
                            unsigned depth)
{
    for (skip_blank(c); c->at < c->end && *c->at != '}'; skip_blank(c))
        if (!read_directive(r, c, parent, depth))
            return false;
    return true;
}

static bool read_file(struct reader *r, struct cursor *c, struct nginx_directive *parent,
                      unsigned depth)
{
    if (!read_directives(r, c, parent, depth))
        return false;
    return c->at == c->end || fail(r, place_of(c), "'}' without a block that it could close");
}

static bool read_block(struct reader *r, struct cursor *c, struct nginx_directive *block,
                       unsigned depth)
{
    if (!read_directives(r, c, block, depth))
        return false;
    if (c->at == c->end)
        return fail(r, block->place, "the block isn't closed");
    (void)take(c);
    return true;
}

// The files of a dump. What stands before the first is nginx's own talk.
static void find_dumped(struct reader *r, struct str text)
{
    size_t cap = 0;
    unsigned line = 1;
    for (struct str rest = text, head; rest.len > 0; line++) {
        str_cut(rest, '\n', &head, &rest);
        if (!str_starts(head, dump_mark) || !str_ends(head, STR(":")))
            continue;
        struct dumped *grown = ARENA_GROW(&r->d->mem, struct dumped, r->dumped, r->n_dumped, &cap);
        if (!grown)
            return;
        struct str name = str_skip(head, dump_mark.len);
        r->dumped = grown;
        r->dumped[r->n_dumped++] = (struct dumped){
            .name = str_from(name.ptr, name.len - 1), .text = rest, .line = line + 1};
    }
    for (size_t i = 0; i + 1 < r->n_dumped; i++) {
        const char *next = r->dumped[i + 1].name.ptr - dump_mark.len;
        r->dumped[i].text.len = (size_t)(next - r->dumped[i].text.ptr);
    }
}

struct nginx_directive *nginx_read(const struct dialect_input *in, struct draft *d,
                                   struct diags *diags)
{
    struct reader *r = MEM_NEW(struct reader);
    *r = (struct reader){.in = in, .d = d, .diags = diags};
    struct place place = {.source = draft_source(d, in->path, in->text), .line = 1};
    struct nginx_directive *root = ARENA_NEW(&d->mem, struct nginx_directive);
    find_dumped(r, in->text);
    struct cursor c = {in->text.ptr, in->text.ptr + in->text.len, in->text.ptr, place};
    if (r->n_dumped > 0)
        c = cursor_of(&r->dumped[0], place);
    bool is_fine = false;
    if (root) {
        *root = (struct nginx_directive){.place = place, .is_block = true};
        is_fine = read_file(r, &c, root, 0);
    }
    d->is_full |= !root;
    mem_free(r);
    return is_fine ? root : NULL;
}
