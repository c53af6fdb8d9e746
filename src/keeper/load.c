// SPDX-License-Identifier: Apache-2.0
#include "keeper/load.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/lists.h"
#include "keeper/traefik.h"
#include "rt/file.h"
#include "upstream/service.h"

#define FILE_MAX_BYTES (64u << 20)
#define TREE_MAX_BYTES ((size_t)4 << 30)
#define JOIN_ROUNDS_MAX 16 // tries to do without containers that are wrong

// What the resolver is asked with.
struct sources {
    struct loaded *loaded;
    struct str lists; // the setting
};

void load_note_file(struct loaded *l, struct str path)
{
    struct loaded_files *f = &l->files;
    struct str *paths = ARENA_GROW(&l->mem, struct str, f->paths, f->n, &f->cap);
    if (!paths)
        return;
    f->paths = paths;
    f->paths[f->n++] = arena_dup(&l->mem, path);
}

static bool read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    load_note_file(((struct sources *)arg)->loaded, path);
    char *name = mem_copy(path.ptr, path.len);
    bool is_read = file_read(name, FILE_MAX_BYTES, mem, ret, ret_why) == ERR_OK;
    mem_free(name);
    return is_read;
}

static bool read_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                     const char **ret_why)
{
    (void)arg;
    char *key = mem_copy(name.ptr, name.len);
    const char *value = getenv(key);
    mem_free(key);
    if (!value) {
        *ret_why = "it is not set";
        return false;
    }
    *ret = arena_dup(mem, str_of(value));
    return true;
}

static bool read_list(void *arg, struct str name, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    struct sources *s = arg;
    struct str path;
    // One of the operator's own may come, or go.
    load_note_file(s->loaded,
                   arena_printf(mem, STR_FMT "/" STR_FMT ".txt", STR_ARG(s->lists), STR_ARG(name)));
    bool is_read = lists_read(s->lists, name, mem, ret, &path, ret_why);
    if (is_read && path.len > 0)
        load_note_file(s->loaded, path);
    return is_read;
}

// The folder of lists, before the settings are read by their tables.
static struct str lists_folder(const struct conf_node *root)
{
    const struct conf_node *node =
        root->kind == CONF_NODE_MAP ? conf_node_get(root, STR("lists")) : NULL;
    bool is_set = node && node->kind == CONF_NODE_SCALAR && node->text.len > 0;
    return is_set ? node->text : STR(LISTS_FOLDER);
}

void load_begin(struct loaded *ret)
{
    *ret = (struct loaded){.root = NULL};
    arena_init(&ret->mem, TREE_MAX_BYTES, NULL, 0);
}

// Where systems keep the authorities that they trust: Debian and Alpine, Red Hat, SUSE.
static const char *const system_authorities[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static bool names_https(const struct conf_node *node)
{
    if (node->kind == CONF_NODE_SCALAR)
        return str_istarts(node->text, STR("https://"));
    for (const struct conf_node *child = node->first; child; child = child->next)
        if (names_https(child))
            return true;
    return false;
}

// The gate can't open files: where a server may have to be verified, the system's authorities go
// with the settings, as they are now.
static bool add_authorities(struct loaded *l, const struct conf_resolver *resolver)
{
    const struct place place = {.source = "the system's"};
    struct conf_node *root = l->root;
    if (root->kind != CONF_NODE_MAP || conf_node_get(root, STR("authorities")) ||
        !names_https(root))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(system_authorities); i++) {
        if (access(system_authorities[i], R_OK) != 0)
            continue;
        struct conf_node *map = conf_node_new(&l->mem, CONF_NODE_MAP, place);
        conf_node_put(map, STR("authorities"),
                      conf_node_scalar(&l->mem, str_of(system_authorities[i]), place));
        bool is_read = conf_resolve(&settings_section, map, resolver, &l->mem, &l->diags) == ERR_OK;
        conf_node_append(root, map->first);
        return is_read;
    }
    return true;
}

