// SPDX-License-Identifier: Apache-2.0
#include "gate/ban_book.h"

#include <string.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/hash.h"
#include "base/mem.h"

#define BAN_TIME_MAX_S ((int64_t)1 << 40)
#define BUCKETS_MIN 64
#define KEY_BYTES 18 // address, family, length of the prefix

struct ban_entry {
    struct list_node node;
    struct ban_entry *next; // in its bucket
    struct ban ban;
    char key[KEY_BYTES];
};

static void key_of(const struct ip_net *net, char buf[static KEY_BYTES])
{
    memcpy(buf, net->ip.bytes, 16);
    buf[16] = (char)net->ip.family;
    buf[17] = (char)net->bits;
}

static uint32_t *n_like(struct ban_book *b, const struct ip_net *net)
{
    return &b->n_of_bits[net->ip.family == 6][net->bits];
}

static struct ban_entry **bucket_of(const struct ban_book *b, const char key[static KEY_BYTES])
{
    return &b->buckets[hash_str(str_from(key, KEY_BYTES)) & (b->n_buckets - 1)];
}

static struct ban_entry *entry_of(const struct ban_book *b, const struct ip_net *net)
{
    char key[KEY_BYTES];
    if (b->n == 0)
        return NULL;
    key_of(net, key);
    struct ban_entry *e = *bucket_of(b, key);
    while (e && memcmp(e->key, key, KEY_BYTES) != 0)
        e = e->next;
    return e;
}

static void link_entry(struct ban_book *b, struct ban_entry *e)
{
    struct ban_entry **bucket = bucket_of(b, e->key);
    e->next = *bucket;
    *bucket = e;
}

static void grow(struct ban_book *b)
{
    mem_free(b->buckets);
    b->n_buckets = MAX(2 * b->n_buckets, (size_t)BUCKETS_MIN);
    b->buckets = MEM_ARRAY(struct ban_entry *, b->n_buckets);
    LIST_FOR (n, &b->order)
        link_entry(b, CONTAINER_OF(n, struct ban_entry, node));
}

static void drop(struct ban_book *b, struct ban_entry *e)
{
    struct ban_entry **at = bucket_of(b, e->key);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    list_remove(&e->node);
    b->n--;
    --*n_like(b, &e->ban.net);
    mem_free(e);
}

static void make_room(struct ban_book *b, size_t n)
{
    while (b->n > n)
        drop(b, CONTAINER_OF(list_first(&b->order), struct ban_entry, node));
}

void ban_book_init(struct ban_book *b, size_t max)
{
    ASSERT(max > 0);
    *b = (struct ban_book){.max = max};
    list_init(&b->order);
}

void ban_book_fini(struct ban_book *b)
{
    make_room(b, 0);
    mem_free(b->buckets);
}

void ban_book_set_max(struct ban_book *b, size_t max)
{
    ASSERT(max > 0);
    b->max = max;
    make_room(b, max);
}

struct ip_net ban_net_of(const struct ip *ip, unsigned bits)
{
    struct ip_net net = {.ip = *ip, .bits = (uint8_t)MIN(bits, ip->family == 4 ? 32u : 128u)};
    for (unsigned i = 0; i < sizeof net.ip.bytes; i++) {
        unsigned kept = net.bits > 8 * i ? MIN(net.bits - 8 * i, 8u) : 0;
        net.ip.bytes[i] &= (uint8_t)(0xff00 >> kept);
    }
    return net;
}

bool ban_is_sound(const struct ban *ban)
{
    const struct ip *ip = &ban->net.ip;
    if ((ip->family != 4 && ip->family != 6) || ban->net.bits > (ip->family == 4 ? 32 : 128) ||
        ban->by_bytes > BAN_BY_MAX_BYTES || ban->times == 0)
        return false;
    for (unsigned i = 0; i < ban->by_bytes; i++) {
        if (ban->by[i] < ' ' || ban->by[i] > '~')
            return false;
    }
    struct ip_net net = ban_net_of(ip, ban->net.bits);
    return ip_eq(&net.ip, ip) && ban->began_s >= 0 && ban->began_s <= ban->until_s &&
           ban->until_s <= ban->keep_s && ban->keep_s < BAN_TIME_MAX_S;
}

const struct ban *ban_book_find(const struct ban_book *b, const struct ip_net *net)
{
    const struct ban_entry *e = entry_of(b, net);
    return e ? &e->ban : NULL;
}

const struct ban *ban_book_holds(const struct ban_book *b, const struct ip *ip, int64_t now_s)
{
    if (ip->family == 0 || b->n == 0)
        return NULL;
    const uint32_t *n_of_bits = b->n_of_bits[ip->family == 6];
    for (int bits = ip->family == 6 ? 128 : 32; bits >= 0; bits--) {
        if (n_of_bits[bits] == 0)
            continue;
        struct ip_net net = ban_net_of(ip, (unsigned)bits);
        const struct ban *ban = ban_book_find(b, &net);
        if (ban && ban->until_s > now_s)
            return ban;
    }
    return NULL;
}

void ban_book_put(struct ban_book *b, const struct ban *ban)
{
    ASSERT(ban->net.ip.family == 4 || ban->net.ip.family == 6);
    ASSERT(ban->by_bytes <= BAN_BY_MAX_BYTES);
    (void)ban_book_remove(b, &ban->net);
    make_room(b, b->max - 1);
    struct ban_entry *e = MEM_NEW(struct ban_entry);
    e->ban = *ban;
    list_push_back(&b->order, &e->node);
    key_of(&ban->net, e->key);
    if (b->n == b->n_buckets)
        grow(b); // with e, which is on the list
    else
        link_entry(b, e);
    b->n++;
    ++*n_like(b, &ban->net);
}

bool ban_book_remove(struct ban_book *b, const struct ip_net *net)
{
    struct ban_entry *e = entry_of(b, net);
    if (e)
        drop(b, e);
    return e != NULL;
}

void ban_book_forget(struct ban_book *b, int64_t now_s)
{
    LIST_FOR_SAFE (n, &b->order) {
        struct ban_entry *e = CONTAINER_OF(n, struct ban_entry, node);
        if (e->ban.keep_s <= now_s)
            drop(b, e);
    }
}

void ban_book_each(const struct ban_book *b, ban_book_fn *fn, void *arg)
{
    LIST_FOR (n, &b->order)
        fn(arg, &CONTAINER_OF(n, struct ban_entry, node)->ban);
}
