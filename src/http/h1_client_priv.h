// SPDX-License-Identifier: Apache-2.0
// One exchange on a connection to a server, as h1_client*.c see it.
#pragma once

#include "codec/h1.h"
#include "http/h1_client.h"

struct fiber;
struct writer;

// How far the request is sent.
enum h1_sending {
    H1_SENDING_HELD,    // its body waits for the server's "100 Continue"
    H1_SENDING_RUNS,    // the pump sends its body
    H1_SENDING_DONE,    // all of it
    H1_SENDING_REFUSED, // the server takes no more of it; it may answer nevertheless
    H1_SENDING_STUCK,   // the server took nothing for too long
    H1_SENDING_FAILED,  // the client's body failed
    H1_SENDING_STOPPED, // we need it no more
};

// In the exchange's arena. Lives until the answer's body ends.
struct h1_call {
    struct h1_client *c; // borrows; NULL: given back to its owner
    struct exchange *x;  // borrows
    struct h1_limits limits;
    int64_t head_ms, body_idle_ms;

    char *buf; // owns: of env->buffers or env->large, or of the heap; NULL: given back,
               // for good or while the server is waited for
    size_t buf_bytes;
    bool is_large;  // of env->large
    size_t at, end; // what the server sent and nobody has taken yet: buf[at…end]

    enum h1_sending sending;
    struct fiber *pump;    // borrows: sends the body; NULL: none runs
    uint64_t send_left;    // of a request body of known length
    int64_t send_moved_ms; // the last progress of sending, or its end
    bool has_taken_body;   // bytes of the client's body that can't be had again
    bool is_splice_off;    // tried, and it failed
    bool has_answer;       // any byte of an answer has come
    bool is_watched;       // the client's connection

    unsigned n_interim;
    size_t interim_bytes;

    struct body body; // the answer's
    struct headers trailers;
    struct h1_chunks chunks;
    enum h1_body framing;
    uint64_t left;    // of a body with a length
    bool keep_alive;  // the server's word
    bool in_trailers; // the last chunk has been read
    bool is_complete; // the whole answer has been read
    bool is_failed;   // it never will
};

#define H1_CALL_FOREVER deadline_at(INT64_MAX)

// --- h1_client.c ---

// A larger buffer, or room made in this one. False: it may not grow beyond max_bytes.
bool h1_call_make_room(struct h1_call *call, size_t max_bytes);
// Reads what is there into the free part of the buffer, of which there is some. Watches the client
// when it takes long. IO_DONE, IO_EOF, IO_FAIL (the socket's error tells), with BODY_NO_WAIT also
// IO_AGAIN. May wait.
enum io h1_call_fill(struct h1_call *call, struct deadline until);
// Says in x->end_detail what the server did.
COLD void h1_call_note(struct h1_call *call, const char *fmt, ...) PRINTF(2, 3);
// Counts and notes a malformed answer.
COLD void h1_call_note_refused(struct h1_call *call, enum h1_error error);
// Gives the connection back to its owner, closed unless it is reusable. No pump may run.
void h1_call_release(struct h1_call *call, bool is_reusable);
void h1_call_give_buffer(struct h1_call *call);
// Lets the texts of fields point into a copy of the bytes that they were parsed from.
void h1_call_rebase(struct field *fields, size_t n, const char *from, const char *to);
// Whether the connection may serve again, the answer being complete.
bool h1_call_is_reusable(const struct h1_call *call);

static inline struct str h1_call_unread(const struct h1_call *call)
{
    return str_from(call->buf + call->at, call->end - call->at);
}

// --- h1_client_head.c ---

// Writes the head into the call's buffer, which grows for a large one. False: too large.
bool h1_call_build_head(struct h1_call *call, const struct http_client_options *options,
                        struct str *ret_head);
// Field lines and the empty line behind them.
void h1_put_fields(struct writer *w, const struct headers *h);

// --- h1_client_send.c ---

// Sends the head, and of the body what is at hand. HTTP_CLIENT_OK: go on with the answer (also when
// the server took nothing: it may have answered all the same). May wait.
enum http_client_end h1_call_send(struct h1_call *call, const struct http_client_options *options);
// Begins to send the rest of the body on a fiber of its own.
void h1_call_start_pump(struct h1_call *call);
// Ends the pump and waits until it has gone; no effect when none runs.
void h1_call_stop_pump(struct h1_call *call);

// --- h1_client_answer.c ---

// Passes interim answers on and fills x->resp from the final one's head. May wait.
enum http_client_end h1_call_read_answer(struct h1_call *call);

// --- h1_client_body.c ---

// The answer's body. framing, left and keep_alive are set.
struct body *h1_call_body(struct h1_call *call);

// --- h1_client_upgrade.c ---

// The connection as one side of a tunnel: takes it over from the call, with the bytes that came
// behind the head.
struct tunnel_side *h1_call_tunnel(struct h1_call *call);