// The gate couldn't become this user, and there would be nothing to serve.
static enum err check_user(const struct conf_text *user, struct diags *diags)
{
    char *name = mem_copy(user->text.ptr, user->text.len);
    bool is_known = geteuid() != 0 || getpwnam(name) != NULL;
    mem_free(name);
    if (is_known)
        return ERR_OK;
    return diag_fail(diags, ERR_NOT_FOUND, user->place,
                     "there is no user '" STR_FMT "' on this system", STR_ARG(user->text));
}

bool load_check_tree(struct loaded *l, struct conf_node *root, struct diags *diags)
{
    struct sources sources = {.loaded = l, .lists = lists_folder(root)};
    struct conf_resolver resolver = {
        .read_file = read_file, .read_env = read_env, .read_list = read_list, .arg = &sources};
    if (conf_resolve(&settings_section, root, &resolver, &l->mem, diags) != ERR_OK)
        return false;
    struct upstream_registry *registry = upstream_registry_new();
    struct snapshot *s =
        snapshot_build(root, &(struct snapshot_env){.registry = registry, .offload = NULL}, diags);
    if (s)
        snapshot_unref(s);
    upstream_registry_free(registry);
    return s != NULL;
}

static void drop_snapshot(struct loaded *l)
{
    if (l->snapshot)
        snapshot_unref(l->snapshot);
    if (l->registry)
        upstream_registry_free(l->registry);
    l->snapshot = NULL;
    l->registry = NULL;
}

static void build(struct loaded *l, struct diags *diags)
{
    l->registry = upstream_registry_new();
    l->snapshot = snapshot_build(
        l->root, &(struct snapshot_env){.registry = l->registry, .offload = NULL}, diags);
    if (!l->snapshot)
        return;
    struct arena scratch;
    arena_init(&scratch, TREE_MAX_BYTES, NULL, 0);
    router_check(l->snapshot->router, &scratch, diags);
    if (l->snapshot->tcp_router)
        router_check(l->snapshot->tcp_router, &scratch, diags);
    arena_fini(&scratch);
}

// What the file says of containers: whether they are wanted, and the node that says it.
static const struct conf_node *wanted_docker(const struct conf_node *root, struct arena *mem,
                                             struct settings *ret)
{
    const struct conf_node *node =
        root->kind == CONF_NODE_MAP ? conf_node_get(root, STR("providers")) : NULL;
    const struct conf_node *docker =
        node && node->kind == CONF_NODE_MAP ? conf_node_get(node, STR("docker")) : NULL;
    // What is wrong elsewhere is told when all is built.
    return docker && conf_read(&settings_section, root, NULL, mem, NULL, ret) == ERR_OK &&
                   ret->providers.docker.is_on
               ? docker
               : NULL;
}

static void take_diags(struct diags *to, const struct diags *from, bool but_containers)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct diag *d = &from->items[i];
        if (but_containers && join_is_about_container(d))
            continue;
        if (d->severity == DIAG_ERROR)
            diag_fail(to, ERR_SYNTAX, d->place, "%s", d->text);
        else
            diag_warn(to, d->place, "%s", d->text);
    }
}

// Builds with containers, and again without those that are wrong, until what is left is right.
static void build_joined(struct loaded *l, const struct conf_resolver *resolver,
                         const struct found *found)
{
    struct join join;
    const struct conf_node *file = l->root;
    join_init(&join, found, resolver, l);
    for (unsigned round = 0; round <= JOIN_ROUNDS_MAX; round++) {
        struct diags diags = {.n = 0};
        if (round ==
            JOIN_ROUNDS_MAX) // they go on being wrong: the file's sites are served all the same
            join_refuse_all(&join);
        drop_snapshot(l);
        l->root = join_make(&join, file);
        bool is_resolved = add_authorities(l, resolver);
        build(l, &diags);
        if (l->snapshot || !is_resolved || !join_refuse(&join, &diags))
            round = JOIN_ROUNDS_MAX;
        if (round == JOIN_ROUNDS_MAX) {
            join_take_warnings(&join, &diags);
            take_diags(&l->diags, &diags, true);
        }
        diags_fini(&diags);
    }
    take_diags(&l->told, &join.told, false);
    join_fini(&join);
}

