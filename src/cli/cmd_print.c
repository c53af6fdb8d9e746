// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "admin/api_request.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "codec/h1.h"
#include "gate/access_log.h"
#include "gate/metrics.h"
#include "gate/settings.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/h2_error.h"
#include "keeper/load.h"

static const char *const form_names[] = {"markdown", "json-schema", "yaml", NULL};
static const char *const page_names[] = {"commands", "settings", NULL};
static const char *const shell_names[] = {"bash", "zsh", NULL};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    {.name = "as",
     .value = "FORM",
     .names = form_names,
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
    else
        conf_print_yaml(&settings_section, t);
    return CLI_OK;
}

static int print_config(const struct cli_args *args, struct text *t)
{
    struct loaded l;
    cli_note_no_config(args);
    bool is_fine = load_file(cli_config_path(args), NULL, &l);
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
    for (unsigned i = H2_ERROR_NONE + 1; i < H2_ERROR_COUNT; i++) {
        enum h2_error e = (enum h2_error)i;
        text_printf(t, "| `%s` | %d | %s | %s |\n", h2_error_name(e), h2_error_status(e),
                    h2_error_section(e), h2_error_text(e));
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

static int print_metrics(const struct cli_args *args, struct text *t)
{
    (void)args;
    text_put(t, STR("# Metrics\n\nPrinted by `sallyport print metrics`: what `metrics@internal` "
                    "tells.\n\n"));
    metrics_print_reference(t);
    return CLI_OK;
}

static int print_api(const struct cli_args *args, struct text *t)
{
    (void)args;
    text_put(t, STR("# The API\n\nPrinted by `sallyport print api`. What can be read where a route "
                    "leads to `api@internal`, or with `sallyport api PATH`. Lists take `page`, "
                    "`per_page` (100, at most 1000), `search`, `status`, `service` and `filter`, "
                    "and tell the next page's number in `X-Next-Page`.\n\n"));
    api_print_views(t);
    return CLI_OK;
}

static int print_man(const struct cli_args *args, struct text *t)
{
    if (args->n_words > 1 && strcmp(args->words[1], "settings") == 0)
        manual_put_settings(t);
    else
        manual_put_commands(t);
    return CLI_OK;
}

static int print_completion(const struct cli_args *args, struct text *t)
{
    if (strcmp(args->words[1], "bash") == 0)
        completion_put_bash(t);
    else
        completion_put_zsh(t);
    return CLI_OK;
}

// What can be printed, and by what.
#define THING_LIST(X)                                                                              \
    X("settings", print_settings, NULL, false)                                                     \
    X("config", print_config, NULL, false)                                                         \
    X("commands", print_commands, NULL, false)                                                     \
    X("access-log-fields", print_access_log_fields, NULL, false)                                   \
    X("refusals", print_refusals, NULL, false)                                                     \
    X("ends", print_ends, NULL, false)                                                             \
    X("metrics", print_metrics, NULL, false)                                                       \
    X("api", print_api, NULL, false)                                                               \
    X("man", print_man, page_names, false)                                                         \
    X("completion", print_completion, shell_names, true)

static const struct cli_word things[] = {
#define X(name_, print, next_, needs) {.name = name_, .next = next_, .needs_next = needs},
    THING_LIST(X)
#undef X
};

static int (*const printers[])(const struct cli_args *args, struct text *t) = {
#define X(name_, print, next_, needs) print,
    THING_LIST(X)
#undef X
};

static int run(const struct cli_args *args)
{
    size_t i = 0;
    while (strcmp(things[i].name, args->words[0]) != 0) // it is one of them
        i++;
    struct text t = {.ptr = NULL};
    int status = printers[i](args, &t);
    if (t.len > 0)
        fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
    return status;
}

const struct cli_command cli_print = {
    .name = "print",
    .words = "WHAT [WHICH]",
    .words_min = 1,
    .words_max = 2,
    .choices = things,
    .n_choices = ARRAY_LEN(things),
    .summary = "Print tables of the program, or the settings in force.",
    .doc =
        "`settings`: every setting with its default and meaning. `config`: the settings of a file "
        "with all defaults, and where each value came from; secrets are masked. `commands`, "
        "`access-log-fields`, `refusals`, `ends`, `metrics`, `api`: what the reference pages show. "
        "`man`: "
        "the manual "
        "page "
        "of the `commands` or of the `settings`, as roff. `completion`: a script that completes "
        "the "
        "command line in `bash` or `zsh`.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
