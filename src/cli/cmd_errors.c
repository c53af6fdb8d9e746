// SPDX-License-Identifier: Apache-2.0
// Requests that were refused or failed lately, and why.
#include <inttypes.h>
#include <stdio.h>

#include "cli/api_ask.h"
#include "cli/plain.h"

static const char *const kinds[] = {"refused", "failed", NULL};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    {.name = "kind",
     .value = "KIND",
     .names = kinds,
     .doc = "Only what was `refused` (by the proxy, for what the client did or wanted), or what "
            "`failed` (because of a server, or the proxy)."},
    {.name = "search",
     .value = "TEXT",
     .doc = "Only those with this text in their host, path, client, route, service, server, "
            "filter or reason."},
    {.name = "json", .doc = "Print them as JSON."},
};

static const char *text_of(const json_t *item, const char *key)
{
    return json_string_value(json_object_get(item, key));
}

static void put(struct text *to, const json_t *item, const char *key)
{
    const char *value = text_of(item, key);
    plain_put(to, str_of(value ? value : "-"));
}

static void put_request(struct text *to, const json_t *item)
{
    put(to, item, "method");
    text_byte(to, ' ');
    put(to, item, "host");
    const char *path = text_of(item, "path");
    plain_put(to, str_of(path));
}

// In one line: when, what came of it, the request, who decided and why.
static void put_line(struct text *to, const json_t *item)
{
    put(to, item, "at");
    text_printf(to, "  %" JSON_INTEGER_FORMAT "  ",
                json_integer_value(json_object_get(item, "status")));
    put_request(to, item);
    text_put(to, STR("  "));
    put(to, item, text_of(item, "reason") ? "reason" : "text");
    text_put(to, STR("  "));
    put(to, item, "id");
    text_byte(to, '\n');
}

static void put_row(struct text *to, const json_t *item, const char *title, const char *key)
{
    if (!text_of(item, key))
        return;
    text_printf(to, "%-11s ", title);
    put(to, item, key);
    text_byte(to, '\n');
}

static void put_whole(struct text *to, const json_t *item)
{
    text_printf(to, "%-11s ", "request");
    put_request(to, item);
    text_printf(to, "\n%-11s %" JSON_INTEGER_FORMAT ", ", "answer",
                json_integer_value(json_object_get(item, "status")));
    put(to, item, "text");
    text_byte(to, '\n');
    put_row(to, item, "reason", "reason");
    put_row(to, item, "decided by", "by");
    put_row(to, item, "at", "at");
    put_row(to, item, "client", "client");
    put_row(to, item, "user", "user");
    put_row(to, item, "entrypoint", "entrypoint");
    put_row(to, item, "route", "route");
    put_row(to, item, "service", "service");
    put_row(to, item, "server", "server");
    put_row(to, item, "steps", "trail");
    put_row(to, item, "id", "id");
}

static void print(const struct cli_args *args, json_t *answer)
{
    struct text t = {.ptr = NULL};
    size_t i;
    const json_t *item;
    if (cli_has(args, "json")) {
        control_client_print_json(answer);
        return;
    }
    if (json_is_object(answer))
        put_whole(&t, answer);
    // The last one last: nearest to where people look.
    for (i = json_array_size(answer); i-- > 0;) {
        item = json_array_get(answer, i);
        put_line(&t, item);
    }
    if (json_is_array(answer) && json_array_size(answer) == 0)
        text_put(&t, STR("nothing was refused, and nothing has failed\n"));
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
}

static int run(const struct cli_args *args)
{
    struct text target = {.ptr = NULL};
    text_put(&target, STR("/api/v1/errors"));
    if (args->n_words > 0) {
        text_byte(&target, '/');
        api_put_escaped(&target, args->words[0]);
    }
    text_put(&target, STR("?search="));
    api_put_escaped(&target, cli_value(args, "search", ""));
    text_put(&target, STR("&status="));
    api_put_escaped(&target, cli_value(args, "kind", ""));
    json_t *answer = api_ask_json(args, target.ptr);
    text_fini(&target);
    if (answer)
        print(args, answer);
    json_decref(answer);
    return answer ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_errors = {
    .name = "errors",
    .words = "[ID]",
    .words_max = 1,
    .summary = "Say which requests were refused or failed lately, and why.",
    .doc = "Error pages carry the id of their request: with it, everything that is known of that "
           "one request is shown, such as the filter that refused it and why. Without one, a line "
           "for each of the last hundred. The proxy remembers the last 128 that were refused and "
           "the last 128 that failed in each of its workers; what came before is in the logs. Exit "
           "status 1: the proxy can't be reached, or doesn't remember that id.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
