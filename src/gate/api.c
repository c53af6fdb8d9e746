// SPDX-License-Identifier: Apache-2.0
#include "gate/api.h"

#include "base/mem.h"
#include "codec/json.h"
#include "gate/api_priv.h"

#define MEM_MAX_BYTES ((size_t)64 << 20)
#define STEP_ITEMS 128 // looked at in one piece: some 100 µs
#define PARTS_MAX 5

struct api_page {
    const struct report *report; // shares
    struct api_request asked;
    struct arena mem;
    struct api_part parts[PARTS_MAX]; // lists: one; raw data: several
    size_t n_parts, at;
    bool is_single;  // one of the list
    bool is_map;     // raw data
    bool is_started; // its first byte is written
    bool is_full;    // the arena
    unsigned status;
    uint64_t next_page;
    struct api_traffic traffic;
    size_t settings_at; // row that is told next
};

static const struct {
    const struct api_list_type *type;
    const char *key;
} raw_parts[PARTS_MAX] = {{&api_traefik_routers, "routers"},
                          {&api_traefik_middlewares, "middlewares"},
                          {&api_traefik_services, "services"},
                          {&api_traefik_tcp_routers, "tcpRouters"},
                          {&api_traefik_tcp_services, "tcpServices"}};

static const struct api_list_type *list_of(enum api_view v)
{
    switch (v) {
    case API_ENTRYPOINTS:
        return &api_entries;
    case API_SITES:
        return &api_sites;
    case API_ROUTES:
        return &api_routes;
    case API_FILTERS:
        return &api_filters;
    case API_SERVICES:
        return &api_services;
    case API_CERTIFICATES:
        return &api_certificates;
    case API_ORDERS:
        return &api_orders;
    case API_ERRORS:
        return &api_errors;
    case API_TRAEFIK_ENTRYPOINTS:
        return &api_traefik_entries;
    case API_TRAEFIK_HTTP_ROUTERS:
        return &api_traefik_routers;
    case API_TRAEFIK_HTTP_SERVICES:
        return &api_traefik_services;
    case API_TRAEFIK_HTTP_MIDDLEWARES:
        return &api_traefik_middlewares;
    case API_TRAEFIK_TCP_ROUTERS:
        return &api_traefik_tcp_routers;
    case API_TRAEFIK_TCP_SERVICES:
        return &api_traefik_tcp_services;
    case API_TRAEFIK_TCP_MIDDLEWARES:
    case API_TRAEFIK_UDP_ROUTERS:
    case API_TRAEFIK_UDP_SERVICES:
        return &api_nothing;
    case API_INDEX:
    case API_STATUS:
    case API_PROVIDERS:
    case API_SETTINGS:
    case API_TRAFFIC:
    case API_PING:
    case API_TRAEFIK_VERSION:
    case API_TRAEFIK_OVERVIEW:
    case API_TRAEFIK_RAWDATA:
        break;
    }
    return NULL;
}

static void add_part(struct api_page *p, const struct api_list_type *type, const char *key)
{
    p->parts[p->n_parts++] = (struct api_part){
        .report = p->report, .asked = &p->asked, .mem = &p->mem, .type = type, .key = key};
}

struct api_page *api_open(const struct report *r, const struct api_request *asked)
{
    struct api_page *p = MEM_NEW(struct api_page);
    p->report = r;
    p->status = 200;
    arena_init(&p->mem, MEM_MAX_BYTES, NULL, 0);
    p->asked = *asked;
    p->asked.name = arena_dup(&p->mem, asked->name);
    p->asked.search = arena_dup(&p->mem, asked->search);
    p->asked.status = arena_dup(&p->mem, asked->status);
    p->asked.service = arena_dup(&p->mem, asked->service);
    p->asked.filter = arena_dup(&p->mem, asked->filter);
    const struct api_list_type *list = list_of(asked->view);
    p->is_single = list && asked->name.len > 0;
    p->is_map = asked->view == API_TRAEFIK_RAWDATA;
    if (list)
        add_part(p, list, NULL);
    for (size_t i = 0; p->is_map && i < ARRAY_LEN(raw_parts); i++)
        add_part(p, raw_parts[i].type, raw_parts[i].key);
    if (asked->view == API_SETTINGS && !api_settings_are_there(r, p->asked.name))
        p->status = 404;
    return p;
}

