// SPDX-License-Identifier: Apache-2.0
// What a request to the API asks for: one row for each thing that can be read, with its path. Paths
// under /api/v1 are our own; the others have the form of Traefik's, which other tools read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

// id, path, what it is: a list, of which a path with a name behind it gives one; or one thing; text
// for the manual.
#define API_VIEW_LIST(X)                                                                           \
    X(INDEX, "/api/v1", THING, "what there is to read")                                            \
    X(STATUS, "/api/v1/status", THING,                                                             \
      "version, uptime, settings in force, processes, counters, refusals by reason")               \
    X(ENTRYPOINTS, "/api/v1/entrypoints", LIST, "entrypoints with their open connections")         \
    X(SITES, "/api/v1/sites", LIST, "sites with their names")                                      \
    X(ROUTES, "/api/v1/routes", LIST,                                                              \
      "routes: rule, priority, filters in order, service, and where each comes from")              \
    X(FILTERS, "/api/v1/filters", LIST, "filters and the routes that use them")                    \
    X(SERVICES, "/api/v1/services", LIST,                                                          \
      "services with the state of each server, and the routes that lead there")                    \
    X(CERTIFICATES, "/api/v1/certificates", LIST, "certificates with their end and last error")    \
    X(ORDERS, "/api/v1/orders", LIST, "certificates that are being ordered or will be")            \
    X(PROVIDERS, "/api/v1/providers", THING,                                                       \
      "what brings settings beside the file: its state, and what it brought that can't be had")    \
    X(TRAFFIC, "/api/v1/traffic", THING,                                                           \
      "counters and durations by route, filter and server: what `sallyport top` makes rates of")   \
    X(ERRORS, "/api/v1/errors", LIST,                                                              \
      "requests that were refused or failed lately, the last first; by the id of an error page")   \
    X(SETTINGS, "/api/v1/settings", THING,                                                         \
      "the settings in force, each value with where it comes from; a part of them by its path: "   \
      "`/api/v1/settings/services.app`")                                                           \
    X(PING, "/ping", THING, "`OK`")                                                                \
    X(TRAEFIK_VERSION, "/api/version", THING, "Traefik's form: the version")                       \
    X(TRAEFIK_OVERVIEW, "/api/overview", THING, "Traefik's form: how many there are of what")      \
    X(TRAEFIK_RAWDATA, "/api/rawdata", THING, "Traefik's form: everything at once")                \
    X(TRAEFIK_ENTRYPOINTS, "/api/entrypoints", LIST, "Traefik's form: entrypoints")                \
    X(TRAEFIK_HTTP_ROUTERS, "/api/http/routers", LIST, "Traefik's form: routes for requests")      \
    X(TRAEFIK_HTTP_SERVICES, "/api/http/services", LIST, "Traefik's form: services")               \
    X(TRAEFIK_HTTP_MIDDLEWARES, "/api/http/middlewares", LIST, "Traefik's form: filters")          \
    X(TRAEFIK_TCP_ROUTERS, "/api/tcp/routers", LIST, "Traefik's form: routes for connections")     \
    X(TRAEFIK_TCP_SERVICES, "/api/tcp/services", LIST, "Traefik's form: their services")           \
    X(TRAEFIK_TCP_MIDDLEWARES, "/api/tcp/middlewares", LIST, "Traefik's form: there are none")     \
    X(TRAEFIK_UDP_ROUTERS, "/api/udp/routers", LIST, "Traefik's form: there are none")             \
    X(TRAEFIK_UDP_SERVICES, "/api/udp/services", LIST, "Traefik's form: there are none")

enum api_view {
#define X(id, path, kind, doc) API_##id,
    API_VIEW_LIST(X)
#undef X
};

enum api_view_kind {
    API_LIST,
    API_THING,
};

#define API_TARGET_MAX_BYTES 2048
#define API_PAGE_DEFAULT 100
#define API_PAGE_MAX                                                                               \
    1000 // items of a page: who asks for more gets so many, and the next page's number

struct api_request {
    enum api_view view;
    struct str name; // of the one that is meant; empty: all
    uint64_t page;   // from 1
    uint64_t per_page;
    // Empty: anything.
    struct str search, status, service, filter;
};

// Reads the path (canonical, still encoded where it must be) and the query of a request. Texts are
// in mem or borrow. ERR_NOT_FOUND: there is nothing of this path; ERR_RANGE: `page` or `per_page`
// is no number from 1; ERR_LIMIT: the arena is full.
enum err api_request_parse(struct str path, struct str query, struct arena *mem,
                           struct api_request *ret) MUST_CHECK;

struct str api_view_path(enum api_view v);
enum api_view_kind api_view_kind(enum api_view v);

// Whether an item with these texts is looked for: one of them has the search's text in it, letters'
// case aside.
bool api_request_finds(const struct api_request *r, const struct str *texts, size_t n);

// Which of n items are on the page: from *ret_first, as many as *ret_n; *ret_next is the next
// page's number, or 1. False: there is no such page.
bool api_request_page(const struct api_request *r, uint64_t n, uint64_t *ret_first, uint64_t *ret_n,
                      uint64_t *ret_next) MUST_CHECK;

// What there is to read, as a Markdown table; and as JSON.
void api_print_views(struct text *to);
void api_put_index(struct text *to);
