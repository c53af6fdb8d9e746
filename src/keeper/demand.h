// SPDX-License-Identifier: Apache-2.0
// Certificates on demand: which names may have one, and which have. Gates ask for names that
// strangers have chosen, and a gate may be a stranger's: what settings allow, limits and what a
// question costs are decided here. Orders are issue.h's, certificates certs.h's; this says what
// they are to want. On the keeper's loop.
#pragma once

#include <jansson.h>

#include "base/map.h"
#include "keeper/certs.h"
#include "keeper/demand_ask.h"
#include "keeper/issue.h"

// What settings say. Texts and arrays are copied.
struct demand_wish {
    bool is_on;
    const struct str *allow; // as demand_rules has them
    size_t n_allow;
    struct str ask;    // URL; empty: allow is enough
    struct str issuer; // for people
    const struct issue_source *sources;
    size_t n_sources;
    uint64_t limit; // new names per second, times a million
    uint32_t names_max;
    int64_t forget_s;
};

struct demand_desk;

// store: borrowed.
struct demand_desk *demand_desk_new(struct certs_store *store, int64_t now_ms);
// Accepts NULL.
void demand_desk_free(struct demand_desk *d);

// From now on this holds, beside the names that settings have.
void demand_desk_want(struct demand_desk *d, const struct demand_wish *w,
                      const struct keeper_certs_name *names, size_t n);

// A gate asks for a name's certificate, or says that it's used.
enum demand_answer {
    DEMAND_YES, // it is among the certificates that are wanted
    DEMAND_NO,
    DEMAND_LATER, // demand_desk_next tells
};
enum demand_answer demand_desk_ask(struct demand_desk *d, struct str name, int64_t now_s,
                                   int64_t now_ms);

// What certificates and orders are wanted of it now: adds to arrays with room for
// demand_desk_n_max more. Texts are borrowed until the next call.
size_t demand_desk_n_max(const struct demand_desk *d);
void demand_desk_add(struct demand_desk *d, struct keeper_certs_name *names, size_t *n_names,
                     struct issue_need *needs, size_t *n_needs);

// After issue_want with these: the next name whose order is to begin. False: there is none. Then
// either it has begun, under a number, or it can't.
bool demand_desk_next_order(struct demand_desk *d, struct str *ret_name);
void demand_desk_ordered(struct demand_desk *d, struct str name, uint64_t number);
void demand_desk_not_ordered(struct demand_desk *d, struct str name, const char *why,
                             int64_t now_ms);
// An order has ended; error NULL: well. False: the number isn't one of these. *ret_name: whose it
// was, until the next call.
bool demand_desk_end(struct demand_desk *d, uint64_t number, const char *error, int64_t now_s,
                     int64_t now_ms, struct str *ret_name);

// The next name that was decided on. False: there is none.
bool demand_desk_next(struct demand_desk *d, char ret_name[static DEMAND_ASK_NAME_BYTES],
                      bool *ret_is_yes);

// Somebody has taken its certificate out of the store.
void demand_desk_drop(struct demand_desk *d, struct str name);

// Readable when demand_desk_turn is to be called.
int demand_desk_fd(const struct demand_desk *d);
// Answers that have come, names that nobody has asked for in a long time, what is to be written.
// True: other certificates and orders are wanted than before. *next_ms: lowered to when it is to
// be called again.
bool demand_desk_turn(struct demand_desk *d, int64_t now_s, int64_t now_ms, int64_t *next_ms);

// For the status: names, waiting, and how often what was decided. The caller's.
json_t *demand_desk_report(const struct demand_desk *d);