bool load_tree(struct loaded *ret, struct conf_node *root, const struct load_finder *finder)
{
    struct settings settings;
    struct found found;
    ret->root = root;
    ret->checked = finder ? finder->checked : NULL;
    if (ret->checked)
        checked_turn(ret->checked);
    // Goes on after an error, so that all of them are told at once.
    struct sources sources = {.loaded = ret, .lists = lists_folder(root)};
    struct conf_resolver resolver = {
        .read_file = read_file, .read_env = read_env, .read_list = read_list, .arg = &sources};
    bool is_resolved =
        conf_resolve(&settings_section, root, &resolver, &ret->mem, &ret->diags) == ERR_OK;
    const struct conf_node *docker = finder ? wanted_docker(root, &ret->mem, &settings) : NULL;
    if (docker && finder->find(finder->arg, &settings, docker, &ret->mem, &found)) {
        build_joined(ret, &resolver, &found);
    } else {
        if (ret->traefik)
            keeper_traefik_join(ret, &resolver, NULL, NULL, ret->root, &ret->diags);
        is_resolved = add_authorities(ret, &resolver) && is_resolved;
        build(ret, &ret->diags);
    }
    if (!is_resolved || !ret->snapshot)
        return false;
    return check_user(&ret->snapshot->settings.user, &ret->diags) == ERR_OK;
}

// text: in the arena of *ret.
static bool parse(struct str text, const char *path, const struct load_finder *finder,
                  struct loaded *ret)
{
    ret->text = text;
    struct conf_node *root = conf_yaml_parse(text, path, &ret->mem, &ret->diags);
    // A file that was cut off, or is being written, must not take every site away.
    if (root && root->kind == CONF_NODE_MAP && root->n == 0) {
        diag_fail(&ret->diags, ERR_SYNTAX, (struct place){.source = path, .line = 1},
                  "the settings are empty; a site is enough: \"sites: { app.example.com: "
                  "http://127.0.0.1:3000 }\"");
        return false;
    }
    return root && load_tree(ret, root, finder);
}

bool load_file(const char *path, const struct load_finder *finder, struct loaded *ret)
{
    load_begin(ret);
    struct str text;
    const char *why = NULL;
    // WHY: not /dev/stdin, which can't be opened when a pipe is another user's.
    enum err err = strcmp(path, "-") == 0
                       ? file_read_fd(STDIN_FILENO, FILE_MAX_BYTES, &ret->mem, &text, &why)
                       : file_read(path, FILE_MAX_BYTES, &ret->mem, &text, &why);
    if (err != ERR_OK) {
        diag_fail(&ret->diags, ERR_SYSTEM, (struct place){.source = path},
                  "the settings can't be read: %s", why);
        return false;
    }
    return parse(text, path, finder, ret);
}

bool load_again(struct str text, const char *path, const struct load_finder *finder,
                struct loaded *ret)
{
    load_begin(ret);
    return parse(arena_dup(&ret->mem, text), path, finder, ret);
}

void load_fini(struct loaded *l)
{
    drop_snapshot(l);
    diags_fini(&l->diags);
    diags_fini(&l->told);
    arena_fini(&l->mem);
    *l = (struct loaded){.root = NULL};
}

static void print(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        char line[2048];
        struct str text = diag_text(&diags->items[i], line, sizeof line);
        fprintf(stderr, STR_FMT "\n", STR_ARG(text));
    }
    if (diags->n_dropped > 0)
        fprintf(stderr, "(and %zu more)\n", diags->n_dropped);
}

void load_print_diags(const struct loaded *l)
{
    print(&l->diags);
    print(&l->told);
}