void api_close(struct api_page *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_parts; i++)
        map_fini(&p->parts[i].users);
    arena_fini(&p->mem);
    report_unref(p->report);
    mem_free(p);
}

unsigned api_status(const struct api_page *p)
{
    return p->status;
}

uint64_t api_next_page(const struct api_page *p)
{
    return p->next_page;
}

// --- finding ---

static bool add_found(struct api_part *part, size_t i)
{
    uint32_t *found = ARENA_GROW(part->mem, uint32_t, part->found, part->n_found, &part->cap);
    if (!found)
        return false;
    part->found = found;
    part->found[part->n_found++] = (uint32_t)i;
    return true;
}

static bool has_name(const struct api_part *part, size_t i, struct str wanted)
{
    struct str name = part->type->name(part, i);
    if (!part->type->put_name)
        return str_eq(name, wanted);
    if (!str_starts(wanted, name))
        return false;
    struct text full = {.ptr = NULL};
    part->type->put_name(part, i, &full);
    bool is_it = str_eq(text_str(&full), wanted);
    text_fini(&full);
    return is_it;
}

static bool is_meant(const struct api_page *p, const struct api_part *part, size_t i)
{
    if (p->is_single && !has_name(part, i, p->asked.name))
        return false;
    if (part->type->is_meant)
        return part->type->is_meant(part, i);
    struct str name = part->type->name(part, i);
    return api_request_finds(&p->asked, &name, 1);
}

// False: there is more.
static bool find_items(struct api_page *p, struct api_part *part)
{
    size_t n = part->type->count(part);
    for (size_t k = 0; part->n_seen < n && k < STEP_ITEMS; k++) {
        size_t i = part->n_seen++;
        if (is_meant(p, part, i) && !add_found(part, i))
            p->is_full = true;
        if (p->is_single && part->n_found > 0)
            part->n_seen = n;
    }
    return part->n_seen == n;
}

static void choose_page(struct api_page *p, struct api_part *part)
{
    uint64_t first = 0, n = part->n_found;
    if (p->is_single) {
        p->status = n > 0 ? 200 : 404;
    } else if (!p->is_map && !api_request_page(&p->asked, n, &first, &n, &p->next_page)) {
        p->status = 400;
        n = 0;
    }
    part->at = part->first = (size_t)first;
    part->end = (size_t)(first + n);
    part->n_users_made = part->type->has_users ? part->first : part->end;
}

// A place for the users of each thing on the page.
static void make_users(struct api_page *p, struct api_part *part)
{
    for (size_t k = 0; part->n_users_made < part->end && k < STEP_ITEMS; k++) {
        size_t i = part->found[part->n_users_made++];
        struct api_users *users = ARENA_NEW(part->mem, struct api_users);
        if (users)
            map_set(&part->users, part->type->name(part, i), users);
        else
            p->is_full = true;
    }
}

static bool add_user(struct api_part *part, const struct handler *h, const struct route *r)
{
    struct api_users *users = part->type->is_used_as(h) ? map_get(&part->users, h->name) : NULL;
    struct str name = users ? api_route_name(r, part->mem) : STR_NONE;
    if (!users || (users->n > 0 && str_eq(users->names[users->n - 1], name)))
        return true;
    struct str *names = ARENA_GROW(part->mem, struct str, users->names, users->n, &users->cap);
    if (!names || !name.ptr)
        return false;
    users->names = names;
    users->names[users->n++] = name;
    return true;
}

// False: there is more.
static bool find_users(struct api_page *p, struct api_part *part)
{
    const struct snapshot *s = p->report->status->snapshot;
    size_t n = part->users.n > 0 ? api_n_routes(s) : part->n_users_seen;
    for (size_t k = 0; part->n_users_seen < n && k < STEP_ITEMS; k++) {
        const struct route *r = api_route_at(s, part->n_users_seen++);
        for (const struct handler *h = r->handler; h; h = h->next)
            p->is_full |= !add_user(part, h, r);
    }
    return part->n_users_seen == n;
}

