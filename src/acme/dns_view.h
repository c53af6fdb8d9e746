// SPDX-License-Identifier: Apache-2.0
// What an authority will see: the zone's own servers are asked until all of them have a TXT record.
// Blocks.
#pragma once

#include "acme/cancel.h"
#include "base/err.h"
#include "base/text.h"

struct dns_view_options {
    struct str resolver;       // finds the zone's servers; see dns_server_parse
    const struct str *servers; // instead of the zone's: "192.0.2.1:53"
    size_t n_servers;
    int64_t timeout_ms;         // of it all; 0: 2 minutes
    int64_t pause_ms;           // between two rounds; 0: 2 000
    struct acme_cancel *cancel; // borrows, or NULL
};

// Where a record of that name belongs: behind its aliases (CNAME), if it has some. The resolver is
// asked. ret_name has room for DNS_NAME_MAX_BYTES. On failure a reason is appended to why;
// ERR_UNAVAILABLE: it doesn't answer, ERR_CANCELLED, ERR_SYNTAX.
enum err dns_view_alias(const struct dns_view_options *o, struct str name, char *ret_name,
                        struct text *why) MUST_CHECK;

// ERR_OK: every server that answers has it, and one does. An alias of name is followed, unless
// servers are given. On failure a reason for people is appended to why. ERR_TIMEOUT: a server
// doesn't have it, ERR_UNAVAILABLE: no server can be found, or none answers, ERR_CANCELLED,
// ERR_SYNTAX.
enum err dns_view_wait(const struct dns_view_options *o, struct str name, struct str value,
                       struct text *why) MUST_CHECK;
