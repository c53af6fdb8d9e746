// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "codec/h1.h"
#include "gate/access_log.h"
#include "gate/settings.h"
#include "http/env.h"
#include "http/exchange.h"
#include "keeper/load.h"

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    {.name = "as",
     .value = "FORM",
     .doc =
         "For `settings`: `markdown` (the manual), `json-schema` (for editors) or `yaml` (a file "
         "with every default). By default markdown."},
};

static int print_settings(const struct cli_args *args, struct text *t)
{
    const char *form = cli_value(args, "as", "markdown");
    if (strcmp(form, "markdown") == 0)
        conf_print_markdown(&settings_section, t);
    else if (strcmp(form, "json-schema") == 0)
        conf_print_json_schema(&settings_section, t);
    else if (strcmp(form, "yaml") == 0)
        conf_print_yaml(&settings_section, t);
    else
        return cli_usage_error(args->command,
                               "print: '%s' is not a form; allowed are markdown, json-schema, yaml",
                               form);
    return CLI_OK;
}

static int print_config(const struct cli_args *args, struct text *t)
{
    struct loaded l;
    bool is_fine = load_file(cli_config_path(args), &l);
    load_print_diags(&l);
    if (is_fine)
        conf_print_dump(&settings_section, l.root, t);
    load_fini(&l);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int print_commands(const struct cli_args *args, struct text *t)
{
    (void)args;
    cli_print_markdown(t);
    return CLI_OK;
}

static int print_access_log_fields(const struct cli_args *args, struct text *t)
{
    (void)args;
    text_put(t, STR("# Fields of the access log\n\nPrinted by `sallyport print "
                    "access-log-fields`.\n\n"));
    access_log_print_fields(t);
    return CLI_OK;
}

static int print_refusals(const struct cli_args *args, struct text *t)
{
    (void)args;
    text_put(t,
             STR("# Why messages are refused\n\nPrinted by `sallyport print refusals`. A server's "
                 "answer that is refused becomes 502.\n\n"
                 "| reason | status | RFC | meaning |\n|---|---|---|---|\n"));
    for (unsigned i = H1_ERROR_NONE + 1; i < H1_ERROR_COUNT; i++) {
        enum h1_error e = (enum h1_error)i;
        text_printf(t, "| `%s` | %d | %s | %s |\n", h1_error_name(e), h1_error_status(e),
                    h1_error_section(e), h1_error_text(e));
    }
    return CLI_OK;
}

static int print_ends(const struct cli_args *args, struct text *t)
{
    (void)args;
    text_put(t,
             STR("# How exchanges end\n\nPrinted by `sallyport print ends`: the field `{end}` of "
                 "the access log.\n\n| end | meaning |\n|---|---|\n"));
#define X(id, name, status, text) text_put(t, STR("| `" name "` | " text " |\n"));
    EXCHANGE_END_LIST(X)
#undef X
    return CLI_OK;
}

static const struct {
    const char *name;
    int (*print)(const struct cli_args *args, struct text *t);
} things[] = {
    {"settings", print_settings}, {"config", print_config},
    {"commands", print_commands}, {"access-log-fields", print_access_log_fields},
    {"refusals", print_refusals}, {"ends", print_ends},
};

static int run(const struct cli_args *args)
{
    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        if (strcmp(things[i].name, args->words[0]) != 0)
            continue;
        struct text t = {.ptr = NULL};
        int status = things[i].print(args, &t);
        if (t.len > 0)
            fwrite(t.ptr, 1, t.len, stdout);
        text_fini(&t);
        return status;
    }
    return cli_usage_error(args->command,
                           "print: there is no '%s' to print; allowed are settings, "
                           "config, commands, access-log-fields, refusals, ends",
                           args->words[0]);
}

const struct cli_command cli_print = {
    .name = "print",
    .words = "WHAT",
    .words_min = 1,
    .words_max = 1,
    .summary = "Print tables of the program, or the settings in force.",
    .doc =
        "`settings`: every setting with its default and meaning. `config`: the settings of a file "
        "with all defaults, and where each value came from; secrets are masked. `commands`, "
        "`access-log-fields`, `refusals`, `ends`: what the reference pages show.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
