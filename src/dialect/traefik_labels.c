// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_labels.h"

#include "base/ascii.h"
#include "base/text.h"
#include "dialect/traefik_tree.h"
#include "discover/labels.h"

#define PREFIX "traefik."

struct reader {
    const struct container *c;
    const struct traefik_labels_env *env;
    struct arena *mem;
    struct conf_node *root; // of this container alone
    bool is_broken;
};

static struct place place_of(const struct reader *r, struct str label)
{
    return (struct place){.source = labels_source(r->c, label, r->mem)};
}

static void fail(struct reader *r, struct str label, const char *text)
{
    diag_fail(r->env->diags, ERR_SYNTAX, place_of(r, label), "%s", text);
    r->is_broken = true;
}

static struct str value_of(const struct container *c, const char *name)
{
    const struct container_label *label = container_label(c, str_of(name));
    return label ? label->value : STR_NONE;
}

static struct conf_node *new_node(struct reader *r, enum conf_node_kind kind, struct place place)
{
    struct conf_node *node = conf_node_new(r->mem, kind, place);
    if (!node)
        panic("labels don't fit");
    return node;
}

static struct conf_node *child_map(struct reader *r, struct conf_node *map, struct str key)
{
    struct conf_node *child = traefik_get(map, key);
    if (child)
        return child->kind == CONF_NODE_MAP ? child : NULL;
    child = new_node(r, CONF_NODE_MAP, place_of(r, STR_NONE));
    conf_node_put(map, key, child);
    return child;
}

static void put_text(struct reader *r, struct conf_node *map, struct str key, struct str text,
                     struct place place)
{
    struct conf_node *node = new_node(r, CONF_NODE_SCALAR, place);
    node->text = text;
    conf_node_put(map, key, node);
}

// --- which labels ---

// "traefik.http.routers…": what stands behind the prefix. Empty: it's another label.
static struct str path_of(struct str name)
{
    return str_istarts(name, STR(PREFIX)) ? str_skip(name, STR(PREFIX).len) : STR_NONE;
}

// What is about the provider, and not about routers.
static bool is_own(struct str path)
{
    return str_ieq(path, STR("enable")) || str_istarts(path, STR("docker."));
}

static bool is_exposed(struct reader *r)
{
    struct str value = value_of(r->c, PREFIX "enable");
    if (value.len == 0)
        return r->env->exposed_by_default;
    if (str_ieq(value, STR("true")) || str_eq(value, STR("1")))
        return true;
    if (!str_ieq(value, STR("false")) && !str_eq(value, STR("0")))
        fail(r, STR(PREFIX "enable"), "it is neither true nor false");
    return false;
}

static void check_first(struct reader *r, struct str label, struct str path)
{
    static const char *const known[] = {"http", "tcp", "udp", "tls", "enable", "docker", NULL};
    static const char *const old[] = {"frontend", "backend", "port", "protocol", "weight", NULL};
    struct str first;
    str_cut(path, '.', &first, NULL);
    for (size_t i = 0; known[i]; i++) {
        if (str_ieq(first, str_of(known[i])))
            return;
    }
    for (size_t i = 0; old[i]; i++) {
        if (str_ieq(first, str_of(old[i]))) {
            fail(r, label,
                 "it is of Traefik 1: routers and services are traefik.http.routers.… "
                 "and traefik.http.services.… since version 2");
            return;
        }
    }
    fail(r, label,
         "there is no such label: known are traefik.http.…, traefik.tcp.… and "
         "traefik.enable");
}

static void read_labels(struct reader *r)
{
    for (size_t i = 0; i < r->c->n_labels; i++) {
        const struct container_label *label = &r->c->labels[i];
        struct str path = path_of(label->name);
        if (path.len == 0 || is_own(path))
            continue;
        check_first(r, label->name, path);
        if (!traefik_put(r->root, path, label->value, place_of(r, label->name), r->mem,
                         r->env->diags))
            r->is_broken = true;
    }
}

