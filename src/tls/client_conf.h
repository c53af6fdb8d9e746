// SPDX-License-Identifier: Apache-2.0
// How TLS is spoken with servers, as settings: the section `tls` of a service.
#pragma once

#include "codec/ip.h"
#include "conf/conf.h"
#include "tls/tls_conf.h"

#define TLS_PIN_BYTES 32      // SHA-256 of a public key (SubjectPublicKeyInfo)
#define TLS_PIN_TEXT_BYTES 44 // in base64

struct tls_client_conf {
    bool verify;
    struct conf_file ca;          // not set: the authorities that all services share
    struct conf_text server_name; // empty: the host of the server's URL
    struct conf_file cert, key;   // not set: none is shown
    struct conf_texts pins;       // or TLS_PIN_FIRST_USE alone
    unsigned min, max;            // enum tls_version
    struct place place;
};

extern const struct conf_section tls_client_section;

// Who a server has to be: a name, or an address.
struct tls_peer {
    struct str name; // an A-label name in lower case, without a dot at its end; empty: ip
    struct ip ip;    // family 0: name
};

// From a name or an address as people write it. Texts are in mem. ERR_SYNTAX with *ret_why.
enum err tls_peer_parse(struct str text, struct arena *mem, struct tls_peer *ret,
                        const char **ret_why) MUST_CHECK;

// Base64 of TLS_PIN_BYTES bytes. ERR_SYNTAX: it is something else.
enum err tls_pin_parse(struct str text, uint8_t ret[static TLS_PIN_BYTES]) MUST_CHECK;
// And back: all of buf, without a NUL.
struct str tls_pin_text(const uint8_t pin[static TLS_PIN_BYTES],
                        char buf[static TLS_PIN_TEXT_BYTES]);

// In the place of pins: the key that a server shows first is its pin from then on.
#define TLS_PIN_FIRST_USE "first-use"
bool tls_pins_are_first_use(const struct tls_client_conf *c);
