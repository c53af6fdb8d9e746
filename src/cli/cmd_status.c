// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/control_client.h"
#include "cli/status_text.h"

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    {.name = "all", .letter = 'a', .doc = "List every site and service, however many there are."},
    {.name = "json", .doc = "Print everything as one JSON object."},
};

static void print_status(const struct cli_args *args, const json_t *status)
{
    if (cli_has(args, "json")) {
        control_client_print_json(status);
        return;
    }
    struct text t = {.ptr = NULL};
    status_text_put(status, cli_has(args, "all"), &t);
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
}

static int run(const struct cli_args *args)
{
    json_t *answer = control_client_ask(args, "status", "asking for the status");
    bool is_fine = answer && json_is_true(json_object_get(answer, "ok"));
    const json_t *status = json_object_get(answer, "status");
    if (answer && !is_fine) {
        control_client_print_error(answer);
    } else if (answer && !json_is_object(status)) {
        fprintf(stderr, "sallyport: the proxy's answer has no status in it\n");
        is_fine = false;
    } else if (answer) {
        print_status(args, status);
    }
    json_decref(answer);
    return is_fine ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_status = {
    .name = "status",
    .summary = "Show how the running proxy is doing.",
    .doc = "The processes, the settings in force, what of the sandbox is in force, entrypoints, "
           "sites, services with the state of each server, counters, and why messages were "
           "refused; counters that are 0 are left out. Exit status 1: the proxy can't be reached.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
