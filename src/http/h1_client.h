// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 with servers: one connection, one exchange at a time. Servers are parsed as strictly and
// as bounded as clients.
#pragma once

#include "base/deadline.h"
#include "base/list.h"
#include "http/client.h"
#include "http/exchange.h"
#include "rt/stream.h"

struct h1_client;

// When an exchange on the connection has ended (body read to its end, failed, or abandoned):
// is_reusable tells whether it may serve again. The owner frees it (h1_client_free) or keeps it.
// Called in the exchange's fiber or in the loop; never inside h1_client_serve.
typedef void h1_client_done_fn(struct h1_client *c, bool is_reusable);

struct h1_client {
    struct stream stream;    // connected
    struct list_node node;   // the owner's: its list of idle connections
    h1_client_done_fn *done; // the owner's
    void *owner;             // the owner's: the pool
    int64_t idle_since_ms;   // the owner's
    uint32_t n_exchanges;    // served before
    void *state;             // owns: of the running exchange; NULL when idle (no buffer then)
};

// Sends x->req (head and body) and reads the answer's head into x->resp: interim answers are passed
// to the client. *ret_sent_body: any byte of a request body was taken from the client that can't be
// sent again (so that a retry is impossible). While a body is still being sent, a second fiber
// sends it; an early answer ends that. After any end but HTTP_CLIENT_OK the connection is closed
// and `done` has been called with false by the time the caller's fiber waits again. Waits.
enum http_client_end h1_client_serve(struct h1_client *c, struct exchange *x,
                                     const struct http_client_options *options,
                                     bool *ret_sent_body);

// Whether an idle connection may still be used: no byte, end or error has come since its last
// answer, which would be taken for the next one. The loop's flags tell without a system call, as of
// its last turn, unless one of them says that something came; is_sure asks the kernel. Never waits.
bool h1_client_is_clean(struct h1_client *c, bool is_sure);

// A fresh connection as one side of a tunnel, without any HTTP. It goes back to its owner, closed,
// when the side is released.
struct tunnel_side *h1_client_take(struct h1_client *c);

// Closes and frees what it holds; c's memory is the owner's.
void h1_client_fini(struct h1_client *c);
