// SPDX-License-Identifier: Apache-2.0
// What the protocol drivers of one worker share, and how they reach the application above them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "codec/date.h"
#include "codec/h1.h"
#include "codec/ip.h"
#include "codec/url.h"
#include "http/exchange.h"
#include "http/h2_error.h"
#include "rt/addr.h"
#include "rt/pool.h"
#include "rt/stream.h"
#include "zip/heap.h"

struct exchange;
struct http_env;
struct http_listener;
struct slots;
struct stream;

// Names of request fields that are ours alone to say: those of clients are dropped, with '_' in the
// place of '-', too.
struct http_reserved {
    const struct str *names; // borrows
    size_t n;
    uint64_t lengths; // 1 << (length % 64) of each: a quick "no"
};

// Settings of an entrypoint as the drivers use them; part of a snapshot.
struct http_entry {
    struct str name;
    struct h1_limits limits;
    uint64_t body_max_bytes;     // of a request; 0: no limit
    uint64_t exchange_mem_bytes; // limit of an exchange's arena
    uint32_t requests_max;       // on one connection; 0: any number
    uint32_t h2_streams_max;     // at once on one connection of HTTP/2
    bool h2c;                    // HTTP/2 without TLS, by prior knowledge
    int64_t idle_ms;             // keep-alive without a request
    int64_t head_ms;             // a whole request head
    int64_t body_idle_ms;        // no byte of a request body, none of an answer taken
    uint64_t body_min_rate; // bytes per second averaged over a body, after a grace of 10 s; 0: off
    int64_t tunnel_idle_ms;
    int64_t linger_ms; // reading on after an early answer before closing
    uint64_t linger_max_bytes;
    struct url_path_policy paths;
    const struct ip_net *trusted; // peers whose forwarding fields are believed
    size_t n_trusted;
    const struct ip_net *balancers; // peers that send PROXY headers
    size_t n_balancers;
    bool x_forwarded; // X-Forwarded-For/-Proto/-Host/-Port to servers
    bool x_real_ip;
    bool forwarded;                       // Forwarded (RFC 7239)
    const struct http_reserved *reserved; // borrows; NULL: none
    struct str via;                       // pseudonym in Via; empty: no Via
    bool request_id_to_client;
    bool is_tls;   // for scheme and port
    uint16_t port; // of the listening address
};

// Counters of one worker: written by it alone, read by others (relaxed).
#define HTTP_COUNTER_LIST(X)                                                                       \
    X(CONNS_ACCEPTED, "connections accepted")                                                      \
    X(CONNS_OPEN, "connections open now")                                                          \
    X(CONNS_IDLE, "connections idle now")                                                          \
    X(CONNS_REFUSED, "connections closed because of a limit")                                      \
    X(CONNS_HTTP2, "connections that speak HTTP/2")                                                \
    X(CONNS_TCP, "connections joined with a server by TCP routes")                                 \
    X(PROXIED, "connections with a PROXY header")                                                  \
    X(PROXY_REFUSED, "connections refused for the PROXY header that they lack")                    \
    X(EXCHANGES, "exchanges begun")                                                                \
    X(EXCHANGES_OPEN, "exchanges running now")                                                     \
    X(TUNNELS_OPEN, "tunnels open now")                                                            \
    X(BYTES_IN, "bytes from clients")                                                              \
    X(BYTES_OUT, "bytes to clients")                                                               \
    X(COMPRESSED, "answers compressed")                                                            \
    X(NOT_COMPRESSED, "answers not compressed for want of memory")                                 \
    X(STATUS_1XX, "interim answers")                                                               \
    X(STATUS_2XX, "answers 2xx")                                                                   \
    X(STATUS_3XX, "answers 3xx")                                                                   \
    X(STATUS_4XX, "answers 4xx")                                                                   \
    X(STATUS_5XX, "answers 5xx")                                                                   \
    X(AHEAD_BYTES, "bytes of memory that bodies read ahead have now")                              \
    X(SPOOL_BYTES, "bytes of the spool that they have now")                                        \
    X(SPOOL_WRITTEN, "bytes written to the spool")                                                 \
    X(SPOOL_FULL, "times that the spool took no more")                                             \
    X(SUBS, "requests of our own, made by filters and services")                                   \
    X(SUBS_OPEN, "requests of our own running now")                                                \
    X(SUBS_FAILED, "requests of our own without an answer")

enum http_counter {
#define X(id, text) HTTP_COUNTER_##id,
    HTTP_COUNTER_LIST(X)
#undef X
};
#define HTTP_COUNTER_ONE(id, text) +1
#define HTTP_COUNTER_COUNT (0 HTTP_COUNTER_LIST(HTTP_COUNTER_ONE))
#define H1_ERROR_ONE(id, status, section, text) +1
#define H1_ERROR_COUNT (0 H1_ERROR_LIST(H1_ERROR_ONE))

