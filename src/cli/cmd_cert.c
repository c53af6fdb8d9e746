// SPDX-License-Identifier: Apache-2.0
// Certificates of the running proxy, and of the store that it keeps.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "acme/acme.h"
#include "certs/import.h"
#include "certs/store.h"
#include "cli/control_client.h"
#include "cli/plain.h"
#include "keeper/state_path.h"
#include "rt/file.h"

#define PATIENCE_MS 660000 // an order may take ten minutes
#define EXPORT_MEM_BYTES ((size_t)16 << 20)
#define IMPORT_MEM_BYTES ((size_t)256 << 20)
#define SOURCE_MAX_BYTES ((size_t)64 << 20)

static const char *const reasons[] = {
#define X(id, name, code) name,
    ACME_REASON_LIST(X)
#undef X
        NULL,
};

static const struct cli_word actions[] = {
    {.name = "list"},
    {.name = "renew", .takes_any = true},
    {.name = "revoke", .takes_any = true},
    {.name = "forget", .takes_any = true},
    {.name = "export", .takes_any = true},
    {.name = "import", .takes_any = true},
};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "json", .doc = "`list`: print the certificates as JSON."},
    {.name = "force", .doc = "`renew`: also a certificate that isn't due yet."},
    {.name = "reason",
     .value = "REASON",
     .names = reasons,
     .doc = "`revoke`: why, for the authority."},
    {.name = "yes", .letter = 'y', .doc = "`revoke`, `forget`: don't ask."},
    {.name = "state",
     .value = "FOLDER",
     .kind = CLI_VALUE_FILE,
     .doc = "`export`, `import`: the state folder. By default the usual one: that of the setting "
            "`state` must be named here."},
};

// --- what the running proxy has ---

static void print_plain(const json_t *object, const char *key, int width)
{
    const char *text = json_string_value(json_object_get(object, key));
    printf("%-*s  ", width, text ? text : "-");
}

// What went wrong with each issuer of an order.
static void print_errors(const json_t *order)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(order, "issuers"), i, c)
    {
        const char *error = json_string_value(json_object_get(c, "last_error"));
        if (!error)
            continue;
        print_plain(order, "id", 32);
        printf("%s: %s\n", json_string_value(json_object_get(c, "issuer")), error);
    }
}

static void print_list(const json_t *status)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(status, "certificates"), i, c)
    {
        print_plain(c, "id", 32);
        print_plain(c, "source", 9);
        print_plain(c, "issuer", 12);
        print_plain(c, "state", 13);
        print_plain(c, "not_after", 20);
        printf("\n");
    }
    json_array_foreach(json_object_get(status, "orders"), i, c) print_errors(c);
}

static int list(const struct cli_args *args)
{
    json_t *answer = control_client_ask(args, "status", "asking for the certificates");
    const json_t *status = json_object_get(answer, "status");
    if (status && cli_has(args, "json"))
        control_client_print_json(json_object_get(status, "certificates"));
    else if (status)
        print_list(status);
    json_decref(answer);
    return status ? CLI_OK : CLI_FAILED;
}

