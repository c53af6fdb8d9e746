// SPDX-License-Identifier: Apache-2.0
#include "gate/settings.h"

#include "base/num.h"
#include "gate/issuers_conf.h"
#include "gate/wiring.h"
#include "rt/sandbox.h"
#include "upstream/service.h"

#define WORKERS_MAX 256
#define SOCKET_PATH_MAX_BYTES 108 // of struct sockaddr_un

static const char *const sandbox_names[] = {
#define X(id, text) text,
    SANDBOX_MODE_LIST(X)
#undef X
        NULL,
};

static enum err check_socket_path(const struct conf_text *text, struct diags *diags)
{
    if (text->text.len > 0 && text->text.ptr[0] == '/' && text->text.len < SOCKET_PATH_MAX_BYTES)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT
                     "' can't be a socket's path; allowed are absolute paths of at most "
                     "%d bytes",
                     STR_ARG(text->text), SOCKET_PATH_MAX_BYTES - 1);
}

static const struct conf_item control_items[] = {
    ITEM_TEXT(control_conf, socket, "socket", .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .example = "/run/sallyport/control.sock",
              .check_text = check_socket_path,
              .doc = "A Unix socket, open to the keeper's user and root alone. By default "
                     "`/run/sallyport/control.sock` for root, else "
                     "`$XDG_RUNTIME_DIR/sallyport/control.sock`."),
};

static const struct conf_section control_section = {
    .name = "control",
    .doc = "The socket through which commands (`status`, `reload`, `stop`, `upgrade`) reach the "
           "running proxy. `control: off` has none; signals work all the same.",
    CONF_SECTION_OF(control_conf, control_items),
    .shorthand = "socket",
    .place_offset = CONF_NO_PLACE,
};

static const struct conf_item resolver_items[] = {
    ITEM_TEXTS(resolver_conf, servers, "servers", .since = "0.1", .apply = CONF_HANDOVER,
               .format = "ADDRESS[:PORT]", .example = "[192.0.2.53]",
               .doc = "DNS servers to ask for the names of servers. By default those of the system "
                      "(`/etc/resolv.conf`)."),
    ITEM_DURATION(resolver_conf, timeout_ms, "timeout", .def = "2s", .min = "100ms", .max = "30s",
                  .since = "0.1", .apply = CONF_HANDOVER, .doc = "The time for one try to ask."),
};

static const struct conf_section resolver_section = {
    .name = "resolver",
    .doc =
        "How names of servers become addresses: `/etc/hosts`, then DNS; changes of the system's "
        "files are followed. Answers are kept for their time to live; the last good one stays in "
        "use while DNS fails.",
    CONF_SECTION_OF(resolver_conf, resolver_items),
    .place_offset = CONF_NO_PLACE,
};

static enum err check_absolute(const struct conf_text *text, struct diags *diags)
{
    if (text->text.len > 1 && text->text.ptr[0] == '/' && str_find(text->text, '\0') == STR_NPOS)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT "' is not the absolute path of a folder", STR_ARG(text->text));
}

static const struct conf_item filter_items[] = {
    ITEM_CHOICE(filter_conf, choice, "", .choices = wiring_filter_choices, .is_required = true,
                .since = "0.1", .apply = CONF_LIVE, .doc = "The kind of filter and its settings."),
};

const struct conf_section filter_section = {
    .name = "filter",
    .doc = "One step around a request, under a name that routes use.",
    CONF_SECTION_OF(filter_conf, filter_items),
    .place_offset = CONF_NO_PLACE,
};

static const struct conf_item spool_items[] = {
    ITEM_TEXT(spool_conf, folder, "folder", .def = SPOOL_FOLDER, .since = "0.1",
              .apply = CONF_HANDOVER, .format = "a path", .check_text = check_absolute,
              .doc = "A folder on a disk, not in memory, in which the keeper may make files. The "
                     "file has no name and mode 0600: nobody finds it, and its space is free when "
                     "its process ends, whatever the end."),
    ITEM_SIZE(spool_conf, max_bytes, "max", .def = "1GiB", .min = "1MiB", .max = "16TiB",
              .since = "0.1", .apply = CONF_HANDOVER,
              .doc = "So large may the file become, for all bodies together. While one process "
                     "takes over from another, each has its own."),
};

