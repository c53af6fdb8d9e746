// SPDX-License-Identifier: Apache-2.0
// Questions to an engine, by libcurl: only GET, each with a limit and a time-out, over a Unix
// socket or TCP with TLS. In the process that speaks with the engine alone.
#pragma once

#include <curl/curl.h>

#include "base/text.h"
#include "gate/providers_conf.h"

struct engine_http;

// Before the sandbox: a name is resolved now, for good. NULL: *ret_why.
struct engine_http *engine_http_new(const struct docker_conf *conf, const char **ret_why)
    MUST_CHECK;
void engine_http_free(struct engine_http *h); // NULL is allowed

struct engine_answer {
    unsigned status;
    struct text body;
    int64_t date_s; // of the engine's clock; 0: it didn't tell
};
void engine_answer_fini(struct engine_answer *a);

// Asks, and waits for the whole answer. False: there is none, *ret_why is for people, valid until
// the next call.
bool engine_http_get(struct engine_http *h, const char *path, struct engine_answer *ret,
                     const char **ret_why) MUST_CHECK;

// A transfer that goes on: of lines, for fn. The caller adds it to a multi handle, and frees it
// with curl_easy_cleanup after it was removed. NULL: no memory.
typedef size_t engine_bytes_fn(char *bytes, size_t size, size_t n, void *arg);
CURL *engine_http_stream(struct engine_http *h, const char *path, engine_bytes_fn *fn, void *arg)
    MUST_CHECK;
