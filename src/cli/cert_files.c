// SPDX-License-Identifier: Apache-2.0
// Certificates out of the store and into it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certs/disk.h"
#include "certs/import.h"
#include "cli/cert.h"
#include "cli/cert_alone.h"
#include "cli/control_client.h"
#include "rt/file.h"

#define PATH_MEM_BYTES ((size_t)64 << 10)
#define EXPORT_MEM_BYTES ((size_t)16 << 20)
#define IMPORT_MEM_BYTES ((size_t)256 << 20)
#define SOURCE_MAX_BYTES ((size_t)64 << 20)

static void print_diags(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        char line[2048];
        struct str text = diag_text(&diags->items[i], line, sizeof line);
        fprintf(stderr, STR_FMT "\n", STR_ARG(text));
    }
}

static struct certs_store *open_store(const struct cli_args *args)
{
    struct diags diags = {.n = 0};
    struct arena mem;
    arena_init(&mem, PATH_MEM_BYTES, NULL, 0);
    struct str path = cert_alone_state(args, &mem);
    struct certs_store *s = path.len > 0 ? certs_store_open(path.ptr, &diags) : NULL;
    print_diags(&diags);
    diags_fini(&diags);
    arena_fini(&mem);
    return s;
}

// A new file of the user's alone, in the place of an old one.
static bool write_out(const char *path, struct str bytes)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_fine = fd >= 0 && disk_replace(fd, slash ? slash + 1 : path, bytes);
    if (!is_fine)
        fprintf(stderr, "sallyport: %s can't be written: %s\n", path, strerror(errno));
    disk_close(fd);
    return is_fine;
}

int cert_export(const struct cli_args *args)
{
    struct certs_store *s = open_store(args);
    struct arena mem;
    struct certs_stored stored;
    struct text out = {.ptr = NULL};
    const char *why = "the state folder can't be opened", *to = cli_value(args, "to", NULL);
    arena_init(&mem, EXPORT_MEM_BYTES, NULL, 0);
    struct str id = certs_id_of(str_of(args->words[1]), &mem);
    bool is_fine = s && certs_store_get(s, id, time(NULL), &mem, &stored, &why) == ERR_OK;
    if (!is_fine)
        fprintf(stderr, "sallyport: no certificate of %s: %s\n", args->words[1], why);
    else if (cli_has(args, "bundle"))
        certs_export_bundle(&stored.cert, &out);
    else
        text_put(&out, stored.cert.chain_pem);
    if (is_fine && to)
        is_fine = write_out(to, text_str(&out));
    else
        fwrite(out.ptr, 1, out.len, stdout);
    text_wipe(&out);
    arena_wipe(&mem);
    certs_store_close(s);
    return is_fine ? CLI_OK : CLI_FAILED;
}

// A folder is certbot's, a file Traefik's.
static enum err read_source(const char *path, struct arena *mem, struct diags *diags,
                            struct certs_import *ret)
{
    struct stat st;
    struct str json;
    const char *why;
    const struct place place = {.source = path};
    *ret = (struct certs_import){.n_certs = 0};
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return certs_import_certbot(path, mem, diags, ret);
    if (file_read(path, SOURCE_MAX_BYTES, mem, &json, &why) != ERR_OK)
        return diag_fail(diags, ERR_SYSTEM, place, "%s", why);
    return certs_import_traefik(json, place, mem, diags, ret);
}

int cert_import(const struct cli_args *args)
{
    struct certs_store *s = open_store(args);
    struct diags diags = {.n = 0};
    struct certs_import all;
    struct certs_import_count count = {.n_certs = 0};
    struct arena mem;
    if (!s)
        return CLI_FAILED;
    // A proxy that runs is told; beside one that can't be, nobody writes.
    bool is_told = control_client_is_there(args);
    if (!is_told && !certs_store_hold(s, CERTS_HOLD_ALONE)) {
        fprintf(stderr, "sallyport: a proxy that can't be asked uses this state folder: name its "
                        "control socket with --control\n");
        certs_store_close(s);
        return CLI_FAILED;
    }
    arena_init(&mem, IMPORT_MEM_BYTES, NULL, 0);
    bool is_fine = read_source(args->words[1], &mem, &diags, &all) == ERR_OK &&
                   certs_import_store(&all, s, time(NULL), &diags, &count) == ERR_OK;
    print_diags(&diags);
    if (is_fine && !cli_has(args, "quiet"))
        printf("%zu certificate%s and %zu account%s imported, %zu kept as they were\n",
               count.n_certs, S_UNLESS_ONE(count.n_certs), count.n_accounts,
               S_UNLESS_ONE(count.n_accounts), count.n_kept);
    diags_fini(&diags);
    arena_wipe(&mem);
    certs_store_close(s);
    if (is_fine && is_told)
        json_decref(control_client_ask(args, "refresh", "telling the proxy"));
    return is_fine ? CLI_OK : CLI_FAILED;
}
