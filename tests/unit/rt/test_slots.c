// SPDX-License-Identifier: Apache-2.0
#include "rt/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "rt/clock.h"
#include "rt_test.h"

#define N_FIBERS 12
#define N_ROUNDS 40

static struct rt_loop *loop;
static struct offload *disk;
static struct slots *slots;
static int file; // the slots' too

static void set_up(unsigned n_threads, unsigned queue_max, size_t n_slots)
{
    loop = test_loop(0);
    disk = offload_new(n_threads, queue_max);
    file = memfd_create("slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    slots = slots_new(file, n_slots * SLOTS_BYTES, disk);
}

static void tear_down(void)
{
    slots_stop(slots);
    offload_free(disk);
    loop_turn(loop, 0); // the last mail, for those who have left, frees their blocks
    CHECK_INT(slots_used(slots), 0);
    slots_free(slots);
    loop_free(loop);
}

static off_t file_bytes(void)
{
    struct stat st;
    return fstat(file, &st) == 0 ? st.st_size : -1;
}

static void fill(struct slots_block *b, size_t n, unsigned seed)
{
    b->n = n;
    for (size_t i = 0; i < n; i++)
        b->bytes[i] = (char)((seed * 31 + i) % 251);
}

static bool is_filled(const struct slots_block *b, size_t n, unsigned seed)
{
    if (b->n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (b->bytes[i] != (char)((seed * 31 + i) % 251))
            return false;
    }
    return true;
}

static size_t length_of(unsigned seed)
{
    return 1 + (seed * 7919) % SLOTS_BYTES;
}

static enum slots_end read_whole(struct slots_block *b, uint32_t slot, size_t n, int64_t wait_ms)
{
    struct slots_part all = {.slot = slot, .n = n, .is_last = true};
    return slots_read(b, all, deadline_in(wait_ms));
}

// Three slots at a time, read in another order than written.
static void write_and_read(void *arg)
{
    static const unsigned order[] = {2, 0, 1};
    struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        uint32_t at[3];
        unsigned seed = (unsigned)(intptr_t)arg * 1000 + round * 3;
        for (unsigned i = 0; i < 3; i++) {
            fill(b, length_of(seed + i), seed + i);
            CHECK_INT(slots_write(b, deadline_in(SOON_MS), &at[i]), SLOTS_DONE);
        }
        for (unsigned i = 0; i < 3; i++) {
            unsigned s = seed + order[i];
            CHECK_INT(read_whole(b, at[order[i]], length_of(s), SOON_MS), SLOTS_DONE);
            CHECK(is_filled(b, length_of(s), s));
        }
    }
    slots_block_free(b);
}

// It comes on a helper thread.
static void wait_until_emptied(void *arg)
{
    (void)arg;
    for (int64_t until_ms = clock_now_ms() + SOON_MS; file_bytes() > 0;) {
        CHECK(clock_now_ms() < until_ms);
        fiber_sleep(1);
    }
}

static void check_bytes(unsigned n_threads)
{
    set_up(n_threads, 100, (size_t)3 * N_FIBERS);
    for (intptr_t i = 0; i < N_FIBERS; i++)
        fiber_start(write_and_read, (void *)i);
    CHECK(test_run_all(loop));
    CHECK_INT(slots_used(slots), 0);
    fiber_start(wait_until_emptied, NULL); // nobody needs it any more
    CHECK(test_run_all(loop));
    tear_down();
}

static void what_is_written_is_read(void)
{
    check_bytes(3);
}

static void without_threads_it_is_done_at_once(void)
{
    check_bytes(0);
}

static void read_in_parts(void *arg)
{
    (void)arg;
    uint32_t at;
    static char got[50000];
    struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
    struct slots_block *part = slots_block_new(slots, 16384);
    fill(b, sizeof got, 5);
    CHECK_INT(slots_write(b, deadline_in(SOON_MS), &at), SLOTS_DONE);
    for (size_t i = 0; i < sizeof got; i += part->n) {
        size_t n = MIN(sizeof got - i, part->cap);
        struct slots_part p = {.slot = at, .at = i, .n = n, .is_last = i + n == sizeof got};
        CHECK_INT(slots_used(slots), 1);
        CHECK_INT(slots_read(part, p, deadline_in(SOON_MS)), SLOTS_DONE);
        memcpy(got + i, part->bytes, part->n);
    }
    CHECK_INT(slots_used(slots), 0);
    CHECK(memcmp(got, b->bytes, sizeof got) == 0);
    slots_block_free(b);
    slots_block_free(part);
}

static void a_slot_is_read_in_parts(void)
{
    set_up(1, 100, 3);
    fiber_start(read_in_parts, NULL);
    CHECK(test_run_all(loop));
    tear_down();
}

