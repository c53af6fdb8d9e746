// SPDX-License-Identifier: Apache-2.0
// One exchange that a service answers, as serve*.c see it: the tries it takes, one after the other.
#pragma once

#include "http/client.h"
#include "http/exchange.h"
#include "upstream/conn.h"
#include "upstream/judge.h"
#include "upstream/service_priv.h"

struct kept_answer;

struct attempt {
    struct exchange *x;
    const struct service *s;
    struct upstream_worker *w;
    struct pick pick;
    struct judge judge;
    struct health_slot *health;  // borrows: of the server that is tried, which the snapshot keeps
    struct server_slot *place;   // where the try is counted, until its connection is; NULL: nowhere
    struct deadline queue_until; // of all waits for a place; 0: none was needed
    bool is_crowded;             // there is no place, or no server: the client may come again
    int64_t began_ns;            // of the try; only for methods that measure
    char token[STICKY_TOKEN_CHARS]; // of the server that is tried; zeros: it has none
    bool is_idempotent;
    bool is_grpc;
    bool wants_fresh;         // an idle connection turned out to be dead
    bool may_choose;          // the server may be spoken with by HTTP/1.1 and by HTTP/2
    bool wants_http_1;        // but a server won't have it by HTTP/2
    int64_t connect_left_ms;  // for all tries together
    struct deadline until;    // what the client gives it all
    uint32_t n_refused;       // tries of which servers say that they did nothing
    struct kept_answer *kept; // the first answer after which another server was asked; NULL
    enum exchange_end end;    // how the last try failed; EXCHANGE_END_OK: none did
    struct str detail;
    uint32_t n_noted;        // failures, with those before this try
    uint16_t dropped_status; // of this try's answer, which isn't taken; 0: it wasn't dropped
};

enum step {
    STEP_DONE,
    STEP_AGAIN,
    STEP_GIVE_UP,
    STEP_CANCELLED, // the client has gone
    STEP_OVERTIME,  // whoever gave the exchange a time for its answer has ended it
};

// --- serve_choose.c ---

// Chooses a server for the next try, and counts the try there. Waits where no server has an address
// yet, and where all have their max-connections. STEP_DONE: *ret.
enum step attempt_choose(struct attempt *a, struct roster_entry **ret);
// The try is counted no more, if its connection hasn't taken that over.
void attempt_leave_place(struct attempt *a);

// --- serve_connect.c ---

// Whether the server's protocol is one that the exchange can go by; if not, that is noted.
bool attempt_can_speak(struct attempt *a, const struct target *t);
// Waits, if there is no connection. STEP_DONE: *ret.
enum step attempt_connect(struct attempt *a, struct target *t, struct lease *ret);
// Where a server's word about HTTP/1.1 is kept: of upgrades, or of all else.
_Atomic int64_t *attempt_http_1_until(const struct attempt *a, struct server_slot *slot);

// --- serve_outcome.c ---

// Notes a failure for the log and for the client, should it be the last.
void attempt_note(struct attempt *a, enum exchange_end end, const char *fmt, ...) PRINTF(3, 4);
// A try has ended so. The server may be another one from here on.
void attempt_judge(struct attempt *a, enum outcome o, unsigned status);
// The server has been reached: whoever skipped it needn't.
void attempt_reached(const struct attempt *a, struct server_slot *slot);
// There is no connection to it.
enum step attempt_connect_failed(struct attempt *a, enum conn_got got,
                                 const struct conn_failure *why, struct server_slot *slot);
// It was asked, and that has ended so. sent_body: of the client's body, which can't be had again.
enum step attempt_served(struct attempt *a, enum http_client_end end, bool sent_body,
                         struct server_slot *slot);
