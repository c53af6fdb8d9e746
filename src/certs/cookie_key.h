// SPDX-License-Identifier: Apache-2.0
// The key of the cookies by which clients stick to servers: in the file `cookie-key` of the store's
// folder, random, made when it is first needed. Of one thread; the call blocks.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CERTS_COOKIE_KEY_BYTES 32

// Reads the key, or makes it. False with *ret_why (static): it can't be read, makes no sense, or
// can't be written; ret is untouched then.
bool certs_cookie_key(int folder, uint8_t ret[static CERTS_COOKIE_KEY_BYTES], const char **ret_why);