struct http_stats {
    uint64_t counters[HTTP_COUNTER_COUNT];
    uint64_t client_errors[H1_ERROR_COUNT];    // refused requests by reason
    uint64_t server_errors[H1_ERROR_COUNT];    // refused answers by reason
    uint64_t client_h2_errors[H2_ERROR_COUNT]; // the same of HTTP/2, and refused connections
    uint64_t server_h2_errors[H2_ERROR_COUNT]; // refused answers, and servers' connections
};

// A client connection of any protocol; embedded in the driver's.
struct http_conn {
    struct list_node node;          // in http_env.conns
    struct list_node idle;          // in http_env.idle while no exchange makes progress on it
    struct http_listener *listener; // borrows
    const struct http_conn_ops *ops;
};

// What a driver does with its connections. Called in the loop or on any fiber but the connection's
// own; never frees within the call.
struct http_conn_ops {
    struct str name; // "h1", …: which driver's
    // Ends it: an idle one at once, running exchanges are cancelled.
    void (*close)(struct http_conn *c);
    // It leaves: without a byte for idle_ms it ends, but not before a time of the loop's clock.
    // NULL: it is never idle, and ends by itself.
    void (*leave)(struct http_conn *c, int64_t idle_ms, int64_t not_before_ms);
};

// Connections are to leave without loss. A request may be on its way on an idle one, so each may
// still serve what comes within idle_ms of its last byte; the answer says Connection: close. A
// pipeline goes on as long, from the beginning.
struct http_leave {
    bool is_on;
    int64_t idle_ms;
    int64_t pipelines_until_ms;
};
#define HTTP_LEAVE_IDLE_MS 1000 // of connections whose entrypoint is gone

// What a client does wrong with a connection, of which no exchange tells.
#define HTTP_OFFENCE_LIST(X)                                                                       \
    X(MALFORMED, "malformed")                                                                      \
    X(FLOOD, "flood")                                                                              \
    X(SLOW, "slow")                                                                                \
    X(HANDSHAKE, "handshake")

enum http_offence {
#define X(id, name) HTTP_OFFENCE_##id,
    HTTP_OFFENCE_LIST(X)
#undef X
};

// A request of our own that nobody waits for (sub.h).
struct http_sub {
    struct list_node node; // in http_env.subs
    void (*stop)(struct http_sub *s);
};
#define HTTP_SUBS_MAX 256        // of a worker at a time
#define HTTP_SUBS_FOR_ANSWERS 32 // of them: for requests whose answer somebody wants

// The application above: the gate's wiring, or a test's.
struct http_app {
    // A request begins: its first byte is there. Takes a snapshot: sets x->snapshot and x->entry,
    // and nothing else (a head that comes slowly is put aside with these two alone).
    void (*begin)(struct http_env *env, struct http_listener *l, struct exchange *x);
    // x->req is complete (but for the body): routes and serves it; x->resp is filled afterwards.
    enum err (*serve)(struct http_env *env, struct exchange *x);
    // The exchange has ended (also when no head ever came: req.method is empty then): writes the
    // log line, gives the snapshot back. Not allowed to wait.
    void (*finish)(struct http_env *env, struct exchange *x);
    // The settings in force for new connections of l. Borrowed until the next wait or turn.
    const struct http_entry *(*entry)(struct http_env *env, struct http_listener *l);
    // Another use of an exchange's snapshot, and its end: by what may outlive the exchange.
    void (*hold)(struct http_env *env, void *snapshot);
    void (*release)(struct http_env *env, void *snapshot);
    // A client of l has done that. NULL: nobody wants to know. Not allowed to wait.
    void (*offended)(struct http_listener *l, const struct ip *peer, enum http_offence what);
    // x, which has x->trace, begins a try at x->server_name, and the try ends: with an answer of
    // that status, or (0) without one, for that reason. Not called for exchanges without a trace.
    // Not allowed to wait.
    void (*try_begins)(struct http_env *env, struct exchange *x);
    void (*try_ends)(struct exchange *x, unsigned status, enum exchange_end end);
};

#define REQUEST_ID_BYTES 26 // of those made here

