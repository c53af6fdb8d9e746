// SPDX-License-Identifier: Apache-2.0
// Hashes that protocols ask for, beside those of TLS itself.
#pragma once

#include "base/str.h"

#define TLS_SHA1_BYTES 20
#define TLS_SHA256_BYTES 32u

// SHA-1, where a protocol has it and nothing depends on its strength (RFC 6455 4.2.2).
void tls_sha1(struct str s, unsigned char ret[static TLS_SHA1_BYTES]);

// HMAC-SHA256 (RFC 2104).
void tls_hmac_sha256(struct str key, struct str s, unsigned char ret[static TLS_SHA256_BYTES]);