bool traefik_labels_are_there(const struct container *c)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (path_of(c->labels[i].name).len > 0)
            return true;
    }
    return false;
}

// --- names and rules ---

// Letters and digits, with a '-' for what stands between.
static struct str normalize(struct str name, struct arena *mem)
{
    char *copy = ARENA_ARRAY(mem, char, name.len + 1);
    size_t n = 0;
    bool is_apart = false;
    for (size_t i = 0; copy && i < name.len; i++) {
        if (!ascii_is(name.ptr[i], ASCII_ALPHA | ASCII_DIGIT)) {
            is_apart = n > 0;
            continue;
        }
        if (is_apart)
            copy[n++] = '-';
        is_apart = false;
        copy[n++] = name.ptr[i];
    }
    return str_from(copy, copy ? n : 0);
}

// Compose's name of the service, or the container's own.
static struct str service_name(struct reader *r)
{
    struct str project = value_of(r->c, "com.docker.compose.project");
    struct str service = value_of(r->c, "com.docker.compose.service");
    bool is_compose = project.len > 0 && service.len > 0;
    return normalize(is_compose ? arena_concat(r->mem, service, STR("_"), project) : r->c->name,
                     r->mem);
}

enum variable { VARIABLE_NONE, VARIABLE_NAME, VARIABLE_CONTAINER };

// "{{ normalize .Name }}" without the braces.
static enum variable variable_of(struct str inner)
{
    struct str word = str_next_word(&inner);
    if (str_eq(word, STR("normalize")))
        word = str_next_word(&inner);
    if (str_trim(inner).len > 0)
        return VARIABLE_NONE;
    return str_eq(word, STR(".Name"))            ? VARIABLE_NAME
           : str_eq(word, STR(".ContainerName")) ? VARIABLE_CONTAINER
                                                 : VARIABLE_NONE;
}

// False: it has something that isn't understood. to: NULL, or where the rule goes.
static bool fill_template(struct str template, struct str name, struct str container,
                          struct text *to)
{
    for (;;) {
        size_t open = MIN(str_search(template, STR("{{")), template.len);
        if (to)
            text_put(to, str_first(template, open));
        if (open == template.len)
            return true;
        template = str_skip(template, open + 2);
        size_t close = str_search(template, STR("}}"));
        enum variable v =
            close == STR_NPOS ? VARIABLE_NONE : variable_of(str_first(template, close));
        if (v == VARIABLE_NONE)
            return false;
        if (to)
            text_put(to, v == VARIABLE_NAME ? name : container);
        template = str_skip(template, close + 2);
    }
}

bool traefik_default_rule_is_known(struct str template)
{
    return fill_template(template, STR_NONE, STR_NONE, NULL);
}

static struct str default_rule(struct reader *r, struct str name)
{
    struct text to = {.ptr = NULL};
    struct str template =
        r->env->default_rule.len > 0 ? r->env->default_rule : STR("Host(`{{ normalize .Name }}`)");
    (void)fill_template(template, name, normalize(r->c->name, r->mem), &to);
    struct str rule = arena_dup(r->mem, text_str(&to));
    text_fini(&to);
    return rule;
}

// --- services ---

// Where requests go. False: the container can't be reached, which was told.
static bool own_address(struct reader *r, const struct conf_node *port_node, struct str *ret)
{
    struct str why, note = STR_NONE;
    struct ip ip;
    uint16_t port;
    char buf[46];
    struct str label = port_node ? port_node->text : STR_NONE;
    if (!reach_address(r->env->reach, r->c, value_of(r->c, PREFIX "docker.network"), r->mem, &ip,
                       &why)) {
        diag_fail(r->env->diags, ERR_NOT_FOUND, place_of(r, STR_NONE), STR_FMT, STR_ARG(why));
        return false;
    }
    if (!reach_port(r->c, label, r->mem, &port, &note)) {
        diag_fail(r->env->diags, ERR_NOT_FOUND,
                  port_node ? port_node->place : place_of(r, STR_NONE), STR_FMT, STR_ARG(note));
        return false;
    }
    if (note.len > 0)
        diag_warn(r->env->diags, place_of(r, STR_NONE), STR_FMT, STR_ARG(note));
    struct str text = ip_text(&ip, buf);
    *ret = arena_printf(r->mem, ip.family == 6 ? "[" STR_FMT "]:%u" : STR_FMT ":%u", STR_ARG(text),
                        port);
    return true;
}