struct http_env {
    const struct http_app *app; // borrows
    void *app_data;             // the application's
    struct rt_pool buffers;     // HTTP_BUFFER_BYTES each
    struct rt_pool pieces;      // HTTP_BUFFER_BYTES each: of connections that many exchanges share;
                                // as many as windows of flow control allow
    struct rt_pool large;    // HTTP_LARGE_BYTES each: of a few long answers that pass through here
    struct rt_pool blocks;   // HTTP_BLOCK_BYTES each: an exchange with the start of its arena
    struct zip_heap zip;     // of what packs and unpacks bodies
    struct list conns;       // struct http_conn: all of this worker
    struct list idle;        // struct http_conn: longest idle first
    struct list tunnels;     // all tunnels of this worker (tunnel.c's)
    struct list subs;        // struct http_sub: requests of our own that nobody waits for
    uint32_t n_subs;         // in it
    uint32_t conns_max;      // more are closed: the longest idle first
    struct http_leave leave; // of all connections
    struct http_stats stats;
    struct field *fields;        // scratch: H1_FIELDS_MAX, valid until the next wait
    uint64_t id_prefix, id_next; // request ids
    int64_t id_ms;               // what `id` says
    char id[REQUEST_ID_BYTES];   // the last one made
    struct h2_heap *h2_heap;     // owns: the memory of nghttp2's sessions
    size_t h2_held_bytes;        // of request bodies that wait to be read
    int64_t h2_window_bytes;     // that servers may send unasked, of all streams
    size_t spooled_bytes;        // memory of bodies that are read ahead
    struct slots *slots;         // borrows: the file for the rest of them; NULL: there is none
    size_t parked_bytes;         // of heads that stalled half-way: bounded over all connections
    int64_t date_s;              // what `date` says
    char date[DATE_HTTP_BYTES];
};
#define HTTP_BUFFER_BYTES (16 * 1024)
#define HTTP_LARGE_BYTES (64 * 1024)
#define HTTP_BLOCK_BYTES (8 * 1024)

void http_env_init(struct http_env *env, const struct http_app *app, void *app_data,
                   uint32_t conns_max);
// All connections must be closed.
void http_env_fini(struct http_env *env);

// Before a connection is begun: at the limit, the one that has been idle for longest is closed.
// False: none is idle.
bool http_make_room(struct http_env *env);

// Takes over an accepted connection: makes room for it and counts it as accepted. What peer isn't
// IP has family 0. False: there is no room, and it is closed.
bool http_accept(struct http_env *env, int fd, const struct rt_addr *from, struct stream *ret,
                 struct ip *ret_peer, uint16_t *ret_port);

// A driver has the connection from now on: it counts as open. Until the end (once).
void http_conn_begin(struct http_conn *c, struct http_listener *l, const struct http_conn_ops *ops);
void http_conn_end(struct http_conn *c);
// It is the last of those that may be closed to make room, or isn't among them any more. Each may
// be told twice.
void http_conn_rest(struct http_conn *c);
void http_conn_rouse(struct http_conn *c);

// Adds to a counter. Only the worker's thread writes, so that a plain sum suffices.
static inline void http_count(struct http_env *env, enum http_counter c, int64_t n)
{
    uint64_t *at = &env->stats.counters[c];
    __atomic_store_n(at, *at + (uint64_t)n, __ATOMIC_RELAXED);
}

static inline void http_count_client_error(struct http_env *env, enum h1_error e)
{
    uint64_t *at = &env->stats.client_errors[e];
    __atomic_store_n(at, *at + 1, __ATOMIC_RELAXED);
}

static inline void http_count_client_h2_error(struct http_env *env, enum h2_error e)
{
    uint64_t *at = &env->stats.client_h2_errors[e];
    __atomic_store_n(at, *at + 1, __ATOMIC_RELAXED);
}

static inline void http_count_server_error(struct http_env *env, enum h1_error e)
{
    uint64_t *at = &env->stats.server_errors[e];
    __atomic_store_n(at, *at + 1, __ATOMIC_RELAXED);
}

static inline void http_count_server_h2_error(struct http_env *env, enum h2_error e)
{
    uint64_t *at = &env->stats.server_h2_errors[e];
    __atomic_store_n(at, *at + 1, __ATOMIC_RELAXED);
}

// The Date field's value for this turn of the loop. Borrowed until the next wait.
struct str http_date(struct http_env *env);

// Lets all connections leave (struct http_leave), and exchanges end.
void http_env_drain(struct http_env *env, int64_t idle_ms);
// Closes everything at once.
void http_env_abort(struct http_env *env);

// Reads and drops what a client still sends that has got its last answer: at most *left bytes,
// which become fewer. False: it has ended, or has sent too much.
bool http_linger(struct http_env *env, struct stream *s, uint32_t *left);

// A listening socket of one worker, as its connections see it. Outlives snapshots.
struct http_listener {
    struct http_env *env; // borrows
    unsigned entry_index; // the application's: which entrypoint
    uint32_t n_conns;
    uint32_t first_ms;       // how long a new connection may send nothing; 0: 60 s
    struct http_leave leave; // of its connections: it was removed from the settings
    void *app_data;
};

// Lets l's connections leave; a second time nothing happens.
void http_listener_drain(struct http_listener *l);

// How long a connection of l that leaves may be idle; INT64_MAX: it doesn't leave.
int64_t http_leave_idle_ms(const struct http_listener *l);
// A connection of l doesn't leave, or has begun to so shortly ago that a pipeline goes on.
bool http_may_pipeline(const struct http_listener *l);

// Tells the application what a client of l has done.
static inline void http_note_offence(struct http_listener *l, const struct ip *peer,
                                     enum http_offence what)
{
    if (l->env->app->offended)
        l->env->app->offended(l, peer, what);
}
