// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/control_client.h"
#include "cli/plain.h"

#define PATIENCE_MS 15000 // for the answer; the end itself may take as long as the settings allow

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    {.name = "now", .doc = "Break running exchanges off instead of letting them finish."},
    CLI_OPTION_QUIET,
};

static bool stop(struct control_client *c, const struct cli_args *args)
{
    json_t *answer = control_client_call(
        c, json_pack("{s:s, s:b}", "command", "stop", "now", (int)cli_has(args, "now")),
        PATIENCE_MS);
    if (!answer)
        return false;
    bool is_fine = json_is_true(json_object_get(answer, "ok"));
    if (!is_fine)
        control_client_print_error(answer);
    json_decref(answer);
    return is_fine && control_client_wait_end(c);
}

static int run(const struct cli_args *args)
{
    struct control_client c;
    bool is_stopped =
        control_client_open(&c, args, "waiting for running exchanges") && stop(&c, args);
    if (is_stopped && !cli_has(args, "quiet")) {
        struct text took = {.ptr = NULL};
        plain_put_ms(&took, progress_ms(&c.progress));
        printf("stopped after " STR_FMT "\n", STR_ARG(text_str(&took)));
        text_fini(&took);
    }
    control_client_close(&c);
    return is_stopped ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_stop = {
    .name = "stop",
    .summary = "Stop the running proxy.",
    .doc = "New connections are refused, running exchanges finish, at most for `drain-timeout`. "
           "Waits until the proxy has ended; interrupting this command doesn't keep it from "
           "ending. Exit status 1: the proxy can't be reached.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
