// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certs/import.h"
#include "cli/command.h"
#include "dialect/draft.h"
#include "dialect/toml.h"
#include "keeper/keeper.h"
#include "keeper/traefik.h"
#include "keeper/wish.h"
#include "rt/file.h"

#define FILE_MAX_BYTES (16u << 20)

extern char **environ;

// --- where the static configuration is ---

// Where Traefik looks for it when nobody names it.
static const char *usual_file(char *buf, size_t cap)
{
    static const char *const folders[] = {"/etc/traefik", "$XDG_CONFIG_HOME", "$HOME/.config", "."};
    static const char *const names[] = {"toml", "yaml", "yml"};
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        for (size_t n = 0; n < ARRAY_LEN(names); n++) {
            if (i == 1)
                snprintf(buf, cap, "%s/traefik.%s", xdg ? xdg : "", names[n]);
            else if (i == 2)
                snprintf(buf, cap, "%s/.config/traefik.%s", home ? home : "", names[n]);
            else
                snprintf(buf, cap, "%s/traefik.%s", folders[i], names[n]);
            if (((i != 1 || xdg) && (i != 2 || home)) && access(buf, F_OK) == 0)
                return buf;
        }
    }
    return NULL;
}

// Of file, flags and environment one alone counts, in this order, as there. Flags beside a file
// would do nothing, which nobody wants.
static struct conf_node *read_static(const struct cli_args *args, struct loaded *l,
                                     bool *ret_is_flat)
{
    static const struct place place = {.source = "command line"};
    struct conf_node *root = conf_node_new(&l->mem, CONF_NODE_MAP, place);
    struct str file;
    char path[PATH_MAX];
    if (!root || !traefik_flags(args->foreign, root, &l->mem, &l->diags, &file))
        return NULL;
    const char *usual = file.len == 0 && root->n == 0 ? usual_file(path, sizeof path) : NULL;
    if (file.len == 0 && usual)
        file = arena_dup(&l->mem, str_of(usual));
    *ret_is_flat = file.len == 0;
    if (file.len > 0 && root->n > 0) {
        diag_fail(&l->diags, ERR_SYNTAX, root->first->place,
                  "beside --configFile other flags count for nothing: write it into the file");
        return NULL;
    }
    if (file.len > 0)
        return keeper_traefik_read(l, file);
    if (root->n == 0 && !traefik_environment(environ, root, &l->mem, &l->diags))
        return NULL;
    return root;
}

// --- what is kept ---

// The folder `sallyport` beside acme.json.
static struct str state_folder(const struct traefik_static *st, struct arena *mem)
{
    char cwd[PATH_MAX];
    size_t slash = str_rfind(st->storage, '/');
    struct str folder = str_first(st->storage, slash == STR_NPOS ? 0 : slash);
    if (!str_starts(st->storage, STR("/")) && getcwd(cwd, sizeof cwd))
        folder = folder.len > 0 ? arena_printf(mem, "%s/" STR_FMT, cwd, STR_ARG(folder))
                                : arena_dup(mem, str_of(cwd));
    return arena_concat(mem, folder, STR("/sallyport"), STR_NONE);
}

static struct conf_node *build_static(const struct cli_args *args, struct loaded *l,
                                      struct traefik_static *ret)
{
    bool is_flat = false;
    struct conf_node *tree = read_static(args, l, &is_flat);
    if (!tree || !traefik_static_convert(tree, is_flat, &l->mem, &l->diags, ret))
        return NULL;
    if (ret->storage.len > 0 && !conf_node_get(ret->root, STR("state")))
        conf_node_put(ret->root, STR("state"),
                      conf_node_scalar(&l->mem, state_folder(ret, &l->mem), ret->storage_place));
    return ret->root;
}

static struct conf_node *build(void *arg, struct loaded *l)
{
    struct keeper_traefik *t = ARENA_NEW(&l->mem, struct keeper_traefik);
    const struct cli_args *args = arg;
    return t && build_static(args, l, &t->st) ? keeper_traefik_build(l, t) : NULL;
}

// Only its owner may read it, as Traefik wants it.
static bool repair_mode(const char *path, struct diags *diags)
{
    struct stat st;
    const struct place place = {.source = path};
    if (stat(path, &st) != 0 || (st.st_mode & 077) == 0)
        return true;
    if (chmod(path, 0600) != 0) {
        diag_fail(diags, ERR_SYSTEM, place,
                  "others may read it (mode %o), and that can't be changed: give it the mode 600",
                  st.st_mode & 0777u);
        return false;
    }
    diag_warn(diags, place, "others could read it (mode %o): it has the mode 600 now",
              st.st_mode & 0777u);
    return true;
}

