// SPDX-License-Identifier: Apache-2.0
// Remembers which credentials were right a while ago, so that a costly hash is computed once and
// not with every request. One for the process, of a fixed size; any thread. It holds no password:
// keyed digests only, by a key that never leaves the process.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define AUTH_CACHE_KEEP_MS (10 * 60 * 1000)

// Stands for a user, a password and the hash it was checked against: a new hash is a new tag.
struct auth_tag {
    uint8_t bytes[32];
};

// False when the texts are longer than credentials can be.
bool auth_tag_make(struct str user, struct str password, struct str hash, struct auth_tag *ret);

// Stands for anything that was found right, by its parts: what was checked, and against what.
#define AUTH_TAG_PARTS_MAX 8
bool auth_tag_of(const struct str *parts, size_t n, struct auth_tag *ret);

// What is asked for stays: it was right for good, as the tag has what it was checked against, and
// the many requests of a page would else all be checked at once when its time is over.
bool auth_cache_has(const struct auth_tag *tag, int64_t now_ms);

// They were right. Something older may be forgotten for it.
void auth_cache_put(const struct auth_tag *tag, int64_t now_ms);
