// SPDX-License-Identifier: Apache-2.0
// On a clock of its own (--wrap in meson.build), since stacks are given back after a while.
#include "rt/sys.h"

#include <sys/mman.h>

#include "rt_test.h"

static int64_t skipped_ns;

int64_t __real_sys_clock_mono_ns(void);
int64_t __wrap_sys_clock_mono_ns(void);
int64_t __wrap_sys_clock_mono_ns(void)
{
    return __real_sys_clock_mono_ns() + skipped_ns;
}

// off_t has 64 bits (meson), and mmap is mmap64 to the linker.
static int n_mapped;

void *__real_mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    n_mapped++;
    return __real_mmap64(addr, n, prot, flags, fd, offset);
}

int __real_munmap(void *addr, size_t n);
int __wrap_munmap(void *addr, size_t n);
int __wrap_munmap(void *addr, size_t n)
{
    n_mapped--;
    return __real_munmap(addr, n);
}

static struct rt_loop *loop;

static void yield_once(void *arg)
{
    (void)arg;
    fiber_yield();
}

static void run_many(int n)
{
    for (int i = 0; i < n; i++)
        CHECK(fiber_start(yield_once, NULL) != NULL);
    CHECK(test_run_all(loop));
}

static void pass_seconds(int64_t n)
{
    skipped_ns += n * 1000000000;
    loop_turn(loop, 0);
}

static void stacks_of_a_rush_are_kept_and_given_back_later(void)
{
    struct loop_stats stats;
    n_mapped = 0;
    loop = test_loop(0);
    run_many(10);
    CHECK_INT(n_mapped, 10);
    run_many(1000);
    CHECK_INT(n_mapped, 1000);
    run_many(1000);
    CHECK_INT(n_mapped, 1000); // the same ones again
    pass_seconds(11);
    CHECK_INT(n_mapped, 1000); // the rush was in this period
    pass_seconds(11);
    CHECK_INT(n_mapped, 64);
    loop_stats(loop, &stats);
    CHECK_INT(stats.n_timers, 0); // nothing left to look after
    loop_free(loop);
    CHECK_INT(n_mapped, 0);
}

static void stacks_in_use_now_and_then_are_kept(void)
{
    n_mapped = 0;
    loop = test_loop(0);
    for (int i = 0; i < 10; i++) {
        run_many(200);
        pass_seconds(6);
    }
    CHECK_INT(n_mapped, 200);
    loop_free(loop);
}

TEST_MAIN(TEST(stacks_of_a_rush_are_kept_and_given_back_later),
          TEST(stacks_in_use_now_and_then_are_kept))
