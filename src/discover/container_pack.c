// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"
#include "discover/container.h"

// --- to nodes ---

struct packer {
    struct arena *mem;
    bool is_full;
};

static const struct place nowhere = {.source = NULL};

static struct conf_node *new_node(struct packer *p, enum conf_node_kind kind)
{
    struct conf_node *node = p->is_full ? NULL : conf_node_new(p->mem, kind, nowhere);
    p->is_full = p->is_full || !node;
    return node;
}

static void put_node(struct packer *p, struct conf_node *map, struct str key, struct conf_node *to)
{
    if (!p->is_full)
        conf_node_put(map, key, to);
}

static void put_text(struct packer *p, struct conf_node *map, struct str key, struct str value)
{
    struct conf_node *node = new_node(p, CONF_NODE_SCALAR);
    if (node)
        node->text = value;
    put_node(p, map, key, node);
}

static void put_ip(struct packer *p, struct conf_node *map, struct str key, const struct ip *ip)
{
    char buf[46];
    if (ip->family != 0)
        put_text(p, map, key, arena_dup(p->mem, ip_text(ip, buf)));
}

static void put_number(struct packer *p, struct conf_node *map, struct str key, unsigned value)
{
    if (value > 0)
        put_text(p, map, key, arena_printf(p->mem, "%u", value));
}

// A map for one more of a list.
static struct conf_node *put_element(struct packer *p, struct conf_node *list)
{
    struct conf_node *map = new_node(p, CONF_NODE_MAP);
    if (map)
        conf_node_append(list, map);
    return map;
}

static void put_lists(struct packer *p, struct conf_node *root, const struct container *c)
{
    struct conf_node *labels = new_node(p, CONF_NODE_MAP);
    struct conf_node *networks = new_node(p, CONF_NODE_SEQ), *ports = new_node(p, CONF_NODE_SEQ);
    for (size_t i = 0; i < c->n_labels; i++)
        put_text(p, labels, c->labels[i].name, c->labels[i].value);
    for (size_t i = 0; i < c->n_networks; i++) {
        struct conf_node *map = put_element(p, networks);
        put_text(p, map, STR("name"), c->networks[i].name);
        put_text(p, map, STR("id"), c->networks[i].id);
        put_ip(p, map, STR("v4"), &c->networks[i].v4);
        put_ip(p, map, STR("v6"), &c->networks[i].v6);
    }
    for (size_t i = 0; i < c->n_ports; i++) {
        struct conf_node *map = put_element(p, ports);
        put_number(p, map, STR("port"), c->ports[i].port);
        put_number(p, map, STR("host-port"), c->ports[i].host_port);
        put_ip(p, map, STR("host-ip"), &c->ports[i].host_ip);
    }
    put_node(p, root, STR("labels"), labels);
    put_node(p, root, STR("networks"), networks);
    put_node(p, root, STR("ports"), ports);
}

struct conf_node *container_pack(const struct container *c, struct arena *mem)
{
    struct packer p = {.mem = mem};
    struct conf_node *root = new_node(&p, CONF_NODE_MAP);
    put_text(&p, root, STR("id"), c->id);
    put_text(&p, root, STR("name"), c->name);
    put_text(&p, root, STR("image"), c->image);
    put_text(&p, root, STR("state"), str_of(container_state_name(c->state)));
    put_text(&p, root, STR("health"), str_of(container_health_name(c->health)));
    put_text(&p, root, STR("on-host"), c->is_on_host ? STR("yes") : STR("no"));
    put_text(&p, root, STR("network"), c->network);
    put_lists(&p, root, c);
    return p.is_full ? NULL : root;
}

// --- from nodes ---

struct unpacker {
    struct arena *mem;
    bool is_broken;
};

static const struct conf_node *take_node(struct unpacker *u, const struct conf_node *map,
                                         struct str key, enum conf_node_kind kind)
{
    const struct conf_node *node = map->kind == CONF_NODE_MAP ? conf_node_get(map, key) : NULL;
    if (node && node->kind == kind)
        return node;
    u->is_broken = true;
    return NULL;
}

static struct str take_text(struct unpacker *u, const struct conf_node *map, struct str key)
{
    const struct conf_node *node = take_node(u, map, key, CONF_NODE_SCALAR);
    return node ? node->text : STR_NONE;
}

