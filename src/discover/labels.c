// SPDX-License-Identifier: Apache-2.0
#include "discover/labels.h"

#include <stdio.h>

#include "base/num.h"
#include "conf/conf.h"
#include "gate/settings.h"
#include "upstream/service.h"

#define PREFIX "sallyport."
#define SOURCE_PREFIX "container "
#define SOURCE_LABEL ", label "

// Labels with a meaning of their own; all others are paths of settings.
struct own_labels {
    const struct container_label *site, *to, *path, *weight, *network, *enable;
};

struct reader {
    const struct container *c;
    const struct labels_env *env;
    struct own_labels own;
    struct conf_node *root;
    struct str site;    // the first of the label's names
    struct str service; // of this site; empty: it has no service of its own
    bool is_broken;
};

const char *labels_source(const struct container *c, struct str label, struct arena *mem)
{
    struct str text = arena_printf(mem, SOURCE_PREFIX STR_FMT "%s" STR_FMT, STR_ARG(c->name),
                                   label.len > 0 ? SOURCE_LABEL : "", STR_ARG(label));
    for (size_t i = 0; i < text.len; i++) { // it goes into logs and to terminals
        char *at = (char *)(uintptr_t)&text.ptr[i];
        *at = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
    }
    return text.ptr ? text.ptr : SOURCE_PREFIX;
}

struct str labels_container_of(const char *source)
{
    struct str name, text = str_of(source);
    if (!str_starts(text, STR(SOURCE_PREFIX)))
        return STR_NONE;
    str_cut(str_skip(text, sizeof SOURCE_PREFIX - 1), ',', &name, NULL);
    return name;
}

static struct place place_of(struct reader *r, const struct container_label *l)
{
    return (struct place){.source = labels_source(r->c, l ? l->name : STR_NONE, r->env->mem)};
}

PRINTF(3, 4)
static void fail(struct reader *r, const struct container_label *l, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    diag_fail(r->env->diags, ERR_SYNTAX, place_of(r, l), "%s", text);
    r->is_broken = true;
}

// --- trees ---

static struct conf_node *child_map(struct reader *r, struct conf_node *map, struct str key,
                                   struct place place)
{
    struct conf_node *child = conf_node_get(map, key);
    if (child)
        return child;
    child = conf_node_new(r->env->mem, CONF_NODE_MAP, place);
    conf_node_put(map, key, child);
    return child;
}

static struct conf_node *put_scalar(struct reader *r, struct conf_node *map, struct str key,
                                    struct str value, struct place place)
{
    struct conf_node *node = conf_node_scalar(r->env->mem, value, place);
    conf_node_put(map, key, node);
    return node;
}

static struct str name_here(struct reader *r, struct str name)
{
    return arena_concat(r->env->mem, name, STR(DISCOVER_SUFFIX), STR_NONE);
}

// --- the container as a server ---

// "8080", "https://:8443": what `to` says of this container. False: it is something else.
static bool parse_port(struct str value, struct str *ret_scheme, struct str *ret_port)
{
    struct str port = value;
    size_t at = str_search(value, STR("://:"));
    uint64_t ignored;
    *ret_scheme = STR("http");
    if (at != STR_NPOS) {
        *ret_scheme = str_first(value, at);
        port = str_skip(value, at + 4);
    }
    *ret_port = port;
    return num_dec(port, UINT32_MAX, &ignored) == ERR_OK;
}

