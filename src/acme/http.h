// SPDX-License-Identifier: Apache-2.0
// One HTTPS request and its answer, by libcurl: no redirects, no cookies, no compression, whole
// requests with a time-out, answers with a limit.
#pragma once

#include "acme/cancel.h"
#include "acme/head.h"
#include "acme/problem.h"
#include "acme/reach.h"
#include "base/text.h"

enum acme_method { ACME_GET, ACME_HEAD, ACME_POST };

struct acme_request {
    enum acme_method method;
    const char *url; // checked by acme_reach_check
    struct str body;
    size_t body_max_bytes;
};

struct acme_answer {
    unsigned status;
    struct text head; // fields as received, a line each
    struct text body;
    struct acme_head fields; // borrows from head: filled by the client
};
void acme_answer_fini(struct acme_answer *w);

// False: *reterr says why there is no whole answer.
typedef bool acme_send_fn(void *arg, const struct acme_request *r, struct acme_answer *ret,
                          struct arena *mem, struct acme_problem *reterr);

struct acme_http;

struct acme_http_options {
    struct str ca_pem;
    struct str proxy;
    int64_t timeout_ms;
    struct acme_cancel *cancel; // borrows
    struct acme_reach *reach;   // borrows
};

// NULL: libcurl can't.
struct acme_http *acme_http_new(const struct acme_http_options *options) MUST_CHECK;
void acme_http_free(struct acme_http *h); // NULL is allowed

acme_send_fn acme_http_send; // arg: struct acme_http
