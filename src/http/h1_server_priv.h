// SPDX-License-Identifier: Apache-2.0
// What the files of the h1 server driver share: h1_server.c (connections and their exchanges),
// h1_server_rest.c (what they are between exchanges), h1_server_head.c and h1_server_body.c (what
// comes in), h1_server_answer.c and h1_server_pump.c (what goes out).
#pragma once

#include "http/env.h"
#include "http/exchange.h"
#include "http/h1_server.h"
#include "http/tunnel.h"
#include "rt/timer.h"

// id, what it holds
#define H1_CONN_STATE_LIST(X)                                                                      \
    X(IDLE)      /* nothing but itself; an event or the timer goes on */                           \
    X(PARKED)    /* the same, and the bytes of a head that stalled */                              \
    X(ACTIVE)    /* a fiber, a buffer, a block */                                                  \
    X(LINGERING) /* nothing; reads and drops until the client has closed */                        \
    X(TUNNEL)    /* a block, for the log line at the end */                                        \
    X(CLOSED)    /* waits to be freed at the end of the turn */

enum h1_conn_state {
#define X(id) H1_CONN_##id,
    H1_CONN_STATE_LIST(X)
#undef X
};

struct h1_turn;
struct h1_parked;

// A client connection: what an idle one costs. No member may be added lightly.
struct h1_conn {
    struct stream stream;
    struct http_conn conn;
    struct rt_timer timer;    // runs on while active: rearmed only when that is over
    struct fiber *fiber;      // borrows: ACTIVE
    struct h1_turn *turn;     // owns: ACTIVE, TUNNEL
    struct h1_parked *parked; // owns: PARKED
    int64_t due_ms;           // IDLE, PARKED, LINGERING: the end
    uint32_t idle_ms;
    uint32_t n_requests;
    uint32_t linger_ms;   // LINGERING: for how long
    uint32_t linger_left; // and how many bytes to drop at most
    uint16_t peer_port;
    uint8_t state; // enum h1_conn_state
    bool is_stopped;
    bool is_overdue; // its time without a byte is over: a last look whether one has come
    bool is_quiet;   // no request has begun since it was idle: bytes of TLS alone earn no time
    struct ip peer;
};

// A request body on the connection.
struct h1_body_in {
    struct body body;
    enum h1_body kind;
    bool is_done;   // read to its end, trailers included
    bool is_failed; // nothing more comes; turn.x.end tells why
    bool in_trailers;
    uint64_t left; // H1_BODY_LENGTH
    uint64_t got;
    int64_t waited_ms; // for the client, in all
    struct h1_chunks chunks;
    struct headers trailers;
};

// What a connection has only while a request is being read or served: one block, whose rest is the
// home of the exchange's arena.
struct h1_turn {
    struct h1_conn *c; // borrows
    struct arena mem;
    char *buf; // owns: one of env->buffers, or from the heap when cap is another
    size_t cap;
    size_t pos, end;     // bytes read and not used yet
    size_t body_start;   // behind the head, whose bytes x borrows
    int64_t head_due_ms; // when the head must be there
    size_t head_seen;    // bytes of the head that have been looked at
    struct h1_framing framing;
    struct h1_body_in in;
    bool has_begun; // app->begin was called
    bool sent_continue;
    bool keep_alive;
    bool is_last;     // the client has said that no other request follows
    bool is_answered; // the answer's head is on its way
    bool is_broken;   // something went out in part: nothing may follow it
    struct tunnel_side side;
    struct exchange x;
};

// A head that stalled half-way: its bytes and what app->begin gave.
struct h1_parked {
    void *snapshot;
    const struct http_entry *entry;
    int64_t accepted_ns;
    int64_t head_due_ms;
    size_t head_seen;
    size_t n;
    char bytes[];
};
#define H1_PARKED_MAX_BYTES (32u << 20) // all of a worker's together

static inline struct http_env *h1_conn_env(const struct h1_conn *c)
{
    return c->conn.listener->env;
}