static bool has(const struct conf_node *map, struct str key)
{
    return map->kind == CONF_NODE_MAP && conf_node_get(map, key) != NULL;
}

static void take_ip(struct unpacker *u, const struct conf_node *map, struct str key, struct ip *ret)
{
    if (has(map, key) && ip_parse(take_text(u, map, key), ret) != ERR_OK)
        u->is_broken = true;
}

static uint16_t take_number(struct unpacker *u, const struct conf_node *map, struct str key)
{
    uint64_t value = 0;
    if (has(map, key) && num_dec(take_text(u, map, key), UINT16_MAX, &value) != ERR_OK)
        u->is_broken = true;
    return (uint16_t)value;
}

// A list of at most max, and room for as many of size bytes each.
static const struct conf_node *take_list(struct unpacker *u, const struct conf_node *root,
                                         struct str key, enum conf_node_kind kind, size_t max)
{
    const struct conf_node *list = take_node(u, root, key, kind);
    if (!list || list->n <= max)
        return list;
    u->is_broken = true;
    return NULL;
}

static void take_labels(struct unpacker *u, const struct conf_node *root, struct container *c)
{
    const struct conf_node *list =
        take_list(u, root, STR("labels"), CONF_NODE_MAP, CONTAINER_LABELS_MAX);
    c->labels = list ? ARENA_ARRAY(u->mem, struct container_label, list->n) : NULL;
    if (!c->labels)
        return;
    for (const struct conf_node *n = list->first; n; n = n->next) {
        c->labels[c->n_labels++] = (struct container_label){.name = n->key, .value = n->text};
        u->is_broken = u->is_broken || n->kind != CONF_NODE_SCALAR;
    }
}

static void take_networks(struct unpacker *u, const struct conf_node *root, struct container *c)
{
    const struct conf_node *list =
        take_list(u, root, STR("networks"), CONF_NODE_SEQ, CONTAINER_NETWORKS_MAX);
    c->networks = list ? ARENA_ARRAY(u->mem, struct container_network, list->n) : NULL;
    if (!c->networks)
        return;
    for (const struct conf_node *n = list->first; n; n = n->next) {
        struct container_network *to = &c->networks[c->n_networks++];
        *to = (struct container_network){.name = take_text(u, n, STR("name")),
                                         .id = take_text(u, n, STR("id"))};
        take_ip(u, n, STR("v4"), &to->v4);
        take_ip(u, n, STR("v6"), &to->v6);
        u->is_broken = u->is_broken || to->v4.family == 6 || to->v6.family == 4;
    }
}

static void take_ports(struct unpacker *u, const struct conf_node *root, struct container *c)
{
    const struct conf_node *list =
        take_list(u, root, STR("ports"), CONF_NODE_SEQ, CONTAINER_PORTS_MAX);
    c->ports = list ? ARENA_ARRAY(u->mem, struct container_port, list->n) : NULL;
    if (!c->ports)
        return;
    for (const struct conf_node *n = list->first; n; n = n->next) {
        struct container_port *to = &c->ports[c->n_ports++];
        *to = (struct container_port){.port = take_number(u, n, STR("port")),
                                      .host_port = take_number(u, n, STR("host-port"))};
        take_ip(u, n, STR("host-ip"), &to->host_ip);
    }
}

bool container_unpack(const struct conf_node *node, struct arena *mem, struct container *ret)
{
    struct unpacker u = {.mem = mem};
    struct container c = {
        .id = take_text(&u, node, STR("id")),
        .name = take_text(&u, node, STR("name")),
        .image = take_text(&u, node, STR("image")),
        .network = take_text(&u, node, STR("network")),
        .is_on_host = str_eq(take_text(&u, node, STR("on-host")), STR("yes")),
    };
    u.is_broken = u.is_broken ||
                  !container_state_find(take_text(&u, node, STR("state")), &c.state) ||
                  !container_health_find(take_text(&u, node, STR("health")), &c.health);
    take_labels(&u, node, &c);
    take_networks(&u, node, &c);
    take_ports(&u, node, &c);
    if (u.is_broken || !c.labels || !c.networks || !c.ports || container_fault(&c))
        return false;
    *ret = c;
    return true;
}
