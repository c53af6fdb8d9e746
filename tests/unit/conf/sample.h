// SPDX-License-Identifier: Apache-2.0
// A table with every kind of row, for the tests of the settings engine and its fuzz targets.
#pragma once

#include "conf/conf.h"

struct sample_redirect {
    struct conf_text to;
    bool is_permanent;
};

struct sample_compress {
    uint32_t level;
};

struct sample_filter {
    struct conf_choice choice;
    bool is_paused;
};

struct sample_server {
    struct place at; // not the first member of what has a place
    struct conf_text url;
    uint32_t weight;
};

struct sample_service {
    unsigned balance;
    struct conf_list servers;
    struct place place;
};

struct sample_timeouts {
    int64_t idle_ms;
    int64_t connect_ms;
};

struct sample_log {
    unsigned level;
    bool is_on;
    struct conf_text path;
};

struct sample_site {
    struct conf_texts aliases;
    struct conf_list to; // of servers
    struct sample_timeouts timeouts;
};

struct sample_root {
    struct conf_text email;
    uint32_t workers;
    uint64_t body_max_bytes;
    uint64_t rate;
    bool is_strict;
    struct conf_nets trusted;
    struct conf_text token;
    struct conf_file page;
    struct sample_timeouts timeouts;
    struct sample_log log;
    struct conf_map sites, services, filters;
    struct conf_choice store;
    struct conf_texts methods;
};

static const struct conf_item sample_redirect_items[] = {
    ITEM_TEXT(sample_redirect, to, "to", .is_required = true, .format = "a URL", .since = "0.1",
              .doc = "Where to send the client.", .example = "https://example.com/"),
    ITEM_BOOL(sample_redirect, is_permanent, "permanent", .def = "no", .since = "0.1",
              .doc = "Answer 308 instead of 307."),
};
static const struct conf_section sample_redirect_section = {
    .name = "redirect",
    .doc = "Sends the client elsewhere.",
    .shorthand = "to",
    CONF_SECTION_OF(sample_redirect, sample_redirect_items),
};

static const struct conf_item sample_compress_items[] = {
    ITEM_UINT(sample_compress, level, "level", .def = "4", .min = "1", .max = "9", .since = "0.1",
              .doc = "How hard to try."),
};
static const struct conf_section sample_compress_section = {
    .name = "compress",
    .doc = "Compresses answers.",
    CONF_SECTION_OF(sample_compress, sample_compress_items),
};

static const struct conf_choice_type sample_redirect_type = {.key = "redirect",
                                                             .section = &sample_redirect_section};
static const struct conf_choice_type sample_compress_type = {.key = "compress",
                                                             .section = &sample_compress_section};
static const struct conf_choice_type *const sample_filter_types[] = {
    &sample_redirect_type,
    &sample_compress_type,
    NULL,
};

static const struct conf_item sample_filter_items[] = {
    ITEM_CHOICE(sample_filter, choice, "", .choices = sample_filter_types, .is_required = true,
                .since = "0.1", .doc = "What the filter does."),
    ITEM_BOOL(sample_filter, is_paused, "paused", .def = "false", .since = "0.2",
              .doc = "Keep the filter's place without its effect."),
};
static const struct conf_section sample_filter_section = {
    .name = "filter",
    .doc = "A step around a request.",
    CONF_SECTION_OF(sample_filter, sample_filter_items),
};

static inline enum err sample_check_url(const struct conf_text *value, struct diags *diags)
{
    if (str_starts(value->text, STR("http://")))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, value->place, "'" STR_FMT "' does not begin with http://",
                     STR_ARG(value->text));
}

static const struct conf_item sample_server_items[] = {
    ITEM_TEXT(sample_server, url, "url", .is_required = true, .format = "http://HOST:PORT",
              .pattern = "^http://", .check_text = sample_check_url, .since = "0.1",
              .doc = "The server's address.", .example = "http://10.0.0.1:8080"),
    ITEM_UINT(sample_server, weight, "weight", .def = "1", .max = "1000", .since = "0.1",
              .doc = "Its share of requests."),
};
static const struct conf_section sample_server_section = {
    .name = "server",
    .doc = "One address in a service.",
    .shorthand = "url",
    CONF_SECTION_OF(sample_server, sample_server_items),
};

static const char *const sample_balance_names[] = {"round-robin", "least-busy", "hash", NULL};
static const struct conf_item sample_service_items[] = {
    ITEM_ENUM(sample_service, balance, "balance", .names = sample_balance_names,
              .def = "round-robin", .since = "0.1", .doc = "How a server is chosen."),
    ITEM_LIST(sample_service, servers, "servers", .section = &sample_server_section,
              .is_required = true, .since = "0.1", .doc = "The servers."),
};
static inline enum err sample_check_service(const void *value, struct diags *diags)
{
    const struct sample_service *service = value;
    if (service->servers.n <= 100)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, service->place, "a service has at most 100 servers");
}
static const struct conf_section sample_service_section = {
    .name = "service",
    .doc = "Where requests go.",
    .shorthand = "servers",
    .place_offset = CONF_PLACE_AT(sample_service, place),
    .check = sample_check_service,
    CONF_SECTION_OF(sample_service, sample_service_items),
};