bool api_prepare(struct api_page *p)
{
    if (p->at < p->n_parts) {
        struct api_part *part = &p->parts[p->at];
        size_t n = part->type->count(part);
        if (part->n_seen < n || !part->at_page) {
            bool is_found = find_items(p, part);
            if (is_found) {
                choose_page(p, part);
                part->at_page = true;
            }
        } else if (part->n_users_made < part->end) {
            make_users(p, part);
        } else if (find_users(p, part)) {
            p->at++;
        }
        return false;
    }
    p->at = 0;
    if (p->is_full)
        p->status = 503;
    return true;
}

// --- writing ---

void api_put_message(struct str message, struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "message", message);
    text_byte(to, '}');
}

static void put_failure(const struct api_page *p, struct text *to)
{
    if (p->status == 400)
        api_put_message(STR("invalid request: there is no such page"), to);
    else if (p->status == 503)
        api_put_message(STR("the answer needs too much memory: ask for parts of it"), to);
    else
        api_put_message(STR("not found"), to);
}

// False: that was all.
static bool put_thing(struct api_page *p, struct text *to)
{
    switch (p->asked.view) {
    case API_INDEX:
        api_put_index(to);
        break;
    case API_PROVIDERS:
        api_put_providers(p->report, to);
        break;
    case API_STATUS:
        api_put_status(p->report, to);
        break;
    case API_SETTINGS:
        return api_settings_write(&p->settings_at, p->report, p->asked.name, to);
    case API_TRAFFIC:
        return api_traffic_write(&p->traffic, p->report, to);
    case API_TRAEFIK_VERSION:
        api_put_version(p->report, to);
        break;
    case API_TRAEFIK_OVERVIEW:
        api_put_overview(p->report, to);
        break;
    case API_PING:
    case API_TRAEFIK_RAWDATA:
    case API_ENTRYPOINTS:
    case API_SITES:
    case API_ROUTES:
    case API_FILTERS:
    case API_SERVICES:
    case API_CERTIFICATES:
    case API_ORDERS:
    case API_ERRORS:
    case API_TRAEFIK_ENTRYPOINTS:
    case API_TRAEFIK_HTTP_ROUTERS:
    case API_TRAEFIK_HTTP_SERVICES:
    case API_TRAEFIK_HTTP_MIDDLEWARES:
    case API_TRAEFIK_TCP_ROUTERS:
    case API_TRAEFIK_TCP_SERVICES:
    case API_TRAEFIK_TCP_MIDDLEWARES:
    case API_TRAEFIK_UDP_ROUTERS:
    case API_TRAEFIK_UDP_SERVICES:
        break;
    }
    return false;
}

static void put_item(const struct api_page *p, struct api_part *part, struct text *to)
{
    bool is_first = part->at == part->first;
    size_t i = part->found[part->at++];
    if (!is_first)
        text_byte(to, ',');
    if (p->is_map) {
        struct text name = {.ptr = NULL};
        part->type->put_name(part, i, &name);
        json_text_str(to, text_str(&name));
        text_byte(to, ':');
        text_fini(&name);
    }
    part->type->put(part, i, p->is_map, to);
}

bool api_write(struct api_page *p, struct text *to)
{
    if (p->status != 200) {
        put_failure(p, to);
        return false;
    }
    if (p->n_parts == 0)
        return put_thing(p, to);
    struct api_part *part = &p->parts[p->at];
    if (!p->is_started)
        text_put(to, p->is_map ? STR("{") : p->is_single ? STR_NONE : STR("["));
    if (p->is_map && part->at == part->first)
        text_printf(to, "%s\"%s\":{", p->at > 0 ? "," : "", part->key);
    p->is_started = true;
    if (part->at < part->end)
        put_item(p, part, to);
    if (part->at < part->end)
        return true;
    if (p->is_map)
        text_byte(to, '}');
    if (++p->at < p->n_parts)
        return true;
    text_put(to, p->is_map ? STR("}") : p->is_single ? STR_NONE : STR("]"));
    return false;
}
