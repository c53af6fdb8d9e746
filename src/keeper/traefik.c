// SPDX-License-Identifier: Apache-2.0
#include "keeper/traefik.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "conf/conf_priv.h"
#include "dialect/toml.h"
#include "dialect/traefik_labels.h"
#include "dialect/traefik_tree.h"
#include "discover/labels.h"
#include "discover/merge.h"
#include "keeper/join.h"
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

struct conf_node *keeper_traefik_build(struct loaded *l, struct keeper_traefik *t)
{
    struct paths paths;
    if (!collect_paths(l, &t->st, &paths))
        return NULL;
    t->files = ARENA_ARRAY(&l->mem, struct traefik_source, paths.n + 1);
    t->n_files = 0;
    bool is_fine = t->files != NULL;
    for (size_t i = 0; t->files && i < paths.n; i++) {
        struct conf_node *root = keeper_traefik_read(l, paths.items[i]);
        is_fine = is_fine && root;
        t->files[t->n_files++] = (struct traefik_source){.provider = STR("file"), .root = root};
    }
    l->traefik = t;
    return is_fine ? t->st.root : NULL;
}

// --- joining ---

// One router with what it needs, as settings of their own.
static bool check_alone(void *arg, struct conf_node *root, struct diags *diags)
{
    struct loaded *l = arg;
    size_t n_files = l->files.n;
    uint64_t print = l->checked ? checked_print(root) : 0;
    if (l->checked && checked_knows(l->checked, print))
        return true;
    bool is_fine = load_check_tree(l, root, diags);
    if (is_fine && l->checked && l->files.n == n_files) // else it's right as long as files are
        checked_add(l->checked, print);
    return is_fine;
}

static bool speaks_tls(const struct conf_node *entry)
{
    bool is_on = false;
    const struct conf_node *tls =
        entry->kind == CONF_NODE_MAP ? conf_node_get(entry, STR("tls")) : NULL;
    return tls && (tls->kind == CONF_NODE_MAP || (conf_bool_parse(tls->text, &is_on) && is_on));
}

// The entrypoints of a settings file.
static void own_entries(const struct conf_node *root, struct arena *mem, struct traefik_scope *ret)
{
    static const struct traefik_entry usual[] = {
        {.name = STR_INIT("web"), .is_default = true},
        {.name = STR_INIT("websecure"), .is_tls = true, .is_default = true}};
    const struct conf_node *map = traefik_get(root, STR("entrypoints"));
    ret->entries = usual;
    ret->n_entries = ARRAY_LEN(usual);
    if (!map || map->kind != CONF_NODE_MAP || map->n == 0)
        return;
    struct traefik_entry *entries = ARENA_ARRAY(mem, struct traefik_entry, map->n);
    ret->entries = entries;
    ret->n_entries = 0;
    for (const struct conf_node *e = map->first; entries && e; e = e->next) {
        const struct conf_node *protocol = traefik_get(e, STR("protocol"));
        entries[ret->n_entries++] = (struct traefik_entry){
            .name = e->key,
            .is_tls = speaks_tls(e),
            .is_tcp = protocol && str_eq(protocol->text, STR("tcp")),
            .is_default = true,
        };
    }
}

static struct traefik_scope scope_of(struct loaded *l, const struct conf_node *root)
{
    struct traefik_scope scope = {.root = root, .check = check_alone, .arg = l};
    if (!l->traefik) {
        own_entries(root, &l->mem, &scope);
        return scope;
    }
    const struct traefik_static *st = &l->traefik->st;
    scope.entries = st->entries;
    scope.n_entries = st->n_entries;
    scope.is_v2 = st->is_v2;
    scope.has_api = st->has_api;
    scope.skips_verify = st->skips_verify;
    return scope;
}

// All containers' labels as one source. False: none has any.
static bool read_labels(struct loaded *l, const struct found *found, const struct join *join,
                        struct diags *told, struct traefik_source *ret)
{
    const struct traefik_labels_env env = {
        .reach = &found->reach,
        .exposed_by_default = found->exposed_by_default,
        .default_rule = l->traefik ? l->traefik->st.default_rule : STR_NONE,
        .mem = &l->mem,
        .diags = told,
    };
    bool has_any = false;
    *ret = (struct traefik_source){
        .provider = STR("docker"),
        .root = conf_node_new(&l->mem, CONF_NODE_MAP, (struct place){.source = "containers"}),
        .is_flat = true,
        .is_foreign = true,
    };
    for (size_t i = 0; ret->root && i < found->reach.n; i++) {
        const struct container *c = found->reach.all[i];
        // A settings file's own containers have our labels; theirs is a language among others.
        bool is_meant = l->traefik || traefik_labels_are_there(c);
        if (is_meant && join_wants(join, c))
            has_any = traefik_labels_add(c, &env, ret->root) || has_any;
    }
    return has_any;
}

