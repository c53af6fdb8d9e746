// SPDX-License-Identifier: Apache-2.0
#include "rt/clock.h"

#include <time.h>

#include "rt/loop_priv.h"

// The wall clock is carried forward on the monotonic one, and read again when older than this.
#define WALL_MAX_AGE_NS 100000000
#define QUARTER_S 900

int64_t clock_now_ns(void)
{
    const struct rt_loop *l = rt_loop_current;
    return l ? l->now_ns : sys_clock_mono_ns();
}

int64_t clock_now_ms(void)
{
    const struct rt_loop *l = rt_loop_current;
    return l ? l->now_ms : sys_clock_mono_ns() / NS_PER_MS;
}

int64_t clock_wall_ns(void)
{
    struct rt_loop *l = rt_loop_current;
    if (!l)
        return sys_clock_wall_ns();
    if (l->now_ns > l->wall_until_ns) {
        l->wall_minus_mono_ns = sys_clock_wall_ns() - l->now_ns;
        l->wall_until_ns = l->now_ns + WALL_MAX_AGE_NS;
    }
    return l->now_ns + l->wall_minus_mono_ns;
}

int64_t clock_wall_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

int64_t clock_local_offset_s(void)
{
    // Zones change their offset at quarters of an hour; the C library's look-up takes a lock.
    static _Thread_local int64_t quarter = -1, offset_s;
    int64_t now_s = clock_wall_s();
    if (now_s / QUARTER_S != quarter) {
        time_t at = (time_t)now_s;
        struct tm tm;
        offset_s = localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
        quarter = now_s / QUARTER_S;
    }
    return offset_s;
}

int64_t clock_exact_ns(void)
{
    return sys_clock_mono_ns();
}

struct deadline deadline_in(int64_t wait_ms)
{
    int64_t at_ms;
    if (__builtin_add_overflow(clock_now_ms(), wait_ms, &at_ms))
        at_ms = wait_ms > 0 ? INT64_MAX : INT64_MIN;
    return deadline_at(at_ms);
}
