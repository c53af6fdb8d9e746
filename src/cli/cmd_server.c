// SPDX-License-Identifier: Apache-2.0
// Servers of the running proxy: how they are, and taking them out of service and back.
#include <stdio.h>
#include <string.h>

#include "cli/control_client.h"
#include "cli/plain.h"
#include "cli/status_text.h"

#define PATIENCE_MS 30000

static const struct cli_word actions[] = {
    {.name = "list"},
    {.name = "drain", .takes_any = true},
    {.name = "undrain", .takes_any = true},
};

static const struct cli_option options[] = {
    {.name = "service",
     .value = "NAME",
     .doc = "Only in this service. Without it in all that have the server."},
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "json", .doc = "`list`: print the services as JSON."},
};

static const json_t *services_of(const json_t *answer)
{
    const json_t *report = json_object_get(json_object_get(answer, "status"), "report");
    return json_object_get(report, "services");
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

static bool is_meant(const json_t *service, const struct cli_args *args)
{
    const char *wanted = cli_value(args, "service", NULL);
    return !wanted || strcmp(wanted, text_of(service, "name")) == 0;
}

static void print_list(const json_t *services, const struct cli_args *args)
{
    size_t i;
    const json_t *service;
    struct text t = {.ptr = NULL};
    json_array_foreach(services, i, service)
    {
        if (!is_meant(service, args))
            continue;
        plain_put(&t, str_of(text_of(service, "name")));
        text_byte(&t, '\n');
        status_text_put_servers(service, "  ", &t);
    }
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
}

static bool set_one(const struct cli_args *args, const json_t *service, const json_t *server,
                    bool is_drained)
{
    json_t *answer = control_client_insist(args,
                                           json_pack("{s:s, s:s, s:O, s:O}", "command", "server",
                                                     "action", is_drained ? "drain" : "undrain",
                                                     "service", json_object_get(service, "name"),
                                                     "server", json_object_get(server, "name")),
                                           "asking for the server", PATIENCE_MS);
    if (answer && !cli_has(args, "quiet")) {
        struct text t = {.ptr = NULL};
        text_put(&t, STR("service "));
        plain_put(&t, str_of(text_of(service, "name")));
        text_put(&t, STR(": "));
        plain_put(&t, str_of(text_of(server, "url")));
        text_put(&t, is_drained ? STR(" gets no more requests\n") : STR(" gets requests again\n"));
        fwrite(t.ptr, 1, t.len, stdout);
        text_fini(&t);
    }
    json_decref(answer);
    return answer != NULL;
}

// Returns how many servers are called so; SIZE_MAX: one couldn't be set, which was told.
static size_t set_all(const struct cli_args *args, const json_t *services, const char *name,
                      bool is_drained)
{
    size_t i, k, n = 0;
    const json_t *service, *server;
    json_array_foreach(services, i, service)
    {
        if (!is_meant(service, args))
            continue;
        json_array_foreach(json_object_get(service, "servers"), k, server)
        {
            if (strcmp(name, text_of(server, "url")) != 0 &&
                strcmp(name, text_of(server, "name")) != 0)
                continue;
            if (!set_one(args, service, server, is_drained))
                return SIZE_MAX;
            n++;
        }
    }
    return n;
}

static int run_on(const struct cli_args *args, const json_t *answer)
{
    const char *action = args->words[0];
    const json_t *services = services_of(answer);
    if (!services) {
        fprintf(stderr, "sallyport: no gate serves, so nothing is known of servers\n");
        return CLI_FAILED;
    }
    if (strcmp(action, "list") == 0) {
        if (cli_has(args, "json"))
            control_client_print_json(services);
        else
            print_list(services, args);
        return CLI_OK;
    }
    size_t n = set_all(args, services, args->words[1], strcmp(action, "drain") == 0);
    if (n == 0)
        fprintf(stderr,
                "sallyport: no service has a server %s; write it as `sallyport server list` does\n",
                args->words[1]);
    return n == 0 || n == SIZE_MAX ? CLI_FAILED : CLI_OK;
}

static int run(const struct cli_args *args)
{
    if (strcmp(args->words[0], "list") != 0 && args->n_words < 2)
        return cli_usage_error(args->command, "name a server, as `server list` does");
    json_t *answer = control_client_insist(args, json_pack("{s:s}", "command", "status"),
                                           "asking for servers", PATIENCE_MS);
    if (!answer)
        return CLI_FAILED;
    int result = run_on(args, answer);
    json_decref(answer);
    return result;
}

const struct cli_command cli_server = {
    .name = "server",
    .words = "ACTION [SERVER]",
    .words_min = 1,
    .words_max = 2,
    .choices = actions,
    .n_choices = ARRAY_LEN(actions),
    .summary = "Take servers out of service, and back.",
    .doc = "`list` shows services with their servers. `drain SERVER` lets it get no new requests; "
           "what it has begun it may finish, and `list` shows its connections. `undrain SERVER` "
           "ends that. SERVER is a URL of the settings (http://10.0.0.1:8080), or its address "
           "alone (10.0.0.1:8080). It stays so over reloads, new gates and upgrades, and is "
           "forgotten when the proxy stops.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
