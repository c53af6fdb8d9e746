// SPDX-License-Identifier: Apache-2.0
#include "keeper/traefik.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dialect/toml.h"
#include "rt/file.h"

#define FILE_MAX_BYTES (16u << 20)
#define FILES_MAX 10000
#define FOLDERS_DEPTH_MAX 8

struct paths {
    struct loaded *l;
    struct str *items; // in l's arena
    size_t n, cap;
};

static bool is_toml(struct str path)
{
    return str_ends(path, STR(".toml"));
}

// Files are templates to Traefik; here they aren't, and what stands there would be taken as it is.
static bool check_templates(struct str text, const char *source, struct diags *diags)
{
    size_t at = str_search(text, STR("{{"));
    struct place place = {.source = source, .line = 1};
    if (at == STR_NPOS)
        return true;
    for (size_t i = 0; i < at; i++)
        place.line += text.ptr[i] == '\n';
    diag_fail(diags, ERR_SYNTAX, place,
              "templates ({{ … }}) aren't filled in: write down what they would give");
    return false;
}

struct conf_node *keeper_traefik_read(struct loaded *l, struct str path)
{
    struct str text;
    const char *why = NULL;
    const char *source = arena_dup(&l->mem, path).ptr;
    const struct place place = {.source = source};
    load_note_file(l, path);
    if (!source || file_read(source, FILE_MAX_BYTES, &l->mem, &text, &why) != ERR_OK) {
        diag_fail(&l->diags, ERR_SYSTEM, place, "it can't be read: %s", why ? why : "no memory");
        return NULL;
    }
    if (!check_templates(text, source, &l->diags))
        return NULL;
    return is_toml(path) ? toml_parse(text, source, &l->mem, &l->diags)
                         : conf_yaml_parse(text, source, &l->mem, &l->diags);
}

// --- folders ---

static int compare_paths(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool add_path(struct paths *p, struct str path)
{
    struct str *items = ARENA_GROW(&p->l->mem, struct str, p->items, p->n, &p->cap);
    if (!items || p->n == FILES_MAX)
        return false;
    p->items = items;
    p->items[p->n++] = path;
    return true;
}

static bool read_folder(struct paths *p, struct str folder, unsigned depth);

static bool take_name(struct paths *p, struct str folder, const char *name, unsigned depth)
{
    struct stat st;
    struct str path = arena_printf(&p->l->mem, STR_FMT "/%s", STR_ARG(folder), name);
    if (name[0] == '.' || stat(path.ptr, &st) != 0)
        return true;
    if (S_ISDIR(st.st_mode))
        return depth == FOLDERS_DEPTH_MAX || read_folder(p, path, depth + 1);
    bool is_ours = str_ends(path, STR(".yml")) || str_ends(path, STR(".yaml")) || is_toml(path);
    return !is_ours || !S_ISREG(st.st_mode) || add_path(p, path);
}

static bool read_folder(struct paths *p, struct str folder, unsigned depth)
{
    DIR *dir = opendir(folder.ptr);
    const struct place place = {.source = folder.ptr};
    bool is_fine = true;
    load_note_file(p->l, folder);
    if (!dir) {
        diag_fail(&p->l->diags, ERR_SYSTEM, place, "it can't be read: %s", strerror(errno));
        return false;
    }
    for (struct dirent *e; is_fine && (e = readdir(dir));)
        is_fine = take_name(p, folder, e->d_name, depth);
    closedir(dir);
    if (!is_fine && p->n == FILES_MAX)
        diag_fail(&p->l->diags, ERR_LIMIT, place, "more than %d files", FILES_MAX);
    return is_fine;
}

// --- the whole ---

// One router with what it needs, as settings of their own.
static bool check_alone(void *arg, struct conf_node *root, struct diags *diags)
{
    return load_check_tree(arg, root, diags);
}

static void tell(struct loaded *l, const struct traefik_settings *s)
{
    for (size_t i = 0; i < s->n_problems; i++) {
        const struct traefik_problem *p = &s->problems[i];
        if (p->is_disabled)
            diag_fail(&l->diags, ERR_SYNTAX, p->place,
                      "the router '" STR_FMT "' is disabled: " STR_FMT, STR_ARG(p->router),
                      STR_ARG(p->text));
        else if (p->router.len > 0)
            diag_warn(&l->diags, p->place, "the router '" STR_FMT "': " STR_FMT, STR_ARG(p->router),
                      STR_ARG(p->text));
        else
            diag_fail(&l->diags, ERR_SYNTAX, p->place, STR_FMT, STR_ARG(p->text));
    }
}

static bool collect_paths(struct loaded *l, const struct traefik_static *st, struct paths *ret)
{
    *ret = (struct paths){.l = l};
    if (st->file.len > 0)
        return add_path(ret, st->file);
    if (st->directory.len == 0)
        return true;
    struct str folder = arena_dup(&l->mem, st->directory);
    if (!folder.ptr || !read_folder(ret, folder, 0))
        return false;
    if (ret->n > 1)
        qsort(ret->items, ret->n, sizeof ret->items[0], compare_paths);
    return true;
}

struct conf_node *keeper_traefik_build(struct loaded *l, struct traefik_static *st)
{
    struct paths paths;
    struct traefik_settings settings;
    const struct traefik_scope scope = {
        .entries = st->entries,
        .n_entries = st->n_entries,
        .root = st->root,
        .is_v2 = st->is_v2,
        .has_api = st->has_api,
        .skips_verify = st->skips_verify,
        .check = check_alone,
        .arg = l,
    };
    if (!collect_paths(l, st, &paths))
        return NULL;
    struct traefik_source *sources = ARENA_ARRAY(&l->mem, struct traefik_source, paths.n + 1);
    bool is_fine = sources != NULL;
    for (size_t i = 0; sources && i < paths.n; i++) {
        struct conf_node *root = keeper_traefik_read(l, paths.items[i]);
        is_fine = is_fine && root;
        sources[i] = (struct traefik_source){.provider = STR("file"), .root = root};
    }
    if (!is_fine)
        return NULL;
    traefik_convert(&scope, sources, paths.n, &l->mem, &settings);
    tell(l, &settings);
    traefik_join(st->root, &settings, &l->mem);
    return st->root;
}
