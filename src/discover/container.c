// SPDX-License-Identifier: Apache-2.0
#include "discover/container.h"

#include "base/ascii.h"
#include "base/utf8.h"

static const char *const state_names[] = {
#define X(id, name) [CONTAINER_##id] = name,
    CONTAINER_STATE_LIST(X)
#undef X
};

static const char *const health_names[] = {
#define X(id, name) [CONTAINER_HEALTH_##id] = name,
    CONTAINER_HEALTH_LIST(X)
#undef X
};

const char *container_state_name(enum container_state state)
{
    return state_names[state];
}

const char *container_health_name(enum container_health health)
{
    return health_names[health];
}

bool container_state_find(struct str name, enum container_state *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
        if (!str_eq(str_of(state_names[i]), name))
            continue;
        *ret = (enum container_state)i;
        return true;
    }
    return false;
}

bool container_health_find(struct str name, enum container_health *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(health_names); i++) {
        if (!str_eq(str_of(health_names[i]), name))
            continue;
        *ret = (enum container_health)i;
        return true;
    }
    return false;
}

bool container_is_ready(const struct container *c)
{
    return c->state == CONTAINER_RUNNING &&
           (c->health == CONTAINER_HEALTH_NONE || c->health == CONTAINER_HEALTH_HEALTHY);
}

const struct container_label *container_label(const struct container *c, struct str name)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (str_ieq(c->labels[i].name, name))
            return &c->labels[i];
    }
    return NULL;
}

// --- bounds ---

bool container_is_id(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is(s.ptr[i], ASCII_HEX))
            return false;
    }
    return s.len > 0 && s.len <= CONTAINER_ID_MAX_BYTES;
}

// Engines allow [a-zA-Z0-9][a-zA-Z0-9_.-]*, and old ones a path of links.
static bool is_name(struct str s, size_t max_bytes)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_other = memchr("_.-/", s.ptr[i], 4) != NULL;
        if (!ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT) && !is_other)
            return false;
    }
    return s.len > 0 && s.len <= max_bytes;
}

static bool is_text(struct str s)
{
    return utf8_is_valid(s) && str_find(s, '\0') == STR_NPOS;
}

static const char *labels_fault(const struct container *c)
{
    size_t bytes = 0;
    if (c->n_labels > CONTAINER_LABELS_MAX)
        return "it has more than 1000 labels";
    for (size_t i = 0; i < c->n_labels; i++) {
        const struct container_label *l = &c->labels[i];
        bytes += l->name.len + l->value.len;
        if (bytes > CONTAINER_LABELS_MAX_BYTES)
            return "its labels have more than 48 KiB";
        if (l->name.len == 0 || !is_text(l->name) || !is_text(l->value))
            return "a label isn't text";
    }
    return NULL;
}

const char *container_fault(const struct container *c)
{
    if (!container_is_id(c->id))
        return "its id isn't a hexadecimal number";
    if (!is_name(c->name, CONTAINER_NAME_MAX_BYTES))
        return "its name has other characters than letters, digits and _.-, or is too long";
    if (c->image.len > CONTAINER_IMAGE_MAX_BYTES || !is_text(c->image))
        return "its image's name isn't text, or is too long";
    if (c->network.len > CONTAINER_NETWORK_MAX_BYTES || !is_text(c->network))
        return "its network mode isn't text, or is too long";
    if (c->n_networks > CONTAINER_NETWORKS_MAX)
        return "it has more than 32 networks";
    for (size_t i = 0; i < c->n_networks; i++) {
        const struct container_network *n = &c->networks[i];
        if (n->name.len == 0 || n->name.len > CONTAINER_NETWORK_MAX_BYTES || !is_text(n->name) ||
            (n->id.len > 0 && !container_is_id(n->id)))
            return "a network's name isn't text, or is too long";
    }
    if (c->n_ports > CONTAINER_PORTS_MAX)
        return "it has more than 128 ports";
    for (size_t i = 0; i < c->n_ports; i++) {
        if (c->ports[i].port == 0 || (i > 0 && c->ports[i].port <= c->ports[i - 1].port))
            return "its ports aren't in order";
    }
    return labels_fault(c);
}
