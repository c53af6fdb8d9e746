// SPDX-License-Identifier: Apache-2.0
// From a parsed head to the canonical request that all handlers see: target forms, host, one
// canonical path, one client address, forwarding fields. Protocol-independent but for its inputs.
#pragma once

#include "base/err.h"
#include "http/exchange.h"

// Fills x->req from the head (method, target, version, fields already taken into
// x->req.headers, framing's bits set by the driver) and x->client, x->request_id. On failure
// x->resp is a neutral page (or, to OPTIONS that may go no further, an empty 200), the reason is
// noted in x, and ERR_PROTOCOL is returned. Fields without a name number keep their texts borrowed.
// - absolute-form: scheme http or https only, its authority replaces Host (RFC 9112 3.2.2);
// - CONNECT and authority form: 405, asterisk form only with OPTIONS;
// - Max-Forwards of OPTIONS and TRACE is counted down, and not below 0 (RFC 9110 7.6.2);
// - x->client: the peer, or, when the peer is trusted, the rightmost untrusted address of
//   X-Forwarded-For (Forwarded when that is the one that is there); a malformed list ends there;
// - forwarding fields of untrusted peers are dropped; then ours are set as the entry says;
// - hop-by-hop fields are removed;
// - the id: a trusted peer's X-Request-Id when it is 1 to 128 token characters, else 26 characters
//   made from time, worker and count.
enum err request_prepare(struct exchange *x) MUST_CHECK;
