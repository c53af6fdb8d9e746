// SPDX-License-Identifier: Apache-2.0
// Connections of one worker to one address of a server that many exchanges share: HTTP/2. Each has
// a place among the target's connections, from before it stands to its end.
#pragma once

#include "http/h2_client.h"
#include "upstream/place.h"

struct mux {
    struct h2_client client;
    struct target *target; // borrows: it lives as long as it has connections
    struct list waiters;   // struct queued: for it to stand and to tell its limits
    uint32_t n_waiters;
    uint32_t n_promised; // exchanges that have room on it and haven't begun
    bool is_open;        // else it is being connected
    int64_t began_ms;    // to be connected
    int64_t idle_ms;     // of the service that uses it
    struct rt_timer timer;
};

// A new one of t's, which has its place already and is being connected.
struct mux *mux_new(struct target *t);
// It stands: s, connected, is moved into it. Room for the first exchange is promised to the caller.
void mux_open(struct mux *m, struct stream *s, struct http_env *env);
// It doesn't come about; its place is the caller's. Those who wait for it hear why; NULL: they look
// for something else.
void mux_fail(struct mux *m, const struct conn_failure *why);

// Promises room for one exchange, if there is some.
bool mux_promise(struct mux *m);
// One with a promise to the caller, or NULL.
struct mux *mux_take(struct target *t);
// One that doesn't stand yet, and for which not too many wait, nor for patience_ms; or NULL.
struct mux *mux_expected(struct target *t, int64_t patience_ms);
// Closes one that is idle; its place is the caller's. False: none is.
bool mux_evict(struct target *t);
// Redeems a promise: the exchange begins, or (NULL) it doesn't. False: the connection is over
// meanwhile. m may be freed with the end of the turn.
bool mux_begin(struct mux *m);
void mux_renounce(struct mux *m);

// No exchange begins any more on those of t. Idle ones go at once.
void target_leave_muxes(struct target *t);
bool target_has_mux_room(const struct target *t);
