// SPDX-License-Identifier: Apache-2.0
// Looks at a served site from outside, and says what to do.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/command.h"
#include "cli/doctor_tls.h"
#include "codec/url.h"
#include "rt/file.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443
#define NAME_MAX_BYTES 256
#define AUTHORITY_MAX_BYTES ((size_t)1 << 20)

static const struct cli_word topics[] = {
    {.name = "tls", .takes_any = true},
};

static const struct cli_option options[] = {
    {.name = "to",
     .value = "ADDRESS",
     .doc = "Where the server is. By default this machine: `127.0.0.1`, else `::1`."},
    {.name = "http-port",
     .value = "PORT",
     .doc = "Where plain HTTP is looked for. By default 80 when TLS is at 443, else nowhere."},
    {.name = "authority",
     .value = "FILE",
     .kind = CLI_VALUE_FILE,
     .doc = "Certificates to trust beside the system's, as those that `sallyport trust` prints."},
    {.name = "json", .doc = "Print what was found as JSON."},
};

// An address without a port; brackets around IPv6 may be there.
static bool read_address(const char *text, struct ip *ret)
{
    struct str s = str_of(text);
    if (s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
        s = str_from(s.ptr + 1, s.len - 2);
    return ip_parse(s, ret) == ERR_OK;
}

// This machine, by the first family of addresses at which something listens.
static struct ip find_here(uint16_t port)
{
    const struct ip v4 = {.bytes = {127, 0, 0, 1}, .family = 4};
    const struct ip v6 = {.bytes = {[15] = 1}, .family = 6};
    const struct ip *all[] = {&v4, &v6};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int fd = doctor_connect(all[i], port);
        if (fd < 0)
            continue;
        close(fd);
        return *all[i];
    }
    return v4;
}

static int read_target(const struct cli_args *args, char *name, struct doctor_tls *ret)
{
    struct url_authority at;
    uint64_t http_port;
    const char *text = args->words[1], *to = cli_value(args, "to", NULL);
    const char *http = cli_value(args, "http-port", NULL);
    if (url_authority_parse(str_of(text), &at) != ERR_OK || at.host.len >= NAME_MAX_BYTES)
        return cli_usage_error(args->command, "doctor: '%s' is no NAME[:PORT]", text);
    uint16_t port = at.port ? at.port : HTTPS_PORT;
    http_port = port == HTTPS_PORT ? HTTP_PORT : 0;
    if (http && num_dec(str_of(http), UINT16_MAX, &http_port) != ERR_OK)
        return cli_usage_error(args->command, "doctor: '%s' is no port", http);
    *ret = (struct doctor_tls){
        .host = str_first(str_of(text), at.port ? str_of(text).len : at.host.len),
        .name = url_host_canon(at.host, name),
        .is_ip = at.is_ip,
        .port = port,
        .http_port = (uint16_t)http_port,
    };
    if (ret->name.ptr[0] == '[')
        ret->name = str_from(ret->name.ptr + 1, ret->name.len - 2);
    if (!to && at.is_ip && ip_parse(ret->name, &ret->address) == ERR_OK)
        return CLI_OK;
    if (to && !read_address(to, &ret->address))
        return cli_usage_error(args->command, "doctor: '%s' is no IP address", to);
    if (!to)
        ret->address = find_here(port);
    return CLI_OK;
}

static int look(const struct cli_args *args, const struct doctor_tls *d)
{
    struct doctor_report report = {.n = 0};
    const char *why;
    char at[46];
    if (!doctor_tls_look(d, &report, &why)) {
        fprintf(stderr, "sallyport: nobody answers at " STR_FMT " port %u: %s\n",
                STR_ARG(ip_text(&d->address, at)), d->port, why);
        return CLI_FAILED;
    }
    if (cli_has(args, "json"))
        doctor_print_json(&report, args->words[1]);
    else
        doctor_print(&report);
    bool is_fine = doctor_count(&report, DOCTOR_WEAK) == 0;
    doctor_fini(&report);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_args *args)
{
    char name[NAME_MAX_BYTES];
    struct doctor_tls d;
    struct arena mem;
    const char *why, *authority = cli_value(args, "authority", NULL);
    if (args->n_words < 2)
        return cli_usage_error(args->command, "doctor tls needs a NAME[:PORT]");
    int status = read_target(args, name, &d);
    if (status != CLI_OK)
        return status;
    signal(SIGPIPE, SIG_IGN); // OpenSSL writes to connections that servers may have closed
    arena_init(&mem, AUTHORITY_MAX_BYTES * 2, NULL, 0);
    if (authority &&
        file_read(authority, AUTHORITY_MAX_BYTES, &mem, &d.authorities_pem, &why) != ERR_OK) {
        fprintf(stderr, "sallyport: %s: %s\n", authority, why);
        status = CLI_FAILED;
    } else {
        status = look(args, &d);
    }
    arena_fini(&mem);
    return status;
}

const struct cli_command cli_doctor = {
    .name = "doctor",
    .words = "TOPIC [NAME]",
    .words_min = 1,
    .words_max = 2,
    .choices = topics,
    .n_choices = ARRAY_LEN(topics),
    .summary = "Look at a served site from outside.",
    .doc =
        "`tls NAME[:PORT]` connects as strange clients do and reports each thing as `ok`, `note` "
        "or "
        "`weak`, with what to do: versions of TLS, weak suites, compression, renegotiation, the "
        "certificate and its chain, HSTS, the redirect from plain HTTP, resumption. The exit "
        "status is 1 when something is weak. It needs no other program, and nothing that the proxy "
        "keeps: any server can be looked at.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