static void leave_unread(void *arg)
{
    (void)arg;
    uint32_t at;
    struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
    fill(b, 5000, 1);
    CHECK_INT(slots_write(b, deadline_in(SOON_MS), &at), SLOTS_DONE);
    slots_block_free(b);
    CHECK(file_bytes() > 0);
    slots_release(slots, at);
    wait_until_emptied(NULL);
}

static void what_nobody_reads_is_given_back_too(void)
{
    set_up(2, 100, 3);
    fiber_start(leave_unread, NULL);
    CHECK(test_run_all(loop));
    tear_down();
}

static void use_up(void *arg)
{
    (void)arg;
    uint32_t at[3], more;
    struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
    for (unsigned i = 0; i < 3; i++) {
        fill(b, 100, i);
        CHECK_INT(slots_write(b, deadline_in(SOON_MS), &at[i]), SLOTS_DONE);
        CHECK_INT(at[i], i);
    }
    fill(b, 100, 9);
    CHECK_INT(slots_write(b, deadline_in(SOON_MS), &more), SLOTS_FAILED);
    CHECK_INT(b->error, ENOSPC);
    CHECK(is_filled(b, 100, 9)); // nothing is lost
    slots_release(slots, at[1]);
    CHECK_INT(slots_write(b, deadline_in(SOON_MS), &more), SLOTS_DONE);
    CHECK_INT(more, 1); // its place again
    slots_block_free(b);
    slots_release(slots, at[0]);
    slots_release(slots, at[2]);
    slots_release(slots, more);
    slots_release(slots, SLOTS_NONE);
}

static void when_all_are_used_the_block_keeps_its_bytes(void)
{
    set_up(2, 100, 3);
    fiber_start(use_up, NULL);
    CHECK(test_run_all(loop));
    tear_down();
}

static void fail_to_write(void *arg)
{
    (void)arg;
    uint32_t at;
    struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
    fill(b, 5000, 1);
    CHECK_INT(slots_write(b, deadline_in(SOON_MS), &at), SLOTS_FAILED);
    CHECK_INT(b->error, EPERM);
    CHECK(is_filled(b, 5000, 1));
    CHECK_INT(slots_used(slots), 0);
    slots_block_free(b);
}

static void a_disk_that_refuses_costs_no_slot(void)
{
    set_up(1, 100, 3);
    CHECK_INT(fcntl(file, F_ADD_SEALS, F_SEAL_GROW), 0); // as if it were full
    fiber_start(fail_to_write, NULL);
    CHECK(test_run_all(loop));
    tear_down();
}

static void fail_to_read(void *arg)
{
    (void)arg;
    uint32_t at;
    struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
    fill(b, 5000, 1);
    CHECK_INT(slots_write(b, deadline_in(SOON_MS), &at), SLOTS_DONE);
    CHECK_INT(ftruncate(file, 3000), 0);
    CHECK_INT(read_whole(b, at, 5000, SOON_MS), SLOTS_FAILED);
    CHECK_INT(b->error, EIO);
    slots_block_free(b);
}

static void a_file_that_has_lost_bytes_is_an_error(void)
{
    set_up(1, 100, 3);
    fiber_start(fail_to_read, NULL);
    CHECK(test_run_all(loop));
    tear_down();
}

// Leaves many waits before their end, and what was left is nobody's worry.
static void hurry(void *arg)
{
    for (unsigned round = 0; round < 4 * N_ROUNDS; round++) {
        unsigned seed = (unsigned)(intptr_t)arg * 1000 + round;
        uint32_t at;
        struct slots_block *b = slots_block_new(slots, SLOTS_BYTES);
        fill(b, length_of(seed), seed);
        enum slots_end end = slots_write(b, deadline_in(seed % 2), &at);
        if (end == SLOTS_DONE)
            end = read_whole(b, at, length_of(seed), seed / 2 % 2);
        if (end == SLOTS_DONE)
            CHECK(is_filled(b, length_of(seed), seed));
        if (end != SLOTS_GONE)
            slots_block_free(b);
    }
}

static void waits_that_are_left_keep_no_slot(void)
{
    set_up(2, 6, N_FIBERS); // full queues, too
    for (intptr_t i = 0; i < N_FIBERS; i++)
        fiber_start(hurry, (void *)i);
    CHECK(test_run_all(loop));
    tear_down();
}

TEST_MAIN(TEST(what_is_written_is_read), TEST(without_threads_it_is_done_at_once),
          TEST(a_slot_is_read_in_parts), TEST(what_nobody_reads_is_given_back_too),
          TEST(when_all_are_used_the_block_keeps_its_bytes),
          TEST(a_disk_that_refuses_costs_no_slot), TEST(a_file_that_has_lost_bytes_is_an_error),
          TEST(waits_that_are_left_keep_no_slot))
