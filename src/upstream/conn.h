// SPDX-License-Identifier: Apache-2.0
// Connections of one worker to one address of a server: idle ones kept for the next exchange, a
// limit, and a queue for when it is reached. One serves one exchange at a time, or (mux.h) many.
#pragma once

#include "upstream/mux.h"
#include "upstream/place.h"

struct conn {
    struct h1_client client;
    struct target *target; // borrows: it lives as long as it has connections
    // Where its exchange is counted, until that is over; NULL: nowhere. Borrows: the target's.
    struct server_slot *place;
    int64_t idle_ms; // of the service that uses it
    uint32_t idle_max;
};

// What an exchange needs of a connection.
struct conn_wish {
    struct http_env *env; // borrows: the worker's
    bool is_fresh;        // not one that has served before
    bool is_sure;         // look twice whether an idle one is alive: the request can't be repeated
    bool may_share;       // HTTP/2 serves it
    bool may_be_alone;    // HTTP/1.1 does
    uint32_t conns_max;   // 0: any number
    uint32_t queue_max;
    int64_t queue_ms;
    int64_t connect_ms;
    int64_t *connect_left_ms;     // for this and further tries: what connecting takes is taken off
    struct conn_failure *failure; // says more of what isn't CONN_OK
    // The server's, which may be down or drained when a place in the queue comes; NULL: never is.
    const struct health_slot *health;
    bool is_panic; // only the latter counts
    int64_t idle_ms;
    uint32_t idle_max;
};

// What an exchange has got: one of the two.
struct lease {
    struct conn *conn; // comes back by itself when h1_client is done with it
    struct mux *mux;   // a promise, to be redeemed or renounced
};

// A connection to t for one exchange: an idle one, room on a shared one, or a new one. After a wait
// t may be gone unless CONN_OK is returned. Waits.
enum conn_got target_get(struct target *t, const struct conn_wish *wish, struct lease *ret);

// True when target_get would have to wait in the queue.
static inline bool target_is_full(const struct target *t, uint32_t conns_max)
{
    return conns_max > 0 && t->n_idle == 0 && t->n_conns >= conns_max && !target_has_mux_room(t);
}

void target_close_idle(struct target *t);
// Those in the queue choose anew.
void target_send_away(struct target *t);
