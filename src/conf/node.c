// SPDX-License-Identifier: Apache-2.0
#include "conf/node.h"

#include "base/assert.h"

struct conf_node *conf_node_get(const struct conf_node *map, struct str key)
{
    for (struct conf_node *child = map->first; child; child = child->next) {
        if (str_eq(child->key, key))
            return child;
    }
    return NULL;
}

struct conf_node *conf_node_new(struct arena *mem, enum conf_node_kind kind, struct place place)
{
    struct conf_node *node = ARENA_NEW(mem, struct conf_node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->place = place;
    return node;
}

struct conf_node *conf_node_scalar(struct arena *mem, struct str text, struct place place)
{
    struct conf_node *node = conf_node_new(mem, CONF_NODE_SCALAR, place);
    if (node)
        node->text = text;
    return node;
}

void conf_node_append(struct conf_node *parent, struct conf_node *child)
{
    ASSERT(parent->kind == CONF_NODE_SEQ || parent->kind == CONF_NODE_MAP);
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n++;
}

void conf_node_put(struct conf_node *map, struct str key, struct conf_node *child)
{
    ASSERT(map->kind == CONF_NODE_MAP);
    child->key = key;
    if (!child->key_place.source)
        child->key_place = child->place;
    conf_node_append(map, child);
}