static const struct conf_section spool_section = {
    .name = "spool",
    .doc = "Where the filter `buffer` keeps what its memory has no room for.",
    CONF_SECTION_OF(spool_conf, spool_items),
    .place_offset = CONF_PLACE_AT(spool_conf, place),
};

static enum err check_workers(const struct conf_text *text, struct diags *diags)
{
    unsigned ignored;
    return workers_parse(text, 1, diags, &ignored);
}

static const struct conf_item root_items[] = {
    ITEM_TEXT(settings, workers, "workers", .def = "auto", .since = "0.1", .apply = CONF_HANDOVER,
              .format = "auto or a number", .pattern = "^(auto|[1-9][0-9]{0,2})$",
              .check_text = check_workers,
              .doc = "Threads that serve; `auto`: one for each core that the process may use."),
    ITEM_TEXT(settings, user, "user", .def = "nobody", .since = "0.1", .apply = CONF_HANDOVER,
              .format = "a user's name", .example = "sallyport",
              .doc = "Who the gate runs as when the keeper was started as root."),
    ITEM_TEXT(settings, state, "state", .since = "0.1", .apply = CONF_LIVE, .format = "a path",
              .example = "/var/lib/sallyport", .check_text = check_absolute,
              .doc = "The folder for keys and certificates that are made here; nobody else may "
                     "read it. By default `$STATE_DIRECTORY`, which systemd sets; else "
                     "`/var/lib/sallyport` for root, and `$XDG_STATE_HOME/sallyport` or "
                     "`~/.local/state/sallyport` for others."),
    ITEM_TEXT(settings, lists, "lists", .def = LISTS_FOLDER, .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .check_text = check_absolute,
              .doc =
                  "A folder with lists of addresses, which settings may use by name: `offices` is "
                  "`offices.txt` in it. A list of the same name that comes with the program, "
                  "such as `cloudflare`, is replaced."),
    ITEM_ENUM(settings, sandbox, "sandbox", .names = sandbox_names, .def = "best-effort",
              .since = "0.1", .apply = CONF_HANDOVER,
              .doc =
                  "Whether the gate, which reads what clients send, shuts itself off from files, "
                  "programs, other processes and new listening sockets (seccomp, Landlock). "
                  "`best-effort`: as far as the kernel can; `require`: wholly, or the settings "
                  "are refused; `off`: not at all."),
    ITEM_UINT(settings, conns_max, "connections-max", .def = "100000", .min = "16",
              .max = "10000000", .since = "0.1", .apply = CONF_HANDOVER,
              .doc =
                  "The most client connections of all workers together. Beyond it the one that has "
                  "been idle for longest is closed."),
    ITEM_DURATION(settings, drain_ms, "drain-timeout", .def = "30s", .min = "0", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long running exchanges may go on after the order to stop."),
    ITEM_SWITCHED(settings, control, "control", struct control_conf, is_on,
                  .section = &control_section, .def = "on", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "The control socket, or `off`."),
    ITEM_SECTION(settings, log, "log", struct log_conf, .section = &log_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "The error log."),
    ITEM_SWITCHED(settings, access_log, "access-log", struct access_log_conf, is_on,
                  .section = &access_log_section, .def = "on", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "The access log, or `off`."),
    ITEM_SECTION(settings, resolver, "resolver", struct resolver_conf, .section = &resolver_section,
                 .since = "0.1", .apply = CONF_HANDOVER, .doc = "DNS."),
    ITEM_SWITCHED(settings, spool, "spool", struct spool_conf, is_on, .section = &spool_section,
                  .def = "on", .since = "0.1", .apply = CONF_HANDOVER,
                  .doc = "The file for bodies that the filter `buffer` reads ahead, or `off`: then "
                         "it does with memory alone."),
    ITEM_TEXT(settings, email, "email", .since = "0.1", .apply = CONF_LIVE,
              .format = "an email address", .check_text = issuers_check_email,
              .example = "you@example.com",
              .doc = "Get certificates for the sites from Let's Encrypt, whose terms of use you "
                     "agree to, and be reached there. Without this and `issuers` they come from "
                     "the local CA, as they do for names that no public authority serves."),
    ITEM_MAP(settings, issuers, "issuers", .section = &issuer_section, .since = "0.1",
             .apply = CONF_LIVE,
             .doc = "Authorities, by name, instead of what `email` alone stands for."),
    ITEM_TEXTS(
        settings, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
        .format = "names in issuers, or local", .example = "[letsencrypt, zerossl]",
        .doc = "Who signs where sites and routes don't say it: names in `issuers`, best first, of "
               "which the next is asked when one fails; or `local` for the local CA. By "
               "default the first of `issuers`."),
    ITEM_SECTION(settings, hooks, "hooks", struct hooks_conf, .section = &hooks_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "Programs that are run when something has happened to a certificate."),
    ITEM_SWITCHED(settings, on_demand, "on-demand", struct demand_conf, is_on,
                  .section = &demand_section, .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "Certificates that are ordered in the first handshake that asks for their "
                         "name, or `off`."),
    ITEM_FILE(settings, authorities, "authorities", .since = "0.1", .apply = CONF_LIVE,
              .example = "/etc/ssl/certs/ca-certificates.crt",
              .doc = "PEM file with the authorities that servers with `https://` are verified "
                     "against, unless the service has a `ca` of its own. By default the system's; "
                     "it is read anew with each reload."),
    ITEM_SECTION(settings, providers, "providers", struct providers_conf,
                 .section = &providers_section, .since = "0.1", .apply = CONF_LIVE,
                 .doc = "What brings sites beside this file."),
    ITEM_SECTION(settings, geo, "geo", struct geo_conf, .section = &geo_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "Databases that tell where addresses belong."),
    ITEM_SECTION(settings, ban, "ban", struct ban_conf, .section = &ban_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "Refusing clients that misbehave, for a while."),
    ITEM_SECTION(settings, metrics, "metrics", struct metrics_conf, .section = &metrics_section,
                 .since = "0.1", .apply = CONF_LIVE, .doc = "Numbers for Prometheus."),
    ITEM_SECTION(settings, tracing, "tracing", struct tracing_conf, .section = &tracing_section,
                 .since = "0.1", .apply = CONF_LIVE, .doc = "Traces for OpenTelemetry."),
    ITEM_MAP(settings, entrypoints, "entrypoints", .section = &entrypoint_section, .since = "0.1",
             .apply = CONF_LIVE,
             .doc = "Where clients connect, by name. By default `web` on `:80`, and `websecure` "
                    "on `:443` with TLS."),
    ITEM_MAP(settings, sites, "sites", .section = &site_section, .since = "0.1", .apply = CONF_LIVE,
             .doc = "Host names and what happens to their requests."),
    ITEM_MAP(settings, services, "services", .section = &service_section, .since = "0.1",
             .apply = CONF_LIVE, .doc = "Pools of servers by name."),
    ITEM_MAP(settings, filters, "filters", .section = &filter_section, .since = "0.1",
             .apply = CONF_LIVE, .doc = "Filters by name."),
    ITEM_LIST(settings, routes, "routes", .section = &route_section, .since = "0.1",
              .apply = CONF_LIVE, .doc = "Routes that belong to no site."),
};

const struct conf_section settings_section = {
    .name = "settings",
    .doc = "The settings file.",
    CONF_SECTION_OF(settings, root_items),
    .place_offset = CONF_NO_PLACE,
};

enum err workers_parse(const struct conf_text *text, unsigned n_cpus, struct diags *diags,
                       unsigned *ret)
{
    if (str_eq(text->text, STR("auto"))) {
        *ret = MIN(MAX(n_cpus, 1u), (unsigned)WORKERS_MAX);
        return ERR_OK;
    }
    uint64_t n;
    if (num_dec(text->text, WORKERS_MAX, &n) != ERR_OK || n == 0)
        return diag_fail(diags, ERR_RANGE, text->place,
                         "workers is '" STR_FMT "'; allowed are auto and numbers from 1 to %d",
                         STR_ARG(text->text), WORKERS_MAX);
    *ret = (unsigned)n;
    return ERR_OK;
}
