// SPDX-License-Identifier: Apache-2.0
// Traces of requests, of one worker: context is taken from clients and passed on to servers, and
// spans of those that are recorded go to a collector, in batches, by the worker's own connections.
// What waits is bounded; what doesn't fit or can't be delivered is dropped and counted. All calls
// on the worker's thread.
#pragma once

#include "gate/trace.h"
#include "gate/tracing_conf.h"

struct snapshot;
struct tracer;

#define TRACER_COUNT_LIST(X)                                                                       \
    X(SENT, "sent")                                                                                \
    X(DROPPED, "dropped")                                                                          \
    X(FAILED, "failed")

enum tracer_count {
#define X(id, name) TRACER_##id,
    TRACER_COUNT_LIST(X)
#undef X
};
#define TRACER_COUNT_ONE(id, name) +1
#define TRACER_COUNTS (0 TRACER_COUNT_LIST(TRACER_COUNT_ONE))

// in_force: borrows: where the worker has its snapshot.
struct tracer *tracer_new(struct http_env *env, struct snapshot *const *in_force);
// Nothing is being sent. Accepts NULL.
void tracer_free(struct tracer *t);

// Before any filter: reads and replaces traceparent and tracestate, sets x->trace. Doesn't wait.
void tracer_begin(struct tracer *t, const struct tracing *c, struct exchange *x);
// x, with x->trace, is about to try a server, which is told a span of that try's own if the trace
// is recorded.
void tracer_try(struct tracer *t, struct exchange *x);
// After the exchange: keeps its spans if it is recorded. x->trace may be NULL.
void tracer_finish(struct tracer *t, const struct tracing *c, const struct exchange *x);

// The worker leaves: from now on spans are sent at once, and are lost when that fails.
void tracer_expect_end(struct tracer *t);
bool tracer_is_idle(const struct tracer *t);

// Spans by what became of them.
const uint64_t *tracer_counts(const struct tracer *t);