// The URL of the container itself. Empty: it can't be reached, which was told.
static struct str own_url(struct reader *r, const struct container_label *label, struct str scheme,
                          struct str port_text, struct place place)
{
    struct arena *mem = r->env->mem;
    struct ip ip;
    struct str note;
    uint16_t port;
    char text[46];
    struct str network = r->own.network ? r->own.network->value : STR_NONE;
    if (!reach_port(r->c, port_text, mem, &port, &note)) {
        fail(r, label, STR_FMT, STR_ARG(note));
        return STR_NONE;
    }
    if (note.len > 0)
        diag_warn(r->env->diags, place, STR_FMT, STR_ARG(note));
    if (!reach_address(r->env->reach, r->c, network, mem, &ip, &note)) {
        fail(r, r->own.network ? r->own.network : label, STR_FMT, STR_ARG(note));
        return STR_NONE;
    }
    struct str host = ip_text(&ip, text);
    return arena_printf(
        mem, ip.family == 6 ? STR_FMT "://[" STR_FMT "]:%u" : STR_FMT "://" STR_FMT ":%u",
        STR_ARG(scheme), STR_ARG(host), port);
}

// Makes the container a server of the service: at once, or when it is ready.
static void add_service(struct reader *r, struct str name, const struct container_label *label,
                        struct str scheme, struct str port)
{
    struct arena *mem = r->env->mem;
    struct place place = place_of(r, label);
    struct conf_node *services = child_map(r, r->root, STR("services"), place);
    struct conf_node *service = child_map(r, services, name, place);
    if (conf_node_get(service, STR("servers")))
        return; // two sites of one service
    struct conf_node *list = conf_node_new(mem, CONF_NODE_SEQ, place);
    conf_node_put(service, STR("servers"), list);
    put_scalar(r, service, STR("may-be-empty"), STR("yes"), place);
    if (!container_is_ready(r->c))
        return;
    struct str url = own_url(r, label, scheme, port, place);
    if (url.len == 0)
        return;
    struct conf_node *server = conf_node_new(mem, CONF_NODE_MAP, place);
    conf_node_append(list, server);
    put_scalar(r, server, STR("url"), url, place);
    if (r->own.weight)
        put_scalar(r, server, STR("weight"), r->own.weight->value, place_of(r, r->own.weight));
}

// --- the container's own site ---

// Names in a label: "a.example.com, b.example.com".
static void put_aliases(struct reader *r, struct conf_node *site, struct str rest)
{
    struct conf_node *list = conf_node_new(r->env->mem, CONF_NODE_SEQ, place_of(r, r->own.site));
    struct str name;
    while (str_trim(rest).len > 0) {
        str_cut(rest, ',', &name, &rest);
        conf_node_append(list,
                         conf_node_scalar(r->env->mem, str_trim(name), place_of(r, r->own.site)));
    }
    if (list->n > 0)
        conf_node_put(site, STR("aliases"), list);
}

static bool is_rule_path(struct str path)
{
    return str_starts(path, STR("/")) && str_find(path, '`') == STR_NPOS;
}

// With a path, the container has a part of the site: a route of it.
static void put_site_target(struct reader *r, struct conf_node *site)
{
    const struct container_label *path = r->own.path;
    struct arena *mem = r->env->mem;
    struct place place = place_of(r, path ? path : r->own.site);
    if (!path || str_eq(path->value, STR("/"))) {
        put_scalar(r, site, STR("to"), r->service, place);
        return;
    }
    if (!is_rule_path(path->value)) {
        fail(r, path, "'" STR_FMT "' is not a path; write it like /api", STR_ARG(path->value));
        return;
    }
    struct conf_node *list = conf_node_new(mem, CONF_NODE_SEQ, place);
    struct conf_node *route = conf_node_new(mem, CONF_NODE_MAP, place);
    conf_node_put(site, STR("routes"), list);
    conf_node_append(list, route);
    put_scalar(r, route, STR("match"),
               arena_concat(mem, STR("PathPrefix(`"), path->value, STR("`)")), place);
    put_scalar(r, route, STR("name"), r->service, place);
    put_scalar(r, route, STR("to"), r->service, place);
}

