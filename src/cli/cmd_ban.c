// SPDX-License-Identifier: Apache-2.0
// Who is banned from the running proxy.
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/control_client.h"

#define PATIENCE_MS 30000

static const struct cli_word actions[] = {
    {.name = "list"},
    {.name = "add", .takes_any = true},
    {.name = "remove", .takes_any = true},
};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "for",
     .value = "TIME",
     .doc = "`add`: how long, such as `30m`, `12h` or `7d`; by default `1h`."},
    {.name = "reason",
     .value = "TEXT",
     .doc = "`add`: what lists and logs say of it; by default `hand`."},
    {.name = "json", .doc = "`list`: print them as JSON."},
};

static void put_ban(struct text *to, const json_t *ban)
{
    json_int_t times = json_integer_value(json_object_get(ban, "times"));
    control_client_put_text(to, ban, "network");
    text_put(to, STR("  until "));
    control_client_put_text(to, ban, "until");
    text_put(to, STR("  by "));
    control_client_put_text(to, ban, "by");
    if (times > 1)
        text_printf(to, "  (ban no. %lld)", (long long)times);
    text_byte(to, '\n');
}

static int list(const struct cli_args *args)
{
    json_t *request = json_pack("{s:s, s:s}", "command", "ban", "action", "list");
    json_t *answer = control_client_insist(args, request, "asking for bans", PATIENCE_MS);
    if (!answer)
        return CLI_FAILED;
    if (cli_has(args, "json"))
        control_client_print_json(json_object_get(answer, "bans"));
    else
        control_client_print_list(json_object_get(answer, "bans"), put_ban);
    json_decref(answer);
    return CLI_OK;
}

static int change(const struct cli_args *args, const char *action, const char *network)
{
    uint64_t ms;
    const char *time = cli_value(args, "for", "1h");
    if (num_duration(str_of(time), &ms) != ERR_OK || ms < 1000)
        return cli_usage_error(args->command, "--for needs a time such as 30m, 12h or 7d");
    json_t *request = json_pack("{s:s, s:s, s:s, s:I, s:s}", "command", "ban", "action", action,
                                "network", network, "seconds", (json_int_t)(ms / 1000), "reason",
                                cli_value(args, "reason", "hand"));
    if (!request) {
        fprintf(stderr, "sallyport: the network and the reason must be UTF-8\n");
        return CLI_FAILED;
    }
    json_t *answer = control_client_insist(args, request, "changing bans", PATIENCE_MS);
    if (!answer)
        return CLI_FAILED;
    bool is_add = strcmp(action, "add") == 0;
    if (!cli_has(args, "quiet"))
        printf("%s: %s%s\n", network, is_add ? "banned for " : "not banned any more",
               is_add ? time : "");
    json_decref(answer);
    return CLI_OK;
}

static int run(const struct cli_args *args)
{
    const char *action = args->words[0];
    if (strcmp(action, "list") == 0)
        return list(args);
    if (args->n_words < 2)
        return cli_usage_error(args->command,
                               "ban add and ban remove need an address or a network");
    return change(args, action, args->words[1]);
}

const struct cli_command cli_ban = {
    .name = "ban",
    .words = "ACTION [NETWORK]",
    .words_min = 1,
    .words_max = 2,
    .choices = actions,
    .n_choices = ARRAY_LEN(actions),
    .summary = "See who is banned, and ban or forgive.",
    .doc = "`list` shows the bans that hold: those of rules (the setting `ban`) and those by hand. "
           "`add NETWORK` bans an address or a network for a time, `remove NETWORK` ends a ban, "
           "with all that is remembered of it. Whoever is in `never` isn't refused whatever is "
           "added.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
