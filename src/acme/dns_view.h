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

// ERR_OK: every server that answers has it, and one does. An alias (CNAME) of name is followed.
// On failure a reason for people is appended to why. ERR_TIMEOUT, ERR_CANCELLED, ERR_UNAVAILABLE:
// no server can be found, ERR_SYNTAX.
enum err dns_view_wait(const struct dns_view_options *o, struct str name, struct str value,
                       struct text *why) MUST_CHECK;
