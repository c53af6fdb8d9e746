// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as the scripted peers write and read it: by plan, with bodies whose every byte is known,
// and with a reader of its own, so that a fault of the worker's parser can't hide behind itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum sim_framing {
    SIM_NO_BODY,
    SIM_LENGTH,
    SIM_CHUNKED,
    SIM_UNTIL_CLOSE,
};

// What a peer does at a certain byte.
enum sim_fault {
    SIM_GO_ON,
    SIM_CLOSE,
    SIM_RESET,
    SIM_STALL, // neither sends nor reads any more
};

struct sim_cut {
    enum sim_fault how;
    size_t at; // of the bytes of this side's message
};

// How fast a peer sends or reads: pieces, and the time between two.
struct sim_pace {
    uint32_t piece_bytes; // 0: all at once
    int64_t gap_ns;
};

enum sim_outcome {
    SIM_UNANSWERED,
    SIM_ANSWERED, // completely, as far as the client can tell
    SIM_CUT,      // the client can tell that something is missing
};

// One exchange: what client and server shall do, and what came of it.
struct sim_plan {
    uint32_t id;
    const char *method; // "GET", …
    const char *host;
    const char *target; // NULL: /e/ID
    uint8_t minor;      // of the client's version
    enum sim_framing request;
    size_t request_bytes;
    bool has_trailers; // chunked ones, both ways
    bool expects;      // 100-continue
    bool asks_close;
    bool is_upgrade;
    bool is_websocket;       // the upgrade, by HTTP/1.1; by HTTP/2 it always is
    bool is_passed;          // to a server behind TLS that the worker can't look into
    size_t tunnel_bytes;     // of each direction
    const char *ws_key;      // what the worker asks for a WebSocket with, as its server has seen it
    const char *raw_request; // the request's bytes instead of what the plan would give: refused
    const char *fields;      // more of them: "Name: value\r\n"

    unsigned status;
    enum sim_framing answer;
    size_t answer_bytes;
    unsigned n_interim;
    bool closes;          // the server says Connection: close, and does
    bool closes_silently; // it does without saying
    bool answers_early;   // without having read the body
    bool drops_rest;      // and closes without reading it
    bool ignores_expect;
    int64_t think_ns;
    struct sim_pace pace;      // of the answer
    const char *raw;           // the answer's bytes instead of what the plan would give
    struct sim_cut cut;        // of the answer
    struct sim_cut cut_inward; // by what the server has received of the request
    uint32_t n_cuts;           // how many tries are cut
    uint32_t n_refusals;       // of streams, before one is taken

    bool must_succeed;   // nothing stands in the way of the server's answer
    bool may_be_refused; // an answer of the worker's own may be given to what doesn't fail

    // What came of it.
    uint32_t n_heads;    // a server has seen the request's head
    uint32_t n_executed; // and all of the request
    uint32_t n_sent;     // and has sent its whole answer
    uint32_t n_finished; // exchanges of the worker with it
    unsigned finished_status;
    bool has_ended_unsent; // without a server that it was sent to
    enum sim_outcome outcome;
    unsigned got_status;
    bool is_servers; // else the worker's own answer
    unsigned got_interim;
    size_t got_bytes;
    int64_t began_ms, ended_ms;
};

// A plan with the given id: GET, answered with 200 and 100 bytes.
struct sim_plan *sim_plan_new(const char *method, const char *host);
// A copy of a plan's intentions, with an id of its own.
struct sim_plan *sim_plan_like(const struct sim_plan *model);
struct sim_plan *sim_plan_find(uint32_t id);
uint32_t sim_plan_count(void);
void sim_plans_init(void);
bool sim_plan_is_idempotent(const struct sim_plan *p);

enum sim_direction {
    SIM_UP,
    SIM_DOWN,
    SIM_TUNNEL,
};
char sim_byte(uint32_t id, enum sim_direction d, size_t i);

// A message as bytes, and how far it has been sent.
struct sim_text {
    char *ptr;
    size_t len, cap;
};
void sim_text_put(struct sim_text *t, const char *bytes, size_t n);
void sim_text_pattern(struct sim_text *t, uint32_t id, enum sim_direction d, size_t n);
// Returns where the body begins.
size_t sim_put_request(struct sim_text *t, const struct sim_plan *p);
// What a client of HTTP/1.1 asks for a WebSocket with, and what it must be answered.
const char *sim_websocket_key(const struct sim_plan *p);
const char *sim_websocket_accept(const char *key);
void sim_put_answer(struct sim_text *t, const struct sim_plan *p);

// Reads messages piece by piece.
enum sim_read {
    SIM_READ_MORE,
    SIM_READ_HEAD, // now sim_reader_body must be called
    SIM_READ_END,
};

#define SIM_HEAD_MAX_BYTES (16 * 1024)

struct sim_reader {
    uint8_t step;
    char *head; // the present message's, to its empty line
    size_t n_head;
    enum sim_framing framing;
    uint64_t left;
    char line[256]; // of a chunk's size or a trailer
    size_t n_line;
    bool has_pattern; // the body's bytes are known
    uint32_t id;
    enum sim_direction direction;
    size_t n_body;
    unsigned n_trailers;
};
// The next message.
void sim_reader_start(struct sim_reader *r);
// Takes bytes up to the head's end or the message's; *ret_used of them.
enum sim_read sim_reader_feed(struct sim_reader *r, const char *bytes, size_t n, size_t *ret_used);
// After SIM_READ_HEAD: what the body is. SIM_READ_END when there is none.
enum sim_read sim_reader_body(struct sim_reader *r, enum sim_framing framing, uint64_t length);
struct str sim_reader_head(const struct sim_reader *r);
struct str sim_reader_field(const struct sim_reader *r, const char *name);
// The framing as the fields tell; *ret_length for SIM_LENGTH.
enum sim_framing sim_reader_framing(const struct sim_reader *r, uint64_t *ret_length);
