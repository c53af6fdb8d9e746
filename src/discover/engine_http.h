// SPDX-License-Identifier: Apache-2.0
// Questions to an engine, by libcurl: only GET, each with a limit and a time-out, many at once,
// over a Unix socket or TCP with TLS. In the process that speaks with the engine alone.
#pragma once

#include <curl/curl.h>

#include "base/text.h"
#include "gate/providers_conf.h"

struct engine_http;

// Before the sandbox: a name is resolved now, for good. NULL: *ret_why.
struct engine_http *engine_http_new(const struct docker_conf *conf, const char **ret_why)
    MUST_CHECK;

struct engine_answer {
    unsigned status;
    struct text body;
    int64_t date_s; // of the engine's clock; 0: it didn't tell
};

// What an answer may be, and how long it may take.
struct engine_limits {
    size_t max_bytes;
    int64_t timeout_ms;
};

// Called once, by engine_http_wait: with the answer, which is gone afterwards, or with why there is
// none, for people.
typedef void engine_answer_fn(void *arg, const struct engine_answer *answer, const char *why);

// Begins to ask. False: no memory.
bool engine_http_ask(struct engine_http *h, const char *path, struct engine_limits limits,
                     engine_answer_fn *fn, void *arg) MUST_CHECK;

// Called with bytes as they come; false: enough. Before the first ones once with none: the answer
// has begun.
typedef bool engine_bytes_fn(void *arg, struct str bytes);

// The same for an answer without an end: of pieces, for on_bytes. on_end: it has one all the same.
bool engine_http_stream(struct engine_http *h, const char *path, engine_bytes_fn *on_bytes,
                        engine_answer_fn *on_end, void *arg) MUST_CHECK;

// Waits until something comes, at most wait_ms, and takes it. True: fd is readable.
bool engine_http_wait(struct engine_http *h, int fd, int64_t wait_ms);
