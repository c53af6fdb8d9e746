// SPDX-License-Identifier: Apache-2.0
// What ASan, TSan and Valgrind must be told about stacks and the changes between them, and about
// memory that lies in a pool. Nothing at all in an ordinary build.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define NOTES_ASAN 1
#else
#define NOTES_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define NOTES_TSAN 1
#else
#define NOTES_TSAN 0
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

// One context: a fiber, or the loop on the thread's own stack.
struct notes {
    const void *bottom; // ASan: lowest byte of the stack
    size_t bytes;
    void *fake_stack; // ASan
    void *tsan;       // TSan: owns, of a fiber
};

static inline void notes_init(struct notes *n, const void *bottom, size_t bytes)
{
    *n = (struct notes){.bottom = bottom, .bytes = bytes};
#if NOTES_TSAN
    n->tsan = __tsan_create_fiber(0);
#endif
}

static inline void notes_fini(struct notes *n)
{
    (void)n;
#if NOTES_TSAN
    __tsan_destroy_fiber(n->tsan);
#endif
}

// Right before the switch. for_good: from ends.
static inline void notes_leave(struct notes *from, const struct notes *to, bool for_good)
{
    (void)from, (void)to, (void)for_good;
#if NOTES_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->bottom, to->bytes);
#endif
#if NOTES_TSAN
    from->tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

// Right after the switch, in the context that goes on. from: whose bounds to note, or NULL.
static inline void notes_arrive(struct notes *to, struct notes *from)
{
    (void)to, (void)from;
#if NOTES_ASAN
    __sanitizer_finish_switch_fiber(to->fake_stack, from ? &from->bottom : NULL,
                                    from ? &from->bytes : NULL);
#endif
}

static inline unsigned notes_add_stack(const void *bottom, size_t bytes)
{
#ifdef VALGRIND_STACK_REGISTER
    return (unsigned)VALGRIND_STACK_REGISTER((const char *)bottom, (const char *)bottom + bytes);
#else
    return (void)bottom, (void)bytes, 0;
#endif
}

static inline void notes_remove_stack(unsigned id)
{
    (void)id;
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(id);
#endif
}

// Memory in a pool: a touch is an error until it is taken out.
static inline void notes_hide(void *ptr, size_t n)
{
    (void)ptr, (void)n;
#if NOTES_ASAN
    ASAN_POISON_MEMORY_REGION(ptr, n);
#endif
}

static inline void notes_show(void *ptr, size_t n)
{
    (void)ptr, (void)n;
#if NOTES_ASAN
    ASAN_UNPOISON_MEMORY_REGION(ptr, n);
#endif
}
