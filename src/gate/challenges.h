// SPDX-License-Identifier: Apache-2.0
// The proofs that certificate authorities may ask for at this moment: answers of HTTP-01 (RFC 8555
// 8.3) and certificates of TLS-ALPN-01 (RFC 8737). Packed by the keeper, used by the gate. A set is
// immutable and shared by counting; a new one takes the place of the old one as a whole.
#pragma once

#include "base/diag.h"
#include "tls/bundle.h"
#include "tls/store.h"

struct exchange;
struct challenges;

struct challenge_token {
    struct str token;             // base64url
    struct str key_authorization; // the answer's body
};

#define CHALLENGE_TOKENS_MAX 10000u
#define CHALLENGE_TOKEN_MAX_BYTES 512u // of each of both

void challenges_pack(const struct challenge_token *tokens, size_t n_tokens,
                     const struct tls_bundle_item *certs, size_t n_certs, struct text *to);

// NULL: the bytes are no such set; nothing in them is trusted. The caller holds one ref.
struct challenges *challenges_unpack(struct str bytes, struct diags *diags);
struct challenges *challenges_ref(struct challenges *c); // NULL is allowed
void challenges_unref(struct challenges *c);             // NULL is allowed

// The certificates; borrowed. NULL: there are none.
struct tls_store *challenges_store(const struct challenges *c);

// Answers x when it asks for a token of c (NULL: there is none), before any route is looked for.
// Other paths below /.well-known/acme-challenge/ are left to the routes, so that a client of the
// user's own behind this proxy still works.
bool challenges_answer(const struct challenges *c, struct exchange *x);
