// SPDX-License-Identifier: Apache-2.0
// SipHash-1-3 for keys that others choose. The key is the process's own, random at start.
#pragma once

#include <stdint.h>

#include "base/str.h"

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_sip13(struct hash_key key, struct str s);

// Sets the key of this process; called once, before any map exists. Without a call the key is 0,
// which keeps unit tests repeatable.
void hash_seed(struct hash_key key);

// With the process's key.
uint64_t hash_str(struct str s);
