// SPDX-License-Identifier: Apache-2.0
// Snippets and files in the places where they are imported.
#include "base/num.h"
#include "dialect/caddy_reader.h"

#define DEPTH_MAX 32

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

static void keep_snippets(struct caddy_reader *r, struct caddy_line *root)
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

// {args.0} and {args[0]} of a snippet. False: one that isn't given, or a slice of them.
static bool put_args(struct caddy_reader *r, struct str word, const struct caddy_line *import,
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
        is_fine =
            import && num_dec(number, CADDY_WORDS_MAX, &i) == ERR_OK && i + 2 < import->n_words;
        if (is_fine)
            text_put(&to, import->words[i + 2].text);
    }
    text_put(&to, word);
    *ret = draft_text(r->d, text_str(&to));
    text_fini(&to);
    return is_fine;
}

static bool copy_lines(struct caddy_reader *r, struct caddy_line *to, const struct caddy_line *from,
                       const struct caddy_line *import, unsigned depth);

static bool import_file(struct caddy_reader *r, struct caddy_line *to,
                        const struct caddy_line *import, struct str path, unsigned depth)
{
    struct str text;
    const char *why = "";
    if (!r->in->files->read_file(r->in->files->arg, path, &r->d->mem, &text, &why)) {
        diag_fail(r->diags, ERR_SYNTAX, import->place, STR_FMT " can't be read: %s", STR_ARG(path),
                  why);
        return false;
    }
    if (text.len > DIALECT_FILE_MAX_BYTES)
        return caddy_read_fail(r, import->place, "the file it names is too large");
    struct caddy_line *root = caddy_read_text(r, path, text);
    if (root)
        keep_snippets(r, root);
    return root && copy_lines(r, to, root, import, depth + 1);
}

// A file, or all that a pattern fits; a relative path is seen from the file that names it.
static bool import_files(struct caddy_reader *r, struct caddy_line *to,
                         const struct caddy_line *import, unsigned depth)
{
    struct str path = caddy_word(import, 1), from = str_of(import->place.source), *found = NULL;
    size_t n = 0, folder = str_starts(path, STR("/")) ? 0 : from.len;
    while (folder > 0 && from.ptr[folder - 1] != '/')
        folder--;
    path = draft_printf(r->d, STR_FMT STR_FMT, (int)folder, from.ptr, STR_ARG(path));
    if (str_find(path, '*') == STR_NPOS)
        return import_file(r, to, import, path, depth);
    if (!r->in->find_files)
        return caddy_read_fail(r, import->place, "patterns of files can't be looked up here");
    if (!r->in->find_files(r->in->files->arg, path, &r->d->mem, &found, &n))
        return caddy_read_fail(r, import->place, "it fits more files than can be taken");
    for (size_t i = 0; i < n; i++)
        if (!import_file(r, to, import, found[i], depth))
            return false;
    return true;
}

static bool put_import(struct caddy_reader *r, struct caddy_line *to,
                       const struct caddy_line *import, unsigned depth)
{
    struct str name = draft_printf(r->d, "(" STR_FMT ")", STR_ARG(caddy_word(import, 1)));
    for (size_t i = 0; i < r->n_snippets; i++)
        if (str_eq(caddy_word(r->snippets[i], 0), name))
            return copy_lines(r, to, r->snippets[i], import, depth + 1);
    return import_files(r, to, import, depth);
}

// The lines of a block behind those of another one, with imports in their places.
static bool copy_lines(struct caddy_reader *r, struct caddy_line *to, const struct caddy_line *from,
                       const struct caddy_line *import, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return caddy_read_fail(r, from->place, "imports or blocks are nested too deeply");
    for (const struct caddy_line *l = from->first; l; l = l->next) {
        if (is_snippet(l) && to->n_words == 0)
            continue;
        struct caddy_line *copy = caddy_add_line(r, NULL, l->place, l->words, l->n_words);
        if (!copy)
            return caddy_read_fail(r, l->place, "there are too many lines");
        for (size_t i = 0; import && i < copy->n_words; i++)
            if (!put_args(r, copy->words[i].text, import, &copy->words[i].text))
                return caddy_read_fail(r, import->place,
                                       "what is imported needs more arguments than it gets");
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
    struct caddy_reader *r = ARENA_NEW(&d->mem, struct caddy_reader);
    if (!r) {
        d->is_full = true;
        return NULL;
    }
    *r = (struct caddy_reader){.in = in, .d = d, .diags = diags};
    struct caddy_line *file = caddy_read_text(r, in->path, in->text);
    struct caddy_line *root = file ? caddy_add_line(r, NULL, file->place, NULL, 0) : NULL;
    if (root) {
        keep_snippets(r, file);
        put_braces(file);
    }
    if (root && copy_lines(r, root, file, NULL, 0))
        return root;
    (void)caddy_read_fail(r, (struct place){.source = ""}, "the file is too large");
    return NULL;
}
