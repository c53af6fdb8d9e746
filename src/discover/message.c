// SPDX-License-Identifier: Apache-2.0
#include "discover/message.h"

#include "base/num.h"
#include "base/utf8.h"

#define MEM_MAX_BYTES ((size_t)1 << 20)

static const struct place nowhere = {.source = NULL};

static const struct str kind_names[] = {
#define X(id, name) [MESSAGE_##id] = STR_INIT(name),
    MESSAGE_LIST(X)
#undef X
};

static void put(struct conf_node *map, struct str key, struct str value, struct arena *mem)
{
    conf_node_put(map, key, conf_node_scalar(mem, value, nowhere));
}

static bool take(const struct conf_node *map, struct str key, struct str *ret)
{
    const struct conf_node *node = conf_node_get(map, key);
    *ret = STR_NONE;
    if (!node)
        return true;
    *ret = node->text;
    return node->kind == CONF_NODE_SCALAR;
}

// --- the order ---

void message_pack_order(const struct conf_node *docker, struct str user, enum sandbox_mode sandbox,
                        struct text *to)
{
    struct arena mem;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    struct conf_node copy = *docker;
    copy.next = NULL;
    struct conf_node *root = conf_node_new(&mem, CONF_NODE_MAP, nowhere);
    conf_node_put(root, STR("docker"), &copy);
    put(root, STR("user"), user, &mem);
    put(root, STR("sandbox"), str_of(sandbox_mode_text(sandbox)), &mem);
    conf_node_pack(root, to);
    arena_fini(&mem);
}

bool message_unpack_order(struct str bytes, struct arena *mem, struct message_order *ret)
{
    struct str sandbox;
    const struct conf_node *root = conf_node_unpack(bytes, mem);
    *ret = (struct message_order){.docker = NULL};
    if (!root || root->kind != CONF_NODE_MAP)
        return false;
    ret->docker = conf_node_get(root, STR("docker"));
    if (!ret->docker || !take(root, STR("user"), &ret->user) ||
        !take(root, STR("sandbox"), &sandbox))
        return false;
    for (enum sandbox_mode mode = SANDBOX_BEST_EFFORT; mode <= SANDBOX_OFF; mode++) {
        ret->sandbox = mode;
        if (str_eq(sandbox, str_of(sandbox_mode_text(mode))))
            return true;
    }
    return false;
}

// --- what the process says ---

void message_pack(const struct message *m, struct text *to)
{
    struct arena mem;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    struct conf_node *root = conf_node_new(&mem, CONF_NODE_MAP, nowhere);
    put(root, STR("kind"), kind_names[m->kind], &mem);
    if (m->kind == MESSAGE_CONTAINER) {
        conf_node_put(root, STR("container"), container_pack(&m->container, &mem));
    } else {
        put(root, STR("id"), m->id, &mem);
        put(root, STR("why"), str_first(m->why, MESSAGE_WHY_MAX_BYTES), &mem);
        put(root, STR("engine"), m->engine, &mem);
        put(root, STR("api"), m->api, &mem);
        put(root, STR("beyond"), arena_printf(&mem, "%u", m->n_beyond), &mem);
    }
    conf_node_pack(root, to);
    arena_fini(&mem);
}

// For logs and people: one line.
static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return false;
    }
    return s.len <= MESSAGE_WHY_MAX_BYTES && utf8_is_valid(s);
}

static bool take_rest(const struct conf_node *root, struct message *m)
{
    struct str beyond;
    uint64_t n_beyond = 0;
    if (!take(root, STR("id"), &m->id) || !take(root, STR("why"), &m->why) ||
        !take(root, STR("engine"), &m->engine) || !take(root, STR("api"), &m->api) ||
        !take(root, STR("beyond"), &beyond) ||
        (beyond.len > 0 && num_dec(beyond, UINT32_MAX, &n_beyond) != ERR_OK))
        return false;
    m->n_beyond = (unsigned)n_beyond;
    bool needs_id =
        m->kind == MESSAGE_GONE || m->kind == MESSAGE_REFUSED || m->kind == MESSAGE_KEPT;
    return (!needs_id || container_is_id(m->id)) && is_line(m->id) && is_line(m->why) &&
           is_line(m->engine) && is_line(m->api);
}

bool message_unpack(struct str bytes, struct arena *mem, struct message *ret)
{
    struct str kind;
    *ret = (struct message){.kind = MESSAGE_HELLO};
    const struct conf_node *root = conf_node_unpack(bytes, mem);
    if (!root || root->kind != CONF_NODE_MAP || !take(root, STR("kind"), &kind))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if (!str_eq(kind, kind_names[i]))
            continue;
        ret->kind = (enum message_kind)i;
        const struct conf_node *container = conf_node_get(root, STR("container"));
        if (ret->kind == MESSAGE_CONTAINER)
            return container && container_unpack(container, mem, &ret->container);
        return take_rest(root, ret);
    }
    return false;
}
