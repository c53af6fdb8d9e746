// SPDX-License-Identifier: Apache-2.0
// Time. Inside a loop it is read once per turn; these calls cost a load.
#pragma once

#include <stdint.h>

#include "base/deadline.h"

// The monotonic time of this turn of this thread's loop. Outside a loop: read anew.
int64_t clock_now_ms(void);
int64_t clock_now_ns(void);

// The wall clock of this turn, in ns since 1970, and in seconds.
int64_t clock_wall_ns(void);
int64_t clock_wall_s(void);

// How far this machine's local time is ahead of UTC, as of this turn.
int64_t clock_local_offset_s(void);

// Read anew, for measuring inside a turn.
int64_t clock_exact_ns(void);

// Now (of this turn) plus a wait.
struct deadline deadline_in(int64_t wait_ms);
