// SPDX-License-Identifier: Apache-2.0
// What an exchange's part of a trace is: our span as a server, and below it one as a client for
// each try at a server. Lives in the exchange's memory; pure.
#pragma once

#include "admin/otlp.h"
#include "codec/trace_context.h"
#include "http/exchange.h"

// One try at a server.
struct trace_try {
    struct trace_try *next;
    uint8_t span[TRACE_SPAN_BYTES];
    int64_t from_ns, until_ns; // the loop's clock
    struct str service, server;
    enum exchange_end end; // why there is no answer
    uint16_t status;       // 0: there is none
};

struct trace {
    struct trace_parent self; // our span, which servers' spans are below
    uint8_t parent[TRACE_SPAN_BYTES];
    bool has_parent;
    char id[2 * TRACE_ID_BYTES];        // for logs
    char told[TRACE_PARENT_TEXT_BYTES]; // the value of traceparent: during a try, it names that
    struct trace_try *tries, *last;     // in their order; NULL: none
};

// Of a trace that is recorded: the try that x begins is a span of that id, and what the server is
// told. Where x's memory is used up, the try has none.
void trace_try_begin(struct exchange *x, const uint8_t id[static TRACE_SPAN_BYTES]);
// It ended with an answer of that status, or (0) without one, for that reason.
void trace_try_end(struct exchange *x, unsigned status, enum exchange_end end, int64_t now_ns);

// Whether there was one: the server's connection may have been lost to somebody else before.
static inline bool trace_try_was_made(const struct trace_try *try)
{
    return try->status != 0 || try->end != EXCHANGE_END_OK;
}

// Memory for the texts of one span.
struct trace_texts {
    char client[46], peer[46], status[8];
};

// The span of the whole exchange, and that of a try, with the same trace. to_wall_ns: from the
// loop's clock to that of the world. Both borrow from x and texts.
struct otlp_span trace_server_span(const struct exchange *x, int64_t to_wall_ns,
                                   struct trace_texts *texts);
// n_before: tries before it.
struct otlp_span trace_client_span(const struct exchange *x, const struct trace_try *try,
                                   unsigned n_before, int64_t to_wall_ns,
                                   struct trace_texts *texts);
