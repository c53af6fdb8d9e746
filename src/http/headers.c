// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <string.h>

#include "base/assert.h"

#define ROOM_TO_ADD 12      // what request_prepare and filters add as a rule
#define FIELD_EXTRA_BYTES 4 // ": " and CRLF

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
    h->ids = 0;
    if (h->cap < n + ROOM_TO_ADD && grow(h, (uint32_t)n + ROOM_TO_ADD) != ERR_OK)
        return ERR_LIMIT;
    uint64_t ids = 0;
    for (size_t i = 0; i < n; i++) {
        h->items[i] = fields[i];
        ids |= FIELD_BIT(fields[i].id);
    }
    h->n = (uint32_t)n;
    h->ids = ids;
    return ERR_OK;
}

ALWAYS_INLINE enum err append(struct headers *h, unsigned id, struct str name, struct str value)
{
    if (UNLIKELY(h->n == h->cap) && grow(h, h->cap > 0 ? h->cap * 2 : ROOM_TO_ADD) != ERR_OK)
        return ERR_LIMIT;
    h->items[h->n++] = (struct field){.name = name, .value = value, .id = (uint16_t)id};
    h->ids |= FIELD_BIT(id);
    return ERR_OK;
}

enum err headers_add(struct headers *h, enum field_id id, struct str value)
{
    return append(h, id, field_name(id), value);
}

enum err headers_add_named(struct headers *h, struct str name, struct str value)
{
    return append(h, field_id_of(name), name, value);
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

static void clear(struct field *f)
{
    *f = (struct field){.id = FIELD_OTHER};
}

static bool may_have(const struct headers *h, unsigned id)
{
    return (h->ids & FIELD_BIT(id)) != 0;
}

static size_t remove_from(struct headers *h, uint32_t from, unsigned id, struct str name)
{
    if (!may_have(h, id))
        return 0;
    size_t n = 0;
    for (uint32_t i = from; i < h->n; i++) {
        if (is_same(&h->items[i], id, name)) {
            clear(&h->items[i]);
            n++;
        }
    }
    if (from == 0 && id != FIELD_OTHER)
        h->ids &= ~FIELD_BIT(id);
    return n;
}

static const struct field *search(const struct headers *h, unsigned id, struct str name)
{
    for (uint32_t i = 0; i < h->n; i++) {
        if (is_same(&h->items[i], id, name))
            return &h->items[i];
    }
    return NULL;
}

static enum err set(struct headers *h, unsigned id, struct str name, struct str value)
{
    const struct field *old = may_have(h, id) ? search(h, id, name) : NULL;
    if (!old)
        return append(h, id, name, value);
    uint32_t at = (uint32_t)(old - h->items);
    h->items[at] = (struct field){.name = name, .value = value, .id = (uint16_t)id};
    remove_from(h, at + 1, id, name);
    return ERR_OK;
}

enum err headers_set(struct headers *h, enum field_id id, struct str value)
{
    return set(h, id, field_name(id), value);
}

enum err headers_set_named(struct headers *h, struct str name, struct str value)
{
    return set(h, field_id_of(name), name, value);
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

void headers_remove_twins(struct headers *h, struct str name)
{
    for (uint32_t i = 0; i < h->n; i++) {
        if (is_there(&h->items[i]) && field_is_twin(h->items[i].name, name))
            clear(&h->items[i]);
    }
}

void headers_drop(struct headers *h, const struct field *f)
{
    ASSERT(f >= h->items && f < h->items + h->n);
    clear(&h->items[f - h->items]);
}

const struct field *headers_search(const struct headers *h, enum field_id id)
{
    for (uint32_t i = 0; i < h->n; i++) {
        if (h->items[i].id == id)
            return &h->items[i];
    }
    return NULL;
}

const struct field *headers_find_named(const struct headers *h, struct str name)
{
    enum field_id id = field_id_of(name);
    return may_have(h, id) ? search(h, id, name) : NULL;
}

const struct field *headers_next(const struct headers *h, const struct field *after)
{
    for (uint32_t i = after ? (uint32_t)(after - h->items) + 1 : 0; i < h->n; i++) {
        if (is_there(&h->items[i]))
            return &h->items[i];
    }
    return NULL;
}

#define HOP_BY_HOP                                                                                 \
    (FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_KEEP_ALIVE) |                                   \
     FIELD_BIT(FIELD_PROXY_CONNECTION) | FIELD_BIT(FIELD_TE) |                                     \
     FIELD_BIT(FIELD_TRANSFER_ENCODING) | FIELD_BIT(FIELD_UPGRADE) |                               \
     FIELD_BIT(FIELD_HTTP2_SETTINGS) | FIELD_BIT(FIELD_PROXY_AUTHENTICATE) |                       \
     FIELD_BIT(FIELD_PROXY_AUTHORIZATION))

// Well-known fields are for all recipients, whatever Connection says (those that are not are
// removed anyway): else a client could take away Host, Cookie or ours.
static void remove_named_by(struct headers *h, struct str connection)
{
    struct str name;
    while (str_next_item(&connection, ',', &name)) {
        if (field_id_of(name) == FIELD_OTHER)
            remove_from(h, 0, FIELD_OTHER, name);
    }
}

void headers_remove_hop_by_hop(struct headers *h)
{
    if ((h->ids & HOP_BY_HOP) == 0)
        return;
    bool has_others = may_have(h, FIELD_OTHER); // that Connection can name
    for (struct field *f = h->items, *end = f + h->n; f < end; f++) {
        if ((FIELD_BIT(f->id) & HOP_BY_HOP) == 0)
            continue;
        if (f->id == FIELD_CONNECTION && has_others)
            remove_named_by(h, f->value);
        clear(f);
    }
    h->ids &= ~HOP_BY_HOP;
}

void headers_write_one(struct writer *w, struct str name, struct str value)
{
    if (UNLIKELY(name.len + value.len + FIELD_EXTRA_BYTES > w->cap - w->len)) {
        w->overflowed = true;
        return;
    }
    char *at = str_copy(w->ptr + w->len, name);
    at = str_copy(at, STR(": "));
    at = str_copy(at, value);
    at = str_copy(at, STR("\r\n"));
    w->len = (size_t)(at - w->ptr);
}

// The line of f as it was received, while name and value are those in it; else an empty text.
static struct str line_of(const struct field *f)
{
    bool is_same = f->line_bytes == f->name.len + f->value.len + FIELD_EXTRA_BYTES &&
                   f->value.ptr == f->name.ptr + f->name.len + STR(": ").len;
    return str_from(f->name.ptr, is_same ? f->line_bytes : 0);
}

void headers_write(struct writer *w, const struct headers *h, uint64_t skip)
{
    struct str lines = STR_NONE; // to be written: as received, one behind the other
    for (uint32_t i = 0; i < h->n; i++) {
        const struct field *f = &h->items[i];
        if (!is_there(f) || (skip & FIELD_BIT(f->id)) != 0)
            continue;
        struct str line = line_of(f);
        if (line.len > 0 && lines.len > 0 && line.ptr == lines.ptr + lines.len) {
            lines.len += line.len;
            continue;
        }
        writer_put(w, lines);
        lines = line;
        if (line.len == 0)
            headers_write_one(w, f->name, f->value);
    }
    writer_put(w, lines);
}

size_t headers_bytes(const struct headers *h)
{
    size_t n = 0;
    for (uint32_t i = 0; i < h->n; i++)
        n += h->items[i].name.len + h->items[i].value.len + FIELD_EXTRA_BYTES;
    return n;
}
