// SPDX-License-Identifier: Apache-2.0
// Who the client is when proxies stand before us, and what servers are told about it:
// X-Forwarded-*, X-Real-IP, Forwarded (RFC 7239), Via (RFC 9110 7.6.3), X-Request-Id.
#pragma once

#include "base/err.h"
#include "http/exchange.h"

// Whether this peer is a proxy whose forwarding fields are believed.
bool forward_is_trusted(const struct http_entry *e, const struct ip *ip);

// Sets peer_is_trusted, client, request_id and, from a trusted peer, req.scheme; drops what a
// stranger may not say. ERR_LIMIT: the arena is full.
enum err forward_believe(struct exchange *x) MUST_CHECK;

// Drops from the trailers of a request what its head may not say either. After forward_believe.
void forward_clean_trailers(const struct exchange *x, struct headers *trailers);

// Sets the fields for the server, as the entry says. After forward_believe. ERR_LIMIT.
enum err forward_announce(struct exchange *x) MUST_CHECK;
