// SPDX-License-Identifier: Apache-2.0
// HTTP/2 of the scripted peers: a session of nghttp2's between a peer and its wire, with all of
// nghttp2's checks on, so that what the worker sends is looked at by somebody else's eyes. The peer
// hears of streams through its own callbacks; what goes wrong on the wire is chosen here.
#pragma once

#include <nghttp2/nghttp2.h>

#include "sim/sim_message.h"
#include "sim/sim_tls.h"

// What a peer is told outside of nghttp2's calls.
struct sim_h2_ops {
    void (*settled)(void *arg);                   // what came has been looked at
    void (*ended)(void *arg, bool is_orderly);    // the worker's side of the wire
    void (*fault)(void *arg, enum sim_fault how); // a cut is due
};

struct sim_h2 {
    struct sim_h2 *next;
    struct sim_wire *wire;
    nghttp2_session *session; // owns; NULL: freed
    const struct sim_h2_ops *ops;
    void *arg;
    struct sim_text out; // of the session's, not taken by the wire
    size_t out_at;
    struct sim_pace read_pace;
    struct sim_cut cut_sent, cut_received; // by the bytes of each direction
    size_t n_sent, n_received;
    bool is_hostile; // has sent what isn't allowed: whatever comes is dropped
    bool is_stalled, is_reading_later, is_in_call, has_ended;
};

// What a peer says in its first SETTINGS.
struct sim_h2_wish {
    uint32_t window_bytes;     // of its streams
    uint32_t streams_max;      // of a server; 0: it doesn't say
    uint32_t frame_bytes;      // the largest that it takes; 0: it doesn't say
    uint32_t table_bytes;      // of header compression; UINT32_MAX: it doesn't say
    int32_t conn_window_bytes; // 0: 64 KiB
    bool takes_websockets;     // of a server
};
extern const struct sim_h2_wish sim_h2_plain;      // 64 KiB, and nothing special
struct sim_h2_wish sim_h2_some_wish(bool is_calm); // calm: no window is tiny

// A session over the wire, whose ops, arg, wire and faults are set. The callbacks get `arg`.
void sim_h2_open(struct sim_h2 *h, bool is_server, const struct sim_h2_wish *wish,
                 nghttp2_session_callbacks *callbacks);
// The wire has something, or room. Reads, tells, sends.
void sim_h2_go(struct sim_h2 *h);
// Sends what there is to send. Not inside the session's callbacks.
void sim_h2_flush(struct sim_h2 *h);
// For the peer's callback on_frame_send: a GOAWAY that blames the worker is a failure.
void sim_h2_check_sent(const nghttp2_frame *frame);
// Bytes between two frames of the session's.
void sim_h2_put_raw(struct sim_h2 *h, const char *bytes, size_t n);
// The peer is done with it.
void sim_h2_close(struct sim_h2 *h);

// A peer got n bytes of a stream and gives them back to both windows; or to the connection's alone.
void sim_h2_give_back(struct sim_h2 *h, int32_t id, size_t n, bool is_stalled);

void sim_h2_start(void);
void sim_h2_stop(void);
// Bytes of the heap that the sessions of peers have.
size_t sim_h2_heap_bytes(void);

// --- messages ---

#define SIM_H2_FIELDS_MAX 16

struct sim_h2_fields {
    nghttp2_nv items[SIM_H2_FIELDS_MAX];
    size_t n;
};
void sim_h2_add(struct sim_h2_fields *f, const char *name, const char *value);
void sim_h2_add_number(struct sim_h2_fields *f, const char *name, uint64_t value);
// The head of a plan's request, of its answer.
void sim_h2_request(struct sim_h2_fields *f, const struct sim_plan *p, bool is_tls);
void sim_h2_answer(struct sim_h2_fields *f, const struct sim_plan *p);
// Heads that must be refused, in turn by i.
void sim_h2_malformed_request(struct sim_h2_fields *f, const struct sim_plan *p, uint32_t i);
void sim_h2_malformed_answer(struct sim_h2_fields *f, const struct sim_plan *p, uint32_t i);
// Frames, whole and in place between others: those that change nothing, and those that end the
// connection. In turn by i. Some are for servers alone to get.
void sim_h2_harmless(struct sim_h2 *h, uint32_t i);
void sim_h2_hostile(struct sim_h2 *h, uint32_t i);
void sim_h2_be_rude(struct sim_h2 *h, const char *text); // what isn't HTTP/2 at all

// One direction of a stream's body: what was put into DATA, what came in it.
struct sim_h2_out {
    uint32_t id; // of the plan
    enum sim_direction direction;
    size_t n, at;
    struct sim_pace pace;
    size_t cut_at; // SIZE_MAX: never
    bool is_pausing, is_cut, has_trailers;
};
// For nghttp2's read callback. Sets *ret_wait_ns when the rest comes later (then NGHTTP2_ERR_
// DEFERRED will be the next answer until is_pausing is cleared), or is_cut.
ssize_t sim_h2_read(struct sim_h2_out *o, nghttp2_session *session, int32_t id, uint8_t *to,
                    size_t cap, uint32_t *flags, int64_t *ret_wait_ns);
void sim_h2_check(uint32_t id, enum sim_direction d, size_t at, const uint8_t *bytes, size_t n);
