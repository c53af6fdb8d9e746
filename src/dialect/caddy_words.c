// SPDX-License-Identifier: Apache-2.0
// Text as lines of words: quotes, heredocs, comments, blocks, variables of the environment.
#include "dialect/caddy_reader.h"

#define LINES_MAX 50000
#define DEPTH_MAX 32

struct cursor {
    const char *at, *end;
    struct place place;
};

bool caddy_read_fail(struct caddy_reader *r, struct place place, const char *why)
{
    if (r->diags->n_errors == 0)
        diag_fail(r->diags, ERR_SYNTAX, place, "%s", why);
    return false;
}

// --- the environment ---

// {$NAME} and {$NAME:default}, before anything else is looked at.
static struct str put_environment(struct caddy_reader *r, struct str text)
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

static bool read_quoted(struct caddy_reader *r, struct cursor *c, struct text *to)
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
    return caddy_read_fail(r, place, "the quote isn't closed");
}

// The lines up to one that is the marker; the white space in front of that is taken off all.
static bool read_heredoc(struct caddy_reader *r, struct cursor *c, struct str marker,
                         struct text *to)
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
        return caddy_read_fail(r, place, "the end of the heredoc is missing");
    for (bool is_first = true; body.len > 0; is_first = false) {
        (void)str_cut(body, '\n', &line, &body);
        if (!str_starts(line, indent) && str_trim(line).len > 0)
            return caddy_read_fail(r, place,
                                   "a line of the heredoc begins further left than its end");
        if (!is_first)
            text_byte(to, '\n');
        text_put(to, str_skip(line, line.len < indent.len ? line.len : indent.len));
    }
    return true;
}

static bool read_word(struct caddy_reader *r, struct cursor *c)
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
    if (r->n_words == CADDY_WORDS_MAX)
        is_fine = caddy_read_fail(r, c->place, "the line has too many words");
    else
        r->words[r->n_words++] = (struct caddy_word){draft_text(r->d, text_str(&word)), is_quoted};
    text_fini(&word);
    return is_fine;
}

static bool is_mark(const struct caddy_reader *r, size_t i, const char *mark)
{
    return i < r->n_words && !r->words[i].is_quoted && str_eq(r->words[i].text, str_of(mark));
}

// The words of a line. joins: a comma at its end goes on with the next one, as addresses do.
static bool read_words(struct caddy_reader *r, struct cursor *c, bool joins,
                       struct place *ret_place)
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

struct caddy_line *caddy_add_line(struct caddy_reader *r, struct caddy_line *parent,
                                  struct place place, const struct caddy_word *words,
                                  size_t n_words)
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

static bool read_block(struct caddy_reader *r, struct cursor *c, struct caddy_line *block,
                       unsigned depth)
{
    struct place place = c->place;
    if (depth > DEPTH_MAX)
        return caddy_read_fail(r, place, "blocks are nested too deeply");
    while (true) {
        if (!read_words(r, c, depth == 0, &place))
            return false;
        if (r->n_words == 0)
            return depth == 0 || caddy_read_fail(r, place, "a block isn't closed");
        if (r->n_words == 1 && is_mark(r, 0, "}"))
            return depth > 0 || caddy_read_fail(r, place, "'}' closes nothing");
        bool is_block = is_mark(r, r->n_words - 1, "{");
        struct caddy_line *l = caddy_add_line(r, block, place, r->words, r->n_words - is_block);
        if (!l)
            return caddy_read_fail(r, place, "there are too many lines");
        l->is_block = is_block;
        if (is_block && !read_block(r, c, l, depth + 1))
            return false;
    }
}

struct caddy_line *caddy_read_text(struct caddy_reader *r, struct str name, struct str text)
{
    struct place place = {.source = draft_source(r->d, name, text), .line = 1};
    text = put_environment(r, text);
    struct caddy_line *root = caddy_add_line(r, NULL, place, NULL, 0);
    struct cursor c = {text.ptr, text.ptr + text.len, place};
    return root && read_block(r, &c, root, 0) ? root : NULL;
}