// Certificates and accounts that Traefik has got are taken over, so that none is ordered again.
static bool import(const struct traefik_static *st, struct arena *mem, struct diags *diags)
{
    struct str json, path = arena_dup(mem, st->storage);
    const char *why;
    struct certs_import all;
    struct certs_import_count count = {.n_certs = 0};
    if (st->storage.len == 0 || access(path.ptr, F_OK) != 0)
        return true;
    if (!repair_mode(path.ptr, diags))
        return false;
    const struct place place = {.source = path.ptr};
    if (file_read(path.ptr, CERTS_IMPORT_JSON_MAX_BYTES, mem, &json, &why) != ERR_OK) {
        diag_fail(diags, ERR_SYSTEM, place, "it can't be read: %s", why);
        return false;
    }
    if (str_trim(json).len == 0) // as it is made by hand, with `touch`
        return true;
    struct certs_store *store =
        certs_store_open(conf_node_get(st->root, STR("state"))->text.ptr, diags);
    bool is_fine = store && certs_import_traefik(json, place, mem, diags, &all) == ERR_OK &&
                   certs_import_store(&all, store, time(NULL), diags, &count) == ERR_OK;
    certs_store_close(store);
    return is_fine;
}

// --- the command ---

// Errors of the flags are told here, before anything is begun.
static int serve(const struct cli_args *args)
{
    struct loaded l;
    struct traefik_static st;
    load_begin(&l);
    bool is_fine = build_static(args, &l, &st) && import(&st, &l.mem, &l.diags);
    load_print_diags(&l);
    load_fini(&l);
    if (!is_fine)
        return CLI_FAILED;
    return keeper_main(&(struct keeper_options){
        .build = build, .arg = (void *)(uintptr_t)args, .argv = args->argv});
}

static int check(const struct cli_args *args)
{
    struct loaded l;
    load_begin(&l);
    struct conf_node *root = build((void *)(uintptr_t)args, &l);
    bool is_fine = root && load_tree(&l, root, NULL) &&
                   wish_check_files(l.snapshot, time(NULL), &l.diags) == ERR_OK &&
                   l.diags.n_errors == 0;
    load_print_diags(&l);
    if (is_fine)
        printf("fine: %u entrypoint%s, %zu route%s\n", l.snapshot->n_entries,
               S_UNLESS_ONE(l.snapshot->n_entries), l.snapshot->n_routes + l.snapshot->n_tcp_routes,
               S_UNLESS_ONE(l.snapshot->n_routes + l.snapshot->n_tcp_routes));
    load_fini(&l);
    return is_fine ? CLI_OK : CLI_FAILED;
}

// The settings as a file of ours.
static int print(const struct cli_args *args)
{
    struct loaded l;
    struct draft d;
    struct text t = {.ptr = NULL};
    load_begin(&l);
    struct conf_node *root = build((void *)(uintptr_t)args, &l);
    bool is_fine = root && load_tree(&l, root, NULL) && l.diags.n_errors == 0;
    load_print_diags(&l);
    if (root) {
        draft_init(&d);
        draft_copy(&d, root, d.root);
        draft_print(&d, &settings_section, "Made of a configuration of Traefik's.", &t);
        fwrite(t.ptr, 1, t.len, stdout);
        text_fini(&t);
        draft_fini(&d);
    }
    load_fini(&l);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_args *args)
{
    struct cli_args rest = *args;
    const char *word = args->foreign[0] ? args->foreign[0] : "";
    bool is_check = strcmp(word, "check") == 0, is_print = strcmp(word, "print") == 0;
    if (is_check || is_print)
        rest.foreign++;
    return is_check ? check(&rest) : is_print ? print(&rest) : serve(&rest);
}

const struct cli_command cli_traefik = {
    .name = "traefik",
    .words = "[check|print] [FLAG…]",
    .is_foreign = true,
    .summary = "Run the proxy with Traefik's flags, files and variables.",
    .doc = "What stands behind `sallyport traefik` is what stands behind `traefik`: flags such as "
           "`--entrypoints.web.address=:80` in any letter case, `--configFile=FILE` for a static "
           "configuration in YAML or TOML, or else variables `TRAEFIK_…`; a file that Traefik "
           "would find by itself is found as well. What isn't supported stops it, by name and "
           "with what to do instead. A router that can't be had whole is disabled, with the "
           "reason in the log, and answers 503.\n\n"
           "Certificates and accounts in `acme.json` are taken over into the folder `sallyport` "
           "beside it, where all is kept. `check` loads everything and tells what is wrong; "
           "`print` prints the same as a settings file. In both, exit status 1 means errors.",
    .run = run,
};
