// SPDX-License-Identifier: Apache-2.0
// One request and its response, whatever protocol carries them. Lives on the worker's thread, its
// memory is the exchange's arena, and one fiber at a time works on it (while a request body is
// being sent on, a second one reads that body and nothing else).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/h1.h"
#include "codec/ip.h"
#include "http/body.h"
#include "http/headers.h"
#include "http/status.h"
#include "http/trail.h"

struct tls_info;
struct trace;
struct exchange;
struct http_env;
struct http_entry;
struct tunnel_side;

enum http_version {
    HTTP_1_0 = 10,
    HTTP_1_1 = 11,
    HTTP_2 = 20,
    HTTP_3 = 30,
};

struct request {
    struct str method;
    enum method method_id;
    uint8_t version; // enum http_version, of the client
    bool has_query;
    bool is_asterisk; // OPTIONS *; path is "*"
    bool expects_continue;
    bool is_upgrade;      // asks for `upgrade` (the Upgrade field's value)
    bool is_raw;          // no HTTP at all: a TCP route's connection, to be joined with a server's
    bool takes_trailers;  // TE: trailers
    uint16_t port;        // of the authority as the client named it; 0: none
    struct str target;    // as received: for the log alone
    struct str scheme;    // "http" or "https"
    struct str authority; // as received: host and port
    struct str host;      // canonical: lower case, no port, no trailing dot
    struct str path;      // canonical; what filters change and the server sees
    struct str query;     // without '?', as received
    struct str upgrade;
    struct headers headers; // hop-by-hop fields are removed already
    struct body *body;      // borrows; NULL: none
};

struct response {
    uint16_t status; // 0: none yet
    struct headers headers;
    struct body *body; // borrows; NULL: none (also for HEAD: Content-Length in headers then counts)
    struct tunnel_side *tunnel; // status 101, or req.is_raw: the server's side, to be joined; owned
                                // by the exchange
    bool is_internal;           // made here, not by a server
    bool must_close;            // close the client's connection after this answer
};

// Why an exchange ended as it did: for logs and counters. id, name, status of an answer about it,
// text for people.
#define EXCHANGE_END_LIST(X)                                                                       \
    X(OK, "ok", 200, "completed")                                                                  \
    X(CLIENT_PROTOCOL, "client-protocol", 400, "the client's message was malformed")               \
    X(CLIENT_LIMIT, "client-limit", 413, "the client's message exceeded a limit")                  \
    X(CLIENT_TIMEOUT, "client-timeout", 408, "the client was too slow")                            \
    X(CLIENT_GONE, "client-gone", 400, "the client closed the connection")                         \
    X(MISDIRECTED, "misdirected", 421,                                                             \
      "the host has another certificate or policy than the connection")                            \
    X(EARLY, "early", 425, "the request may be a replay, and isn't one to be served twice")        \
    X(NO_ROUTE, "no-route", 404, "no route matches")                                               \
    X(FILTERED, "filtered", 403, "a filter answered")                                              \
    X(NO_SERVER, "no-server", 503, "no server is available")                                       \
    X(SERVER_CONNECT, "server-connect", 502, "the server refused or can't be reached")             \
    X(SERVER_CONNECT_TIMEOUT, "server-connect-timeout", 504,                                       \
      "connecting to the server took too long")                                                    \
    X(SERVER_TLS, "server-tls", 502, "TLS with the server didn't come about")                      \
    X(SERVER_TIMEOUT, "server-timeout", 504, "the server's answer took too long")                  \
    X(SERVER_PROTOCOL, "server-protocol", 502, "the server's answer was malformed")                \
    X(SERVER_GONE, "server-gone", 502, "the server closed the connection too early")               \
    X(BREAKER, "breaker", 503,                                                                     \
      "too many requests of the service have failed: its breaker is open")                         \
    X(SHUTDOWN, "shutdown", 503, "the proxy is stopping")                                          \
    X(RESOURCES, "resources", 503, "a limit of memory or of concurrent work was reached")

enum exchange_end {
#define X(id, name, status, text) EXCHANGE_END_##id,
    EXCHANGE_END_LIST(X)
#undef X
};
#define EXCHANGE_END_ONE(id, name, status, text) +1
#define EXCHANGE_END_COUNT (0 EXCHANGE_END_LIST(EXCHANGE_END_ONE))
const char *exchange_end_name(enum exchange_end e); // "server-timeout"
const char *exchange_end_text(enum exchange_end e);
// The status of an answer of ours about it, where nothing more special fits.
unsigned exchange_end_status(enum exchange_end e);

// What a client did that filters refused, for whoever counts such things.
#define EXCHANGE_OFFENCE_LIST(X)                                                                   \
    X(WRONG_PASSWORD, "wrong-password")                                                            \
    X(DENIED, "denied")                                                                            \
    X(RATE_LIMITED, "rate-limited")

enum exchange_offence {
#define X(id, name) EXCHANGE_OFFENCE_##id,
    EXCHANGE_OFFENCE_LIST(X)
#undef X
};

// When, on the loop's clock in ns; 0: didn't happen.
struct exchange_times {
    int64_t accepted;    // first byte (or, for the first request, the connection)
    int64_t head_read;   // request head complete
    int64_t chosen;      // server chosen, connection asked for (last try)
    int64_t connected;   // connection at hand
    int64_t sent;        // request head written
    int64_t answer_head; // answer's head read
    int64_t finished;
};

