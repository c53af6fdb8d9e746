// SPDX-License-Identifier: Apache-2.0
#include "rt/timer.h"

#include "rt/loop_priv.h"

void timer_start(struct rt_timer *t, int64_t at_ms, rt_timer_fn *fn)
{
    timer_stop(t);
    t->at_ms = at_ms;
    t->fn = fn;
    wheel_add(&rt_loop_here()->wheel, t);
}

void timer_stop(struct rt_timer *t)
{
    if (timer_is_running(t))
        wheel_remove(&rt_loop_here()->wheel, t);
}
