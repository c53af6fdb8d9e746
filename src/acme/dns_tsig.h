// SPDX-License-Identifier: Apache-2.0
// Signed DNS messages (RFC 8945): a secret that both sides have. Pure.
#pragma once

#include "acme/dns_message.h"

#define DNS_TSIG_LIST(X)                                                                           \
    X(SHA256, "hmac-sha256", "SHA256")                                                             \
    X(SHA384, "hmac-sha384", "SHA384")                                                             \
    X(SHA512, "hmac-sha512", "SHA512")

enum dns_tsig_algorithm {
#define X(id, name, digest) DNS_TSIG_##id,
    DNS_TSIG_LIST(X)
#undef X
};

// "hmac-sha256", as in settings and on the wire.
bool dns_tsig_parse(struct str name, enum dns_tsig_algorithm *ret);

#define DNS_TSIG_MAC_MAX_BYTES 64u

struct dns_tsig_key {
    struct str name;
    struct str secret; // binary
    enum dns_tsig_algorithm algorithm;
};

struct dns_tsig_mac {
    char bytes[DNS_TSIG_MAC_MAX_BYTES];
    size_t len;
};

// Appends the signature to the message in w and counts it in its head. False: the key's name is
// none, or there is no room.
bool dns_tsig_sign(struct writer *w, const struct dns_tsig_key *key, int64_t now_s,
                   struct dns_tsig_mac *ret) MUST_CHECK;

// Whether an answer to a request with that MAC is signed by the same key, now. *ret_why says why
// not; *ret_error is the server's own error code, or 0.
bool dns_tsig_verify(struct str answer, const struct dns_tsig_key *key,
                     const struct dns_tsig_mac *request, int64_t now_s, const char **ret_why,
                     unsigned *ret_error) MUST_CHECK;
