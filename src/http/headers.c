// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <string.h>

#include "base/assert.h"

#define ROOM_TO_ADD 12 // what request_prepare and filters add as a rule

static uint64_t known_bit(unsigned id)
{
    return id < 64 ? (uint64_t)1 << id : 0;
}

// False only when no field with this id can be there.
static bool may_have(const struct headers *h, unsigned id)
{
    return id >= 64 || (h->known_low & known_bit(id)) != 0;
}

void headers_init(struct headers *h, struct arena *mem)
{
    *h = (struct headers){.mem = mem};
}

static enum err grow(struct headers *h, uint32_t cap)
{
    struct field *items = ARENA_ARRAY(h->mem, struct field, cap);
    if (!items)
        return ERR_LIMIT;
    if (h->n > 0)
        memcpy(items, h->items, h->n * sizeof *items);
    h->items = items;
    h->cap = cap;
    return ERR_OK;
}

enum err headers_take(struct headers *h, const struct field *fields, size_t n)
{
    ASSERT(n <= UINT32_MAX / 2);
    h->n = 0;
    h->known_low = 0;
    if (h->cap < n + ROOM_TO_ADD && grow(h, (uint32_t)n + ROOM_TO_ADD) != ERR_OK)
        return ERR_LIMIT;
    uint64_t known = 0;
    for (size_t i = 0; i < n; i++) {
        h->items[i] = fields[i];
        known |= known_bit(fields[i].id);
    }
    h->n = (uint32_t)n;
    h->known_low = known;
    return ERR_OK;
}

static enum err append(struct headers *h, struct field f)
{
    if (h->n == h->cap && grow(h, h->cap > 0 ? h->cap * 2 : ROOM_TO_ADD) != ERR_OK)
        return ERR_LIMIT;
    h->items[h->n++] = f;
    h->known_low |= known_bit(f.id);
    return ERR_OK;
}

enum err headers_add(struct headers *h, enum field_id id, struct str value)
{
    return append(h, FIELD((uint16_t)id, value));
}

enum err headers_add_named(struct headers *h, struct str name, struct str value)
{
    return append(h, (struct field){name, value, (uint16_t)field_id_of(name)});
}

static bool is_there(const struct field *f)
{
    return f->name.len > 0;
}

// A well-known name is found by its number, others by their text.
static bool is_same(const struct field *f, unsigned id, struct str name)
{
    return f->id == id && (id != FIELD_OTHER || (is_there(f) && str_ieq(f->name, name)));
}

static void remove_at(struct headers *h, uint32_t i)
{
    h->items[i] = (struct field){.id = FIELD_OTHER};
}

static size_t remove_from(struct headers *h, uint32_t from, unsigned id, struct str name)
{
    if (!may_have(h, id))
        return 0;
    size_t n = 0;
    for (uint32_t i = from; i < h->n; i++) {
        if (is_same(&h->items[i], id, name)) {
            remove_at(h, i);
            n++;
        }
    }
    if (from == 0 && id != FIELD_OTHER)
        h->known_low &= ~known_bit(id);
    return n;
}

static const struct field *find(const struct headers *h, unsigned id, struct str name)
{
    if (!may_have(h, id))
        return NULL;
    for (uint32_t i = 0; i < h->n; i++) {
        if (is_same(&h->items[i], id, name))
            return &h->items[i];
    }
    return NULL;
}

static enum err set(struct headers *h, struct field f)
{
    const struct field *old = find(h, f.id, f.name);
    if (!old)
        return append(h, f);
    uint32_t at = (uint32_t)(old - h->items);
    h->items[at] = f;
    remove_from(h, at + 1, f.id, f.name);
    return ERR_OK;
}

enum err headers_set(struct headers *h, enum field_id id, struct str value)
{
    return set(h, FIELD((uint16_t)id, value));
}

enum err headers_set_named(struct headers *h, struct str name, struct str value)
{
    return set(h, (struct field){name, value, (uint16_t)field_id_of(name)});
}

size_t headers_remove(struct headers *h, enum field_id id)
{
    ASSERT(id != FIELD_OTHER);
    return remove_from(h, 0, id, STR_NONE);
}

size_t headers_remove_named(struct headers *h, struct str name)
{
    return remove_from(h, 0, field_id_of(name), name);
}

void headers_drop(struct headers *h, const struct field *f)
{
    ASSERT(f >= h->items && f < h->items + h->n);
    remove_at(h, (uint32_t)(f - h->items));
}

const struct field *headers_find(const struct headers *h, enum field_id id)
{
    ASSERT(id != FIELD_OTHER);
    return find(h, id, STR_NONE);
}

const struct field *headers_find_named(const struct headers *h, struct str name)
{
    return find(h, field_id_of(name), name);
}

struct str headers_get(const struct headers *h, enum field_id id)
{
    const struct field *f = headers_find(h, id);
    return f ? f->value : STR_NONE;
}

const struct field *headers_next(const struct headers *h, const struct field *after)
{
    for (uint32_t i = after ? (uint32_t)(after - h->items) + 1 : 0; i < h->n; i++) {
        if (is_there(&h->items[i]))
            return &h->items[i];
    }
    return NULL;
}

static const uint8_t hop_by_hop[] = {
    FIELD_CONNECTION,          FIELD_KEEP_ALIVE, FIELD_PROXY_CONNECTION, FIELD_TE,
    FIELD_TRANSFER_ENCODING,   FIELD_UPGRADE,    FIELD_HTTP2_SETTINGS,   FIELD_PROXY_AUTHENTICATE,
    FIELD_PROXY_AUTHORIZATION,
};

void headers_remove_hop_by_hop(struct headers *h)
{
    // What Connection names. Well-known fields are for all recipients, whatever it says (those
    // that are not are removed below): else a client could take away Host, Cookie or ours.
    for (uint32_t i = 0; may_have(h, FIELD_CONNECTION) && i < h->n; i++) {
        if (h->items[i].id != FIELD_CONNECTION)
            continue;
        struct str rest = h->items[i].value, name;
        while (str_next_item(&rest, ',', &name)) {
            if (field_id_of(name) == FIELD_OTHER)
                remove_from(h, 0, FIELD_OTHER, name);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(hop_by_hop); i++)
        remove_from(h, 0, hop_by_hop[i], STR_NONE);
}