// ---- h1_server.c ----

// Ends the exchange of t: counts, app->finish, what x holds. Once per app->begin.
void h1_turn_finish(struct h1_turn *t);
// Goes on from IDLE or PARKED: an event has come, or a parked head's time is over.
void h1_conn_resume(struct h1_conn *c);
// Starts an exchange's values anew; the turn's memory is free.
void h1_turn_init_exchange(struct h1_turn *t);

// ---- h1_server_rest.c ----

// A block and a buffer for c. False: a pool is at its limit.
bool h1_turn_open(struct h1_conn *c);
// Gives back what the turn of c holds, if there is one.
void h1_turn_close(struct h1_conn *c);
// Takes up the exchange of a parked head, bytes included (room for them is made).
void h1_turn_unpark(struct h1_turn *t);

// Each ends the turn and leaves c in another state; c must not be used afterwards.
void h1_conn_close(struct h1_conn *c);
void h1_conn_go_idle(struct h1_conn *c);
void h1_conn_go_parked(struct h1_conn *c);
void h1_conn_go_lingering(struct h1_conn *c);
// Hands c over to the driver of HTTP/2.
void h1_conn_go_h2(struct h1_conn *c);
// Joins c with x.resp.tunnel. Waits.
void h1_conn_go_tunnel(struct h1_conn *c);

// Shortens the time of an idle connection (http_conn_ops.leave).
void h1_conn_leave(struct h1_conn *c, int64_t idle_ms, int64_t not_before_ms);
// Ends a parked connection and its exchange.
void h1_conn_close_parked(struct h1_conn *c, enum exchange_end end);
// Drops what a lingering client has sent.
void h1_conn_linger(struct h1_conn *c);

// ---- h1_server_head.c ----

// More bytes of the client into the buffer's free end, counted. BODY_NO_WAIT: only a try.
enum io h1_turn_read(struct h1_turn *t, struct deadline until);

// Makes n bytes free at the buffer's end, what is not used yet moves to its start. Slices into the
// buffer become invalid.
void h1_turn_make_room(struct h1_turn *t, size_t n);

// Reads a request's head into t->x. IO_DONE: to be served, or x.resp is set already (refused);
// IO_AGAIN: park; IO_EOF: the client closed before the end of the head; IO_FAIL: broken. Waits.
enum io h1_server_read_head(struct h1_turn *t);

// Whether the connection begins with the preface of HTTP/2, where that is spoken. IO_DONE: it does;
// IO_AGAIN: park, as that isn't known yet; IO_EOF: it doesn't. May wait.
enum io h1_server_look_for_h2(struct h1_turn *t);

// ---- h1_server_body.c ----

// Sets t->in (and x.req.body) by t->framing. False: it is larger than allowed.
bool h1_server_body_init(struct h1_turn *t);
// Whether the connection is at the start of the next request.
bool h1_server_body_is_done(const struct h1_turn *t);
// Whether what is left is worth reading to keep the connection.
bool h1_server_body_is_drainable(const struct h1_turn *t);
// Reads the rest, within the entry's linger limits. Waits.
bool h1_server_body_drain(struct h1_turn *t);

// ---- h1_server_answer.c ----

extern const struct exchange_ops h1_server_ops;

// Writes x.resp. True: completely; then t->keep_alive tells about the connection. Waits.
bool h1_server_answer(struct h1_turn *t);

// ---- h1_server_pump.c ----

// Writes all of iov to the client, counted; false: x.end is set. Waits.
bool h1_server_send(struct h1_turn *t, struct iovec *iov, int n_iov);

enum h1_coding {
    H1_CODING_NONE, // no body follows the head
    H1_CODING_LENGTH,
    H1_CODING_CHUNKED,
    H1_CODING_CLOSE, // the connection's end is the body's
};

// Writes head and the body of x.resp. False: cut; x.end is set. is_answered is still false when
// nothing was written yet. Waits.
bool h1_server_pump(struct h1_turn *t, struct str head, enum h1_coding coding);
