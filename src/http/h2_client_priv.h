// SPDX-License-Identifier: Apache-2.0
// A connection with a server and one exchange on it, as h2_client*.c see them.
#pragma once

#include "base/attr.h"
#include "http/h2_client.h"
#include "http/h2_error.h"
#include "http/h2_fields.h"
#include "rt/fiber.h"

// How far the request is sent.
enum h2_sending {
    H2_SENDING_TUNNEL,  // its other side brings what is sent, after the answer
    H2_SENDING_HELD,    // its body waits for the server's "100 Continue"
    H2_SENDING_RUNS,    // the pump brings its body
    H2_SENDING_LAST,    // what is left of it is at hand
    H2_SENDING_DONE,    // all of it
    H2_SENDING_REFUSED, // the server takes no more of it; it may answer nevertheless
    H2_SENDING_STUCK,   // the server took nothing for too long
    H2_SENDING_FAILED,  // the client's body failed
    H2_SENDING_STOPPED, // we need it no more
};

// Why nothing more comes of a stream.
enum h2_failure {
    H2_FAILURE_NONE,
    H2_FAILURE_REFUSED,   // the server says that it did nothing of it
    H2_FAILURE_HTTP_1,    // the same, and that it wants it by HTTP/1.1
    H2_FAILURE_RESET,     // by the server
    H2_FAILURE_GONE,      // the connection
    H2_FAILURE_PROTOCOL,  // what the server sent was refused
    H2_FAILURE_RESOURCES, // a limit of memory of ours
};

// What came of an answer's body and nobody has taken yet: in one of env->pieces.
struct h2_chunk {
    struct h2_chunk *next;
    uint32_t at, end;
    char bytes[];
};
#define H2_CHUNK_BYTES (HTTP_BUFFER_BYTES - sizeof(struct h2_chunk))

struct h2_pipe;

struct h2_interim {
    struct h2_interim *next;
    uint16_t status;
    struct headers headers;
};

// In the exchange's arena. Lives until the answer's body ends.
struct h2_call {
    struct h2_client *c;   // borrows; NULL: the stream has ended, or was given up
    struct h2_client *on;  // the same, as long as it lives
    struct list_node node; // in c->calls
    struct exchange *x;    // borrows
    struct fiber *waiter;  // borrows: the exchange's, while it waits here; NULL
    int32_t id;            // of the stream
    bool was_reused;       // the connection had served before
    bool is_watched;       // the client's connection
    struct h1_limits limits;
    int64_t head_ms, body_idle_ms;
    struct deadline until;    // of the exchange
    void (*ended)(void *arg); // as in http_client_options
    void *ended_arg;

    enum h2_sending sending;
    struct fiber *pump;    // borrows: reads the client's body; NULL: none runs
    struct str out;        // of the body, to be sent next; borrowed from it
    bool is_out_last;      // nothing comes behind it
    bool is_asleep;        // nghttp2 waits to be told of more
    bool is_pump_waiting;  // for nghttp2 to take what is there
    bool has_taken_body;   // bytes of the client's body that can't be had again
    uint64_t send_left;    // of a request body of known length
    int64_t send_moved_ms; // the last progress of sending, or its end

    struct h2_section section; // that comes in
    struct headers head;
    struct headers trailers;
    struct h2_interim *interims, **interims_end; // to be passed on
    unsigned n_interim;
    size_t interim_bytes;
    bool has_answer; // any part of one has come
    bool has_head;   // the final one
    bool has_body;   // it may have one
    bool has_trailers;
    bool is_complete;  // the whole answer has come
    bool is_failed;    // it never will, and the reader has been told
    bool is_finished;  // nothing of the call is left but its trailers
    uint16_t status;   // of the answer
    int64_t announced; // its Content-Length; -1: none
    struct h2_length length;
    struct h2_chunk *first, *last; // owns
    size_t held, n_lent;           // bytes in them, and how many of the first one's are lent
    int64_t window, asked;         // of the stream; of it taken since it grew
    int64_t counted;               // of it in the sums: more, while more may be held than it has
    int64_t came_ms;               // the last progress of the answer
    enum h2_failure failure;       // noted in x->end_detail
    struct body body;              // the answer's
    struct h2_pipe *pipe;          // of a tunnel; NULL: it is none, or not yet
    struct list_node told;         // in c->told
};

// --- h2_client.c ---

