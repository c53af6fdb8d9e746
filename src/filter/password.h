// SPDX-License-Identifier: Apache-2.0
// Hashes of passwords as htpasswd files have them: all of crypt(3) (bcrypt, yescrypt, SHA-512, …),
// Apache's $apr1$, and {SHA}. Plain passwords are not accepted.
#pragma once

#include <stdbool.h>

#include "base/str.h"

#define PASSWORD_HASH_MAX 384 // bytes; libcrypt's longest
#define PASSWORD_MAX 511      // bytes of a password that are worth checking; libcrypt's limit

// Why a text can't be a hash; NULL: it is one that password_verify knows.
const char *password_hash_fault(struct str hash);

// A rough order of how long verifying takes: the higher, the longer.
unsigned password_cost(struct str hash);

// True when the password has this hash. Takes from a microsecond to seconds, as the hash wants it:
// not for a loop's thread. hash is one that password_hash_fault accepts. Any thread.
bool password_verify(struct str hash, struct str password);
