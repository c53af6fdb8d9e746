// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "keeper/keeper.h"

static const struct cli_option options[] = {CLI_OPTION_CONFIG};

static int run(const struct cli_args *args)
{
    cli_note_no_config(args);
    return keeper_main(&(struct keeper_options){.path = cli_config_path(args), .argv = args->argv});
}

const struct cli_command cli_run = {
    .name = "run",
    .summary = "Run the proxy with a settings file.",
    .doc =
        "Stays in the foreground and logs to standard error. `sallyport reload` or SIGHUP reads "
        "the "
        "settings anew: they take effect without a lost connection, or not at all when they have "
        "an error. `sallyport stop`, SIGTERM and SIGINT let running exchanges finish and leave; a "
        "second signal leaves at once. Exit status 1: the settings have errors, or serving wasn't "
        "possible.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
