// SPDX-License-Identifier: Apache-2.0
// The keys that seal session tickets (RFC 5077, RFC 8446 4.6.1): made by the keeper, so that a
// session is resumed by every worker, after a reload, and by the next gate. The newest key seals,
// the older ones open, and what they opened is sealed anew. Immutable, counted.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/str.h"

#define TLS_TICKET_KEYS_MAX 3

// As the keeper hands them over, newest first: all random, each 80 bytes without a gap.
struct tls_ticket_key {
    uint8_t name[16]; // on the wire, to find it again
    uint8_t cipher[32];
    uint8_t mac[32];
};

struct tls_tickets;

// bytes: 1 to TLS_TICKET_KEYS_MAX keys. NULL: they are something else. The caller holds one ref.
struct tls_tickets *tls_tickets_new(struct str bytes) MUST_CHECK;

// Any thread. NULL is allowed.
struct tls_tickets *tls_tickets_ref(struct tls_tickets *t);
void tls_tickets_unref(struct tls_tickets *t); // wipes the keys with the last one

// Lets connections of ctx use the keys that tls_tickets_set gives them (borrowed; NULL: none):
// where there are none, no ticket is given and none is taken.
void tls_tickets_use(SSL_CTX *ctx);
void tls_tickets_set(SSL *ssl, struct tls_tickets *t);
