// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "keeper/keeper.h"

static const struct cli_option options[] = {CLI_OPTION_CONFIG};

static int run(const struct cli_args *args)
{
    return keeper_main(&(struct keeper_options){.path = cli_config_path(args)});
}

const struct cli_command cli_run = {
    .name = "run",
    .summary = "Run the proxy with a settings file.",
    .doc =
        "Stays in the foreground and logs to standard error. SIGHUP reads the settings anew: they "
        "take effect without a lost connection, or not at all when they have an error. SIGTERM and "
        "SIGINT let running exchanges finish and leave; a second one leaves at once.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
