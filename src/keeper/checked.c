// SPDX-License-Identifier: Apache-2.0
#include "keeper/checked.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static struct str key_of(const uint64_t *print)
{
    return str_from((const char *)print, sizeof *print);
}

// 64 bits with this process's key: whoever writes labels can't make two trees of one. Would there
// be two all the same, the whole is built in the end, and that fails.
uint64_t checked_print(const struct conf_node *root)
{
    struct text bytes = {.ptr = NULL};
    conf_node_pack(root, &bytes);
    uint64_t print = hash_str(text_str(&bytes));
    text_wipe(&bytes); // hashes of passwords may be in it
    return print;
}

static void empty(struct map *m)
{
    MAP_FOR(e, m)
    mem_free(e->value);
    map_fini(m);
}

void checked_fini(struct checked *c)
{
    empty(&c->now);
    empty(&c->before);
}

void checked_turn(struct checked *c)
{
    empty(&c->before);
    c->before = c->now;
    c->now = (struct map){.n = 0};
}

void checked_add(struct checked *c, uint64_t print)
{
    if (map_get(&c->now, key_of(&print)))
        return;
    uint64_t *own = MEM_NEW(uint64_t);
    *own = print;
    map_set(&c->now, key_of(own), own);
}

bool checked_knows(struct checked *c, uint64_t print)
{
    if (map_get(&c->now, key_of(&print)))
        return true;
    if (!map_get(&c->before, key_of(&print)))
        return false;
    checked_add(c, print);
    return true;
}
