// SPDX-License-Identifier: Apache-2.0
// Compiler attributes under short names.
#pragma once

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
// Off the way of ordinary requests: kept away from hot code, and calls of it count as unlikely. Not
// inlined, as its locals would then be room on the stack of everybody who passes by: with hundreds
// of fibers that wait, the bytes that each has touched of its stack are what a request costs.
#define COLD __attribute__((cold, noinline))
// The same for what ordinary requests do pass by, and leave again before they wait.
#define NOINLINE __attribute__((noinline))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define BIT(n) (1u << (n))
// A local array that is filled before it is read: not zeroed by the hardening flags.
#define UNINITIALIZED __attribute__((uninitialized))
// The object that embeds member at ptr.
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