static const struct conf_item sample_timeouts_items[] = {
    ITEM_DURATION(sample_timeouts, idle_ms, "idle", .def = "60s", .min = "1s", .max = "1h",
                  .apply = CONF_NEW_CONNS, .since = "0.1",
                  .doc = "Close a connection after this long without a request."),
    ITEM_DURATION(sample_timeouts, connect_ms, "connect", .def = "5s", .zero = "never",
                  .min = "100ms", .since = "0.1", .doc = "Give up on a server."),
};
static const struct conf_section sample_timeouts_section = {
    .name = "timeouts",
    .doc = "How long to wait.",
    CONF_SECTION_OF(sample_timeouts, sample_timeouts_items),
};

static const char *const sample_level_names[] = {"debug", "info", "warn", "error", NULL};
static const struct conf_item sample_log_items[] = {
    ITEM_ENUM(sample_log, level, "level", .names = sample_level_names, .def = "info",
              .since = "0.1", .doc = "The least important lines that are written."),
    ITEM_TEXT(sample_log, path, "path", .since = "0.1", .doc = "The log file.",
              .example = "/var/log/sample.log", .apply = CONF_HANDOVER),
};
static const struct conf_section sample_log_section = {
    .name = "log",
    .doc = "What is written down.",
    .shorthand = "path",
    CONF_SECTION_OF(sample_log, sample_log_items),
};

static const struct conf_item sample_site_items[] = {
    ITEM_TEXTS(sample_site, aliases, "aliases", .format = "a host name", .since = "0.1",
               .doc = "Further names.", .example = "[www.example.com]"),
    ITEM_LIST(sample_site, to, "to", .section = &sample_server_section, .since = "0.1",
              .doc = "Where the site's requests go."),
    ITEM_SECTION(sample_site, timeouts, "timeouts", struct sample_timeouts,
                 .section = &sample_timeouts_section, .since = "0.1",
                 .doc = "The site's own time-outs."),
};
static const struct conf_section sample_site_section = {
    .name = "site",
    .doc = "A host name and what happens to its requests.",
    .shorthand = "to",
    CONF_SECTION_OF(sample_site, sample_site_items),
};

static const struct conf_item sample_root_items[] = {
    ITEM_TEXT(sample_root, email, "email", .since = "0.1", .doc = "Who runs this.",
              .example = "you@example.com"),
    ITEM_UINT(sample_root, workers, "workers", .def = "auto", .zero = "auto", .min = "1",
              .max = "1024", .apply = CONF_HANDOVER, .since = "0.1", .doc = "Threads | cores."),
    ITEM_SIZE(sample_root, body_max_bytes, "body-max", .def = "1MiB", .max = "1GiB", .since = "0.1",
              .doc = "The largest body."),
    ITEM_RATE(sample_root, rate, "rate", .def = "100/s", .max = "10000/s", .since = "0.1",
              .doc = "Requests allowed."),
    ITEM_BOOL(sample_root, is_strict, "strict", .def = "yes", .since = "0.1",
              .doc = "Refuse what is ambiguous."),
    ITEM_NETS(sample_root, trusted, "trusted", .def = "[127.0.0.0/8, \"::1\"]", .since = "0.1",
              .doc = "Whose word counts."),
    ITEM_SECRET(sample_root, token, "token", .since = "0.1", .doc = "The way in.",
                .example = "file:/run/secrets/token"),
    ITEM_FILE(sample_root, page, "page", .since = "0.1", .doc = "The error page.",
              .example = "error.html"),
    ITEM_SECTION(sample_root, timeouts, "timeouts", struct sample_timeouts,
                 .section = &sample_timeouts_section, .since = "0.1", .doc = "All time-outs."),
    ITEM_SWITCHED(sample_root, log, "log", struct sample_log, is_on, .def = "off",
                  .section = &sample_log_section, .since = "0.1", .doc = "The log."),
    ITEM_MAP(sample_root, sites, "sites", .section = &sample_site_section, .since = "0.1",
             .doc = "The sites by host name."),
    ITEM_MAP(sample_root, services, "services", .section = &sample_service_section, .since = "0.1",
             .doc = "The services by name."),
    ITEM_MAP(sample_root, filters, "filters", .section = &sample_filter_section, .since = "0.1",
             .doc = "The filters by name."),
    ITEM_CHOICE(sample_root, store, "store", .choices = sample_filter_types, .since = "0.1",
                .doc = "A choice under a key of its own.", .example = "{ compress: { level: 2 } }"),
    ITEM_TEXTS(sample_root, methods, "methods", .def = "[GET, HEAD]", .since = "0.1",
               .doc = "What may be asked."),
};
static const struct conf_section sample_root_section = {
    .name = "settings",
    .doc = "The whole file.",
    CONF_SECTION_OF(sample_root, sample_root_items),
};
