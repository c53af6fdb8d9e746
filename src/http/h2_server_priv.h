// SPDX-License-Identifier: Apache-2.0
// What the files of the h2 server driver share: h2_server.c (connections: their states and times),
// h2_server_io.c (bytes between socket and session), h2_server_session.c (what the session tells),
// h2_server_stream.c (streams and the fibers of their exchanges), h2_server_body.c (what comes in),
// h2_server_answer.c (what goes out), h2_server_flood.c (what is too much).
//
// Who calls what: the session's callbacks only write down what has happened, and put the stream
// into c->touched; h2_conn_settle acts on it when the session's call is over. Nothing is sent while
// the session is in a call, and only h2_conn_flush writes to the socket.
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/env.h"
#include "http/exchange.h"
#include "http/h2_fields.h"
#include "http/h2_server.h"
#include "rt/fiber.h"
#include "rt/timer.h"

// Kinds of frames that cost us more than their sender: how many at once, and how many each second.
#define H2_FLOOD_LIST(X)                                                                           \
    X(PING, 100, 10) /* and its answers */                                                         \
    X(SETTINGS, 50, 5)                                                                             \
    X(EMPTY, 100, 10)    /* DATA without a byte that don't end a stream */                         \
    X(PRIORITY, 400, 50) /* both kinds of priority signals */                                      \
    X(WINDOW, 2000, 200) /* each frame of DATA that we send allows some more */                    \
    X(RESET, 200, 20)    /* of exchanges that weren't finished; each finished one allows one */    \
    X(OTHER, 200, 20)    /* for streams that are gone */

enum h2_flood {
#define X(id, burst, per_s) H2_FLOOD_##id,
    H2_FLOOD_LIST(X)
#undef X
};
#define H2_FLOOD_ONE(id, burst, per_s) +1
#define H2_FLOOD_COUNT (0 H2_FLOOD_LIST(H2_FLOOD_ONE))

// id, what it is
#define H2_CONN_STATE_LIST(X)                                                                      \
    X(OPEN)      /* streams may be there or not */                                                 \
    X(LINGERING) /* all has been said; reads and drops until the client has closed */              \
    X(CLOSED)    /* waits for the fibers of its streams, then to be freed */

enum h2_conn_state {
#define X(id) H2_CONN_##id,
    H2_CONN_STATE_LIST(X)
#undef X
};

// How far a connection is with leaving (RFC 9113 6.8).
enum h2_goaway {
    H2_GOAWAY_NONE,
    H2_GOAWAY_NOTICE,  // told that no more streams will be taken, soon
    H2_GOAWAY_FINAL,   // which ones are taken is settled
    H2_GOAWAY_REFUSED, // and the client was told that it broke the rules
};

struct h2_stream;
struct h2_side;

// A client connection: what an idle one costs beside nghttp2's session.
struct h2_conn {
    struct stream stream;
    struct http_conn conn;
    struct rt_timer timer;    // runs out early at times, and is started anew then
    nghttp2_session *session; // owns
    struct list streams;      // all, in the order in which they came
    struct list touched;      // those to which something has happened in the session's call
    struct h2_stream *head;   // borrows: whose field section comes in; NULL: none
    char *out;                // owns: a buffer of the pool's while bytes wait for the socket
    struct str rest;          // borrows: the session's bytes behind those in out
    size_t out_at, out_end;   // what waits: out[out_at…out_end]
    size_t held_bytes;        // of bodies, that nobody has read yet
    size_t owed_bytes;        // to the client's window of the connection: not given back meanwhile
    int64_t idle_due_ms;      // INT64_MAX: none of these runs
    int64_t head_due_ms;      // the preface, or a field section
    int64_t write_due_ms;     // the client takes nothing
    int64_t over_due_ms;      // the end of streams that are over can't be sent: no window
    int64_t leave_due_ms;     // the last GOAWAY, or the end of lingering
    int64_t flood_at_ms;      // when `floods` was true
    uint16_t floods[H2_FLOOD_COUNT];
    uint32_t n_streams; // whose memory is there
    uint32_t n_over;    // of these, that wait only for their end to be sent
    uint32_t streams_max;
    uint32_t n_requests;
    uint32_t window_bytes; // of the connection, as the client knows it
    int32_t last_id;       // the newest stream's
    int32_t left_out_from; // the last numbers that were left out; 0: none
    int32_t left_out_to;
    int32_t cut_to;             // the highest that we have reset
    uint32_t n_heads;           // of answers, that wait for their turn
    int64_t initial_window_max; // what SETTINGS that come may say without a window's overflow
    uint32_t idle_ms;
    uint32_t linger_ms;
    uint32_t linger_left; // LINGERING: how many bytes to drop at most
    uint32_t body_idle_ms;
    uint16_t peer_port;
    uint8_t state;       // enum h2_conn_state
    uint8_t goaway;      // enum h2_goaway
    uint8_t refuse_code; // nghttp2's number for `refused`
    uint8_t refused;     // enum h2_error: why the client was told to go; NONE: it wasn't
    bool is_stopped;
    bool is_released;  // CLOSED: freed at the end of this turn
    bool is_greeted;   // the client's first SETTINGS have come
    bool in_session;   // a call of the session runs
    bool is_flush_due; // at the end of this turn
    bool is_look_due;  // the same, last of all: something has come
    bool is_hungry;    // there is more to read than one turn should
    struct ip peer;
};

