// SPDX-License-Identifier: Apache-2.0
// Keys of servers that the running proxy has learnt on first use.
#include <stdio.h>
#include <string.h>

#include "cli/control_client.h"

#define PATIENCE_MS 30000

static const struct cli_word actions[] = {
    {.name = "list"},
    {.name = "forget", .takes_any = true},
};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "json", .doc = "`list`: print them as JSON."},
};

static void put_pin(struct text *to, const json_t *pin)
{
    json_int_t n = json_integer_value(json_object_get(pin, "refused"));
    control_client_put_text(to, pin, "server");
    text_put(to, STR("  "));
    control_client_put_text(to, pin, "pin");
    text_put(to, STR("  learnt "));
    control_client_put_text(to, pin, "learnt");
    if (n > 0) {
        text_printf(to, "\n  refused %lld connection%s with another key, the last one at ",
                    (long long)n, S_UNLESS_ONE(n));
        control_client_put_text(to, pin, "refused_at");
        text_put(to, STR(" with the pin "));
        control_client_put_text(to, pin, "refused_pin");
    }
    text_byte(to, '\n');
}

// The answer when it says yes; NULL after telling why not.
static json_t *ask(const struct cli_args *args, const char *action, const char *server)
{
    json_t *request =
        json_pack("{s:s, s:s, s:s*}", "command", "pin", "action", action, "server", server);
    if (!request) {
        fprintf(stderr, "sallyport: the server's name must be UTF-8\n");
        return NULL;
    }
    return control_client_insist(args, request, "asking for learnt keys", PATIENCE_MS);
}

static int run(const struct cli_args *args)
{
    const char *action = args->words[0];
    bool is_list = strcmp(action, "list") == 0;
    const char *server = is_list ? NULL : args->words[1];
    if (!is_list && args->n_words < 2)
        return cli_usage_error(args->command, "pin forget needs a server, as `pin list` names it");
    json_t *answer = ask(args, action, server);
    if (!answer)
        return CLI_FAILED;
    if (is_list && cli_has(args, "json"))
        control_client_print_json(json_object_get(answer, "pins"));
    else if (is_list)
        control_client_print_list(json_object_get(answer, "pins"), put_pin);
    else if (!cli_has(args, "quiet"))
        printf("%s: the next key that it shows is learnt\n", server);
    json_decref(answer);
    return CLI_OK;
}

const struct cli_command cli_pin = {
    .name = "pin",
    .words = "ACTION [SERVER]",
    .words_min = 1,
    .words_max = 2,
    .choices = actions,
    .n_choices = ARRAY_LEN(actions),
    .summary = "Look after keys of servers that were learnt on first use.",
    .doc = "Of servers with `pin: first-use`: `list` shows the key of each as its pin, and whether "
           "connections with another one were refused. `forget SERVER` makes the proxy learn the "
           "next key that it shows: after you have changed it. SERVER is HOST:PORT, as `list` has "
           "it.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