// What the protocol driver of the client's side offers during an exchange.
struct exchange_ops {
    // Sends an interim answer (1xx, not 101). To HTTP/1.0 clients: nothing. May wait.
    enum err (*inform)(struct exchange *x, unsigned status, const struct headers *headers);
    // Watches the client's connection from now on: a reset cancels the exchange's fiber. Called
    // when a wait for a server takes longer than usual; without it a connection may stay unknown to
    // the loop, which saves a system call for those that serve one short request. NULL: nothing to
    // watch.
    void (*watch)(struct exchange *x);
    // Waits until the client's TLS handshake is over, where the request came before that: it is no
    // replay then. NULL: can't.
    enum err (*confirm)(struct exchange *x);
};

// Something that ends with the exchange, such as a place that it holds: embedded in what lives in
// x->mem.
struct exchange_guard {
    struct exchange_guard *next;
    void (*end)(struct exchange_guard *g); // doesn't wait
};

struct exchange {
    struct arena *mem; // borrows: the driver's; reset after the exchange
    struct request req;
    struct response resp;
    struct http_env *env;           // borrows: the worker's
    const struct http_entry *entry; // borrows: the snapshot's
    void *snapshot;                 // shares: taken by app->begin, given back by app->finish
    const struct exchange_ops *ops;
    void *driver; // the client-side driver's connection or stream

    struct ip peer;             // of the connection
    const struct tls_info *tls; // borrows: the connection's; NULL: it is plain
    uint16_t peer_port;
    bool is_early;        // the server is told by us that it may be a replay (RFC 8470)
    bool peer_is_trusted; // a trusted proxy: its forwarding fields were believed
    uint8_t offences;     // bits of enum exchange_offence
    uint8_t ended_at;     // steps of the trail when a filter answered, or the exchange failed
    struct ip client;     // the one client address (DESIGN 4)
    struct str request_id;

    struct str route_name; // for logs; empty: none
    struct str service_name;
    struct str server_name; // address of the server that was used
    struct str user;        // authenticated
    uint32_t meter;         // the application's: what it is counted for
    struct trace *trace;    // the application's: what it is part of; NULL: nothing
    unsigned n_tries;       // servers tried
    bool is_reused;         // the server's connection had served before
    enum exchange_end end;
    struct str end_detail; // for the log alone, never for clients
    struct exchange_times times;
    struct exchange_guard *guards; // owns: the newest first
    uint64_t request_bytes;        // body bytes from the client
    uint64_t response_bytes;       // body bytes to the client
    uint64_t wire_in, wire_out;    // with heads
    struct trail trail;            // last: its unused steps are never touched
};

// Sends a 100 to a client that waits for one before it sends its body (a filter wants to read the
// body here and now), once; later answers of servers to that expectation aren't needed any more.
// May wait.
enum err exchange_continue(struct exchange *x) MUST_CHECK;

static inline void exchange_note_offence(struct exchange *x, enum exchange_offence what)
{
    x->offences |= (uint8_t)(1u << what);
}

// Who has noted the last step of the trail has answered instead of a server.
static inline void exchange_end_filtered(struct exchange *x)
{
    x->end = EXCHANGE_END_FILTERED;
    x->ended_at = (uint8_t)MIN(x->trail.n, (unsigned)UINT8_MAX);
}

// Has end called when the exchange is over, its answer given to the last byte, a tunnel closed.
static inline void exchange_guard_add(struct exchange *x, struct exchange_guard *g,
                                      void (*end)(struct exchange_guard *g))
{
    *g = (struct exchange_guard){.next = x->guards, .end = end};
    x->guards = g;
}

// For drivers: the bodies have ended, the snapshot is still there.
static inline void exchange_end_guards(struct exchange *x)
{
    while (x->guards) {
        struct exchange_guard *g = x->guards;
        x->guards = g->next;
        g->end(g);
    }
}

static inline void exchange_watch(struct exchange *x)
{
    if (x->ops->watch)
        x->ops->watch(x);
}

// Before the client's handshake is over (RFC 8470): lets requests on that may be served twice, with
// `Early-Data: 1`, and waits for its end with others, or answers 425. *ret_is_answered. ERR_OK, or
// as exchange_ops.confirm.
enum err exchange_meet_early(struct exchange *x, bool *ret_is_answered) MUST_CHECK;

// The server has answered 425 to a request that we called early: waits for the end of the
// handshake, and makes the request one that isn't. False: it can't, and the answer stands. Drops
// the answer.
bool exchange_retry_early(struct exchange *x);

// Makes x->resp a neutral answer of our own: status page with the request id, nothing of the
// inside; a client of gRPC gets 200 with a code of its own. end and detail (printf) go to the log.
// Drops what resp held. Keeps resp.must_close if set.
void exchange_fail(struct exchange *x, unsigned status, enum exchange_end end, const char *fmt, ...)
    PRINTF(4, 5);

// Drops the answer that x has, so that the request can be sent again.
void exchange_drop_answer(struct exchange *x);

// Makes x->resp an answer of our own with a body in memory (borrowed; lives as long as x).
// content_type may be empty. ERR_LIMIT: the arena is full.
enum err exchange_respond(struct exchange *x, unsigned status, struct str content_type,
                          struct str body) MUST_CHECK;

// Drops the answer that there is, and how it ended: another one is to be tried for.
void exchange_forget_answer(struct exchange *x);
