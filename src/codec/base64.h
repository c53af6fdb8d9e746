// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648 4 and 5).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

// Decodes; padding may be absent; anything else than the alphabet is ERR_SYNTAX, and so are bits
// that must be zero. buf has room for s.len / 4 * 3 + 3 bytes. is_url: the URL-safe alphabet.
enum err base64_decode(struct str s, bool is_url, char *buf, size_t *ret_len) MUST_CHECK;

// Encodes with padding (without for is_url) into buf of (s.len + 2) / 3 * 4 bytes; returns the
// length.
size_t base64_encode(struct str s, bool is_url, char *buf);