static void read_own_site(struct reader *r)
{
    struct str scheme = STR("http"), port = STR_NONE, rest;
    const struct container_label *l = r->own.site;
    const struct container_label *lost = r->own.to ? r->own.to : r->own.path;
    if (!l && lost)
        fail(r, lost, "it is about the container's site, and no label " PREFIX "site names one");
    if (!l)
        return;
    str_cut(l->value, ',', &r->site, &rest);
    r->site = str_trim(r->site);
    if (r->site.len == 0) {
        fail(r, l, "it names no site; write a host name like app.example.com");
        return;
    }
    if (r->own.to && !parse_port(r->own.to->value, &scheme, &port)) {
        fail(r, r->own.to,
             "'" STR_FMT "' is not a port of the container; write it like 8080 or https://:8443",
             STR_ARG(r->own.to->value));
        return;
    }
    struct str path =
        r->own.path && !str_eq(r->own.path->value, STR("/")) ? r->own.path->value : STR_NONE;
    r->service = name_here(r, arena_concat(r->env->mem, r->site, path, STR_NONE));
    struct place place = place_of(r, l);
    struct conf_node *sites = child_map(r, r->root, STR("sites"), place);
    struct conf_node *site = child_map(r, sites, r->site, place);
    put_aliases(r, site, rest);
    put_site_target(r, site);
    add_service(r, r->service, r->own.to ? r->own.to : l, scheme, port);
}

// --- settings by their paths ---

static void put_setting(struct reader *r, const struct conf_section *section, struct conf_node *map,
                        struct str path, const struct container_label *l)
{
    if (conf_put(section, map, path, l->value, place_of(r, l), r->env->mem, r->env->diags) !=
        ERR_OK)
        r->is_broken = true;
}

// A setting of something with a name; `to` may be a port of this container.
static void put_named(struct reader *r, struct str kind, const struct conf_section *section,
                      struct str name, struct str path, const struct container_label *l)
{
    struct str scheme, port;
    struct place place = place_of(r, l);
    struct conf_node *map = child_map(r, child_map(r, r->root, kind, place), name, place);
    if (!str_eq(path, STR("to")) || !parse_port(l->value, &scheme, &port)) {
        put_setting(r, section, map, path, l);
        return;
    }
    struct str service = str_ends(name, STR(DISCOVER_SUFFIX)) ? name : name_here(r, name);
    if (conf_node_get(map, path)) {
        fail(r, l, "the label " PREFIX "to says where requests go already");
        return;
    }
    put_scalar(r, map, path, service, place);
    add_service(r, service, l, scheme, port);
}

// Host names have dots, too: the name is the shortest beginning behind which a setting is named.
static void put_of_site(struct reader *r, struct str rest, const struct container_label *l)
{
    for (size_t i = 1; i < rest.len; i++) {
        struct str path = str_skip(rest, i + 1);
        if (rest.ptr[i] == '.' && conf_leads_somewhere(&site_section, path)) {
            put_named(r, STR("sites"), &site_section, str_first(rest, i), path, l);
            return;
        }
    }
    fail(r, l, "it names no setting of a site; write it like " PREFIX "sites.app.example.com.use");
}

static void put_of_own(struct reader *r, struct str kind, const struct conf_section *section,
                       struct str name, struct str path, const struct container_label *l)
{
    if (name.len > 0)
        put_named(r, kind, section, name, path, l);
    else if (!r->is_broken)
        fail(r, l, "it is about the container's site, and no label " PREFIX "site names one");
}

// What labels may set: kinds of things with names. All else belongs to the machine.
static const struct {
    struct str prefix, kind;
    const struct conf_section *section;
} kinds[] = {
    {STR_INIT("services."), STR_INIT("services"), &service_section},
    {STR_INIT("filters."), STR_INIT("filters"), &filter_section},
    {STR_INIT("routes."), STR_INIT("routes"), &route_section},
};