#define H2_FRAME_HEAD_BYTES 9
#define H2_STREAM_WINDOW_BYTES 65535 // at the beginning: what RFC 9113 6.9.2 has without settings

// A piece of a request's body that waits to be read: a buffer of the pool's.
struct h2_chunk {
    struct h2_chunk *next;
    uint32_t at, end; // bytes[at…end]
    char bytes[];
};
#define H2_CHUNK_BYTES (HTTP_BUFFER_BYTES - sizeof(struct h2_chunk))

struct h2_body_in {
    struct body body;
    struct h2_chunk *first, *last; // owns: in the order in which they came
    size_t lent_bytes;             // of the first one, to be given back with the next read
    size_t window_bytes;           // of the stream, as the client knows it
    size_t grown_at;               // got then
    struct h2_length length;
    struct fiber *reader; // borrows: waits for bytes
    int64_t waited_ms;    // for the client, in all
    bool is_ended;        // END_STREAM
    bool is_failed;       // nothing more comes; x.end tells why
    struct headers trailers;
};

// A request and its answer. One block, whose rest is the home of the exchange's arena; it is freed
// when the fiber has ended and the session has forgotten the stream, which still knows the texts of
// what is to be sent.
struct h2_stream {
    struct h2_conn *c; // borrows
    int32_t id;
    struct list_node node;    // in c->streams
    struct list_node touched; // in c->touched, or not
    struct fiber *fiber;      // borrows: serves the exchange
    struct arena mem;
    struct h2_section section; // what comes in, or came
    struct h2_body_in in;
    struct h2_list trailers; // of the answer, until they are with the session
    struct str out;          // borrows: of the body what wasn't sent yet
    struct fiber *writer;    // borrows: waits until it was
    bool out_is_last;        // nothing comes behind it but trailers
    int64_t taken_ms;        // the last progress

    struct h2_list answer; // its head, while it waits for its turn
    bool is_queued;        // so it does
    bool has_body;         // behind that head
    uint8_t urgency;       // RFC 9218 4.1

    uint8_t head_error;   // enum h2_error
    struct str protocol;  // of an extended CONNECT (RFC 8441 4); empty: it is none
    bool is_whole;        // the head has come
    bool is_begun;        // app->begin was called, and app->finish wasn't
    bool is_started;      // a fiber was
    bool is_answered;     // the answer's head was given to the session
    bool is_sent;         // so was its end
    bool is_over;         // the fiber has ended
    bool is_gone;         // in the session's eyes
    bool is_reset;        // by the client, or with the connection
    bool is_cut;          // by us
    struct h2_side *side; // of a tunnel: then it has no fiber; NULL: it is none, or not yet
    bool sent_continue;
    struct exchange x;
};

static inline struct http_env *h2_conn_env(const struct h2_conn *c)
{
    return c->conn.listener->env;
}

// ---- h2_server.c ----

// Closes it; what runs on it is cancelled. It is freed when the last of that has ended.
void h2_conn_close(struct h2_conn *c);
// The client breaks rules: it is told why (the enum and nghttp2's number for it) and has to go.
void h2_conn_refuse(struct h2_conn *c, enum h2_error why, uint32_t code);
// Something has happened outside of the session's calls: the timer is set, and a connection
// without streams rests or leaves.
void h2_conn_rest(struct h2_conn *c);
// The timer runs out when the first of its times has come.
void h2_conn_set_timer(struct h2_conn *c);
// Acts on what the callbacks have written down.
void h2_conn_settle(struct h2_conn *c);
// As fiber_wait, for something of the client's. What has come in the turn in which the time ends is
// read first: a worker that stood still blames nobody for that.
enum fiber_wake h2_conn_wait(const struct h2_conn *c, struct deadline until);

// ---- h2_server_io.c ----