static void take_out(struct conf_node *map, struct conf_node *child)
{
    struct conf_node *kept = map->first;
    map->first = map->last = NULL;
    map->n = 0;
    for (struct conf_node *next; kept; kept = next) {
        next = kept->next;
        if (kept != child)
            conf_node_append(map, kept);
    }
}

// "server.port" and "server.scheme" become a server with the container's address.
static void put_server(struct reader *r, struct conf_node *balancer, bool is_tcp)
{
    struct conf_node *given = traefik_get(balancer, STR("server"));
    const struct conf_node *url = traefik_get(given, STR("url"));
    const struct conf_node *scheme = traefik_get(given, STR("scheme"));
    const struct conf_node *weight = traefik_get(given, STR("weight"));
    struct str address, key = is_tcp ? STR("address") : STR("url");
    if (given)
        take_out(balancer, given);
    if (traefik_get(balancer, STR("servers")))
        return; // it names them all itself
    struct conf_node *servers = new_node(r, CONF_NODE_SEQ, place_of(r, STR_NONE));
    conf_node_put(balancer, STR("servers"), servers);
    if (!container_is_ready(r->c))
        return;
    if (url && !is_tcp)
        address = url->text;
    else if (!own_address(r, traefik_get(given, STR("port")), &address))
        return;
    else if (!is_tcp)
        address = arena_printf(r->mem, STR_FMT "://" STR_FMT,
                               STR_ARG(scheme ? scheme->text : STR("http")), STR_ARG(address));
    struct conf_node *server = new_node(r, CONF_NODE_MAP, place_of(r, STR_NONE));
    put_text(r, server, key, address, scheme ? scheme->place : server->place);
    if (weight)
        put_text(r, server, STR("weight"), weight->text, weight->place);
    conf_node_append(servers, server);
}

static void put_services(struct reader *r, struct conf_node *services, struct str name, bool is_tcp)
{
    if (services->n == 0) {
        struct conf_node *service = child_map(r, services, name);
        (void)child_map(r, service, STR("loadBalancer"));
    }
    for (struct conf_node *s = services->first; s; s = s->next) {
        struct conf_node *balancer = traefik_get(s, STR("loadBalancer"));
        // "loadbalancer" without anything below it: a switch that is on.
        if (balancer && balancer->kind == CONF_NODE_SCALAR)
            balancer->kind = CONF_NODE_MAP;
        if (balancer && balancer->kind == CONF_NODE_MAP)
            put_server(r, balancer, is_tcp);
    }
}

// --- routers ---

static void put_routers(struct reader *r, struct conf_node *routers,
                        const struct conf_node *services, struct str name)
{
    for (struct conf_node *router = routers->first; router; router = router->next) {
        if (router->kind == CONF_NODE_SCALAR && str_ieq(router->text, STR("true")))
            router->kind = CONF_NODE_MAP;
        if (router->kind != CONF_NODE_MAP)
            continue;
        if (!traefik_get(router, STR("rule")) && name.len > 0)
            put_text(r, router, STR("rule"), default_rule(r, name), router->place);
        if (!traefik_get(router, STR("service")) && services->n == 1)
            put_text(r, router, STR("service"), services->first->key, router->place);
        else if (!traefik_get(router, STR("service")))
            diag_fail(r->env->diags, ERR_SYNTAX, router->place,
                      "the container has %zu services: say which one the router '" STR_FMT
                      "' leads to",
                      services->n, STR_ARG(router->key));
    }
}

