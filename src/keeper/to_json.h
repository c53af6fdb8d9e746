// SPDX-License-Identifier: Apache-2.0
// Values as JSON, for what commands are answered. The caller owns what is returned.
#pragma once

#include <jansson.h>

#include "base/str.h"

// Text that may hold any byte: JSON holds UTF-8 alone, what else is there becomes '?'.
json_t *to_json_text(struct str s);
// "2026-11-21T14:00:00.000Z" of seconds since 1970; 0: null.
json_t *to_json_time(int64_t s);
// Of digests and serial numbers: lower case, two digits a byte.
json_t *to_json_hex(struct str bytes);
json_t *to_json_texts(const struct str *texts, size_t n);
