// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/answer.h"
#include "cli/control_client.h"
#include "keeper/load.h"

#define PATIENCE_MS 150000 // the gate may take a minute to answer, and a reload may be before ours

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    {.name = "json", .doc = "Print the answer as one JSON object."},
    CLI_OPTION_QUIET,
};

static void print_answer(const struct cli_args *args, const json_t *answer, bool is_fine)
{
    struct loaded told = {.root = NULL}; // as if the file had been loaded here
    answer_diags(answer, &told.diags);
    load_print_diags(&told);
    if (!is_fine)
        control_client_print_error(answer);
    else if (!cli_has(args, "quiet"))
        printf("settings %lld are in force (built in %lld ms%s)\n",
               (long long)json_integer_value(json_object_get(answer, "seq")),
               (long long)json_integer_value(json_object_get(answer, "build_ms")),
               json_is_true(json_object_get(answer, "new_gate")) ? ", by a new gate" : "");
    diags_fini(&told.diags);
}

static int run(const struct cli_args *args)
{
    json_t *answer = control_client_talk(args, json_pack("{s:s}", "command", "reload"),
                                         "putting the settings into force", PATIENCE_MS);
    bool is_fine = answer && json_is_true(json_object_get(answer, "ok"));
    if (answer && cli_has(args, "json"))
        control_client_print_json(answer);
    else if (answer)
        print_answer(args, answer, is_fine);
    json_decref(answer);
    return is_fine ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_reload = {
    .name = "reload",
    .summary = "Let the running proxy read its settings anew.",
    .doc = "Waits until the new settings are in force on every worker, or tells every error as "
           "`check` does: then the old ones stay in force. No connection is lost either way. The "
           "proxy reads the file that it was started with; `--config` only says where to look for "
           "the control socket. Exit status 1: the settings have errors, or the proxy can't be "
           "reached.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
