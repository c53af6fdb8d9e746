// SPDX-License-Identifier: Apache-2.0
#include "rt/stack.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/attr.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/notes.h"

// Sanitizers make frames several times as large.
#define STACK_BYTES (FIBER_STACK_BYTES * (NOTES_ASAN || NOTES_TSAN ? (size_t)4 : (size_t)1))

#define LOOK_EACH_MS 10000
#define KEEP_MIN 64 // these stay, however long they are free

static size_t guard_bytes(void)
{
    return (size_t)getpagesize();
}

static struct stack *map_stack(void)
{
    size_t all_bytes = guard_bytes() + STACK_BYTES;
    char *memory = mmap(NULL, all_bytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    char *bottom = memory + guard_bytes();
    if (mprotect(bottom, STACK_BYTES, PROT_READ | PROT_WRITE) != 0) {
        munmap(memory, all_bytes);
        return NULL;
    }
    struct stack *s = (struct stack *)(void *)(bottom + STACK_BYTES - STACK_HEAD_BYTES);
    s->bottom = bottom;
    s->valgrind_id = notes_add_stack(bottom, STACK_BYTES);
    return s;
}

static void unmap_stack(struct stack *s)
{
    timer_stop(&s->timer);
    notes_remove_stack(s->valgrind_id);
    munmap(s->bottom - guard_bytes(), guard_bytes() + STACK_BYTES);
}

static void drop_oldest(struct stacks *p, uint32_t n)
{
    for (; n > 0; n--) {
        struct list_node *oldest = list_last(&p->free);
        ASSERT(oldest);
        list_remove(oldest);
        p->n_free--;
        unmap_stack(CONTAINER_OF(oldest, struct stack, node));
    }
}

static void on_look(struct rt_timer *t)
{
    struct stacks *p = CONTAINER_OF(t, struct stacks, look);
    if (p->n_free_low > KEEP_MIN)
        drop_oldest(p, p->n_free_low - KEEP_MIN);
    p->n_free_low = p->n_free;
    if (p->n_free > KEEP_MIN)
        timer_start(t, clock_now_ms() + LOOK_EACH_MS, on_look);
}

void stacks_init(struct stacks *p)
{
    *p = (struct stacks){0};
    list_init(&p->free);
}

void stacks_fini(struct stacks *p)
{
    timer_stop(&p->look);
    drop_oldest(p, p->n_free);
}

struct stack *stacks_take(struct stacks *p)
{
    struct list_node *newest = list_pop_front(&p->free);
    if (!newest)
        return map_stack();
    p->n_free--;
    p->n_free_low = MIN(p->n_free_low, p->n_free);
    return CONTAINER_OF(newest, struct stack, node);
}

void stacks_give(struct stacks *p, struct stack *s)
{
    // The frames that the fiber never returned from have left marks.
    notes_show(s->bottom, STACK_BYTES - STACK_HEAD_BYTES);
    list_push_front(&p->free, &s->node);
    p->n_free++;
    if (UNLIKELY(p->n_free > KEEP_MIN) && !timer_is_running(&p->look)) {
        p->n_free_low = p->n_free;
        timer_start(&p->look, clock_now_ms() + LOOK_EACH_MS, on_look);
    }
}

uint32_t stacks_timers(const struct stacks *p)
{
    uint32_t n = 0;
    LIST_FOR (at, &p->free)
        n += timer_is_running(&CONTAINER_OF(at, const struct stack, node)->timer);
    return n;
}