static void read_setting(struct reader *r, const struct container_label *l)
{
    struct str path = str_skip(l->name, sizeof PREFIX - 1), name, rest;
    if (str_starts(path, STR("site."))) {
        put_of_own(r, STR("sites"), &site_section, r->site, str_skip(path, 5), l);
        return;
    }
    if (str_starts(path, STR("service."))) {
        put_of_own(r, STR("services"), &service_section, r->service, str_skip(path, 8), l);
        return;
    }
    if (str_starts(path, STR("sites."))) {
        put_of_site(r, str_skip(path, 6), l);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_starts(path, kinds[i].prefix))
            continue;
        str_cut(str_skip(path, kinds[i].prefix.len), '.', &name, &rest);
        if (str_find(name, '@') != STR_NPOS)
            fail(r, l, "a name has no '@': what stands behind it says whose it is");
        else if (name.len > 0)
            put_named(r, kinds[i].kind, kinds[i].section, name_here(r, name), rest, l);
        else
            fail(r, l, "a name is missing behind '" STR_FMT "'", STR_ARG(kinds[i].kind));
        return;
    }
    str_cut(path, '.', &name, NULL);
    static const char *const known[] = {"site",    "to",      "path",   "weight",
                                        "network", "enable",  "sites",  "services",
                                        "service", "filters", "routes", NULL};
    const char *near = conf_suggest(name, known);
    if (conf_leads_somewhere(&settings_section, path) || str_eq(name, STR("entrypoints")))
        fail(r, l, "'" STR_FMT "' belongs to the machine, and isn't for labels", STR_ARG(name));
    else
        fail(r, l, "there is no label " PREFIX STR_FMT "%s%s%s", STR_ARG(name),
             near ? "; did you mean " PREFIX : "", near ? near : "", near ? "?" : "");
}

// --- the whole ---

static const struct container_label **own_place(struct reader *r, struct str name)
{
    const struct {
        struct str name;
        const struct container_label **place;
    } places[] = {
        {STR(PREFIX "site"), &r->own.site},       {STR(PREFIX "to"), &r->own.to},
        {STR(PREFIX "path"), &r->own.path},       {STR(PREFIX "weight"), &r->own.weight},
        {STR(PREFIX "network"), &r->own.network}, {STR(PREFIX "enable"), &r->own.enable},
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (str_ieq(name, places[i].name))
            return places[i].place;
    }
    return NULL;
}

// False: the container isn't to be seen.
static bool is_exposed(struct reader *r, size_t n_own)
{
    const struct container_label *l = r->own.enable;
    if (n_own == 0)
        return false;
    if (!l)
        return r->env->exposed_by_default;
    bool is_yes = str_ieq(l->value, STR("true")) || str_ieq(l->value, STR("yes"));
    bool is_no = str_ieq(l->value, STR("false")) || str_ieq(l->value, STR("no"));
    if (!is_yes && !is_no)
        fail(r, l, "'" STR_FMT "' is neither true nor false", STR_ARG(l->value));
    return is_yes;
}

// Routes are a list, in which each has its name.
static void make_list_of_routes(struct reader *r)
{
    struct conf_node *map = conf_node_get(r->root, STR("routes"));
    if (!map)
        return;
    for (struct conf_node *n = map->first; n; n = n->next)
        if (n->kind == CONF_NODE_MAP && !conf_node_get(n, STR("name")))
            put_scalar(r, n, STR("name"), n->key, n->place);
    map->kind = CONF_NODE_SEQ;
}

struct conf_node *labels_read(const struct container *c, const struct labels_env *env)
{
    struct reader r = {.c = c, .env = env};
    size_t n_own = 0;
    for (size_t i = 0; i < c->n_labels; i++) {
        const struct container_label **place = own_place(&r, c->labels[i].name);
        if (place)
            *place = &c->labels[i];
        n_own += str_istarts(c->labels[i].name, STR(PREFIX));
    }
    if (!is_exposed(&r, n_own))
        return NULL;
    r.root = conf_node_new(env->mem, CONF_NODE_MAP, place_of(&r, NULL));
    read_own_site(&r);
    for (size_t i = 0; i < c->n_labels; i++) {
        const struct container_label *l = &c->labels[i];
        if (str_istarts(l->name, STR(PREFIX)) && !own_place(&r, l->name))
            read_setting(&r, l);
    }
    make_list_of_routes(&r);
    return r.is_broken ? NULL : r.root;
}
