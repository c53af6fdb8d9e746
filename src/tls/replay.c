// SPDX-License-Identifier: Apache-2.0
#include "tls/replay.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

#define BUCKET_SLOTS 8u
#define BUCKETS 16384u // 1 MiB: 65 000 messages in a window before the first is refused for room
#define WINDOW_MASK UINT64_C(0xffff)
#define MARK_BIT UINT64_C(0x10000) // of every slot that is taken

// A slot holds 47 random bits of a message, and the number of the window in which it came.
struct tls_replay {
    _Atomic uint32_t refs;
    _Atomic bool is_ended;
    int64_t from_ms;
    _Atomic uint64_t slots[BUCKETS][BUCKET_SLOTS];
};

struct tls_replay *tls_replay_new(int64_t now_ms)
{
    struct tls_replay *r = MEM_NEW(struct tls_replay);
    atomic_init(&r->refs, 1);
    r->from_ms = now_ms;
    return r;
}

struct tls_replay *tls_replay_ref(struct tls_replay *r)
{
    if (r)
        atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void tls_replay_unref(struct tls_replay *r)
{
    if (r && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
        mem_free(r);
}

void tls_replay_end(struct tls_replay *r)
{
    atomic_store(&r->is_ended, true);
}

// The window before counts as well: what came at its end is remembered for one window at least.
// And the one after, since another worker's clock may be a little ahead.
static bool is_live(uint64_t slot, uint64_t window)
{
    return slot != 0 && ((window - slot + 1) & WINDOW_MASK) <= 2;
}

static bool is_same(uint64_t slot, uint64_t mark)
{
    return ((slot ^ mark) & ~WINDOW_MASK) == 0;
}

// How often the mark is in a bucket.
static unsigned count(_Atomic uint64_t *slots, uint64_t mark, uint64_t window)
{
    unsigned n = 0;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        uint64_t slot = atomic_load(&slots[i]);
        n += is_live(slot, window) && is_same(slot, mark);
    }
    return n;
}

static bool put(_Atomic uint64_t *slots, uint64_t mark, uint64_t window)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        uint64_t slot = atomic_load(&slots[i]);
        if (!is_live(slot, window) && atomic_compare_exchange_strong(&slots[i], &slot, mark))
            return true;
    }
    return false;
}

bool tls_replay_is_new(struct tls_replay *r, const uint8_t random[static 32], int64_t now_ms)
{
    int64_t age_ms = now_ms - r->from_ms;
    if (age_ms < TLS_REPLAY_WINDOW_MS || atomic_load(&r->is_ended))
        return false;
    uint64_t bits;
    uint32_t bucket;
    memcpy(&bits, random, sizeof bits);
    memcpy(&bucket, random + sizeof bits, sizeof bucket);
    uint64_t window = (uint64_t)(age_ms / TLS_REPLAY_WINDOW_MS) & WINDOW_MASK;
    uint64_t mark = (bits & ~WINDOW_MASK) | MARK_BIT | window;
    _Atomic uint64_t *slots = r->slots[bucket % BUCKETS];
    // WHY: two threads with the same message may both find nothing, and take two slots. Each has
    // put its mark before it counts, in one order for all, so at least one of them counts two.
    return count(slots, mark, window) == 0 && put(slots, mark, window) &&
           count(slots, mark, window) == 1;
}
