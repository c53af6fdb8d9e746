// SPDX-License-Identifier: Apache-2.0
// Assertions for our own bugs; on in release builds. What a peer, an operator, a file or the
// system can cause is an error value, never an assertion.
#pragma once

#include <stdint.h>

#include "base/attr.h"

#define ASSERT(cond) (LIKELY(cond) ? (void)0 : panic_at(__FILE__, __LINE__, __func__, #cond))

// Costly checks: only in debug builds.
#ifdef SALLYPORT_DEBUG
#define DASSERT(cond) ASSERT(cond)
#else
#define DASSERT(cond) ((void)0)
#endif

// Ends the process with a report on stderr: place, condition, stack addresses, then abort().
NORETURN void panic_at(const char *file, int line, const char *func, const char *cond);

// Like panic_at, with a message of the caller's.
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

// Objects that travel behind a void * start with a magic number, checked on the way back.
#define OBJ_ASSERT(obj, wanted) ASSERT((obj) != NULL && (obj)->magic == (wanted))
