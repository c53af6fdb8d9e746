// SPDX-License-Identifier: Apache-2.0
// The exchanges of one worker that were refused or failed lately, for those who come with the id of
// an error page and ask why. Nothing is kept of exchanges that went well.
#pragma once

#include <stdint.h>

#include "http/exchange.h"

#define RECENT_KEPT_MAX 128 // of each kind

// Refusals come by the thousand, from strangers; they push no failure out.
enum recent_kind {
    RECENT_REFUSED, // what the client did, or wanted
    RECENT_FAILED,  // what a server or the proxy did
};

// id, name in JSON, at most so many bytes.
#define RECENT_TEXT_LIST(X)                                                                        \
    X(ID, "id", 128)                                                                               \
    X(METHOD, "method", 32)                                                                        \
    X(HOST, "host", 255)                                                                           \
    X(PATH, "path", 512)                                                                           \
    X(CLIENT, "client", 46)                                                                        \
    X(ENTRYPOINT, "entrypoint", 128)                                                               \
    X(ROUTE, "route", 255)                                                                         \
    X(SERVICE, "service", 255)                                                                     \
    X(SERVER, "server", 255)                                                                       \
    X(USER, "user", 64)                                                                            \
    X(BY, "by", 128)                                                                               \
    X(REASON, "reason", 512)                                                                       \
    X(TRAIL, "trail", 1024)

enum recent_text {
#define X(id, name, max) RECENT_##id,
    RECENT_TEXT_LIST(X)
#undef X
};
#define X(id, name, max) +1
enum { RECENT_N_TEXTS = 0 RECENT_TEXT_LIST(X) };
#undef X

const char *recent_kind_name(enum recent_kind kind); // "refused"

struct recent_item {
    int64_t at_ns; // wall clock: its end
    int64_t took_ns;
    unsigned status; // that the client got; 0: none
    unsigned n_tries;
    enum exchange_end end;
    enum recent_kind kind;
    uint16_t ends[RECENT_N_TEXTS]; // of each text in bytes
    char bytes[];
};

struct recent; // of one worker

struct recent *recent_new(void);
// Accepts NULL.
void recent_free(struct recent *r);

// Whether x went so that it belongs here; its end is there.
static inline bool recent_is_wanted(const struct exchange *x)
{
    return (x->end != EXCHANGE_END_OK &&
            (x->end != EXCHANGE_END_FILTERED || x->resp.status >= 400)) ||
           x->resp.status >= 500 || (x->resp.is_internal && x->resp.status >= 400);
}

// wall_ns: now. Paths are kept without their queries, which hold secrets.
void recent_add(struct recent *r, const struct exchange *x, int64_t wall_ns);

struct str recent_text(const struct recent_item *item, enum recent_text which);

// Copies of several workers' items: carried from one to the next, never two threads have it.
struct recent_set {
    struct recent_item **items; // owns
    size_t n, cap;
};

// Adds the worker's: of this id, or all when it is empty.
void recent_collect(const struct recent *r, struct str id, struct recent_set *to);
// The last one first.
void recent_sort(struct recent_set *s);
void recent_set_fini(struct recent_set *s);

struct text;
// One as a JSON object.
void recent_put(const struct recent_item *item, struct text *to);
