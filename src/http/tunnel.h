// SPDX-License-Identifier: Apache-2.0
// Two streams joined: after an upgrade, and later for pass-through. While nothing moves there is no
// fiber and no buffer. Half-close is passed on; either side's error ends both.
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "http/env.h"
#include "rt/stream.h"

// One side, handed over by its driver.
struct tunnel_side {
    struct stream *stream;                  // borrows: the owner's
    struct str early;                       // bytes already read from it; borrowed until release
    void (*release)(struct tunnel_side *s); // closes the stream and frees the owner
    bool counts_bytes;                      // its owner counts those of its clients
};

// What a tunnel moved, told at its end.
struct tunnel_totals {
    uint64_t a_to_b, b_to_a;
    const char *ended_by; // "client closed", "server closed", "idle", "error", "shutdown"
};
typedef void tunnel_done_fn(void *arg, const struct tunnel_totals *totals);

// Joins a (the client) and b (the server) and returns; both are released at the end, then done is
// called, in the loop. Called on a fiber; the bytes in `early` are sent first. May wait for that.
void tunnel_start(struct http_env *env, struct tunnel_side *a, struct tunnel_side *b,
                  int64_t idle_ms, tunnel_done_fn *done, void *arg);

// Ends all tunnels of env: for drain's limit and stop.
void tunnel_abort_all(struct http_env *env);
