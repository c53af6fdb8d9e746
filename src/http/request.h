// SPDX-License-Identifier: Apache-2.0
// From a parsed head to the canonical request that all handlers see: target forms, host, one
// canonical path, one client address, forwarding fields. Protocol-independent but for its inputs.
#pragma once

#include "base/err.h"
#include "http/exchange.h"

// Fills x->req from the head (method, target, version, fields already taken into
// x->req.headers, framing's bits set by the driver) and x->client, x->request_id. On failure
// x->resp is a neutral 400/421/… page, the reason is noted in x, and ERR_PROTOCOL is returned.
// - absolute-form: scheme http or https only, its authority replaces Host (RFC 9112 3.2.2);
// - CONNECT and authority form: 405, asterisk form only with OPTIONS;
// - x->client: the peer, or, when the peer is trusted, the rightmost untrusted address of
//   X-Forwarded-For (Forwarded when that is the one that is there); a malformed list ends there;
// - forwarding fields of untrusted peers are dropped; then ours are set as the entry says.
enum err request_prepare(struct exchange *x) MUST_CHECK;

// Adds the forwarding fields for the server and removes hop-by-hop ones: called by request_prepare.
// The id of a request: from a trusted peer's X-Request-Id when it is 1 to 128 token characters,
// else 26 characters made from time, worker and count.
