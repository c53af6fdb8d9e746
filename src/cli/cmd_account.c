// SPDX-License-Identifier: Apache-2.0
// Accounts of the running proxy at certificate authorities.
#include <stdio.h>
#include <string.h>

#include "cli/agree.h"
#include "cli/control_client.h"
#include "cli/plain.h"

#define PATIENCE_MS 660000 // orders that use the account end first

static const struct cli_word actions[] = {
    {.name = "show", .takes_any = true},
    {.name = "roll-over", .takes_any = true},
    {.name = "deactivate", .takes_any = true},
};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "json", .doc = "`show`: print it as JSON."},
    {.name = "yes", .letter = 'y', .doc = "`deactivate`: don't ask."},
};

// The answer when it says yes; NULL after telling why not.
static json_t *ask(const struct cli_args *args, const char *action, const char *issuer)
{
    json_t *request =
        json_pack("{s:s, s:s, s:s*}", "command", "account", "action", action, "issuer", issuer);
    if (!request) {
        fprintf(stderr, "sallyport: an issuer's name is UTF-8\n");
        return NULL;
    }
    return control_client_insist(args, request, "asking for accounts", PATIENCE_MS);
}

static void put_line(struct text *to, const json_t *account, const char *key)
{
    const char *value = json_string_value(json_object_get(account, key));
    if (!value || !value[0])
        return;
    text_printf(to, "  %-10s ", key);
    plain_put(to, str_of(value));
    text_byte(to, '\n');
}

static void put_account(struct text *to, const json_t *account)
{
    size_t i;
    json_t *contact;
    plain_put(to, str_of(json_string_value(json_object_get(account, "issuer"))));
    text_byte(to, '\n');
    put_line(to, account, "directory");
    put_line(to, account, "url");
    put_line(to, account, "status");
    put_line(to, account, "contact");
    json_array_foreach(json_object_get(account, "contacts"), i, contact)
    {
        text_printf(to, "  %-10s ", "contact");
        plain_put(to, str_of(json_string_value(contact)));
        text_byte(to, '\n');
    }
    put_line(to, account, "created");
}

// Without an issuer what is kept of all; with one what its authority says now.
static int show(const struct cli_args *args)
{
    bool is_one = args->n_words > 1;
    json_t *answer = ask(args, is_one ? "show" : "list", is_one ? args->words[1] : NULL);
    const json_t *shown = json_object_get(answer, is_one ? "account" : "accounts");
    struct text t = {.ptr = NULL};
    size_t i;
    json_t *account;
    if (!answer)
        return CLI_FAILED;
    if (cli_has(args, "json"))
        control_client_print_json(shown);
    else if (is_one)
        put_account(&t, shown);
    json_array_foreach(is_one || cli_has(args, "json") ? NULL : shown, i, account)
        put_account(&t, account);
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
    json_decref(answer);
    return CLI_OK;
}

static int change(const struct cli_args *args, const char *action, const char *done)
{
    json_t *answer = ask(args, action, args->words[1]);
    if (!answer)
        return CLI_FAILED;
    if (!cli_has(args, "quiet"))
        printf("%s: %s\n", args->words[1], done);
    json_decref(answer);
    return CLI_OK;
}

static int run(const struct cli_args *args)
{
    const char *action = args->words[0];
    if (strcmp(action, "show") == 0)
        return show(args);
    if (args->n_words < 2)
        return cli_usage_error(args->command,
                               "account %s needs an issuer; for example: sallyport account %s "
                               "letsencrypt",
                               action, action);
    if (strcmp(action, "roll-over") == 0)
        return change(args, action, "the account has a new key");
    if (!agree(args, "Deactivate for good the account at", args->words[1]))
        return agree_status();
    return change(args, action, "the account is deactivated");
}

const struct cli_command cli_account = {
    .name = "account",
    .words = "ACTION [ISSUER]",
    .words_min = 1,
    .words_max = 2,
    .choices = actions,
    .n_choices = ARRAY_LEN(actions),
    .summary = "Look after accounts at certificate authorities.",
    .doc =
        "`show` lists the accounts of the running proxy; with an issuer's name it asks the "
        "authority for its own view of one. `roll-over ISSUER` gives the account another key (RFC "
        "8555 7.3.5): when the old one may have been seen. `deactivate ISSUER` ends the account "
        "(7.3.6) and forgets its key, after asking; certificates stay valid, and there is no way "
        "back. An order makes another account: take the issuer out of the settings when there is "
        "to be none. Orders under way end before either begins.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
