// SPDX-License-Identifier: Apache-2.0
#include "keeper/checked.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

// A fingerprint is 64 bits with this process's key: whoever writes labels can't make two trees of
// one. Would there be two all the same, the whole is built in the end, and that fails.
struct print {
    uint64_t hash;
};

static struct str key_of(const struct print *p)
{
    return str_from((const char *)&p->hash, sizeof p->hash);
}

static struct print print_of(const struct conf_node *root)
{
    struct text bytes = {.ptr = NULL};
    conf_node_pack(root, &bytes);
    struct print p = {.hash = hash_str(text_str(&bytes))};
    text_wipe(&bytes); // hashes of passwords may be in it
    return p;
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

static void add(struct checked *c, struct print p)
{
    if (map_get(&c->now, key_of(&p)))
        return;
    struct print *own = MEM_NEW(struct print);
    *own = p;
    map_set(&c->now, key_of(own), own);
}

bool checked_knows(struct checked *c, const struct conf_node *root)
{
    struct print p = print_of(root);
    if (map_get(&c->now, key_of(&p)))
        return true;
    if (!map_get(&c->before, key_of(&p)))
        return false;
    add(c, p);
    return true;
}

void checked_add(struct checked *c, const struct conf_node *root)
{
    add(c, print_of(root));
}
