// SPDX-License-Identifier: Apache-2.0
// Connections that TCP routes take: joined with a server of the route's service, byte for byte, and
// never looked into again. Choosing a server is the same as for requests: the route's handler gets
// an exchange that says it is raw. While nothing moves, such a connection is a small struct and a
// tunnel: no fiber, no buffer. All calls on the worker's thread.
#pragma once

#include "gate/door.h"
#include "http/env.h"
#include "rt/addr.h"

// How an entrypoint for TCP works; part of a snapshot.
struct tcp_entry {
    bool is_on;
    // Its routes need a server name, so the door reads the ClientHello first. Else nothing is
    // read: a client may wait for the server's first words.
    bool reads_hello;
    struct door_conf door; // without a policy: what no route takes is refused
};

// Takes over an accepted connection, of which nothing is read. Never waits.
void tcp_accept(struct http_listener *l, int fd, const struct rt_addr *peer);

// The same with a connection that somebody else has accepted (http_accept), and on whose stream
// other bytes went before.
void tcp_adopt(struct http_listener *l, struct stream *s, const struct ip *peer,
               uint16_t peer_port);

// door_app.take: whether a TCP route of the guest's snapshot takes the connection.
bool tcp_take(struct door_guest *g);
