// SPDX-License-Identifier: Apache-2.0
// Windows of the week, as settings have them: "Mon-Fri 08:00-18:00", "Sat,Sun", "22:00-06:00".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define WEEK_FORMAT "days, times, or both: Mon-Fri 08:00-18:00"

// One that ends at or before its beginning goes on into the next day.
struct week_window {
    uint8_t days;        // bits, Monday first: on which it begins
    uint16_t from, till; // minutes of the day; till is at most 1440
};

// Days of the week in English, three letters of them or more, in any case.
enum err week_parse(struct str text, struct week_window *ret) MUST_CHECK;

// local_s: seconds since 1970 of a clock that shows local time.
bool week_contains(const struct week_window *w, int64_t local_s);
