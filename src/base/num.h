// SPDX-License-Identifier: Apache-2.0
// Numbers as people write them in settings, and as protocols write them.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

// Decimal digits only: no sign, no space, at least one. ERR_SYNTAX or ERR_RANGE (over max).
enum err num_dec(struct str s, uint64_t max, uint64_t *ret) MUST_CHECK;

// Hexadecimal digits only, at least one.
enum err num_hex(struct str s, uint64_t max, uint64_t *ret) MUST_CHECK;

// A duration in milliseconds: "250ms", "5s", "1m30s", "2h", "7d"; "0" alone is allowed.
enum err num_duration(struct str s, uint64_t *ret_ms) MUST_CHECK;

// Bytes: "512", "16KiB", "4MiB", "1GiB"; kB, MB, GB are powers of 1000. One space may stand before
// the unit.
enum err num_size(struct str s, uint64_t *ret_bytes) MUST_CHECK;

// A rate in events per second times 10^12, rounded: "100/s", "30/m", "5/h", "1000/d".
enum err num_rate(struct str s, uint64_t *ret_pico_per_s) MUST_CHECK;

// The shortest text that num_duration and num_size read back, for dumps. At most 24 bytes, NUL
// at the end.
void num_duration_text(uint64_t ms, char ret_text[static 24]);
void num_size_text(uint64_t bytes, char ret_text[static 24]);
