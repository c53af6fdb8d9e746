// SPDX-License-Identifier: Apache-2.0
// HTTP/2 with clients (RFC 9113): connections that chose it by ALPN, or speak it without asking on
// a plain entrypoint. A connection is driven by events and has no fiber; each request has one. An
// idle connection holds nghttp2's session and one small struct.
#pragma once

#include "http/env.h"
#include "rt/stream.h"

// How many bytes tell that a client speaks HTTP/2 (RFC 9113 3.4), and which.
#define H2_PREFACE STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// Goes on with a connection that somebody else has accepted and made room for (http_make_room).
// early: bytes that were read already, borrowed during the call. Nobody waits in *s, which is a
// closed one afterwards. Never waits.
void h2_server_adopt(struct http_listener *l, struct stream *s, const struct ip *peer,
                     uint16_t peer_port, struct str early);
