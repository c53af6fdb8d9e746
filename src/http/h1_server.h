// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 with clients (RFC 9112): connections, request heads and bodies, answers. An idle
// connection is one small struct in the loop: no fiber, no buffer. An active one has a fiber, a
// buffer and a block with the exchange.
#pragma once

#include "http/env.h"
#include "rt/addr.h"
#include "rt/stream.h"

// Takes over an accepted plain connection; begins to read at once (TCP_DEFER_ACCEPT: data is
// there). Never waits.
void h1_server_accept(struct http_listener *l, int fd, const struct rt_addr *peer);

// Goes on with a connection that somebody else has accepted and made room for (http_make_room), and
// on whose stream other bytes went before, such as a handshake's. Nobody waits in *s, which is a
// closed one afterwards. Never waits.
void h1_server_adopt(struct http_listener *l, struct stream *s, const struct ip *peer,
                     uint16_t peer_port);
