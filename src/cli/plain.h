// SPDX-License-Identifier: Apache-2.0
// Texts of others on a terminal, and amounts as people like to read them.
#pragma once

#include <stdint.h>

#include "base/text.h"

// s without what steers a terminal: C0 and C1 control characters become '?'.
void plain_put(struct text *to, struct str s);

// "3 d 4 h", "12 min", "7 s": the two largest units that aren't zero.
void plain_put_span(struct text *to, int64_t seconds);

// "1.2 s", "37 ms".
void plain_put_ms(struct text *to, int64_t ms);

// "12 345 678".
void plain_put_count(struct text *to, int64_t n);

// "18 MiB" from KiB.
void plain_put_kib(struct text *to, int64_t kib);
