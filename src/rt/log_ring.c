// SPDX-License-Identifier: Apache-2.0
// A line is a record of a header and its bytes, 8-byte aligned, never wrapped: a record that
// doesn't fit before the ring's end starts anew at its beginning, behind a skip mark.
#include "rt/log_ring.h"

#include "base/mem.h"

#define RING_BYTES (1u << 20)
#define LEVEL_SKIP UINT16_MAX // the rest of the ring is unused

struct record {
    uint32_t bytes; // of the line; the record is this plus the header, rounded up to 8
    uint16_t level;
    uint16_t own_bytes;
    char line[];
};

_Static_assert(LOG_LINE_MAX_BYTES <= RING_BYTES / 4, "a ring must hold several lines");

struct log_ring *log_ring_new(void)
{
    struct log_ring *r = MEM_NEW(struct log_ring);
    r->data = mem_alloc_raw(RING_BYTES);
    return r;
}

static uint64_t record_bytes(size_t line_bytes)
{
    return (sizeof(struct record) + line_bytes + 7) & ~(uint64_t)7;
}

static struct record *record_at(const struct log_ring *r, uint64_t at)
{
    return (struct record *)(void *)(r->data + (at & (RING_BYTES - 1)));
}

char *log_ring_reserve(struct log_ring *r, size_t n)
{
    if (n > LOG_LINE_MAX_BYTES)
        return NULL;
    uint64_t need = record_bytes(n);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    uint64_t to_end = RING_BYTES - (head & (RING_BYTES - 1));
    uint64_t skip = to_end < need ? to_end : 0;
    if (RING_BYTES - (head - tail) < need + skip)
        return NULL;
    if (skip > 0)
        record_at(r, head)->level = LEVEL_SKIP;
    r->reserved_at = head + skip;
    return record_at(r, r->reserved_at)->line;
}

void log_ring_commit(struct log_ring *r, size_t n_used, uint16_t level, uint16_t own_bytes)
{
    struct record *rec = record_at(r, r->reserved_at);
    *rec = (struct record){.bytes = (uint32_t)n_used, .level = level, .own_bytes = own_bytes};
    // Sequentially consistent with the log thread's "sleeping, then look once more".
    atomic_store(&r->head, r->reserved_at + record_bytes(n_used));
}

// The next record at or behind *at, which moves behind it; NULL at the head.
static struct record *next_record(const struct log_ring *r, uint64_t *at, uint64_t head)
{
    if (*at == head)
        return NULL;
    struct record *rec = record_at(r, *at);
    if (rec->level == LEVEL_SKIP) {
        *at += RING_BYTES - (*at & (RING_BYTES - 1));
        rec = record_at(r, *at);
    }
    *at += record_bytes(rec->bytes);
    return rec;
}

size_t log_ring_peek(struct log_ring *r, struct log_entry *ret, size_t max)
{
    uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t head = atomic_load(&r->head);
    size_t n = 0;
    const struct record *rec;
    while (n < max && (rec = next_record(r, &at, head)))
        ret[n++] = (struct log_entry){
            .line = {rec->line, rec->bytes}, .level = rec->level, .own_bytes = rec->own_bytes};
    return n;
}

void log_ring_drop(struct log_ring *r, size_t n)
{
    uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t head = atomic_load(&r->head);
    while (n-- > 0)
        next_record(r, &at, head);
    atomic_store_explicit(&r->tail, at, memory_order_release);
}
