// SPDX-License-Identifier: Apache-2.0
// What is counted for each route and each filter. A meter says whose counts they are: it has a
// number that outlives snapshots, so that counts go on over reloads. Each worker has a row of
// counters by that number, which it alone touches. There are no names but those of settings, and no
// more than METERS_MAX of them: what is beyond counts as one that is called "other".
#pragma once

#include "admin/metric.h"
#include "base/list.h"
#include "http/exchange.h"

#define METERS_MAX 32768

enum meter_kind {
    METER_ROUTE,
    METER_TCP_ROUTE,
    METER_FILTER,
};

struct meter {
    // What workers read; doesn't change while it is in a list.
    uint32_t id;
    uint64_t life; // which of the meters that had this id it is
    enum meter_kind kind;
    struct str name, site, service; // own; the last two of routes, site may be empty
    // What the thread that builds snapshots has for itself.
    struct meters *of; // borrows
    struct list_node chain, idle;
    unsigned n_lists;   // that have it; 0: it is in idle
    uint64_t last_list; // the number of the last one, and its place there
    uint32_t last_place;
};

// --- the registry: on the thread that builds and ends snapshots ---

struct meters;
struct meters *meters_new(void);
// No list is left. Accepts NULL.
void meters_free(struct meters *m);

// The meters of a snapshot, each once. Zeroed: nothing is counted.
struct meter_list {
    struct meters *of;    // borrows
    struct meter **items; // owns
    uint32_t n, cap;
    uint64_t number;
};
#define METER_NO_ROUTE 0 // place of what no route took
#define METER_OTHER 1

// Begins with the two above. of: NULL: an empty one, and every place is 0.
void meter_list_init(struct meter_list *l, struct meters *of);
void meter_list_fini(struct meter_list *l);
// The place of a meter, which is added if it isn't there.
uint32_t meter_list_place(struct meter_list *l, enum meter_kind kind, struct str name,
                          struct str site, struct str service);

// --- counting: on a worker's thread ---

#define METER_METHODS (METHOD_PATCH + 1)
#define METER_STATUSES 6 // by class; 0: no answer

struct meter_row {
    uint64_t life; // the meter's for which it counts
    uint64_t requests[METER_METHODS][METER_STATUSES];
    struct metric_histogram durations;
    uint64_t bytes_in, bytes_out;
    uint64_t retries; // further servers tried
};

struct meter_rows {
    struct meter_row **items; // owns, and each of them: by id; NULL: nothing was counted yet
    uint32_t n;
    uint64_t ends[EXCHANGE_END_COUNT];
};
void meter_rows_fini(struct meter_rows *r);

// Counts an exchange that has ended for the route that took it.
void meter_count(struct meter_rows *rows, const struct meter *m, const struct exchange *x);
// Counts an exchange that a filter has ended.
void meter_count_filtered(struct meter_rows *rows, const struct meter *m, const struct exchange *x);

// --- sums over workers, by places of a list ---

struct meter_sums {
    struct meter_row **items; // owns, and each of them; NULL: nothing was counted
    uint32_t n;
    uint32_t next;                     // place that the worker looks at next
    struct metric_histogram durations; // of all routes
    uint64_t ends[EXCHANGE_END_COUNT];
};
void meter_sums_init(struct meter_sums *s, const struct meter_list *l);
void meter_sums_fini(struct meter_sums *s);
// Adds what a worker has, on its thread: a piece of it. False: there is more, in another turn.
bool meter_sums_add(struct meter_sums *s, const struct meter_list *l,
                    const struct meter_rows *rows);
