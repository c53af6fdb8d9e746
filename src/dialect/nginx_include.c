// SPDX-License-Identifier: Apache-2.0
// Other files that nginx's file has in it: read by their names, or found in what `nginx -T` prints.
#include <fnmatch.h>

#include "dialect/nginx_reader.h"

#define INCLUDES_MAX 10 // files inside each other

static const struct str dump_mark = STR_INIT("# configuration file ");

static bool is_pattern(struct str s)
{
    return str_find(s, '*') != STR_NPOS || str_find(s, '?') != STR_NPOS ||
           str_find(s, '[') != STR_NPOS;
}

// A file's name in a dump, or a pattern that fits it. Names that aren't absolute are below the main
// file's folder.
static bool fits(const struct nginx_reader *r, struct str pattern, struct str name)
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
static void put_missing(struct nginx_reader *r, struct nginx_directive *d, const char *why)
{
    d->is_done = false;
    d->missing = draft_text(r->d, str_of(why));
}

static bool include_dumped(struct nginx_reader *r, struct nginx_directive *d, unsigned depth)
{
    bool is_found = false;
    for (size_t i = 1; i < r->n_dumped; i++) {
        if (!fits(r, nginx_word(d, 1), r->dumped[i].name))
            continue;
        struct nginx_cursor c = nginx_cursor(&r->dumped[i], d->place);
        is_found = true;
        if (!nginx_read_file(r, &c, d->parent, depth))
            return false;
    }
    if (!is_found && !is_pattern(nginx_word(d, 1))) // a pattern may fit nothing
        put_missing(r, d, "the file isn't in this dump");
    return true;
}

static bool include_file(struct nginx_reader *r, struct nginx_directive *d, unsigned depth)
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
        return nginx_fail(r, d->place, "the file it names is too large");
    struct place place = {.source = draft_source(r->d, path, text), .line = 1};
    struct nginx_cursor c = {text.ptr, text.ptr + text.len, text.ptr, place};
    return nginx_read_file(r, &c, d->parent, depth);
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

bool nginx_include(struct nginx_reader *r, struct nginx_directive *d, unsigned depth)
{
    struct str pattern = nginx_word(d, 1);
    d->is_done = true;
    if (d->n_words != 2)
        return nginx_fail(r, d->place, "'include' takes one file name or pattern");
    if (is_about_programs(pattern)) {
        draft_note(r->d, DRAFT_NEEDLESS, d->place, STR_NONE,
                   "it is about files and programs that nginx serves itself");
        return true;
    }
    if (r->n_includes == INCLUDES_MAX)
        return nginx_fail(r, d->place, "too many files inside each other");
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

void nginx_find_dumped(struct nginx_reader *r, struct str text)
{
    size_t cap = 0;
    unsigned line = 1;
    for (struct str rest = text, head; rest.len > 0; line++) {
        str_cut(rest, '\n', &head, &rest);
        if (!str_starts(head, dump_mark) || !str_ends(head, STR(":")))
            continue;
        struct nginx_dumped *grown =
            ARENA_GROW(&r->d->mem, struct nginx_dumped, r->dumped, r->n_dumped, &cap);
        if (!grown)
            return;
        struct str name = str_skip(head, dump_mark.len);
        r->dumped = grown;
        r->dumped[r->n_dumped++] = (struct nginx_dumped){
            .name = str_from(name.ptr, name.len - 1), .text = rest, .line = line + 1};
    }
    for (size_t i = 0; i + 1 < r->n_dumped; i++) {
        const char *next = r->dumped[i + 1].name.ptr - dump_mark.len;
        r->dumped[i].text.len = (size_t)(next - r->dumped[i].text.ptr);
    }
}
