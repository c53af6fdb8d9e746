// SPDX-License-Identifier: Apache-2.0
// dns-01 by dynamic update (RFC 2136): a TXT record put into a zone and taken out again, signed
// with TSIG. Blocks.
#pragma once

#include "acme/cancel.h"
#include "acme/dns_tsig.h"
#include "base/text.h"

struct dns_update_options {
    struct str server;        // see dns_server_parse
    struct str zone;          // empty: the server is asked
    struct str key_name;      // empty: not signed
    struct str secret_base64; // as in BIND's key files
    enum dns_tsig_algorithm algorithm;
    uint32_t ttl_s;     // 0: 60
    int64_t timeout_ms; // 0: 10 000
    bool by_tcp;
    struct acme_cancel *cancel; // borrows, or NULL
};

enum dns_update_kind {
    DNS_UPDATE_ADD,    // beside other values: a wildcard and its parent need two
    DNS_UPDATE_REMOVE, // this value alone
};

// On failure a reason for people is appended to why. ERR_SYNTAX: an option makes no sense;
// ERR_UNAVAILABLE: the server refuses or isn't there; ERR_PROTOCOL: its answer isn't to be
// believed.
enum err dns_update_txt(const struct dns_update_options *o, enum dns_update_kind kind,
                        struct str name, struct str value, struct text *why) MUST_CHECK;
