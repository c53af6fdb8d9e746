// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "acme/acme.h"
#include "cli/cert.h"
#include "cli/control_client.h"
#include "cli/doctor.h"

static const char *const reasons[] = {
#define X(id, name, code) name,
    ACME_REASON_LIST(X)
#undef X
        NULL,
};

static const char *const key_types[] = {"p-256", "p-384", "rsa-2048", "rsa-3072", "rsa-4096", NULL};
static const char *const challenges[] = {"http-01", "tls-alpn-01", "dns-01", NULL};

static const struct cli_word words[] = {
    {.name = "list"},
    {.name = "show", .takes_any = true, .kind = CLI_VALUE_SITE},
    {.name = "request", .takes_many = true, .kind = CLI_VALUE_SITE},
    {.name = "renew", .takes_any = true, .kind = CLI_VALUE_SITE},
    {.name = "revoke", .takes_any = true, .kind = CLI_VALUE_SITE},
    {.name = "forget", .takes_any = true, .kind = CLI_VALUE_SITE},
    {.name = "export", .takes_any = true, .kind = CLI_VALUE_SITE},
    {.name = "import", .takes_any = true, .kind = CLI_VALUE_FILE},
    {.name = "doctor", .takes_many = true, .kind = CLI_VALUE_SITE},
};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "json", .doc = "Print what is shown, or what came of it, as JSON."},
    {.name = "force", .doc = "`request`, `renew`: also a certificate that isn't due yet."},
    {.name = "dry-run",
     .doc = "`request`: order nothing, only look at what would keep it from working, as `doctor` "
            "does."},
    {.name = "issuer",
     .value = "ISSUER",
     .doc = "`request`: which of the settings' issuers. By default the first."},
    {.name = "key-type",
     .value = "KIND",
     .names = key_types,
     .doc = "`request`: the kind of key. By default the issuer's."},
    {.name = "challenge",
     .value = "KIND",
     .names = challenges,
     .doc = "`request`: how the names are proven. By default as the issuer says."},
    {.name = "reason",
     .value = "REASON",
     .names = reasons,
     .doc = "`revoke`: why, for the authority."},
    {.name = "yes", .letter = 'y', .doc = "`revoke`, `forget`: don't ask."},
    {.name = "bundle", .doc = "`export`: chain and key in one, as HAProxy and others read them."},
    {.name = "to",
     .value = "FILE",
     .kind = CLI_VALUE_FILE,
     .doc = "`export`: write this file, for its owner alone, in the place of an old one. By "
            "default standard output."},
    {.name = "state",
     .value = "FOLDER",
     .kind = CLI_VALUE_FILE,
     .doc = "Work alone on this state folder, without asking a proxy. By default that of the "
            "settings."},
    DOCTOR_OPTION_PORTS,
};

static int cert_doctor(const struct cli_args *args)
{
    return doctor_certs(args, args->words + 1, (size_t)args->n_words - 1);
}

static int cert_request_or_doctor(const struct cli_args *args)
{
    return cli_has(args, "dry-run") ? cert_doctor(args) : cert_request(args);
}

// What they do; in the order of words.
static const struct {
    int (*run)(const struct cli_args *args);
    const char *example; // of the words behind it; NULL: none are needed
} actions[ARRAY_LEN(words)] = {
    {.run = cert_list},
    {.run = cert_show, .example = "app.example.com"},
    {.run = cert_request_or_doctor, .example = "app.example.com"},
    {.run = cert_renew, .example = "app.example.com"},
    {.run = cert_revoke, .example = "app.example.com"},
    {.run = cert_forget, .example = "app.example.com"},
    {.run = cert_export, .example = "app.example.com"},
    {.run = cert_import, .example = "/etc/letsencrypt"},
    {.run = cert_doctor},
};

static int run(const struct cli_args *args)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].name, args->words[0]) != 0)
            continue;
        if (args->n_words > 1 || !actions[i].example)
            return actions[i].run(args);
        return cli_usage_error(
            args->command, "cert %s needs a %s; for example: sallyport cert %s %s", words[i].name,
            words[i].kind == CLI_VALUE_FILE ? "path" : "name", words[i].name, actions[i].example);
    }
    return CLI_USAGE; // the words were checked
}

const struct cli_command cli_cert = {
    .name = "cert",
    .words = "ACTION [NAME…]",
    .words_min = 1,
    .words_max = CLI_VALUES_MAX,
    .choices = words,
    .n_choices = ARRAY_LEN(words),
    .summary = "Look after certificates.",
    .doc =
        "`list` shows those of the running proxy, and why an order failed; `show NAME` all that is "
        "known of one. `request NAME` orders the certificate that the settings want now, whatever "
        "has failed before, and waits; it does nothing when there is one that isn't due. `request "
        "NAME…` with names that aren't in the settings orders one certificate for all of them, "
        "which nobody renews. `renew NAME` orders one anew; without `--force` only when it is "
        "due.\n\n"
        "`revoke NAME` tells the authority that it must not be trusted any more, and takes it out "
        "of the store; `forget NAME` only takes it out. Both ask first. A site that still wants "
        "one gets another: take the site out of the settings first.\n\n"
        "`export NAME` prints the chain, and with `--bundle` the key behind it; `import PATH` "
        "takes certificates and accounts over from Traefik's `acme.json` or certbot's "
        "`/etc/letsencrypt`. NAME is any name of the site, or the certificate's id as `list` "
        "shows it.\n\n"
        "`doctor` looks at all certificates that the settings want, `doctor NAME…` at those of "
        "these "
        "names, also before they are in the settings: the authority and this machine's clock, A "
        "and AAAA records, CAA, who answers at ports 80 and 443 of the name, limits, and the last "
        "error. It works without a running proxy, but only one that runs can prove that the name "
        "leads to it.\n\n"
        "Where no proxy runs, all of this works alone on the state folder; for orders and "
        "revocations "
        "a proxy runs for so long at the settings' ports, and serves nothing else.\n\n"
        "The exit status is 0 when it is done, when nothing was to be done and when you said no; "
        "1 when it failed, with the authority's words on standard error; 2 when the command line "
        "is wrong. Nobody is ever asked where standard input is no terminal.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
