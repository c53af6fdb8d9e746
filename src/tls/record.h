// SPDX-License-Identifier: Apache-2.0
// The protection of records in TLS 1.3 (RFC 8446 5.2 to 5.5): sealed and opened with the keys of
// one direction of a connection. No socket, and no meaning of what is in a record.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define TLS_RECORD_HEAD_BYTES 5u
#define TLS_RECORD_PLAIN_MAX_BYTES 16384u
#define TLS_RECORD_TAG_BYTES 16u
// What sealing adds: the head, the content's type, the tag.
#define TLS_RECORD_EXTRA_BYTES (TLS_RECORD_HEAD_BYTES + 1 + TLS_RECORD_TAG_BYTES)
// As long as a peer's may be (RFC 8446 5.2), with its head.
#define TLS_RECORD_MAX_BYTES (TLS_RECORD_HEAD_BYTES + TLS_RECORD_PLAIN_MAX_BYTES + 256)

#define TLS_SECRET_MAX_BYTES 48
#define TLS_NONCE_BYTES 12

enum tls_content {
    TLS_CONTENT_ALERT = 21,
    TLS_CONTENT_HANDSHAKE = 22,
    TLS_CONTENT_DATA = 23,
};

struct tls_suite;

// One direction's keys. Embedded; wiped at the end.
struct tls_record_key {
    const struct tls_suite *suite;
    EVP_CIPHER_CTX *cipher; // owns
    uint64_t n_records;     // sealed or opened with this key: the next one's number
    uint8_t nonce[TLS_NONCE_BYTES];
    uint8_t secret[TLS_SECRET_MAX_BYTES]; // what key and nonce, and the next secret, come from
};

// Before the first key, and before a sandbox takes files away. Further calls do nothing.
void tls_record_init(void);

// From a traffic secret of the suite (its number in RFC 8446 B.4); n_records have been sealed with
// it already. False: the suite, or the secret's length, is none of those that are known here.
bool tls_record_key_init(struct tls_record_key *k, uint16_t suite, const uint8_t *secret,
                         size_t n_bytes, uint64_t n_records, bool is_to_seal) MUST_CHECK;
void tls_record_key_fini(struct tls_record_key *k);

// The next generation of the same direction (RFC 8446 7.2).
void tls_record_key_update(struct tls_record_key *k);

// One record of at most TLS_RECORD_PLAIN_MAX_BYTES, without padding. to has room for what sealing
// adds; plain may lie at its place, TLS_RECORD_HEAD_BYTES behind to, and nowhere else in there.
// Gives the record's length.
size_t tls_record_seal(struct tls_record_key *k, enum tls_content content, struct str plain,
                       char *to);

// The length of the record that begins with head, with the head. 0: no record of a TLS 1.3
// connection may begin so.
size_t tls_record_bytes(const char head[static TLS_RECORD_HEAD_BYTES]);

// Opens a whole record in place. *ret_plain, without padding, lies in it; *ret_content is what the
// peer said, and may be anything. False: nobody with this key has sealed it.
bool tls_record_open(struct tls_record_key *k, char *record, size_t n_bytes, uint8_t *ret_content,
                     struct str *ret_plain) MUST_CHECK;
