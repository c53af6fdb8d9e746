// SPDX-License-Identifier: Apache-2.0
// The API's answers among themselves: pages (api.c) and the things that are on them (api_items.c).
#pragma once

#include "admin/api_forms.h"
#include "admin/api_request.h"
#include "base/map.h"
#include "codec/json_read.h"
#include "gate/insight.h"

struct api_part;

// What has a list of things.
struct api_list_type {
    size_t (*count)(const struct api_part *p);
    struct str (*name)(const struct api_part *p, size_t i); // empty: it has none
    // Whether the request means it; NULL: by its name.
    bool (*is_meant)(const struct api_part *p, size_t i);
    // The object. is_member: in a map of names.
    void (*put)(const struct api_part *p, size_t i, bool is_member, struct text *to);
    // Appends the name as it stands in paths and maps; NULL: as it is.
    void (*put_name)(const struct api_part *p, size_t i, struct text *to);
    bool has_users; // routes name it: users are to be found
    // The name by which the handler of a route's chain is one of these.
    bool (*is_used_as)(const struct handler *h);
};

// The routes that use a thing.
struct api_users {
    struct str *names; // in the page's arena: "app@file"
    size_t n, cap;
};

struct api_part {
    const struct report *report; // borrows: the page's
    const struct api_request *asked;
    struct arena *mem;
    const struct api_list_type *type;
    const char *key;           // of the map in raw data
    const struct json **known; // in mem: what the keeper has told, as an array
    size_t n_known;
    const struct conf_map_item **groups; // in mem: services that are made of others, as an array
    size_t n_groups;
    uint32_t *found; // in mem: indices of those that are meant
    size_t n_found, cap;
    size_t n_seen;
    bool at_page;          // what is on the page is chosen
    size_t first, end, at; // of found: those on the page
    size_t n_users_made;   // of those, whose users can be found
    struct map users;      // owns: names to struct api_users, of those on the page
    size_t n_users_seen;   // routes
};

extern const struct api_list_type api_entries, api_sites, api_routes, api_filters, api_services,
    api_certificates, api_orders, api_errors, api_traefik_entries, api_traefik_routers,
    api_traefik_tcp_routers, api_traefik_services, api_traefik_tcp_services,
    api_traefik_middlewares, api_nothing;

// Who made a thing of the settings: its name may say it ("app@docker"), else the file did.
struct str api_provider_of(struct str name);

// Routes for requests first, then those for connections.
size_t api_n_routes(const struct snapshot *s);
const struct route *api_route_at(const struct snapshot *s, size_t i);
// Services that are made of others.
size_t api_n_groups(const struct snapshot *s);
// "app@file", in mem.
struct str api_route_name(const struct route *r, struct arena *mem);

// Whether a server gets requests; state of one that a survey has found.
struct survey_server;
bool api_server_is_up(const struct survey_server *server);

// Where the writing of traffic is.
enum api_traffic_list {
    API_TRAFFIC_ALL,
    API_TRAFFIC_ROUTES,
    API_TRAFFIC_FILTERS,
    API_TRAFFIC_SERVERS,
};
struct api_traffic {
    enum api_traffic_list list;
    size_t at, n_written;
};
// Adds the next piece. False: that was the last.
bool api_traffic_write(struct api_traffic *t, const struct report *r, struct text *to);

// The settings, or a part of them: one of the root's rows at a time. False: that was the last.
bool api_settings_are_there(const struct report *r, struct str path);
bool api_settings_write(size_t *at, const struct report *r, struct str path, struct text *to);

// What there is one of.
void api_put_status(const struct report *r, struct text *to);
void api_put_providers(const struct report *r, struct text *to);
void api_put_overview(const struct report *r, struct text *to);
void api_put_version(const struct report *r, struct text *to);
