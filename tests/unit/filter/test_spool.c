// SPDX-License-Identifier: Apache-2.0
#include "filter/spool.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/body.h"
#include "rt/clock.h"
#include "rt/offload.h"
#include "rt/slots.h"
#include "unit/filter/bodies.h"
#include "unit/test.h"

#define LIMIT ((size_t)1024 * 1024)
#define FOREVER deadline_at(INT64_MAX)
#define FILE_PIECES 40 // slots of the file

// A worker with a file, and a body that has so much of its memory.
struct at_work {
    struct http_env env;
    struct spool s;
    struct offload *disk;
    struct slots *slots;
    int file;
};

static void start(struct at_work *w, unsigned n_threads, size_t memory_bytes, size_t n_slots)
{
    http_env_init(&w->env, NULL, NULL, 8);
    w->disk = offload_new(n_threads, 1000);
    w->file = memfd_create("spool", MFD_CLOEXEC);
    w->slots = slots_new(w->file, n_slots * SLOTS_BYTES, w->disk);
    w->env.slots = n_slots > 0 ? w->slots : NULL;
    w->s = (struct spool){.env = &w->env, .memory_bytes = memory_bytes, .all_bytes = LIMIT};
}

static void end(struct at_work *w)
{
    spool_drop(&w->s);
    CHECK_INT(w->s.n_bytes, 0);
    CHECK_INT(w->env.spooled_bytes, 0);
    CHECK_INT(w->env.stats.counters[HTTP_COUNTER_AHEAD_BYTES], 0);
    CHECK_INT(w->env.stats.counters[HTTP_COUNTER_SPOOL_BYTES], 0);
    slots_stop(w->slots);
    offload_free(w->disk);
    fiber_yield(); // mail for those who have left
    fiber_yield();
    CHECK_INT(slots_used(w->slots), 0);
    slots_free(w->slots);
    http_env_fini(&w->env);
}

static char byte_at(size_t i)
{
    return (char)((i * 7 + i / 251) % 249);
}

static char bytes[256 * 1024];

// The next n bytes of the body. Returns how many were taken.
static size_t put(struct spool *s, size_t at, size_t n, enum spool_end *ret)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(at + i);
    struct str piece = str_from(bytes, n);
    *ret = spool_put(s, &piece);
    return n - piece.len;
}

static size_t check_bytes(struct str got, size_t at)
{
    size_t n_wrong = 0;
    for (size_t i = 0; i < got.len; i++)
        n_wrong += got.ptr[i] != byte_at(at + i);
    CHECK_INT(n_wrong, 0);
    return got.len;
}

static void read_the_rest(struct spool *s, size_t at, size_t n_put)
{
    struct str got;
    enum io io;
    while ((io = spool_take(s, &got, FOREVER)) == IO_DONE)
        at += check_bytes(got, at);
    CHECK_INT(io, IO_EOF);
    CHECK_INT(at, n_put);
    CHECK_INT(s->n_bytes, 0);
}

struct order {
    unsigned n_threads;
    size_t memory_bytes, n_slots, piece_bytes;
    bool has_flush;
};

// Two pieces in for each one out, then the rest.
static void check_order(const void *arg)
{
    const struct order *o = arg;
    struct at_work w;
    size_t n_put = 0, n_taken = 0;
    start(&w, o->n_threads, o->memory_bytes, o->n_slots);
    for (int round = 0; round < 60; round++) {
        enum spool_end end;
        n_put += put(&w.s, n_put, o->piece_bytes, &end);
        CHECK_INT(end, SPOOL_DONE);
        if (round % 2 == 0)
            continue;
        struct str got;
        CHECK_INT(spool_take(&w.s, &got, FOREVER), IO_DONE);
        n_taken += check_bytes(got, n_taken);
        CHECK_INT(w.s.n_bytes, n_put - n_taken);
    }
    if (o->has_flush)
        CHECK_INT(spool_flush(&w.s), SPOOL_DONE);
    bool is_written = w.env.stats.counters[HTTP_COUNTER_SPOOL_WRITTEN] > 0;
    CHECK_INT(is_written, o->memory_bytes < LIMIT);
    CHECK(w.env.spooled_bytes <= o->memory_bytes + 2 * SLOTS_BYTES + 2 * HTTP_BUFFER_BYTES);
    read_the_rest(&w.s, n_taken, n_put);
    end(&w);
}

