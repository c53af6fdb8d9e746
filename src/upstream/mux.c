// SPDX-License-Identifier: Apache-2.0
#include "upstream/mux.h"

#include "base/mem.h"
#include "rt/clock.h"

static struct mux *mux_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct mux, client.node);
}

static void free_later(void *arg)
{
    mem_free(arg);
}

static bool is_usable(const struct mux *m)
{
    return m->is_open && !m->client.is_over && !m->client.is_leaving;
}

static bool is_idle(const struct mux *m)
{
    return m->is_open && m->n_promised == 0 && m->client.n_calls == 0;
}

// Takes it apart; its place is the caller's. An event of this turn may still look at it.
static void drop(struct mux *m)
{
    ASSERT(m->n_promised == 0 && m->n_waiters == 0);
    timer_stop(&m->timer);
    list_remove(&m->client.node);
    if (m->is_open)
        h2_client_fini(&m->client);
    loop_defer(free_later, m);
}

// The target may be freed.
static void close_mux(struct mux *m)
{
    struct target *t = m->target;
    drop(m);
    place_give_up(t);
}

// --- changes ---

static void on_idle_timer(struct rt_timer *timer)
{
    struct mux *m = CONTAINER_OF(timer, struct mux, timer);
    if (is_idle(m))
        close_mux(m);
}

// What room m has goes to those who wait for another.
static void grant(struct mux *m, struct mux *other)
{
    struct list_node *n;
    while ((n = list_first(&other->waiters)) != NULL && mux_promise(m)) {
        struct queued *q = CONTAINER_OF(n, struct queued, node);
        q->mux = m;
        queue_answer_one(q, &other->n_waiters, QUEUE_GRANTED);
    }
}

// What room there is goes to those who wait for the connection's limits, then to those who wait for
// slower connections, and then to the queue.
// With the limits known, or no hope of them, who found no room looks for something else.
static void share_out(struct mux *m)
{
    grant(m, m);
    if (m->client.is_ready || !is_usable(m))
        queue_answer(&m->waiters, &m->n_waiters, QUEUE_SENT_AWAY, NULL);
    if (!is_usable(m))
        return;
    LIST_FOR (n, &m->target->muxes)
        grant(m, mux_of(n));
    place_grant_mux(m->target, m);
}

// An idle one is kept for a while, unless nobody will use it any more.
static void rest(struct mux *m)
{
    if (m->client.is_leaving || m->target->is_leaving || m->idle_ms == 0) {
        close_mux(m);
        return;
    }
    timer_start(&m->timer, clock_now_ms() + m->idle_ms, on_idle_timer);
}

static void on_changed(struct h2_client *client)
{
    struct mux *m = CONTAINER_OF(client, struct mux, client);
    share_out(m);
    if (!is_idle(m))
        timer_stop(&m->timer);
    else if (client->is_over)
        close_mux(m);
    else if (!timer_is_running(&m->timer))
        rest(m);
}

// --- coming and going ---

struct mux *mux_new(struct target *t)
{
    struct mux *m = MEM_NEW(struct mux);
    m->target = t;
    m->began_ms = clock_now_ms();
    m->client.changed = on_changed;
    list_init(&m->waiters);
    list_push_back(&t->muxes, &m->client.node);
    return m;
}

void mux_open(struct mux *m, struct stream *s, struct http_env *env)
{
    m->is_open = true;
    m->n_promised = 1;
    stream_move(s, &m->client.stream);
    h2_client_start(&m->client, env);
}

void mux_fail(struct mux *m, const struct conn_failure *why)
{
    queue_answer(&m->waiters, &m->n_waiters, why ? QUEUE_FAILED : QUEUE_SENT_AWAY, why);
    drop(m);
}

bool mux_promise(struct mux *m)
{
    if (!m->is_open || h2_client_room(&m->client) <= m->n_promised)
        return false;
    m->n_promised++;
    return true;
}

struct mux *mux_take(struct target *t)
{
    LIST_FOR (n, &t->muxes) {
        if (mux_promise(mux_of(n)))
            return mux_of(n);
    }
    return NULL;
}

struct mux *mux_expected(struct target *t, int64_t patience_ms)
{
    int64_t since_ms = clock_now_ms() - patience_ms;
    LIST_FOR (n, &t->muxes) {
        struct mux *m = mux_of(n);
        bool is_young = !m->is_open || (is_usable(m) && !m->client.is_ready);
        if (is_young && m->began_ms > since_ms && m->n_waiters + 1 < H2_CLIENT_STREAMS_MAX)
            return m;
    }
    return NULL;
}

bool mux_evict(struct target *t)
{
    LIST_FOR (n, &t->muxes) {
        struct mux *m = mux_of(n);
        if (!is_idle(m) || m->n_waiters > 0)
            continue;
        drop(m);
        return true;
    }
    return false;
}

bool target_has_mux_room(const struct target *t)
{
    LIST_FOR (n, &t->muxes) {
        const struct mux *m = mux_of(n);
        if (m->is_open && h2_client_room(&m->client) > m->n_promised)
            return true;
    }
    return false;
}

bool mux_begin(struct mux *m)
{
    ASSERT(m->n_promised > 0);
    m->n_promised--;
    timer_stop(&m->timer);
    if (!m->client.is_over)
        return true;
    if (is_idle(m))
        close_mux(m);
    return false;
}

void mux_renounce(struct mux *m)
{
    if (!mux_begin(m))
        return;
    share_out(m);
    if (is_idle(m))
        rest(m);
}

void target_leave_muxes(struct target *t)
{
    LIST_FOR_SAFE (n, &t->muxes) {
        struct mux *m = mux_of(n);
        queue_answer(&m->waiters, &m->n_waiters, QUEUE_SENT_AWAY, NULL);
        if (is_idle(m))
            close_mux(m);
        else if (m->is_open)
            h2_client_leave(&m->client);
    }
}
