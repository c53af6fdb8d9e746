// SPDX-License-Identifier: Apache-2.0
// Connections that come through a balancer which says in a PROXY header whose they are: the header
// is taken off before anything else looks at the connection, whatever is spoken on it, and its
// address is that of the connection from then on. What waits for its header is a small struct: no
// fiber, no buffer. All calls on the worker's thread.
#pragma once

#include "codec/ip.h"
#include "http/env.h"
#include "rt/addr.h"
#include "rt/stream.h"

// Of one entrypoint; part of a snapshot.
struct proxy_in {
    const struct ip_net *from; // borrows: who sends a header, always
    size_t n_from;
    bool takes_others; // as clients, who send none; else they are refused
    int64_t timeout_ms;
};

// Goes on with a connection, which is counted nowhere: moves *s on. Never waits.
typedef void proxy_in_fn(struct http_listener *l, struct stream *s, const struct ip *peer,
                         uint16_t peer_port);

// Takes over an accepted connection and calls go_on once, with who its client is, or closes it.
// conf isn't used afterwards. Never waits.
void proxy_in_accept(struct http_listener *l, const struct proxy_in *conf, int fd,
                     const struct rt_addr *peer, proxy_in_fn *go_on);
