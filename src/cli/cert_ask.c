// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/agree.h"
#include "cli/cert.h"
#include "cli/cert_alone.h"
#include "cli/control_client.h"
#include "cli/plain.h"

#define PATIENCE_MS 660000 // an order may take ten minutes

static int print_text(struct text *t)
{
    fwrite(t->ptr, 1, t->len, stdout);
    text_fini(t);
    return CLI_OK;
}

// The answer to one request (taken), the caller's; NULL after telling.
static json_t *ask(const struct cli_args *args, json_t *request, const char *what)
{
    if (cert_is_alone(args))
        return cert_alone_ask(args, request);
    return control_client_talk(args, request, what, PATIENCE_MS);
}

int cert_list(const struct cli_args *args)
{
    struct text t = {.ptr = NULL};
    json_t *answer =
        ask(args, json_pack("{s:s}", "command", "status"), "asking for the certificates");
    const json_t *status = json_object_get(answer, "status");
    if (status && cli_has(args, "json"))
        control_client_print_json(json_object_get(status, "certificates"));
    else if (status)
        cert_text_list(status, &t);
    int code = status ? print_text(&t) : CLI_FAILED;
    json_decref(answer);
    return code;
}

static json_t *request_for(const struct cli_args *args, const char *action)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:s*}", "command", "cert", "action", action, "name",
                     args->words[1], "force", (int)cli_has(args, "force"), "reason",
                     cli_value(args, "reason", NULL));
}

static int not_utf8(const struct cli_args *args)
{
    return cli_usage_error(args->command, "cert: a name must be UTF-8");
}

int cert_show(const struct cli_args *args)
{
    json_t *request = request_for(args, "show");
    json_t *answer = request ? ask(args, request, "asking for the certificate") : NULL;
    const json_t *list = json_object_get(answer, "certificates");
    struct text t = {.ptr = NULL};
    size_t i;
    json_t *cert;
    if (!request)
        return not_utf8(args);
    if (list && cli_has(args, "json"))
        control_client_print_json(list);
    else if (answer && !list)
        control_client_print_error(answer);
    json_array_foreach(cli_has(args, "json") ? NULL : list, i, cert)
    {
        text_put(&t, i > 0 ? STR("\n") : STR_NONE);
        cert_text_show(cert, (int64_t)time(NULL), &t);
    }
    int code = list ? CLI_OK : CLI_FAILED;
    json_decref(answer);
    print_text(&t);
    return code;
}

// What came of an action on a certificate.
static int tell_end(const struct cli_args *args, const char *action, const json_t *answer)
{
    bool is_fine = json_is_true(json_object_get(answer, "ok"));
    const char *not_before = json_string_value(json_object_get(answer, "not_due_before"));
    struct text t = {.ptr = NULL};
    if (!answer)
        return CLI_FAILED;
    if (cli_has(args, "json")) {
        json_t *all = json_pack("{s:s, s:s}", "action", action, "name", args->words[1]);
        json_object_update(all, (json_t *)(uintptr_t)answer);
        control_client_print_json(all);
        json_decref(all);
    } else if (!is_fine) {
        control_client_print_error(answer);
    } else if (!cli_has(args, "quiet")) {
        plain_put(&t, str_of(args->words[1]));
        text_put(&t, STR(": "));
        if (not_before)
            text_printf(&t, "it is there, and due for renewal on %.10s; --force orders another",
                        not_before);
        else
            text_put(&t, STR("done"));
        text_byte(&t, '\n');
        print_text(&t);
    }
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int act(const struct cli_args *args, const char *action, json_t *request, const char *what)
{
    if (!request)
        return not_utf8(args);
    json_t *answer = ask(args, request, what);
    int code = tell_end(args, action, answer);
    json_decref(answer);
    return code;
}

int cert_renew(const struct cli_args *args)
{
    return act(args, "renew", request_for(args, "renew"), "ordering the certificate");
}

int cert_request(const struct cli_args *args)
{
    json_t *names = json_array();
    for (int i = 1; i < args->n_words; i++) {
        json_t *name = json_string(args->words[i]);
        if (!name) {
            json_decref(names);
            return not_utf8(args);
        }
        json_array_append_new(names, name);
    }
    json_t *request = json_pack(
        "{s:s, s:s, s:o, s:b, s:s*, s:s*, s:s*}", "command", "cert", "action", "request", "names",
        names, "force", (int)cli_has(args, "force"), "issuer", cli_value(args, "issuer", NULL),
        "key", cli_value(args, "key-type", NULL), "challenge", cli_value(args, "challenge", NULL));
    return act(args, "request", request, "ordering the certificate");
}

static int act_if_agreed(const struct cli_args *args, const char *action, const char *question,
                         const char *what)
{
    if (agree(args, question, args->words[1]))
        return act(args, action, request_for(args, action), what);
    return agree_status();
}

int cert_revoke(const struct cli_args *args)
{
    return act_if_agreed(args, "revoke", "Revoke the certificate of", "revoking the certificate");
}

int cert_forget(const struct cli_args *args)
{
    return act_if_agreed(args, "forget", "Forget the certificate of", "forgetting it");
}
