// SPDX-License-Identifier: Apache-2.0
// UTF-8 (RFC 3629).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

// The length of the UTF-8 sequence at the start of s, which isn't empty, and its code point; 0 when
// it is malformed, overlong, a surrogate or too large (RFC 3629 4).
size_t utf8_decode(struct str s, uint32_t *ret);

bool utf8_is_valid(struct str s);

#define UTF8_MAX_BYTES 4

// Writes a code point, at most 0x10ffff and no surrogate; returns its length.
size_t utf8_encode(uint32_t code, char ret[static UTF8_MAX_BYTES]);