// Reads what is there, within bounds, and gives it to the session.
void h2_conn_read(struct h2_conn *c);
void h2_conn_feed(struct h2_conn *c, struct str bytes);
// Writes what there is to write, as far as the socket takes it. Not in the session's calls.
void h2_conn_flush(struct h2_conn *c);
// The same at the end of this turn, together with what others have to say until then.
void h2_conn_flush_soon(struct h2_conn *c);
// The same, but takes what streams have lent now: they can end while all of theirs is in the cache.
// A full buffer is written.
void h2_conn_gather(struct h2_conn *c);
// Drops what a lingering client sends.
void h2_conn_linger(struct h2_conn *c);
// Takes n bytes of out for the session. NULL: there is no room now.
char *h2_conn_room(struct h2_conn *c, size_t n);
// How many bytes of a body the next frame should have at most, so that it fits into out.
size_t h2_conn_frame_max(const struct h2_conn *c);
// Whether the session may have the head of an answer: the socket takes something. at_once: and
// nothing stands before it, so that the next h2_conn_gather makes its frames.
bool h2_conn_takes_heads(const struct h2_conn *c, bool at_once);
// Whether anything is still to be written, and the end of that.
bool h2_conn_has_out(const struct h2_conn *c);
void h2_conn_drop_out(struct h2_conn *c);

// ---- h2_server_session.c ----

// A session for c, with our settings submitted.
void h2_session_open(struct h2_conn *c, const struct http_entry *entry);

// ---- h2_server_flood.c ----

// One more. False: too many.
bool h2_flood_add(struct h2_conn *c, enum h2_flood kind);
// n of them are not held against the client.
void h2_flood_allow(struct h2_conn *c, enum h2_flood kind, uint16_t n);

// ---- h2_server_stream.c ----

// A stream whose head begins to come. NULL: there is no room for one.
struct h2_stream *h2_stream_open(struct h2_conn *c, int32_t id);
// Its head is complete.
void h2_stream_end_head(struct h2_stream *s, bool is_ended);
void h2_stream_begin_trailers(struct h2_stream *s);
void h2_stream_end_trailers(struct h2_stream *s, bool is_ended);
void h2_stream_touch(struct h2_stream *s);
// Resets it towards the client (RFC 9113 7), once.
void h2_stream_cut(struct h2_stream *s, uint32_t code);
// The stream's tunnel is over; is_told: the client knows.
void h2_stream_end_tunnel(struct h2_stream *s, bool is_told, const char *ended_by);
// Starts what has come; cancels what was reset; frees what is over.
void h2_stream_settle(struct h2_stream *s);

// ---- h2_server_body.c ----

void h2_body_init(struct h2_stream *s);
// n bytes of DATA have come. Returns how many of them are kept for a reader.
size_t h2_body_add(struct h2_stream *s, const uint8_t *data, size_t n);
// END_STREAM has come.
void h2_body_end(struct h2_stream *s);
// Wakes who reads, as nothing more comes.
void h2_body_fail(struct h2_stream *s, enum exchange_end end, const char *detail);
// Gives up what wasn't read.
void h2_body_drop(struct h2_stream *s);

// ---- h2_server_answer.c ----

extern const struct exchange_ops h2_server_ops;

// Sends x.resp. True: completely. Waits.
bool h2_stream_answer(struct h2_stream *s);
// The session asks for up to n bytes of the body.
ssize_t h2_stream_lend(struct h2_stream *s, size_t n, uint32_t *flags);
// Gives the session a piece of the body, an empty one only at the end, and waits until it has been
// taken. False: it won't be; x.end tells. Waits.
bool h2_stream_put(struct h2_stream *s, struct str piece, bool is_last);
// The same of the end alone, when all that was put has been taken; doesn't wait. False: nobody is
// there to get it.
bool h2_stream_put_end(struct h2_stream *s);
// The most urgent head that waits, if one does, goes to the session. Not in the session's calls.
void h2_conn_submit_next(struct h2_conn *c);
// Its head won't be needed.
void h2_stream_unqueue(struct h2_stream *s);
// n bytes of it were taken.
void h2_stream_taken(struct h2_stream *s, size_t n);
// END_STREAM was.
void h2_stream_sent(struct h2_stream *s);

// ---- h2_server_tunnel.c ----

// Makes an upgrade of HTTP/1.1 of the extended CONNECT in x.req.
enum h2_error h2_tunnel_prepare(struct h2_stream *s);
// Whether x.resp opens the tunnel: then it is made the answer that says so. Else it is one that
// refuses it.
bool h2_tunnel_accept(struct h2_stream *s);
// Joins the stream with x.resp.tunnel; h2_stream_end_tunnel is called at the end. False: no memory.
// May wait for the first bytes to be taken.
bool h2_tunnel_start(struct h2_stream *s);
// Something has come from the client, or nothing more will. Not in the session's calls.
void h2_tunnel_tell(struct h2_stream *s);
