// SPDX-License-Identifier: Apache-2.0
#include "dialect/caddy_words.h"

#include "base/num.h"

#define LINES_MAX 50000
#define WORDS_MAX 512
#define DEPTH_MAX 32

struct reader {
    const struct dialect_input *in;
    struct draft *d;
    struct diags *diags;
    struct caddy_line **snippets; // of all files
    size_t n_snippets, cap_snippets;
    size_t n_lines;
    struct caddy_word words[WORDS_MAX];
    size_t n_words;
};

struct cursor {
    const char *at, *end;
    struct place place;
};

static bool fail(struct reader *r, struct place place, const char *why)
{
    if (r->diags->n_errors == 0)
        diag_fail(r->diags, ERR_SYNTAX, place, "%s", why);
    return false;
}

// --- the environment ---

// {$NAME} and {$NAME:default}, before anything else is looked at.
static struct str put_environment(struct reader *r, struct str text)
{
    struct text to = {0};
    while (text.len > 0) {
        size_t at = str_search(text, STR("{$"));
        size_t end = at == STR_NPOS ? STR_NPOS : str_find(str_skip(text, at), '}');
        if (end == STR_NPOS)
            break;
        struct str name = str_from(text.ptr + at + 2, end - 2), value = STR_NONE, other = STR_NONE;
        const char *why = "";
        text_put(&to, str_first(text, at));
        text = str_skip(text, at + end + 1);
        (void)str_cut(name, ':', &name, &other);
        bool is_set = r->in->files->read_env && name.len > 0 &&
                      r->in->files->read_env(r->in->files->arg, name, &r->d->mem, &value, &why);
        text_put(&to, is_set ? value : other);
    }
    text_put(&to, text);
    struct str copy = draft_text(r->d, text_str(&to));
    text_fini(&to);
    return copy;
}

// --- words ---

