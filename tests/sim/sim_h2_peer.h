// SPDX-License-Identifier: Apache-2.0
// Scripted peers of HTTP/2: clients that carry out plans on streams of one connection, and servers
// that answer by plan.
#pragma once

#include "sim/sim_h2.h"
#include "sim/sim_peer.h"

// --- clients ---

struct sim_h2_client;

// A plan on its stream.
struct sim_h2_stream {
    struct sim_h2_client *client;
    struct sim_plan *plan;
    struct sim_pace send_pace;
    size_t reset_at;    // the client resets it behind so many bytes of its body; SIZE_MAX: never
    size_t got_max;     // and behind so many of the answer's
    bool has_no_window; // what comes is never given back
    bool is_malformed;  // of plans with a raw request: how is by their number

    int32_t id; // 0: not sent yet
    struct sim_h2_out out;
    bool has_head, has_end, is_closed, is_held;
};

struct sim_h2_client {
    uint32_t id;
    uint32_t n_plans;
    struct sim_h2_stream *streams;
    uint32_t at_a_time; // streams
    int64_t gap_ns;     // between two requests
    bool stays;         // doesn't close when all is answered
    bool is_eager;      // doesn't wait for 100 before the body
    bool is_rude;       // ends without GOAWAY
    struct sim_h2_wish wish;
    uint32_t n_harmless; // frames that change nothing, between others
    uint32_t hostile_kind;
    int64_t hostile_ns;             // after so long it sends what ends the connection; 0: never
    const struct sim_tls_wish *tls; // NULL: speaks plainly

    // What came of it.
    bool is_done, has_goaway;
    uint32_t n_sent, n_closed; // requests
    struct sim_listener *listener;
    struct sim_end *end;
    struct sim_wire wire;
    struct sim_h2 h2; // its pace and cuts are chosen before the start
    bool is_pausing;
};

struct sim_h2_client *sim_h2_client_new(struct sim_plan **plans, uint32_t n_plans);
void sim_h2_client_start(struct sim_h2_client *c, struct sim_listener **l, int64_t at_ns);

// --- servers ---

// What came to a server speaks HTTP/2, over a wire that it may have shaken hands on.
void sim_h2_server_adopt(struct sim_server *s, const struct sim_wire *w);
// All of them end; or those that are stalled.
void sim_h2_server_reset(struct sim_server *s, bool only_stalled);

// --- servers behind TLS (sim_greeting.c) ---

// A connection came: what is spoken on it shows when hands are shaken.
void sim_server_greet(struct sim_server *s, struct sim_end *e);
// As sim_h2_server_reset, of those that still shake hands.
void sim_greetings_reset(struct sim_server *s, bool only_stalled);
// The most that it has sent on the wire of one connection.
size_t sim_greetings_n_sent(const struct sim_server *s);
