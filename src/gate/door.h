// SPDX-License-Identifier: Apache-2.0
// The door of entrypoints that speak TLS, one per worker: reads a connection's ClientHello before
// any TLS, and then decides. A route may take the connection as it is (pass-through); else it is
// terminated here, by the policy and with the certificates of its name, and goes on as HTTP. All
// calls on the worker's thread.
#pragma once

#include "base/map.h"
#include "codec/client_hello.h"
#include "codec/ip.h"
#include "gate/demand.h"
#include "http/env.h"
#include "rt/addr.h"
#include "rt/stream.h"
#include "tls/conn.h"
#include "tls/policy.h"
#include "tls/replay.h"
#include "tls/store.h"
#include "tls/tickets.h"

struct door;

// How an entrypoint speaks TLS; part of a snapshot.
struct door_conf {
    const struct tls_policy *policy;   // borrows; NULL: it doesn't
    struct map policies;               // of names with one of their own: struct tls_policy
    bool strict_sni;                   // a name without a certificate is refused
    int64_t handshake_ms;              // from the connection's beginning
    const struct demand_rules *demand; // borrows; NULL: none on demand
    bool http2;                        // is offered
};

// A connection whose ClientHello is known. Nothing was sent to it yet.
struct door_guest {
    struct stream stream; // plain
    struct http_listener *listener;
    const struct door_conf *conf; // the snapshot's
    void *snapshot;
    struct ip peer;
    uint16_t peer_port;
    struct str server_name; // lower case; empty: none was sent
    struct str alpn;        // for client_hello_next_protocol
    struct str early;       // all bytes that were read
    struct deadline until;  // of the handshake
};

struct door_app {
    // What is in force for a connection of l, until `end`. NULL: it doesn't speak TLS any more.
    const struct door_conf *(*begin)(struct http_listener *l, void **ret_snapshot);
    void (*end)(struct http_listener *l, void *snapshot);
    // True: it has taken the connection (stream_move) with a copy of what it needs of the rest,
    // and counts it as open itself (door_hand_over). Runs on a fiber, and may wait. NULL: nothing
    // is taken.
    bool (*take)(struct door_guest *g);
};

#define DOOR_COUNTER_LIST(X)                                                                       \
    X(OPEN, "handshakes running now")                                                              \
    X(DONE, "handshakes completed")                                                                \
    X(TLS12, "handshakes completed by TLS 1.2")                                                    \
    X(RESUMED, "sessions resumed")                                                                 \
    X(EARLY, "sessions resumed with early data")                                                   \
    X(TAKEN, "connections passed through")                                                         \
    X(PLAIN_HTTP, "plain HTTP on a port for HTTPS")                                                \
    X(BAD_HELLO, "first messages that were no ClientHello")                                        \
    X(DEMANDED, "handshakes that waited for a certificate on demand")                              \
    X(UNKNOWN_NAME, "names without a certificate")                                                 \
    X(SLOW, "first messages that didn't come in time")                                             \
    X(CROWDED, "handshakes ended because too many ran")

enum door_counter {
#define X(id, text) DOOR_COUNTER_##id,
    DOOR_COUNTER_LIST(X)
#undef X
};
#define DOOR_COUNTER_ONE(id, text) +1
#define DOOR_COUNTER_COUNT (0 DOOR_COUNTER_LIST(DOOR_COUNTER_ONE))

// Written by the worker alone, read by others (relaxed).
struct door_stats {
    uint64_t counters[DOOR_COUNTER_COUNT];
    uint64_t failures[TLS_FAILURE_COUNT]; // of handshakes, by reason
};

#define DOOR_HANDSHAKES_MAX 1024 // at once; then the oldest ends

// handshakes_max: DOOR_HANDSHAKES_MAX but in tests.
struct door *door_new(struct http_env *env, const struct door_app *app, uint32_t handshakes_max);
// All its connections must have ended.
void door_free(struct door *d);

// Takes over an accepted connection, which counts as open until it goes on as HTTP. Never waits.
void door_accept(struct door *d, struct http_listener *l, int64_t handshake_ms, int fd,
                 const struct rt_addr *peer);

// The same with a connection that somebody else has accepted (http_accept), and on whose stream
// other bytes went before. Nobody waits in *s, which is a closed one afterwards.
void door_adopt(struct door *d, struct http_listener *l, int64_t handshake_ms, struct stream *s,
                const struct ip *peer, uint16_t peer_port);

// Whoever takes a guest has its own place for the connection: it has none here any more, and
// counts once. *g stays until `take` returns.
void door_hand_over(struct door_guest *g);

// What is used from the next handshake on; each takes a ref, NULL takes the old one away.
// challenges: certificates for TLS-ALPN-01 (RFC 8737), which are shown to nobody else.
void door_set_store(struct door *d, struct tls_store *s);
// Borrowed until the next one is set; NULL: none.
const struct tls_store *door_store(const struct door *d);
void door_set_challenges(struct door *d, struct tls_store *s);
void door_set_tickets(struct door *d, struct tls_tickets *t);
void door_set_replay(struct door *d, struct tls_replay *r);

// Who gets certificates on demand; borrowed. NULL: nobody.
void door_set_demand(struct door *d, struct demand *demand);

const struct door_stats *door_stats(const struct door *d);
