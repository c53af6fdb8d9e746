// SPDX-License-Identifier: Apache-2.0
#include "rt/fiber.h"

#include "rt/clock.h"
#include "rt/loop_priv.h"
#include "rt/switch.h"

// Work of one fiber in one turn, in the unit of fiber_give_way, after which it gives way.
#define WORK_PER_TURN (256 * 1024)

_Static_assert(sizeof(struct fiber) <= STACK_HEAD_BYTES, "a fiber fits above its stack");
_Static_assert(offsetof(struct fiber, stack) == 0, "a stack's head begins its fiber");

static void leave(struct fiber *f)
{
    struct rt_loop *l = rt_loop_here();
    notes_leave(&f->notes, &l->notes, f->state == FIBER_ENDED);
    switch_stack(&f->sp, l->sp);
    notes_arrive(&f->notes, &l->notes);
}

static void fiber_main(void *arg)
{
    struct fiber *f = arg;
    notes_arrive(&f->notes, &rt_loop_here()->notes);
    f->fn(f->arg);
    f->state = FIBER_ENDED;
    leave(f);
    panic("an ended fiber was entered");
}

static void finish(struct rt_loop *l, struct fiber *f)
{
    notes_fini(&f->notes);
    l->stats.n_fibers--;
    stacks_give(&l->stacks, &f->stack);
}

void fiber_enter(struct rt_loop *l, struct fiber *f)
{
    ASSERT(!l->running);
    l->running = f;
    l->stats.n_switches++;
    f->state = FIBER_RUNNING;
    notes_leave(&l->notes, &f->notes, false);
    switch_stack(&l->sp, f->sp);
    notes_arrive(&l->notes, NULL);
    l->running = NULL;
    if (f->state == FIBER_ENDED)
        finish(l, f);
}

static struct fiber *make_fiber(struct rt_loop *l, fiber_fn *fn, void *arg)
{
    if (l->stats.n_fibers >= l->fibers_max)
        return NULL;
    struct stack *stack = stacks_take(&l->stacks);
    if (!stack)
        return NULL;
    l->stats.n_fibers++;
    l->stats.n_fibers_peak = MAX(l->stats.n_fibers_peak, l->stats.n_fibers);

    struct fiber *f = (struct fiber *)(void *)stack;
    // What the fiber before it on this stack left: its timer may still run, which on_time knows.
    f->node = (struct list_node){0};
    f->is_cancelled = false;
    f->n_interrupts = 0;
    f->work = 0;
    f->work_turn = 0;
    f->fn = fn;
    f->arg = arg;
    notes_init(&f->notes, stack->bottom, (size_t)((char *)stack - stack->bottom));
    f->sp = switch_prepare(f, fiber_main, f);
    return f;
}

static void make_runnable(struct rt_loop *l, struct fiber *f)
{
    f->state = FIBER_RUNNABLE;
    list_push_back(&l->runnable, &f->node);
}

static void end_wait(struct fiber *f, enum fiber_wake why)
{
    if (f->state != FIBER_PARKED)
        return;
    f->why = why;
    make_runnable(rt_loop_here(), f);
}

// The timer may be an earlier wait's, left running, even of the stack's last fiber: those who wait
// often, each time a little longer, start one now and then instead of one per wait.
static void on_time(struct rt_timer *t)
{
    struct fiber *f = CONTAINER_OF(t, struct fiber, stack.timer);
    if (f->state != FIBER_PARKED || f->until.at_ms == INT64_MAX)
        return;
    if (f->until.at_ms > clock_now_ms())
        timer_start(t, f->until.at_ms, on_time);
    else
        end_wait(f, FIBER_EXPIRED);
}

struct fiber *fiber_start(fiber_fn *fn, void *arg)
{
    struct rt_loop *l = rt_loop_here();
    struct fiber *f = make_fiber(l, fn, arg);
    if (f)
        make_runnable(l, f);
    return f;
}

struct fiber *fiber_run(fiber_fn *fn, void *arg)
{
    struct rt_loop *l = rt_loop_here();
    struct fiber *f = make_fiber(l, fn, arg);
    if (!f)
        return NULL;
    if (l->running)
        make_runnable(l, f);
    else
        fiber_enter(l, f);
    return f;
}

struct fiber *fiber_self(void)
{
    const struct rt_loop *l = rt_loop_current;
    return l ? l->running : NULL;
}

enum fiber_wake fiber_wait(struct deadline until)
{
    struct rt_loop *l = rt_loop_here();
    struct fiber *f = l->running;
    ASSERT(f != NULL);
    if (fiber_is_cancelled(f))
        return FIBER_CANCELLED;
    if (until.at_ms <= l->now_ms)
        return FIBER_EXPIRED;
    f->until = until;
    bool is_timed = timer_is_running(&f->stack.timer) && f->stack.timer.at_ms <= until.at_ms;
    if (!is_timed && until.at_ms != INT64_MAX)
        timer_start(&f->stack.timer, until.at_ms, on_time);
    f->state = FIBER_PARKED;
    leave(f);
    return f->why;
}

void fiber_wake(struct fiber *f)
{
    end_wait(f, FIBER_READY);
}

void fiber_cancel(struct fiber *f)
{
    f->is_cancelled = true;
    end_wait(f, FIBER_CANCELLED);
}

bool fiber_is_cancelled(const struct fiber *f)
{
    return f->is_cancelled || f->n_interrupts > 0;
}

void fiber_interrupt(struct fiber *f)
{
    f->n_interrupts++;
    end_wait(f, FIBER_CANCELLED);
}

bool fiber_is_interrupted(const struct fiber *f)
{
    return f->n_interrupts > 0;
}

void fiber_resume(struct fiber *f)
{
    ASSERT(f->n_interrupts > 0);
    f->n_interrupts--;
}

void fiber_yield(void)
{
    struct rt_loop *l = rt_loop_here();
    struct fiber *f = l->running;
    ASSERT(f != NULL);
    f->state = FIBER_RUNNABLE;
    list_push_back(&l->yielded, &f->node);
    leave(f);
}

void fiber_give_way(uint32_t cost)
{
    struct rt_loop *l = rt_loop_here();
    struct fiber *f = l->running;
    ASSERT(f != NULL);
    if (f->work_turn != l->stats.n_turns) {
        f->work_turn = l->stats.n_turns;
        f->work = 0;
    }
    f->work = MIN(f->work, WORK_PER_TURN) + MIN(cost, WORK_PER_TURN);
    if (f->work >= WORK_PER_TURN)
        fiber_yield();
}

enum fiber_wake fiber_sleep(int64_t wait_ms)
{
    return fiber_wait(deadline_in(wait_ms));
}
