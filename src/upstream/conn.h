// SPDX-License-Identifier: Apache-2.0
// Connections of one worker to one address of a server: idle ones kept for the next exchange, a
// limit, and a queue for when it is reached.
#pragma once

#include "upstream/worker.h"

struct conn {
    struct h1_client client;
    struct target *target; // borrows: it lives as long as it has connections
    int64_t idle_ms;       // of the service that uses it
    uint32_t idle_max;
};

// What an exchange needs of a connection.
struct conn_wish {
    bool is_fresh;      // not one that has served before
    bool is_sure;       // look twice whether an idle one is alive: the request can't be repeated
    uint32_t conns_max; // 0: any number
    uint32_t queue_max;
    int64_t queue_ms;
    int64_t connect_ms;
    int64_t *connect_left_ms; // for this and further tries: what connecting takes is taken off
    struct tls_failure *tls_failure; // says more of CONN_TLS, CONN_TIMEOUT (NONE: before TLS)
    int64_t idle_ms;
    uint32_t idle_max;
};

enum conn_got {
    CONN_OK,
    CONN_REFUSED,       // or unreachable: *ret_error is the errno
    CONN_TIMEOUT,       // no connection in time
    CONN_TLS,           // it stood, but TLS didn't come about
    CONN_QUEUE_FULL,    // too many wait already
    CONN_QUEUE_TIMEOUT, // none became free in time
    CONN_MOVED,         // the address is no longer one of the server: choose again
    CONN_CANCELLED,
};

// A connection to t for one exchange: an idle one, or a new one. It comes back by itself when
// h1_client is done with it. After a wait t may be gone unless CONN_OK is returned. Waits.
enum conn_got target_get(struct target *t, const struct conn_wish *wish, struct conn **ret,
                         int *ret_error);

// True when target_get would have to wait in the queue.
static inline bool target_is_full(const struct target *t, uint32_t conns_max)
{
    return conns_max > 0 && t->n_idle == 0 && t->n_conns >= conns_max;
}

void target_close_idle(struct target *t);
// Those in the queue choose anew.
void target_send_away(struct target *t);
