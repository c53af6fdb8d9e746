// SPDX-License-Identifier: Apache-2.0
// Sub-exchanges: requests that a filter or a service makes by itself for the sake of a client's
// exchange, its original: to ask an auth server, to fetch an error page, to mirror.
//
// A sub-exchange is served by a handler of the original's snapshot, as a rule a service (a filter
// gets one by filter_env.services), on a fiber of its own, with one time-out over everything: the
// choice of a server, connecting, and the answer to its last byte. It has the original's client,
// request id and entrypoint, no body of the client's, and doesn't touch the original: not its
// request, its answer, its trail or its times.
//
// What the log says of it: nothing. It has no line in the access log and isn't counted as an
// exchange; the counters SUBS… are about it. Who asks notes in the original's trail how it went,
// with sub_answer.why where it failed.
//
//     struct sub_request r = sub_request_to(x, f->service);
//     r.path = STR("/verify");
//     if (sub_copy_fields(&r, x, false) != ERR_OK || headers_set_named(&r.headers, …) != ERR_OK)
//         return filter_exhausted(x);
//     struct sub_answer a;
//     switch (sub_ask(x, &r, &a)) { … }
#pragma once

#include "http/exchange.h"

// What is asked. Everything is borrowed; sub_send copies it.
struct sub_request {
    const struct handler *handler; // of the original's snapshot
    struct str method;
    struct str authority; // what Host says, unless the service says it itself
    struct str path;      // begins with '/', as a server gets it
    struct str query;     // without '?'
    bool has_query;
    struct headers headers;  // without Host and what frames the message
    struct str body;         // may be empty
    int64_t timeout_ms;      // for all of it
    size_t answer_max_bytes; // of the answer's body; what is beyond is dropped
    bool keeps_answer;       // of what is sent: done gets the answer's body
};

#define SUB_TIMEOUT_MS 10000
#define SUB_ANSWER_MAX_BYTES ((size_t)64 * 1024)

enum sub_end {
    SUB_ANSWERED,  // the answer is there, whatever its status
    SUB_FAILED,    // none came about: no server, a time-out, a broken answer; why tells
    SUB_CANCELLED, // the original has ended: unwind
};

// In the original's memory.
struct sub_answer {
    unsigned status;        // 0: SUB_FAILED without one
    struct headers headers; // hop-by-hop fields are removed
    struct str body;
    bool is_cut;            // it was longer than answer_max_bytes
    struct str server_name; // of the last server tried; may be empty
    struct str why;         // SUB_FAILED: for the log and the trail, never for clients
};

// A GET to handler with the original's host, path and query, no fields, and the time-out and limit
// above.
struct sub_request sub_request_to(struct exchange *x, const struct handler *handler);

// Adds the original's fields: those for the server, as forwarding fields, that it has now. Without
// Host, Expect, Trailer, and (with_content is false) those that describe its body. ERR_LIMIT: the
// arena is full.
enum err sub_copy_fields(struct sub_request *r, const struct exchange *x, bool with_content)
    MUST_CHECK;

// Makes the request and reads the answer. On the original's fiber; waits, until timeout_ms have
// passed or the original is cancelled.
enum sub_end sub_ask(struct exchange *x, const struct sub_request *r, struct sub_answer *ret);

// How a request that was sent has ended. answer is valid during the call; its body is empty unless
// keeps_answer was set. On the request's fiber; not allowed to wait.
typedef void sub_done_fn(void *arg, enum sub_end end, const struct sub_answer *answer);

// Makes the request and doesn't wait for its answer, which is read. It may outlive the
// original, and keeps the snapshot. done may be NULL; arg lives as long as the snapshot. False: too
// many such requests run already on this worker, or there is no memory; done isn't called.
bool sub_send(struct exchange *x, const struct sub_request *r, sub_done_fn *done, void *arg);