static char take(struct cursor *c)
{
    char byte = *c->at++;
    if (byte == '\n')
        c->place.line++;
    return byte;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

// A backslash at the end of a line joins the next one to it.
static bool skip_joint(struct cursor *c)
{
    const char *end = c->at + 1;
    if (end < c->end && *end == '\r')
        end++;
    if (*c->at != '\\' || end >= c->end || *end != '\n')
        return false;
    while (c->at <= end)
        (void)take(c);
    return true;
}

static void skip_blank(struct cursor *c)
{
    while (c->at < c->end) {
        if (*c->at == '#') {
            while (c->at < c->end && *c->at != '\n')
                (void)take(c);
        } else if (is_blank(*c->at)) {
            (void)take(c);
        } else if (!skip_joint(c)) {
            return;
        }
    }
}

static bool read_quoted(struct reader *r, struct cursor *c, struct text *to)
{
    struct place place = c->place;
    char quote = take(c);
    while (c->at < c->end) {
        char byte = take(c);
        if (byte == quote)
            return true;
        if (byte == '\\' && quote == '"' && c->at < c->end && *c->at == '"')
            byte = take(c);
        text_byte(to, byte);
    }
    return fail(r, place, "the quote isn't closed");
}

// The lines up to one that is the marker; the white space in front of that is taken off all.
static bool read_heredoc(struct reader *r, struct cursor *c, struct str marker, struct text *to)
{
    struct place place = c->place;
    const char *start = c->at;
    struct str rest = str_from(start, (size_t)(c->end - start)), line;
    struct str body = STR_NONE, indent = STR_NONE;
    bool is_found = false;
    while (!is_found && rest.len > 0) {
        const char *begin = rest.ptr;
        (void)str_cut(rest, '\n', &line, &rest);
        struct str word = str_trim(line);
        is_found = str_eq(word, marker);
        if (is_found) {
            body = str_from(start, (size_t)(begin - start));
            indent = str_from(begin, (size_t)(word.ptr - begin));
            while (c->at < word.ptr + word.len)
                (void)take(c);
        }
    }
    if (!is_found)
        return fail(r, place, "the end of the heredoc is missing");
    for (bool is_first = true; body.len > 0; is_first = false) {
        (void)str_cut(body, '\n', &line, &body);
        if (!str_starts(line, indent) && str_trim(line).len > 0)
            return fail(r, place, "a line of the heredoc begins further left than its end");
        if (!is_first)
            text_byte(to, '\n');
        text_put(to, str_skip(line, line.len < indent.len ? line.len : indent.len));
    }
    return true;
}

static bool read_word(struct reader *r, struct cursor *c)
{
    struct text word = {0};
    bool is_quoted = *c->at == '"' || *c->at == '`', is_fine = true;
    if (is_quoted)
        is_fine = read_quoted(r, c, &word);
    while (!is_quoted && c->at < c->end && !is_blank(*c->at) && *c->at != '\n' && !skip_joint(c))
        text_byte(&word, take(c));
    if (!is_quoted && word.len > 2 && str_starts(text_str(&word), STR("<<")) && c->at < c->end) {
        struct str marker = draft_text(r->d, str_skip(text_str(&word), 2));
        while (c->at < c->end && *c->at != '\n')
            (void)take(c);
        if (c->at < c->end)
            (void)take(c);
        word.len = 0;
        is_quoted = true;
        is_fine = read_heredoc(r, c, marker, &word);
    }
    if (r->n_words == WORDS_MAX)
        is_fine = fail(r, c->place, "the line has too many words");
    else
        r->words[r->n_words++] = (struct caddy_word){draft_text(r->d, text_str(&word)), is_quoted};
    text_fini(&word);
    return is_fine;
}

static bool is_mark(const struct reader *r, size_t i, const char *mark)
{
    return i < r->n_words && !r->words[i].is_quoted && str_eq(r->words[i].text, str_of(mark));
}

// The words of a line. joins: a comma at its end goes on with the next one, as addresses do.
static bool read_words(struct reader *r, struct cursor *c, bool joins, struct place *ret_place)
{
    r->n_words = 0;
    while (c->at < c->end) {
        skip_blank(c);
        bool goes_on = r->n_words == 0;
        if (joins && r->n_words > 0) {
            const struct caddy_word *last = &r->words[r->n_words - 1];
            goes_on = !last->is_quoted && str_ends(last->text, STR(","));
        }
        if (c->at < c->end && *c->at == '\n') {
            if (!goes_on)
                return true;
            (void)take(c);
            continue;
        }
        if (c->at == c->end)
            break;
        if (r->n_words == 0)
            *ret_place = c->place;
        if (!read_word(r, c))
            return false;
    }
    return true;
}

// --- lines ---

static struct caddy_line *add(struct reader *r, struct caddy_line *parent, struct place place,
                              const struct caddy_word *words, size_t n_words)
{
    struct caddy_line *l = ARENA_NEW(&r->d->mem, struct caddy_line);
    struct caddy_word *copy = ARENA_ARRAY(&r->d->mem, struct caddy_word, n_words + 1);
    if (!l || !copy || ++r->n_lines > LINES_MAX) {
        r->d->is_full = true;
        return NULL;
    }
    if (n_words > 0)
        memcpy(copy, words, n_words * sizeof *copy);
    *l = (struct caddy_line){.place = place, .words = copy, .n_words = n_words};
    if (parent && parent->last)
        parent->last->next = l;
    else if (parent)
        parent->first = l;
    if (parent)
        parent->last = l;
    return l;
}

static bool read_block(struct reader *r, struct cursor *c, struct caddy_line *block, unsigned depth)
{
    struct place place = c->place;
    if (depth > DEPTH_MAX)
        return fail(r, place, "blocks are nested too deeply");
    while (true) {
        if (!read_words(r, c, depth == 0, &place))
            return false;
        if (r->n_words == 0)
            return depth == 0 || fail(r, place, "a block isn't closed");
        if (r->n_words == 1 && is_mark(r, 0, "}"))
            return depth > 0 || fail(r, place, "'}' closes nothing");
        bool is_block = is_mark(r, r->n_words - 1, "{");
        struct caddy_line *l = add(r, block, place, r->words, r->n_words - is_block);
        if (!l)
            return fail(r, place, "there are too many lines");
        l->is_block = is_block;
        if (is_block && !read_block(r, c, l, depth + 1))
            return false;
    }
}

// A file of one site needs no braces: its first line has the addresses, then come directives.
static void put_braces(struct caddy_line *root)
{
    struct caddy_line *l = root->first;
    while (l && l->is_block && (l->n_words == 0 || str_starts(caddy_word(l, 0), STR("("))))
        l = l->next;
    if (!l || l->is_block || caddy_is(l, "import"))
        return;
    if (l->next) {
        l->first = l->next;
        l->last = root->last;
        root->last = l;
        l->next = NULL;
    }
    l->is_block = true;
}

static bool is_snippet(const struct caddy_line *l)
{
    return l->is_block && str_starts(caddy_word(l, 0), STR("("));
}

static void keep_snippets(struct reader *r, struct caddy_line *root)
{
    for (struct caddy_line *l = root->first; l; l = l->next) {
        if (!is_snippet(l))
            continue;
        if (r->n_snippets == r->cap_snippets) {
            size_t cap = 2 * r->cap_snippets + 16;
            struct caddy_line **more = ARENA_ARRAY(&r->d->mem, struct caddy_line *, cap);
            if (!more) {
                r->d->is_full = true;
                return;
            }
            if (r->n_snippets > 0)
                memcpy(more, r->snippets, r->n_snippets * sizeof *more);
            r->snippets = more;
            r->cap_snippets = cap;
        }
        r->snippets[r->n_snippets++] = l;
    }
}

static struct caddy_line *read_text(struct reader *r, struct str name, struct str text)
{
    struct place place = {.source = draft_source(r->d, name, text), .line = 1};
    text = put_environment(r, text);
    struct caddy_line *root = add(r, NULL, place, NULL, 0);
    struct cursor c = {text.ptr, text.ptr + text.len, place};
    if (!root || !read_block(r, &c, root, 0))
        return NULL;
    keep_snippets(r, root);
    return root;
}

// --- imports ---

// {args.0} and {args[0]} of a snippet. False: one that isn't given, or a slice of them.
static bool put_args(struct reader *r, struct str word, const struct caddy_line *import,
                     struct str *ret)
{
    struct text to = {0};
    bool is_fine = true;
    while (is_fine && word.len > 0) {
        size_t at = str_search(word, STR("{args"));
        size_t end = at == STR_NPOS ? STR_NPOS : str_find(str_skip(word, at), '}');
        if (end == STR_NPOS)
            break;
        struct str number = str_from(word.ptr + at + 5, end - 5);
        uint64_t i = 0;
        text_put(&to, str_first(word, at));
        word = str_skip(word, at + end + 1);
        number = str_skip(number, number.len > 0);
        number.len -= str_ends(number, STR("]"));
        is_fine = import && num_dec(number, WORDS_MAX, &i) == ERR_OK && i + 2 < import->n_words;
        if (is_fine)
            text_put(&to, import->words[i + 2].text);
    }
    text_put(&to, word);
    *ret = draft_text(r->d, text_str(&to));
    text_fini(&to);
    return is_fine;
}

static bool copy_lines(struct reader *r, struct caddy_line *to, const struct caddy_line *from,
                       const struct caddy_line *import, unsigned depth);

static bool import_file(struct reader *r, struct caddy_line *to, const struct caddy_line *import,
                        struct str path, unsigned depth)
{
    struct str text;
    const char *why = "";
    if (!r->in->files->read_file(r->in->files->arg, path, &r->d->mem, &text, &why)) {
        diag_fail(r->diags, ERR_SYNTAX, import->place, STR_FMT " can't be read: %s", STR_ARG(path),
                  why);
        return false;
    }
    if (text.len > DIALECT_FILE_MAX_BYTES)
        return fail(r, import->place, "the file it names is too large");
    struct caddy_line *root = read_text(r, path, text);
    return root && copy_lines(r, to, root, import, depth + 1);
}

// A file, or all that a pattern fits; a relative path is seen from the file that names it.
static bool import_files(struct reader *r, struct caddy_line *to, const struct caddy_line *import,
                         unsigned depth)
{
    struct str path = caddy_word(import, 1), from = str_of(import->place.source), *found = NULL;
    size_t n = 0, folder = str_starts(path, STR("/")) ? 0 : from.len;
    while (folder > 0 && from.ptr[folder - 1] != '/')
        folder--;
    path = draft_printf(r->d, STR_FMT STR_FMT, (int)folder, from.ptr, STR_ARG(path));
    if (str_find(path, '*') == STR_NPOS)
        return import_file(r, to, import, path, depth);
    if (!r->in->find_files)
        return fail(r, import->place, "patterns of files can't be looked up here");
    if (!r->in->find_files(r->in->files->arg, path, &r->d->mem, &found, &n))
        return fail(r, import->place, "it fits more files than can be taken");
    for (size_t i = 0; i < n; i++)
        if (!import_file(r, to, import, found[i], depth))
            return false;
    return true;
}

static bool put_import(struct reader *r, struct caddy_line *to, const struct caddy_line *import,
                       unsigned depth)
{
    struct str name = draft_printf(r->d, "(" STR_FMT ")", STR_ARG(caddy_word(import, 1)));
    for (size_t i = 0; i < r->n_snippets; i++)
        if (str_eq(caddy_word(r->snippets[i], 0), name))
            return copy_lines(r, to, r->snippets[i], import, depth + 1);
    return import_files(r, to, import, depth);
}

// The lines of a block behind those of another one, with imports in their places.
static bool copy_lines(struct reader *r, struct caddy_line *to, const struct caddy_line *from,
                       const struct caddy_line *import, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return fail(r, from->place, "imports or blocks are nested too deeply");
    for (const struct caddy_line *l = from->first; l; l = l->next) {
        if (is_snippet(l) && to->n_words == 0)
            continue;
        struct caddy_line *copy = add(r, NULL, l->place, l->words, l->n_words);
        if (!copy)
            return fail(r, l->place, "there are too many lines");
        for (size_t i = 0; import && i < copy->n_words; i++)
            if (!put_args(r, copy->words[i].text, import, &copy->words[i].text))
                return fail(r, import->place, "what is imported needs more arguments than it gets");
        copy->is_block = l->is_block;
        copy->parent = to;
        if (caddy_is(copy, "import")) {
            if (!put_import(r, to, copy, depth))
                return false;
            continue;
        }
        if (!copy_lines(r, copy, l, import, depth + 1))
            return false;
        if (to->last)
            to->last->next = copy;
        else
            to->first = copy;
        to->last = copy;
    }
    return true;
}

struct caddy_line *caddy_read(const struct dialect_input *in, struct draft *d, struct diags *diags)
{
    struct reader *r = ARENA_NEW(&d->mem, struct reader);
    if (!r) {
        d->is_full = true;
        return NULL;
    }
    *r = (struct reader){.in = in, .d = d, .diags = diags};
    struct caddy_line *file = read_text(r, in->path, in->text);
    struct caddy_line *root = file ? add(r, NULL, file->place, NULL, 0) : NULL;
    if (root)
        put_braces(file);
    if (root && copy_lines(r, root, file, NULL, 0))
        return root;
    (void)fail(r, (struct place){.source = ""}, "the file is too large");
    return NULL;
}
