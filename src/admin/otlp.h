// SPDX-License-Identifier: Apache-2.0
// Spans in OTLP's JSON (OpenTelemetry protocol 1.x, over HTTP): those of requests and of tries at
// servers, with the attributes of OpenTelemetry's conventions for HTTP. Pure.
#pragma once

#include "base/text.h"
#include "codec/trace_context.h"

// The numbers of OTLP's Span.SpanKind.
enum otlp_kind {
    OTLP_SERVER = 2,
    OTLP_CLIENT = 3,
};

// Empty texts and numbers that are 0 aren't told.
struct otlp_span {
    struct trace_parent self;
    enum otlp_kind kind;
    uint8_t parent[TRACE_SPAN_BYTES];
    bool has_parent;
    bool is_failed;            // by our doing or a server's
    int64_t from_ns, until_ns; // wall clock
    struct str method;
    struct str scheme, host, path, version, user_agent; // version: "1.1", "2"
    struct str client, peer;                            // addresses
    uint32_t port, status;
    struct str error; // why there is no answer, or a failed one
    struct str route, service, server;
    uint32_t tries;    // of a request
    uint32_t n_before; // of a try: those before it
};

// One span; those of a batch have commas between them.
void otlp_put_span(const struct otlp_span *s, struct text *to);
// In front of a batch's spans, and behind them. name: of the service that we are.
void otlp_put_head(struct str name, struct str version, struct text *to);
void otlp_put_tail(struct text *to);
