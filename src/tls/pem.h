// SPDX-License-Identifier: Apache-2.0
// PEM (RFC 7468): the blocks of a file, in their order, with whatever stands between them skipped.
// Limits: a file of many blocks is read to its end, a block is at most TLS_PEM_BLOCK_MAX_BYTES.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define TLS_PEM_BLOCK_MAX_BYTES ((size_t)256 << 10)

enum tls_pem_kind {
    TLS_PEM_CERTIFICATE,
    TLS_PEM_KEY,           // PKCS#8, SEC 1 or PKCS#1
    TLS_PEM_ENCRYPTED_KEY, // needs a password: not decoded
    TLS_PEM_OTHER,         // parameters, requests, lists: not decoded
};

struct tls_pem_block {
    enum tls_pem_kind kind;
    struct str der;  // in mem; empty where it isn't decoded
    struct str text; // borrows: from its BEGIN to its END line
};

// Takes the next block off *rest. IO_DONE; IO_EOF: there is none; IO_FAIL: *ret_why says what is
// wrong with it.
enum io tls_pem_next(struct str *rest, struct arena *mem, struct tls_pem_block *ret,
                     const char **ret_why);

// Appends der as a block with lines of 64 characters; label as in "CERTIFICATE".
void tls_pem_put(struct text *to, struct str label, struct str der);