// The end of this turn of the loop sends what is to be sent and tells the owner.
void h2_client_schedule(struct h2_client *c);
// Something has come that shows that the server lives.
void h2_client_lives(struct h2_client *c);
// Sends it now. Not inside nghttp2's callbacks.
void h2_client_flush(struct h2_client *c);
// The same; exchanges that may begin have become more or fewer.
void h2_client_change(struct h2_client *c);
// The connection is over: what runs on it fails. Not inside nghttp2's callbacks.
void h2_client_break(struct h2_client *c, enum h2_failure failure, const char *why);

// A stream was reset by us, or has been served to its end. Who gets too many resets may think that
// we attack it, and end what others do on the connection: so it leaves before.
void h2_client_count_reset(struct h2_client *c);
// So much may still come of a stream that we have reset.
void h2_client_expect_late(struct h2_client *c, uint64_t window);
void h2_client_count_served(struct h2_client *c);

// --- h2_client_session.c ---

// Makes c->session and puts the preface into it.
void h2_session_begin(struct h2_client *c);
// Before a stream begins: tells the server with how much those of the connection begin from now on,
// less where all windows of the worker have come to much.
void h2_session_fit_windows(struct h2_client *c);

#define H2_CLIENT_WINDOW_BYTES 65535                     // of a stream at first
#define H2_CLIENT_WINDOW_LEAST ((int64_t)H2_CHUNK_BYTES) // where windows are short: one piece
// All windows of a worker towards servers, but for LEAST of each stream: so much memory can slow
// clients hold.
#define H2_CLIENT_WINDOWS_MAX_BYTES ((int64_t)64 * 1024 * 1024)

// --- h2_client_call.c ---

// The call has no stream any more. NONE: it isn't needed.
void h2_call_end_stream(struct h2_call *call, enum h2_failure failure);
// Gives the stream up. Not inside nghttp2's callbacks that are about this stream's end.
void h2_call_reset(struct h2_call *call, enum h2_failure failure, uint32_t code);
// Ends what is left of the call: pump, stream, what came. Idempotent. May wait for the pump.
void h2_call_finish(struct h2_call *call);
// Says in x->end_detail what the server did; the first word counts.
COLD void h2_call_note(struct h2_call *call, const char *fmt, ...) PRINTF(2, 3);
// Counts and notes a malformed answer, and gives the stream up.
COLD void h2_call_refuse(struct h2_call *call, enum h2_error error);
// The exchange's fiber looks again.
void h2_call_wake(struct h2_call *call);
// Waits in the exchange's fiber until h2_call_wake, or it is worth looking. Watches the client when
// it takes long. Waits.
enum fiber_wake h2_call_wait(struct h2_call *call, struct deadline until);

// --- h2_client_send.c ---

// Begins the stream: the head, and of the body what is at hand. HTTP_CLIENT_OK: go on with the
// answer.
enum http_client_end h2_call_send(struct h2_call *call, const struct http_client_options *options);
// Sends a piece of a tunnel's, and waits until it has been taken. False: it won't be.
bool h2_call_put(struct h2_call *call, struct str piece);
// The end of what is sent through a tunnel, or through one that didn't come about.
void h2_call_put_end(struct h2_call *call);
void h2_call_start_pump(struct h2_call *call);
// Ends the pump and waits until it has gone; no effect when none runs.
void h2_call_stop_pump(struct h2_call *call);

// --- h2_client_body.c ---

// Counts the window that call's stream has; 0: none any more.
void h2_call_set_window(struct h2_call *call, int64_t bytes);
// The stream's window is smaller by so much when the server has heard of it. It counts as before
// until what came under the old one was taken.
void h2_call_shrink_window(struct h2_call *call, int64_t by);
void h2_call_settle_window(struct h2_call *call);

// n bytes came for the answer's body.
void h2_call_add_data(struct h2_call *call, const char *bytes, size_t n);
struct body *h2_call_body(struct h2_call *call);
void h2_call_drop_data(struct h2_call *call);
// The next piece of what has come, valid until the next call. IO_EOF: the server has ended;
// IO_FAIL: the stream was cut. Doesn't wait.
enum io h2_call_lend(struct h2_call *call, struct str *ret_piece);

// --- h2_client_tunnel.c ---

// Makes x->resp the answer to an upgrade, with the stream as x->resp.tunnel. False: no memory.
bool h2_call_open_tunnel(struct h2_call *call);
// Something has come from the server, or nothing more will. Not in nghttp2's callbacks.
void h2_call_tell(struct h2_call *call);
