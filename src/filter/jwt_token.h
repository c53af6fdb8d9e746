// SPDX-License-Identifier: Apache-2.0
// A JSON Web Token in its compact form (RFC 7519, RFC 7515 7.1), taken apart and not believed yet.
#pragma once

#include "base/arena.h"
#include "codec/json_read.h"
#include "tls/jws.h"

#define JWT_TOKEN_MAX_BYTES (16 * 1024)

struct jwt_token {
    enum jws_alg alg;
    struct str kid;            // empty: none
    struct str typ;            // empty: none
    const struct json *claims; // an object
    struct str signed_text;    // what the signature is over; borrows from the token
    struct str signature;      // decoded
};

// NULL: done, in mem. Else why it is none, for the log: a token of another form or kind (encrypted,
// with a critical extension, nested), or with an algorithm that isn't known, `none` being one.
const char *jwt_token_parse(struct str text, struct arena *mem, struct jwt_token *ret) MUST_CHECK;
