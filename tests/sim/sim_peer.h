// SPDX-License-Identifier: Apache-2.0
// Scripted peers: clients that carry out plans on a connection, and servers that answer by plan.
#pragma once

#include "sim/sim_message.h"
#include "sim/sim_net.h"
#include "sim/sim_tls.h"

// Sends a text at a pace, up to a gate, and does something at a certain byte.
struct sim_sender {
    struct sim_wire *wire;
    struct sim_text text;
    size_t at, gate;
    struct sim_pace pace;
    size_t cut_at; // SIZE_MAX: never
    bool is_pausing;
    void (*on_sent)(void *arg); // all that the gate lets through is sent
    void (*on_cut)(void *arg);
    void *arg;
};
void sim_sender_go(struct sim_sender *s);

// --- clients ---

struct sim_client;
typedef void sim_client_fn(void *arg, struct sim_client *c);

struct sim_client {
    uint32_t id;
    struct sim_plan **plans;
    uint32_t n_plans;
    bool pipelines;   // doesn't wait for answers
    bool half_closes; // after its last request
    bool stays;       // doesn't close when all is answered
    bool is_eager;    // doesn't wait for 100 before the body
    bool is_early;    // nor for 101 before a tunnel's bytes
    struct sim_pace send_pace, read_pace;
    struct sim_cut cut_sent, cut_received;
    const struct sim_tls_wish *tls; // NULL: speaks plainly

    // What came of it.
    uint32_t i_answer; // plan whose answer is awaited
    bool is_done;
    bool saw_end, saw_reset, was_refused;
    size_t n_received;
    int64_t ended_ms;

    struct sim_listener *listener; // that it has dialled
    struct sim_end *end;
    struct sim_wire wire;
    struct sim_sender sender;
    struct sim_reader reader;
    size_t *heads_end, *ends; // of each request in the text
    bool may_send_body, in_tunnel, is_stalled, is_reading_later, has_shut;
    bool is_told_last; // an answer said that no other follows
};

struct sim_client *sim_client_new(struct sim_plan **plans, uint32_t n_plans);
// Connects at a time, to what listens at *l then.
void sim_client_start(struct sim_client *c, struct sim_listener **l, int64_t at_ns);
uint32_t sim_clients_running(void);
// One of another kind runs, or has ended.
void sim_clients_began(void);
void sim_clients_ended(void);
uint32_t sim_clients_count(void);
struct sim_client *sim_client_get(uint32_t i);
void sim_clients_init(void);

// --- servers ---

#define SIM_HEALTH_PATH "/healthz"

// What a server speaks; with TLS it says so itself (ALPN).
enum sim_speech {
    SIM_SPEAKS_HTTP_1,
    SIM_SPEAKS_UNASKED, // HTTP/1.1, and doesn't know ALPN
    SIM_SPEAKS_HTTP_2,  // and nothing else
    SIM_SPEAKS_BOTH,    // with TLS
};

struct sim_server {
    uint32_t place;
    uint32_t reset_percent;           // of connections that are reset as soon as they are accepted
    uint32_t refuse_percent;          // of connections
    uint32_t hostile_percent;         // of those of HTTP/2, which send what is not allowed
    int64_t idle_min_ns, idle_max_ns; // an idle connection is closed after; 0: kept
    bool keeps_fresh;                 // only those that have served are closed so
    struct sim_pace read_pace;
    bool speaks_tls;
    enum sim_speech speech;
    bool takes_websockets;            // by HTTP/2 (RFC 8441)
    bool prefers_http_1;              // for what it refuses of HTTP/2
    uint32_t tls_faults_percent;      // of connections with TLS, which break somewhere on the wire
    const struct sim_tls_wish *fault; // of all of them; NULL: some, as above
    bool is_rude;                     // ends TLS without close_notify
    bool shakes_slowly;               // hands
    bool is_sick;                     // answers 503 to everything; not by HTTP/2
    uint32_t n_accepted, n_open;
    uint32_t n_checks;             // it was asked for SIM_HEALTH_PATH
    struct sim_server_conn *conns; // all that ever were
    struct sim_h2_conn *h2_conns;  // the same
    struct sim_greeting *greetings;
};
struct sim_server *sim_server_new(uint32_t place);
// Resets all connections, and refuses others for a while.
void sim_server_restart(struct sim_server *s, int64_t down_ns);
// Nothing goes wrong any more with what comes from now on.
void sim_server_calm(struct sim_server *s);
// What came to it speaks HTTP/1.1, over a wire that it may have shaken hands on.
void sim_server_adopt(struct sim_server *s, const struct sim_wire *w);
void sim_servers_init(void);
// Open connections of all servers.
uint32_t sim_servers_n_open(void);
