// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/command.h"
#include "codec/json.h"
#include "keeper/load.h"

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    {.name = "json", .doc = "Print the result as one JSON object."},
    {.name = "quiet", .letter = 'q', .doc = "Print nothing when all is well."},
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

static void print_json(const struct loaded *l, bool is_fine)
{
    struct text t = {.ptr = NULL};
    text_printf(&t, "{\"ok\":%s,\"errors\":%zu,\"messages\":[", is_fine ? "true" : "false",
                l->diags.n_errors);
    for (size_t i = 0; i < l->diags.n; i++) {
        if (i > 0)
            text_byte(&t, ',');
        put_json_diag(&t, &l->diags.items[i]);
    }
    text_put(&t, STR("]}\n"));
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
}

static int run(const struct cli_args *args)
{
    struct loaded l;
    const char *path = cli_config_path(args);
    bool is_fine = load_file(path, &l);
    if (cli_has(args, "json")) {
        print_json(&l, is_fine);
    } else {
        load_print_diags(&l);
        if (!is_fine)
            fprintf(stderr, "%s: %zu error%s\n", path, l.diags.n_errors,
                    l.diags.n_errors == 1 ? "" : "s");
        else if (!cli_has(args, "quiet"))
            printf("%s: fine: %u entrypoints, %zu routes, %zu warnings\n", path,
                   l.snapshot->n_entries, l.snapshot->n_routes, l.diags.n);
    }
    load_fini(&l);
    return is_fine ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_check = {
    .name = "check",
    .summary = "Load the settings whole and tell every error.",
    .doc =
        "Everything is loaded as `run` would: files, variables, rules, filters, services. Nothing "
        "listens and nothing changes. Exit status 0: fine (there may be warnings), 1: errors.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