// Only y and Y go on; without a terminal nobody is there to ask.
static bool is_agreed(const struct cli_args *args, const char *what, const char *name)
{
    char line[16] = "";
    if (cli_has(args, "yes"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "sallyport: %s %s: nobody to ask; use --yes\n", what, name);
        return false;
    }
    fprintf(stderr, "%s the certificate of %s? [y/N] ", what, name);
    if (fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y'))
        return true;
    fprintf(stderr, "cancelled: nothing has changed\n");
    return false;
}

static int order(const struct cli_args *args, const char *action, const char *what)
{
    struct control_client c;
    json_t *answer = NULL;
    const char *reason = cli_value(args, "reason", NULL);
    json_t *request =
        json_pack("{s:s, s:s, s:s, s:b, s:s*}", "command", "cert", "action", action, "name",
                  args->words[1], "force", (int)cli_has(args, "force"), "reason", reason);
    if (!request)
        return cli_usage_error(args->command, "cert: the name must be UTF-8");
    if (control_client_open(&c, args, what))
        answer = control_client_call(&c, request, PATIENCE_MS);
    else
        json_decref(request);
    control_client_close(&c);
    bool is_fine = answer && json_is_true(json_object_get(answer, "ok"));
    if (answer && !is_fine)
        control_client_print_error(answer);
    if (is_fine && !cli_has(args, "quiet"))
        printf("%s: done\n", args->words[1]);
    json_decref(answer);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int revoke_or_forget(const struct cli_args *args, const char *action)
{
    bool is_revoke = strcmp(action, "revoke") == 0;
    if (!is_agreed(args, is_revoke ? "Revoke" : "Forget", args->words[1]))
        return cli_has(args, "yes") || isatty(STDIN_FILENO) ? CLI_OK : CLI_FAILED;
    return order(args, action, is_revoke ? "revoking the certificate" : "forgetting it");
}

// --- the store itself ---

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
    char path[4096];
    struct diags diags = {.n = 0};
    const char *chosen = cli_value(args, "state", NULL);
    if (!chosen && !state_default_path(path, sizeof path))
        return NULL;
    struct certs_store *s = certs_store_open(chosen ? chosen : path, &diags);
    print_diags(&diags);
    diags_fini(&diags);
    return s;
}

static int export(const struct cli_args *args)
{
    struct certs_store *s = open_store(args);
    struct arena mem;
    struct certs_stored stored;
    struct text bundle = {.ptr = NULL};
    const char *why = "the state folder can't be opened";
    arena_init(&mem, EXPORT_MEM_BYTES, NULL, 0);
    struct str id = certs_id_of(str_of(args->words[1]), &mem);
    bool is_fine = s && certs_store_get(s, id, time(NULL), &mem, &stored, &why) == ERR_OK;
    if (is_fine) {
        certs_export_bundle(&stored.cert, &bundle);
        fwrite(bundle.ptr, 1, bundle.len, stdout);
    } else {
        fprintf(stderr, "sallyport: no certificate of %s: %s\n", args->words[1], why);
    }
    text_wipe(&bundle);
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

static int import(const struct cli_args *args)
{
    struct certs_store *s = open_store(args);
    struct diags diags = {.n = 0};
    struct certs_import all;
    struct certs_import_count count = {.n_certs = 0};
    struct arena mem;
    if (!s)
        return CLI_FAILED;
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
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_args *args)
{
    const char *action = args->words[0];
    if (strcmp(action, "list") == 0)
        return list(args);
    if (args->n_words < 2)
        return cli_usage_error(args->command, "cert %s needs a %s", action,
                               strcmp(action, "import") == 0 ? "path" : "name");
    if (strcmp(action, "renew") == 0)
        return order(args, action, "ordering the certificate");
    if (strcmp(action, "export") == 0)
        return export(args);
    if (strcmp(action, "import") == 0)
        return import(args);
    return revoke_or_forget(args, action);
}

const struct cli_command cli_cert = {
    .name = "cert",
    .words = "ACTION [NAME]",
    .words_min = 1,
    .words_max = 2,
    .choices = actions,
    .n_choices = ARRAY_LEN(actions),
    .summary = "Look after certificates.",
    .doc =
        "`list` shows those of the running proxy, and why an order failed. `renew NAME` orders one "
        "anew and waits; without `--force` only when it is due. `revoke NAME` tells the authority "
        "that it must not be trusted any more, and takes it out of the store; `forget NAME` only "
        "takes it out. A site that still wants one gets another: take the site out of the settings "
        "first. `export NAME` prints chain and key in one, as other programs read them; `import "
        "PATH` takes certificates and accounts over from Traefik's `acme.json` or certbot's "
        "`/etc/letsencrypt`. NAME is the site's.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
