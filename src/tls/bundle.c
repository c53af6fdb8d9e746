// SPDX-License-Identifier: Apache-2.0
// The form: a header; for each item a head with its flags and lengths, then id, names (each with
// its length), chain and key without anything between them. Numbers as this machine writes them.
#include "tls/bundle.h"

#define MAGIC 0x74627331u // and the version of the form
#define FLAG_DEFAULT 1u
#define FLAG_LOCAL_CA 2u

struct header {
    uint32_t magic;
    uint32_t n_items;
};

struct item_head {
    uint32_t flags;
    uint32_t id_bytes;
    uint32_t n_names;
    uint32_t chain_bytes;
    uint32_t key_bytes;
};

static struct str bytes_of(const void *ptr, size_t n)
{
    return str_from(ptr, n);
}

static size_t packed_bytes(const struct tls_bundle_item *item)
{
    size_t n = sizeof(struct item_head) + item->id.len + item->chain_pem.len + item->key_pem.len;
    for (size_t i = 0; i < item->n_names; i++)
        n += sizeof(uint32_t) + item->names[i].len;
    return n;
}

static void pack_item(const struct tls_bundle_item *item, struct text *to)
{
    struct item_head head = {
        .flags = (item->is_default ? FLAG_DEFAULT : 0) | (item->is_local_ca ? FLAG_LOCAL_CA : 0),
        .id_bytes = (uint32_t)item->id.len,
        .n_names = (uint32_t)item->n_names,
        .chain_bytes = (uint32_t)item->chain_pem.len,
        .key_bytes = (uint32_t)item->key_pem.len,
    };
    text_put(to, bytes_of(&head, sizeof head));
    text_put(to, item->id);
    for (size_t i = 0; i < item->n_names; i++) {
        uint32_t len = (uint32_t)item->names[i].len;
        text_put(to, bytes_of(&len, sizeof len));
        text_put(to, item->names[i]);
    }
    text_put(to, item->chain_pem);
    text_put(to, item->key_pem);
}

void tls_bundle_pack(const struct tls_bundle_item *items, size_t n, struct text *to)
{
    ASSERT(n <= TLS_BUNDLE_ITEMS_MAX);
    struct header header = {.magic = MAGIC, .n_items = (uint32_t)n};
    size_t total = sizeof header;
    for (size_t i = 0; i < n; i++)
        total += packed_bytes(&items[i]);
    text_reserve(to, total);
    text_put(to, bytes_of(&header, sizeof header));
    for (size_t i = 0; i < n; i++)
        pack_item(&items[i], to);
}

static bool take(struct str *rest, size_t n, struct str *ret)
{
    if (rest->len < n)
        return false;
    *ret = str_first(*rest, n);
    *rest = str_skip(*rest, n);
    return true;
}

static bool take_struct(struct str *rest, void *ret, size_t n)
{
    struct str bytes;
    if (!take(rest, n, &bytes))
        return false;
    memcpy(ret, bytes.ptr, n);
    return true;
}

static bool take_names(struct str *rest, uint32_t n, struct arena *mem, const struct str **ret)
{
    // Each name takes at least its length: a number that can't be true costs no memory.
    if (n > TLS_BUNDLE_NAMES_MAX || n > rest->len / sizeof(uint32_t))
        return false;
    struct str *names = ARENA_ARRAY(mem, struct str, n);
    if (!names)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len;
        if (!take_struct(rest, &len, sizeof len) || !take(rest, len, &names[i]))
            return false;
    }
    *ret = names;
    return true;
}

static bool take_item(struct str *rest, struct arena *mem, struct tls_bundle_item *ret)
{
    struct item_head head;
    if (!take_struct(rest, &head, sizeof head) ||
        (head.flags & ~(FLAG_DEFAULT | FLAG_LOCAL_CA)) != 0)
        return false;
    *ret = (struct tls_bundle_item){
        .n_names = head.n_names,
        .is_default = (head.flags & FLAG_DEFAULT) != 0,
        .is_local_ca = (head.flags & FLAG_LOCAL_CA) != 0,
    };
    return take(rest, head.id_bytes, &ret->id) &&
           take_names(rest, head.n_names, mem, &ret->names) &&
           take(rest, head.chain_bytes, &ret->chain_pem) &&
           take(rest, head.key_bytes, &ret->key_pem);
}

bool tls_bundle_unpack(struct str bytes, struct arena *mem, struct tls_bundle_item **ret,
                       size_t *ret_n)
{
    struct header header;
    if (!take_struct(&bytes, &header, sizeof header) || header.magic != MAGIC ||
        header.n_items > TLS_BUNDLE_ITEMS_MAX ||
        header.n_items > bytes.len / sizeof(struct item_head))
        return false;
    struct tls_bundle_item *items = ARENA_ARRAY(mem, struct tls_bundle_item, header.n_items);
    if (!items)
        return false;
    size_t n_default = 0;
    for (uint32_t i = 0; i < header.n_items; i++) {
        if (!take_item(&bytes, mem, &items[i]))
            return false;
        n_default += items[i].is_default;
    }
    if (bytes.len > 0 || n_default > 1)
        return false;
    *ret = items;
    *ret_n = header.n_items;
    return true;
}
