// SPDX-License-Identifier: Apache-2.0
// What `sallyport top` makes of two looks at the proxy's counters: rows with rates, by route, site,
// service, server and filter. Pure.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

// Name for people; the letter that chooses the list.
#define TOP_LIST_LIST(X)                                                                           \
    X(SITES, "sites", 's')                                                                         \
    X(ROUTES, "routes", 'r')                                                                       \
    X(SERVICES, "services", 'v')                                                                   \
    X(SERVERS, "servers", 'b')                                                                     \
    X(FILTERS, "filters", 'f')

enum top_list {
#define X(id, name, letter) TOP_##id,
    TOP_LIST_LIST(X)
#undef X
};
#define TOP_LISTS (TOP_FILTERS + 1)

// Counters that only grow, and how JSON calls them.
#define TOP_COUNT_LIST(X)                                                                          \
    X(REQUESTS, "requests")                                                                        \
    X(REFUSED, "4xx")                                                                              \
    X(FAILED, "5xx")                                                                               \
    X(BYTES_IN, "bytes_in")                                                                        \
    X(BYTES_OUT, "bytes_out")

enum top_count {
#define X(id, name) TOP_##id,
    TOP_COUNT_LIST(X)
#undef X
};
#define TOP_COUNTS (TOP_BYTES_OUT + 1)
#define TOP_BUCKETS_MAX 64

struct top_counts {
    uint64_t n[TOP_COUNTS];
    uint64_t buckets[TOP_BUCKETS_MAX]; // of durations, each on its own
    int64_t n_open;                    // connections now; -1: not counted
    char state[16];                    // of a server; may be empty
};

// One look.
struct top_sample {
    int64_t at_ms;
    struct map lists[TOP_LISTS]; // owns: names to struct top_counts
    struct top_counts all;
    int64_t n_conns, n_idle; // of clients, now
    int64_t gate;            // which one: another counts from 0
    double bounds_ms[TOP_BUCKETS_MAX];
    size_t n_bounds;
};

// Reads what the API says of traffic. False: it isn't that.
bool top_sample_read(const json_t *traffic, struct top_sample *ret) MUST_CHECK;
// Accepts a zeroed one.
void top_sample_fini(struct top_sample *s);

struct top_row {
    struct str name; // borrows: the later sample's
    const char *state;
    double rates[TOP_COUNTS]; // per second
    double p50_ms, p99_ms;    // < 0: nothing was measured
    int64_t n_open;
};

// Columns by which rows are sorted.
#define TOP_SORT_LIST(X)                                                                           \
    X(RATE, "req/s")                                                                               \
    X(P99, "p99")                                                                                  \
    X(ERRORS, "5xx/s")                                                                             \
    X(BYTES, "out/s")                                                                              \
    X(NAME, "name")

enum top_sort {
#define X(id, name) TOP_BY_##id,
    TOP_SORT_LIST(X)
#undef X
};
#define TOP_SORTS (TOP_BY_NAME + 1)

// What happened between two looks, or, without one before, since the gate's start. *ret_rows is the
// caller's (mem_free); returns how many there are, sorted.
size_t top_rows(const struct top_sample *before, const struct top_sample *after, enum top_list list,
                enum top_sort by, struct top_row **ret_rows);
// The same of everything, in one row.
struct top_row top_total(const struct top_sample *before, const struct top_sample *after);

const char *top_list_name(enum top_list list);