static void bytes_come_out_in_their_order(void)
{
    static const struct order orders[] = {
        {0, 1 << 20, 0, 977, false},           // memory alone
        {0, 1 << 20, FILE_PIECES, 977, false}, // the same, as it fits
        {0, 32 << 10, FILE_PIECES, 20000, false},
        {0, 32 << 10, FILE_PIECES, 20000, true},
        {2, 32 << 10, FILE_PIECES, 20000, true},
        {2, 4 << 10, FILE_PIECES, 30000, true},
        {2, 100 << 10, FILE_PIECES, SLOTS_BYTES / 2, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        bool failed = test_failed;
        test_failed = false;
        run_on_fiber(check_order, &orders[i]);
        if (test_failed)
            printf("# order %zu\n", i);
        test_failed |= failed;
    }
}

// --- two fibers ---

#define ALL_BYTES ((size_t)3 * 1024 * 1024)

struct pair {
    struct at_work w;
    struct fiber *reader;
    size_t n_put;
    bool has_ended;
};

static void fill(void *arg)
{
    struct pair *p = arg;
    enum spool_end end = SPOOL_DONE;
    while (p->n_put < ALL_BYTES && end != SPOOL_LOST) {
        p->n_put += put(&p->w.s, p->n_put, MIN(ALL_BYTES - p->n_put, (size_t)50000), &end);
        if (p->reader)
            fiber_wake(p->reader);
        if (end == SPOOL_FULL || p->n_put % 3 == 0)
            fiber_sleep(1);
    }
    CHECK(spool_flush(&p->w.s) != SPOOL_LOST);
    p->has_ended = true;
    if (p->reader)
        fiber_wake(p->reader);
}

static void check_pair(const void *arg)
{
    static struct pair p;
    p = (struct pair){.n_put = 0};
    size_t n_taken = 0;
    start(&p.w, 2, 64 << 10, 10); // less than the body
    CHECK(fiber_start(fill, &p) != NULL);
    for (;;) {
        struct str got;
        enum io io = spool_take(&p.w.s, &got, FOREVER);
        if (io == IO_DONE) {
            n_taken += check_bytes(got, n_taken);
            if (*(const bool *)arg)
                fiber_sleep(1); // slower than the filler
            continue;
        }
        CHECK_INT(io, IO_EOF);
        if (p.has_ended)
            break;
        p.reader = fiber_self();
        CHECK_INT(fiber_wait(deadline_at(clock_now_ms() + 60000)), FIBER_READY);
        p.reader = NULL;
    }
    CHECK_INT(n_taken, ALL_BYTES);
    end(&p.w);
}

static void one_fiber_fills_and_another_reads(void)
{
    run_on_fiber(check_pair, &(bool){true});
    run_on_fiber(check_pair, &(bool){false});
}

// --- limits ---

static void check_limits(const void *arg)
{
    (void)arg;
    struct at_work w;
    enum spool_end how;
    start(&w, 0, LIMIT, 0);
    struct spool other = {.env = &w.env, .memory_bytes = LIMIT, .all_bytes = 65536};
    w.s.all_bytes = 65536;
    CHECK_INT(put(&w.s, 0, 40000, &how), 40000); // three pieces
    CHECK_INT(w.env.spooled_bytes, 3 * HTTP_BUFFER_BYTES);
    size_t n = put(&other, 0, 20000, &how);
    CHECK_INT(how, SPOOL_FULL);
    CHECK(n > 16000 && n < 16384); // one piece, and the rest is the caller's
    CHECK(!spool_has_room(&other));
    size_t more = put(&w.s, 40000, 15000, &how);
    CHECK_INT(how, SPOOL_FULL);
    CHECK(more > 9000 && more < 9152); // room that was there already
    struct str forced = str_from(bytes, 20000);
    spool_drop(&other);
    spool_force(&other, &forced);
    CHECK_INT(other.n_bytes, 20000);
    spool_drop(&other);
    spool_drop(&other);
    read_the_rest(&w.s, 0, 40000 + more);
    end(&w);
}

static void all_spools_of_a_worker_have_one_limit(void)
{
    run_on_fiber(check_limits, NULL);
}

static void check_full(const void *arg)
{
    (void)arg;
    struct at_work w;
    enum spool_end how = SPOOL_DONE;
    size_t n_put = 0, n_taken = 0;
    start(&w, 1, 16 << 10, 2);
    while (how == SPOOL_DONE && n_put < LIMIT)
        n_put += put(&w.s, n_put, 10000, &how);
    CHECK_INT(how, SPOOL_FULL);
    CHECK(n_put > 3 * SLOTS_BYTES && n_put <= 3 * SLOTS_BYTES + 2 * HTTP_BUFFER_BYTES);
    CHECK(!spool_has_room(&w.s));
    CHECK_INT(spool_flush(&w.s), SPOOL_FULL);
    CHECK_INT(w.env.stats.counters[HTTP_COUNTER_SPOOL_FULL], 1); // and not for each try
    struct str got;
    while (!spool_has_room(&w.s) && spool_take(&w.s, &got, FOREVER) == IO_DONE)
        n_taken += check_bytes(got, n_taken);
    n_put += put(&w.s, n_put, 10000, &how);
    CHECK_INT(how, SPOOL_DONE);
    read_the_rest(&w.s, n_taken, n_put);
    end(&w);
}

static void what_a_full_file_does_not_take_stays_in_memory(void)
{
    run_on_fiber(check_full, NULL);
}

static void check_open_block(const void *arg)
{
    (void)arg;
    struct at_work w;
    enum spool_end how;
    struct str got;
    start(&w, 1, 4 << 10, 4);
    size_t n_put = put(&w.s, 0, 20000, &how), n_taken = 0;
    CHECK_INT(spool_take(&w.s, &got, BODY_NO_WAIT), IO_DONE);
    n_taken += check_bytes(got, n_taken);
    CHECK_INT(spool_take(&w.s, &got, BODY_NO_WAIT), IO_DONE);
    n_taken += check_bytes(got, n_taken);
    CHECK_INT(n_taken, n_put);
    CHECK_INT(spool_take(&w.s, &got, BODY_NO_WAIT), IO_EOF);
    CHECK_INT(w.env.stats.counters[HTTP_COUNTER_SPOOL_WRITTEN], 0); // the disk has heard of none
    end(&w);
}

static void a_reader_that_is_fast_enough_costs_no_disk(void)
{
    run_on_fiber(check_open_block, NULL);
}

static void check_no_wait(const void *arg)
{
    (void)arg;
    struct at_work w;
    enum spool_end how;
    struct str got;
    start(&w, 1, 4 << 10, 4);
    size_t n_put = put(&w.s, 0, 150000, &how), n_taken = 0;
    enum io io;
    while ((io = spool_take(&w.s, &got, BODY_NO_WAIT)) == IO_DONE)
        n_taken += check_bytes(got, n_taken);
    CHECK_INT(io, IO_AGAIN);
    CHECK(n_taken < n_put);
    read_the_rest(&w.s, n_taken, n_put);
    end(&w);
}

static void who_does_not_wait_gets_nothing_from_the_disk(void)
{
    run_on_fiber(check_no_wait, NULL);
}

// --- trouble ---

static void check_lost(const void *arg)
{
    (void)arg;
    struct at_work w;
    enum spool_end how;
    struct str got;
    start(&w, 1, 4 << 10, 4);
    put(&w.s, 0, 150000, &how);
    CHECK_INT(ftruncate(w.file, 1000), 0);
    CHECK_INT(spool_take(&w.s, &got, FOREVER), IO_DONE);
    CHECK_INT(spool_take(&w.s, &got, FOREVER), IO_FAIL);
    CHECK_INT(w.s.error, EIO);
    CHECK_INT(spool_take(&w.s, &got, FOREVER), IO_FAIL);
    put(&w.s, 0, 100, &how);
    CHECK_INT(how, SPOOL_LOST);
    CHECK_INT(spool_flush(&w.s), SPOOL_LOST);
    end(&w);
}

static void what_the_disk_loses_is_never_made_up(void)
{
    run_on_fiber(check_lost, NULL);
}

// A disk that is stuck until it is let go.
struct stuck {
    struct offload_job job;
    atomic_bool is_over;
};

static void wait_until_over(struct offload_job *j)
{
    while (!atomic_load(&CONTAINER_OF(j, struct stuck, job)->is_over))
        usleep(100);
}

static void keep(struct offload_job *j)
{
    (void)j;
}

struct waiter {
    struct at_work *w;
    bool reads, has_ended;
};

static void wait_for_disk(void *arg)
{
    struct waiter *v = arg;
    enum spool_end how = SPOOL_DONE;
    struct str got;
    if (v->reads) {
        CHECK_INT(spool_take(&v->w->s, &got, FOREVER), IO_DONE); // the piece in memory
        CHECK_INT(spool_take(&v->w->s, &got, FOREVER), IO_FAIL);
    } else {
        put(&v->w->s, 0, 150000, &how);
        CHECK_INT(how, SPOOL_LOST);
    }
    CHECK_INT(v->w->s.error, ECANCELED);
    v->has_ended = true;
}

static void check_cancelled(const void *arg)
{
    struct at_work w;
    struct stuck stuck = {.job = {.run = wait_until_over, .free = keep}};
    struct waiter v = {.w = &w, .reads = *(const bool *)arg};
    enum spool_end how;
    start(&w, 1, 4 << 10, 4);
    if (v.reads)
        put(&w.s, 0, 150000, &how);
    CHECK(offload_send(w.disk, &stuck.job));
    struct fiber *f = fiber_start(wait_for_disk, &v);
    for (int i = 0; i < 5; i++)
        fiber_yield();
    CHECK(!v.has_ended);
    fiber_cancel(f);
    while (!v.has_ended)
        fiber_yield();
    spool_drop(&w.s); // while the disk is still at it
    CHECK_INT(w.env.spooled_bytes, 0);
    atomic_store(&stuck.is_over, true);
    end(&w);
}

static void who_is_cancelled_while_waiting_for_the_disk_leaves_nothing_behind(void)
{
    run_on_fiber(check_cancelled, &(bool){false});
    run_on_fiber(check_cancelled, &(bool){true});
}

TEST_MAIN(TEST(bytes_come_out_in_their_order), TEST(one_fiber_fills_and_another_reads),
          TEST(all_spools_of_a_worker_have_one_limit),
          TEST(what_a_full_file_does_not_take_stays_in_memory),
          TEST(a_reader_that_is_fast_enough_costs_no_disk),
          TEST(who_does_not_wait_gets_nothing_from_the_disk),
          TEST(what_the_disk_loses_is_never_made_up),
          TEST(who_is_cancelled_while_waiting_for_the_disk_leaves_nothing_behind))
