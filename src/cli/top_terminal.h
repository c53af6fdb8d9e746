// SPDX-License-Identifier: Apache-2.0
// A terminal that is drawn on as a whole: VT100's codes are enough. However the process ends, the
// terminal is as it was before. One at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

// Whether standard input and output are a terminal that can be drawn on.
bool top_terminal_is_there(void);

// Takes it over. False with errno.
bool top_terminal_open(void) MUST_CHECK;
void top_terminal_close(void);

// Between the two, the process ends at once when somebody wants that: for work that takes longer
// than drawing.
void top_terminal_leave(void);
void top_terminal_return(void);

void top_terminal_size(size_t *ret_width, size_t *ret_height);

// Shows the lines, from the first row on; what was there is gone.
void top_terminal_show(struct str lines);

#define TOP_KEY_NONE 0      // the time is over
#define TOP_KEY_RESIZE (-1) // the terminal has another size, or is shown again
#define TOP_KEY_END (-2)    // somebody wants the process to end, or there is no terminal any more

// The next key, or one of the above. Waits until a time of the clock.
int top_terminal_key(int64_t until_ms);
