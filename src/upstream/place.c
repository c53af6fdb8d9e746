// SPDX-License-Identifier: Apache-2.0
#include "upstream/place.h"

#include "upstream/conn.h"
#include "upstream/mux.h"

static struct queued *queued_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct queued, node);
}

enum conn_got queue_wait(struct list *list, uint32_t *n, struct queued *q, struct deadline until)
{
    q->fiber = fiber_self();
    list_push_back(list, &q->node);
    ++*n;
    enum fiber_wake wake;
    do {
        wake = fiber_wait(until);
    } while (wake == FIBER_READY && q->state == QUEUE_WAITING);
    switch (q->state) {
    case QUEUE_WAITING:
        list_remove(&q->node);
        --*n;
        return wake == FIBER_CANCELLED ? CONN_CANCELLED : CONN_QUEUE_TIMEOUT;
    case QUEUE_SENT_AWAY:
        return wake == FIBER_CANCELLED ? CONN_CANCELLED : CONN_MOVED;
    case QUEUE_FAILED:
        return wake == FIBER_CANCELLED ? CONN_CANCELLED : q->failure->got;
    case QUEUE_GRANTED:
        break;
    }
    return wake == FIBER_CANCELLED ? CONN_CANCELLED : CONN_OK;
}

void queue_answer_one(struct queued *q, uint32_t *n, enum queue_state state)
{
    list_remove(&q->node);
    --*n;
    q->state = state;
    fiber_wake(q->fiber);
}

void queue_answer(struct list *list, uint32_t *n, enum queue_state state,
                  const struct conn_failure *failure)
{
    struct list_node *node;
    while ((node = list_first(list)) != NULL) {
        struct queued *q = queued_of(node);
        if (failure)
            *q->failure = *failure;
        queue_answer_one(q, n, state);
    }
}

void target_send_away(struct target *t)
{
    queue_answer(&t->queue, &t->n_queued, QUEUE_SENT_AWAY, NULL);
}

bool place_grant_conn(struct target *t, struct conn *c)
{
    LIST_FOR (n, &t->queue) {
        struct queued *q = queued_of(n);
        if (!q->may_be_alone)
            continue;
        q->conn = c;
        queue_answer_one(q, &t->n_queued, QUEUE_GRANTED);
        return true;
    }
    return false;
}

void place_grant_mux(struct target *t, struct mux *m)
{
    LIST_FOR_SAFE (n, &t->queue) {
        struct queued *q = queued_of(n);
        if (!q->may_share)
            continue;
        if (!mux_promise(m))
            return;
        q->mux = m;
        queue_answer_one(q, &t->n_queued, QUEUE_GRANTED);
    }
}

void place_give_up(struct target *t)
{
    struct list_node *first = list_first(&t->queue);
    if (first) {
        queue_answer_one(queued_of(first), &t->n_queued, QUEUE_GRANTED);
        return;
    }
    ASSERT(t->n_conns > 0);
    t->n_conns--;
    target_free_if_left(t);
}
