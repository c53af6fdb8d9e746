// SPDX-License-Identifier: Apache-2.0
// The places among a target's connections, and those who wait for one, or for room on a connection
// that others share.
#pragma once

#include "tls/conn.h"
#include "upstream/worker.h"

struct conn;
struct mux;

enum conn_got {
    CONN_OK,
    CONN_REFUSED,       // or unreachable: *ret_error is the errno
    CONN_TIMEOUT,       // no connection in time
    CONN_TLS,           // it stood, but TLS, or the protocol that is needed, didn't come about
    CONN_QUEUE_FULL,    // too many wait already
    CONN_QUEUE_TIMEOUT, // none became free in time
    CONN_MOVED,         // the address is no longer one of the server, or something else is better
                        // now: choose again
    CONN_CANCELLED,
};

// Why a connection didn't come about.
struct conn_failure {
    enum conn_got got;
    int error;
    struct tls_failure tls; // says more of CONN_TLS, CONN_TIMEOUT (NONE: before TLS)
};

enum queue_state {
    QUEUE_WAITING,
    QUEUE_GRANTED, // conn, or mux with a promise of it, or when both are NULL the right to open one
    QUEUE_SENT_AWAY,
    QUEUE_FAILED,
};

// An exchange that waits, on its fiber's stack.
struct queued {
    struct list_node node;
    struct fiber *fiber; // borrows
    enum queue_state state;
    bool may_share, may_be_alone; // what serves it
    struct conn *conn;            // owns
    struct mux *mux;              // a promise
    struct conn_failure *failure; // the waiter's: filled with QUEUE_FAILED
};

// Waits in list, whose counter is *n. CONN_OK: granted; CONN_QUEUE_TIMEOUT: the deadline has
// passed. What was granted to one that was cancelled meanwhile is still q's, to be given back.
// Waits.
enum conn_got queue_wait(struct list *list, uint32_t *n, struct queued *q, struct deadline until);
// One of those in a list whose counter is *n gets its answer.
void queue_answer_one(struct queued *q, uint32_t *n, enum queue_state state);
// All of list get this answer.
void queue_answer(struct list *list, uint32_t *n, enum queue_state state,
                  const struct conn_failure *failure);

// The next in the queue that can do with it gets c. False: nobody waits for such.
bool place_grant_conn(struct target *t, struct conn *c);
// Those in the queue that can share m get room on it, while there is some.
void place_grant_mux(struct target *t, struct mux *m);
// One connection less: the next in the queue may open one. t may be freed.
void place_give_up(struct target *t);