static void tell(struct loaded *l, const struct traefik_settings *s, struct diags *told)
{
    for (size_t i = 0; i < s->n_problems; i++) {
        const struct traefik_problem *p = &s->problems[i];
        bool is_container = labels_container_of(p->place.source).len > 0;
        struct diags *to = is_container ? told : &l->diags;
        if (p->is_disabled)
            diag_fail(to, ERR_SYNTAX, p->place, "the router '" STR_FMT "' is disabled: " STR_FMT,
                      STR_ARG(p->router), STR_ARG(p->text));
        else if (p->router.len > 0)
            diag_warn(to, p->place, "the router '" STR_FMT "': " STR_FMT, STR_ARG(p->router),
                      STR_ARG(p->text));
        else
            diag_fail(to, ERR_SYNTAX, p->place, STR_FMT, STR_ARG(p->text));
    }
}

// Beside a settings file, its sites come before routes of labels, and what is inside isn't theirs.
static void keep_in_bounds(struct loaded *l, struct traefik_settings *s, struct diags *told)
{
    struct conf_node *next = s->routes->first;
    s->routes->first = s->routes->last = NULL;
    s->routes->n = 0;
    for (struct conf_node *route = next; route; route = next) {
        struct conf_node *priority = conf_node_get(route, STR("priority"));
        const struct conf_node *to = conf_node_get(route, STR("to"));
        uint64_t number;
        next = route->next;
        if (priority && num_dec(priority->text, UINT64_MAX, &number) == ERR_OK &&
            number > DISCOVER_PRIORITY_MAX)
            priority->text = arena_printf(&l->mem, "%d", DISCOVER_PRIORITY_MAX);
        if (to && str_ends(to->text, STR("@internal")))
            diag_fail(told, ERR_RANGE, route->place,
                      "'" STR_FMT "' tells of the whole proxy, and only the settings file leads "
                      "there",
                      STR_ARG(to->text));
        else
            conf_node_append(s->routes, route);
    }
}

// A child that may be changed: others have the same one.
static void own_child(struct conf_node *root, struct str key, struct arena *mem)
{
    struct conf_node *before = NULL, *child = root->first;
    while (child && !str_eq(child->key, key)) {
        before = child;
        child = child->next;
    }
    struct conf_node *copy = child ? traefik_copy(child, mem) : NULL;
    if (!copy)
        return;
    copy->next = child->next;
    if (before)
        before->next = copy;
    else
        root->first = copy;
    if (root->last == child)
        root->last = copy;
}

// As those of an entrypoint, which they become: the file with authorities of clients is among them.
static void put_options(struct loaded *l, const struct traefik_settings *s, struct conf_node *map)
{
    struct conf_node *entries = conf_node_new(&l->mem, CONF_NODE_MAP, s->routes->place);
    struct conf_node *entry = conf_node_new(&l->mem, CONF_NODE_MAP, s->routes->place);
    if (!s->tls || !entries || !entry)
        return;
    conf_node_put(entry, STR("tls"), s->tls);
    conf_node_put(entries, STR("any"), entry);
    conf_node_put(map, STR("entrypoints"), entries);
}

// Files that were named in what is new are read now; the rest has been.
static void resolve_new(struct loaded *l, const struct conf_resolver *resolver,
                        struct traefik_settings *s)
{
    struct conf_node *map = conf_node_new(&l->mem, CONF_NODE_MAP, s->routes->place);
    if (!map)
        return;
    conf_node_put(map, STR("filters"), s->filters);
    conf_node_put(map, STR("services"), s->services);
    conf_node_put(map, STR("routes"), s->routes);
    put_options(l, s, map);
    (void)!conf_resolve(&settings_section, map, resolver, &l->mem, &l->diags);
    s->filters->next = s->services->next = s->routes->next = NULL;
}

void keeper_traefik_join(struct loaded *l, const struct conf_resolver *resolver,
                         const struct found *found, const struct join *join, struct conf_node *root,
                         struct diags *told)
{
    static const struct str changed[] = {STR_INIT("entrypoints"), STR_INIT("filters"),
                                         STR_INIT("services"), STR_INIT("routes")};
    const struct keeper_traefik *t = l->traefik;
    size_t n = 0, n_files = t ? t->n_files : 0;
    struct traefik_settings settings;
    struct traefik_source *sources = ARENA_ARRAY(&l->mem, struct traefik_source, n_files + 1);
    if (!sources)
        return;
    for (; n < n_files; n++) { // they are changed, and may be needed again
        sources[n] = t->files[n];
        sources[n].root = traefik_copy(t->files[n].root, &l->mem);
    }
    if (found && read_labels(l, found, join, told, &sources[n]))
        n++;
    if (n == 0)
        return;
    const struct traefik_scope scope = scope_of(l, root);
    traefik_convert(&scope, sources, n, &l->mem, &settings);
    tell(l, &settings, told);
    if (!t) // all of it is labels
        keep_in_bounds(l, &settings, told);
    resolve_new(l, resolver, &settings);
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        own_child(root, changed[i], &l->mem);
    traefik_join(root, &settings, &l->mem);
}
