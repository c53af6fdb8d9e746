// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <time.h>

#include "cli/command.h"
#include "cli/containers.h"
#include "codec/json.h"
#include "keeper/load.h"
#include "keeper/wish.h"

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    {.name = "json", .doc = "Print the result, errors and warnings as one JSON object."},
    CLI_OPTION_QUIET,
};

static void put_json_diag(struct text *t, const struct diag *d)
{
    text_printf(
        t, "{\"severity\":\"%s\",\"source\":", d->severity == DIAG_ERROR ? "error" : "warning");
    json_text_str(t, str_of(d->place.source ? d->place.source : ""));
    text_printf(t, ",\"line\":%u,\"column\":%u,\"text\":", d->place.line, d->place.column);
    json_text_str(t, str_of(d->text));
    text_byte(t, '}');
}

static void put_json_diags(struct text *t, const struct diags *diags, bool *is_first)
{
    for (size_t i = 0; i < diags->n; i++) {
        if (!*is_first)
            text_byte(t, ',');
        *is_first = false;
        put_json_diag(t, &diags->items[i]);
    }
}

static void print_json(const struct loaded *l, bool is_fine)
{
    bool is_first = true;
    struct text t = {.ptr = NULL};
    text_printf(&t, "{\"ok\":%s,\"errors\":%zu,\"messages\":[", is_fine ? "true" : "false",
                l->diags.n_errors);
    put_json_diags(&t, &l->diags, &is_first);
    put_json_diags(&t, &l->told, &is_first);
    text_put(&t, STR("]}\n"));
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
}

static size_t n_routes(const struct loaded *l)
{
    return l->snapshot->n_routes + l->snapshot->n_tcp_routes;
}

static int run(const struct cli_args *args)
{
    struct loaded l;
    const char *path = cli_config_path(args);
    cli_note_no_config(args);
    bool is_fine =
        cli_load(path, &l) && wish_check_files(l.snapshot, time(NULL), &l.diags) == ERR_OK;
    if (cli_has(args, "json")) {
        print_json(&l, is_fine);
    } else {
        load_print_diags(&l);
        if (!is_fine)
            fprintf(stderr, "%s: %zu error%s\n", path, l.diags.n_errors,
                    S_UNLESS_ONE(l.diags.n_errors));
        else if (!cli_has(args, "quiet"))
            printf("%s: fine: %u entrypoint%s, %zu route%s, %zu warning%s\n", path,
                   l.snapshot->n_entries, S_UNLESS_ONE(l.snapshot->n_entries), n_routes(&l),
                   S_UNLESS_ONE(n_routes(&l)), l.diags.n, S_UNLESS_ONE(l.diags.n));
    }
    load_fini(&l);
    return is_fine ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_check = {
    .name = "check",
    .summary = "Load the settings whole and tell every error.",
    .doc = "Everything is loaded as `run` would: files, variables, certificates, rules, filters, "
           "services. Nothing "
           "listens and nothing changes. Containers are looked at, if the settings want them; what "
           "is wrong "
           "with one is told, and costs nobody else anything. Each error and warning is a line "
           "`FILE:LINE:COLUMN: error: "
           "TEXT` on standard error. Exit status 0: fine (there may be warnings), 1: errors. With "
           "`--json`: `{\"ok\":false, \"errors\":1, \"messages\":[{\"severity\":\"error\", "
           "\"source\":FILE, \"line\":3, \"column\":5, \"text\":TEXT}]}` on standard output, with "
           "the same exit status.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
