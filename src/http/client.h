// SPDX-License-Identifier: Apache-2.0
// What all protocols have in common that are spoken with servers.
#pragma once

#include "base/deadline.h"
#include "codec/h1.h"
#include "http/env.h"
#include "http/exchange.h"
#include "rt/clock.h"

struct http_client_options {
    struct h1_limits limits; // of an answer's head
    int64_t head_ms;         // from the request's end to the answer's head
    int64_t body_idle_ms; // between two pieces of the answer, and without progress of the request
    int64_t tunnel_idle_ms;
    struct deadline until; // of the whole exchange; only of HTTP/2
    struct str host;       // what to send as Host; empty: x->req.authority
    struct str path;       // what to send as path; empty: x->req.path
    // Called once, when nothing of the exchange is on the connection any more; only of HTTP/2 (the
    // others are told by `done`). NULL: nobody wants to know.
    void (*ended)(void *arg);
    void *ended_arg;
};

// How sending and waiting for the answer's head ended.
enum http_client_end {
    HTTP_CLIENT_OK,       // x->resp is filled; its body reads from the connection
    HTTP_CLIENT_STALE,    // closed or reset before any byte of an answer, on a reused connection
    HTTP_CLIENT_CLOSED,   // the same on a fresh one, or in the middle of the head
    HTTP_CLIENT_REFUSED,  // the server says that it did nothing of it (RFC 9113 8.7)
    HTTP_CLIENT_HTTP_1,   // the same, and that it wants it by HTTP/1.1 (RFC 9113 7)
    HTTP_CLIENT_TIMEOUT,  // no head in time
    HTTP_CLIENT_PROTOCOL, // malformed answer; noted in x->end_detail and counted
    HTTP_CLIENT_BODY, // the client's request body failed (too slow, malformed, gone): x->end is set
    HTTP_CLIENT_CANCELLED, // the exchange was cancelled: the client is gone
    HTTP_CLIENT_RESOURCES, // a limit of memory was reached; noted in x->end_detail
};

// Until when to wait for the next piece of a request's body. otherwise_ms: where no client has
// settings.
static inline struct deadline http_client_body_deadline(const struct exchange *x,
                                                        int64_t otherwise_ms)
{
    return deadline_in(x->entry ? x->entry->body_idle_ms : otherwise_ms);
}

#define HTTP_CLIENT_INTERIM_MAX 32   // 1xx answers to one request
#define HTTP_CLIENT_CONTINUE_MS 1000 // then a body is sent without the server's "100 Continue"
#define HTTP_CLIENT_WATCH_MS 50      // a server that takes longer: has the client gone meanwhile?