static void complete(struct reader *r)
{
    struct str name = service_name(r);
    struct conf_node *tcp = traefik_get(r->root, STR("tcp"));
    bool has_http = traefik_get(r->root, STR("http")) != NULL;
    if (tcp && tcp->kind == CONF_NODE_MAP) {
        struct conf_node *services = child_map(r, tcp, STR("services"));
        struct conf_node *routers = child_map(r, tcp, STR("routers"));
        if (services && routers) {
            put_services(r, services, name, true);
            put_routers(r, routers, services, STR_NONE);
        }
    }
    if ((tcp || traefik_get(r->root, STR("udp"))) && !has_http)
        return;
    struct conf_node *http = child_map(r, r->root, STR("http"));
    struct conf_node *services = http ? child_map(r, http, STR("services")) : NULL;
    struct conf_node *routers = services ? child_map(r, http, STR("routers")) : NULL;
    if (!routers)
        return;
    put_services(r, services, name, false);
    if (routers->n == 0 && services->n == 1)
        (void)child_map(r, routers, name);
    put_routers(r, routers, services, name);
}

// --- all containers together ---

// Two of one name: the same but for its servers, which are joined.
static bool join_service(struct conf_node *to, struct conf_node *from)
{
    struct conf_node *a = traefik_get(to, STR("loadBalancer"));
    struct conf_node *b = traefik_get(from, STR("loadBalancer"));
    struct conf_node *ours = traefik_get(a, STR("servers"));
    struct conf_node *theirs = traefik_get(b, STR("servers"));
    if (!ours || !theirs || ours->kind != CONF_NODE_SEQ || theirs->kind != CONF_NODE_SEQ)
        return false;
    struct conf_node kept_ours = *ours, kept_theirs = *theirs;
    ours->first = theirs->first = NULL;
    ours->n = theirs->n = 0;
    bool is_same = traefik_same(to, from);
    ours->first = kept_ours.first;
    ours->n = kept_ours.n;
    theirs->first = kept_theirs.first;
    theirs->n = kept_theirs.n;
    for (struct conf_node *s = is_same ? theirs->first : NULL, *next; s; s = next) {
        next = s->next;
        conf_node_append(ours, s);
    }
    return is_same;
}

// Moves the things of one kind.
static void join_kind(struct reader *r, struct conf_node *to, struct conf_node *from)
{
    for (struct conf_node *thing = from->first, *next; thing; thing = next) {
        struct conf_node *known = traefik_get(to, thing->key);
        next = thing->next;
        if (!known)
            conf_node_append(to, thing);
        else if (!join_service(known, thing) && !traefik_same(known, thing))
            diag_fail(r->env->diags, ERR_SYNTAX, thing->place,
                      "'" STR_FMT "' says something else in %s, which is taken",
                      STR_ARG(thing->key), known->place.source ? known->place.source : "another");
    }
}

static void join_all(struct reader *r, struct conf_node *root)
{
    for (struct conf_node *protocol = r->root->first; protocol; protocol = protocol->next) {
        struct conf_node *to = child_map(r, root, protocol->key);
        for (struct conf_node *kind = protocol->first, *next; to && kind; kind = next) {
            next = kind->next;
            struct conf_node *known = traefik_get(to, kind->key);
            if (!known)
                conf_node_append(to, kind);
            else if (known->kind == CONF_NODE_MAP && kind->kind == CONF_NODE_MAP)
                join_kind(r, known, kind);
        }
    }
}

bool traefik_labels_add(const struct container *c, const struct traefik_labels_env *env,
                        struct conf_node *root)
{
    struct reader r = {.c = c, .env = env, .mem = env->mem};
    if (!is_exposed(&r))
        return false;
    r.root = new_node(&r, CONF_NODE_MAP, place_of(&r, STR_NONE));
    read_labels(&r);
    if (r.is_broken)
        return false;
    complete(&r);
    join_all(&r, root);
    return true;
}
