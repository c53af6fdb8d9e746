// SPDX-License-Identifier: Apache-2.0
// Looks at settings, machine, names and served sites, and says what to do.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/control_client.h"
#include "cli/doctor.h"
#include "cli/doctor_http.h"
#include "cli/doctor_machine.h"
#include "cli/doctor_tls.h"
#include "codec/url.h"
#include "rt/file.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443
#define NAME_MAX_BYTES 256
#define AUTHORITY_MAX_BYTES ((size_t)1 << 20)

static const struct cli_word topics[] = {
    {.name = "tls", .takes_any = true, .kind = CLI_VALUE_SITE},
    {.name = "ports"},
};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    CLI_OPTION_QUIET,
    {.name = "to",
     .value = "ADDRESS",
     .doc = "`tls`: where the server is. By default this machine: `127.0.0.1`, else `::1`."},
    DOCTOR_OPTION_PORTS,
    {.name = "authority",
     .value = "FILE",
     .kind = CLI_VALUE_FILE,
     .doc = "`tls`: certificates to trust beside the system's, as those that `sallyport trust` "
            "prints."},
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
    uint64_t http_port, https_port = HTTPS_PORT;
    const char *text = args->words[1], *to = cli_value(args, "to", NULL);
    const char *http = cli_value(args, "http-port", NULL);
    const char *https = cli_value(args, "https-port", NULL);
    if (url_authority_parse(str_of(text), &at) != ERR_OK || at.host.len >= NAME_MAX_BYTES)
        return cli_usage_error(args->command, "doctor: '%s' is no NAME[:PORT]", text);
    if (https && num_dec(str_of(https), UINT16_MAX, &https_port) != ERR_OK)
        return cli_usage_error(args->command, "doctor: '%s' is no port", https);
    uint16_t port = at.port ? at.port : (uint16_t)https_port;
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
    int code = doctor_tell(args, &report, args->words[1]);
    doctor_fini(&report);
    return code;
}

static int run_tls(const struct cli_args *args)
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

// Everything, or with only_ports who listens here.
static int run_all(const struct cli_args *args, bool only_ports)
{
    struct doctor_world w;
    struct doctor_report r = {.n = 0};
    struct listening l;
    int code = CLI_USAGE;
    doctor_world_open(&w, args, &r);
    (void)listening_look(&l); // without /proc nothing is known, which is told as nobody's
    if (doctor_read_ports(args, &w)) {
        if (only_ports)
            doctor_look_at_ports(&w, &l, &r);
        else
            doctor_look_at_machine(&w, &l, &r);
        if (!only_ports)
            doctor_look_at_certs(&w, NULL, 0, &r);
        code = doctor_tell(args, &r, only_ports ? "ports" : "everything");
    }
    listening_fini(&l);
    doctor_world_close(&w);
    doctor_fini(&r);
    return code;
}

static int run(const struct cli_args *args)
{
    signal(SIGPIPE, SIG_IGN); // OpenSSL writes to connections that servers may have closed
    if (args->n_words > 0 && strcmp(args->words[0], "tls") == 0)
        return run_tls(args);
    return run_all(args, args->n_words > 0);
}

const struct cli_command cli_doctor = {
    .name = "doctor",
    .words = "[TOPIC [NAME]]",
    .words_max = 2,
    .choices = topics,
    .n_choices = ARRAY_LEN(topics),
    .summary = "Look for what is wrong, and say what to do.",
    .doc =
        "Alone it looks at what usually breaks: the settings, the proxy that runs, the state "
        "folder, ports and who has them, open files, the sandbox, and for each certificate that "
        "the settings want what `cert doctor` looks at: the authority and this machine's clock, "
        "A and AAAA records, CAA, who answers at ports 80 and 443 of the name, limits.\n\n"
        "`ports` lists who listens at addresses that others can reach. `tls NAME[:PORT]` connects "
        "as strange clients do: versions of TLS, weak suites, compression, renegotiation, the "
        "certificate and its chain, HSTS, the redirect from plain HTTP, resumption. It needs "
        "nothing that the proxy keeps: any server can be looked at.\n\n"
        "Each thing is told as `ok`, `note`, `weak` or `bad`, with what to do. The exit status is "
        "1 when something is weak or bad.\n\n"
        "It needs no other program.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
