// SPDX-License-Identifier: Apache-2.0
// What a server accepts, asked with ClientHellos made by hand: no library offers what is to be
// found out here, SSL 3.0 or RC4. Nothing but the first answer is read; it is the peer's, and
// trusted in nothing. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/text.h"

#define TLS_PROBE_ANSWER_MAX_BYTES 1024u // a ServerHello has some hundred

// Suites that a server of today doesn't accept: name, text, what to do.
#define TLS_PROBE_WEAK_LIST(X)                                                                     \
    X(OPEN, "open-suites", "suites without encryption, without identity, or for export")           \
    X(RC4, "rc4", "RC4")                                                                           \
    X(DES, "des", "DES and 3DES")                                                                  \
    X(NO_SECRECY, "rsa-key-exchange", "suites without forward secrecy")                            \
    X(CBC, "cbc", "suites in CBC mode")

enum tls_probe_weak {
#define X(id, name, text) TLS_PROBE_WEAK_##id,
    TLS_PROBE_WEAK_LIST(X)
#undef X
};

struct tls_probe_suites {
    const uint16_t *ids;
    size_t n;
};
struct tls_probe_suites tls_probe_weak_suites(enum tls_probe_weak class);

// Appends a ClientHello for exactly this version (0x0300: SSL 3.0, to 0x0304: TLS 1.3), with these
// suites; n 0: with all that the version has, but those without encryption or identity. name: a DNS
// name, or empty: none is sent.
void tls_probe_hello(struct text *to, unsigned version, struct str name,
                     struct tls_probe_suites suites);

enum tls_probe_outcome {
    TLS_PROBE_MORE,     // the answer isn't complete
    TLS_PROBE_ACCEPTED, // a ServerHello
    TLS_PROBE_REFUSED,  // an alert
    TLS_PROBE_OTHER,    // no TLS
};

struct tls_probe_answer {
    unsigned version;           // that the server has chosen
    unsigned suite;             // the same
    unsigned alert;             // of a refusal
    bool is_compressed;         // it wants compression (CVE-2012-4929)
    bool renegotiates_securely; // RFC 5746; of TLS 1.2 and older
};

// bytes: what came so far.
enum tls_probe_outcome tls_probe_answer(struct str bytes, struct tls_probe_answer *ret) MUST_CHECK;
