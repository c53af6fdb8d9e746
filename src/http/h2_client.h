// SPDX-License-Identifier: Apache-2.0
// HTTP/2 with servers (RFC 9113): one connection, many exchanges at a time. The connection has no
// fiber: events of its socket feed nghttp2, and each exchange's fiber waits for what its stream
// gets. Servers are parsed as strictly and as bounded as clients.
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "http/client.h"
#include "http/exchange.h"
#include "rt/fiber.h"
#include "rt/stream.h"
#include "rt/timer.h"

struct h2_client;

#define H2_CLIENT_STREAMS_MAX 100 // at a time on one connection, however many the server allows

// More or fewer exchanges may begin than before, none is left, or the connection is over
// (h2_client_is_over): then the owner frees it (h2_client_fini). Called at the end of a turn of the
// loop, never inside a call of the owner's.
typedef void h2_client_changed_fn(struct h2_client *c);

struct h2_client {
    struct stream stream;          // connected
    struct list_node node;         // the owner's
    h2_client_changed_fn *changed; // the owner's
    struct http_env *env;          // borrows: the worker's
    nghttp2_session *session;      // owns
    struct list calls;             // struct h2_call: those that have a stream
    struct list told;              // struct h2_call: tunnels to be told that something has come
    uint32_t n_calls;
    uint32_t n_exchanges; // begun so far
    uint32_t n_resets;    // of streams, by us, less those that were served to their end
    int64_t heard_ms;     // when its last byte came
    int64_t idle_since_ms;
    int64_t window_bytes;       // of all streams
    struct rt_timer timer;      // runs: a PING waits for its answer, or more waits to be read
    int64_t probe_ms;           // until then anything must have come; 0: no PING is on its way
    int64_t doubt_ms;           // from then on no exchange begins before something has come
    struct list listeners;      // struct h2_listener: those who wait for a sign of life
    int64_t credit;             // of frames that bring nothing; see h2_client_session.c
    int64_t credit_ms;          // when it was reckoned up
    uint64_t unknown_bytes;     // since a frame began that nghttp2 knows
    uint64_t late_bytes;        // may still come of streams that we have reset
    int64_t initial_window_max; // what SETTINGS that come may say without a window's overflow
    char *rest;                 // owns: bytes that the socket didn't take; NULL: none
    size_t rest_at, rest_end;
    uint8_t error;     // enum h2_error: what the server broke; NONE
    char why[80];      // what nghttp2 says of it; empty: nothing
    bool is_ready;     // the server's SETTINGS have come
    bool wants_http_1; // so said its GOAWAY
    bool is_frugal;    // streams begin with small windows, as others have many large ones
    uint8_t n_unacked; // SETTINGS of ours that the server hasn't acknowledged
    bool is_leaving;   // no exchange begins any more: GOAWAY was sent or has come
    bool is_over;      // the socket is closed
    bool is_scheduled; // its turn's end is to be called
    bool is_changed;   // the owner is to be told
};

// c->stream is connected, c->changed set, the rest zero. Takes it over: the connection's preface
// goes out with the end of this turn.
void h2_client_start(struct h2_client *c, struct http_env *env);

// How many exchanges may begin now. Before the server has told its limits: one at a time. None
// while it has not answered half of the time that a PING has.
uint32_t h2_client_room(const struct h2_client *c);

// Sends x->req and reads the answer's head into x->resp, as h1_client_serve does, on a stream of
// its own. There is room. Waits.
enum http_client_end h2_client_serve(struct h2_client *c, struct exchange *x,
                                     const struct http_client_options *options,
                                     bool *ret_sent_body);

// Asks the server for a sign of life, if it was silent for long: when none comes within within_ms,
// the connection is over, and what runs on it fails.
void h2_client_probe(struct h2_client *c, int64_t within_ms);

// Waits until the server that was asked has given a sign of life, or the connection is over
// (FIBER_READY); FIBER_EXPIRED: it is doubtful whether it will. READY at once, if nothing was
// asked. Waits.
enum fiber_wake h2_client_hear(struct h2_client *c);

// No exchange begins any more; the connection is over when the last one has ended.
void h2_client_leave(struct h2_client *c);

// Frees what it holds; c's memory is the owner's. No exchange runs on it.
void h2_client_fini(struct h2_client *c);
