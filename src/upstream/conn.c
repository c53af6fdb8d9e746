// SPDX-License-Identifier: Apache-2.0
#include "upstream/conn.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "rt/clock.h"

static struct conn *conn_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct conn, client.node);
}

static void free_later(void *arg)
{
    mem_free(arg);
}

// Ends c; its place is the caller's.
static void conn_drop(struct conn *c)
{
    ASSERT(!list_node_is_linked(&c->client.node) && !c->place);
    h1_client_fini(&c->client);
    // An event of this turn, or the caller, may still look at it.
    loop_defer(free_later, c);
}

// t may be freed.
static void conn_close(struct conn *c)
{
    struct target *t = c->target;
    conn_drop(c);
    place_give_up(t);
}

// --- idle ones ---

static void take_off_idle(struct conn *c)
{
    list_remove(&c->client.node);
    c->target->n_idle--;
    c->client.stream.sock.on_event = NULL;
}

// Something came from an idle connection: its end, or what nobody asked for. That it can be written
// to, which a first registration tells, is no news.
static void on_idle_event(struct rt_sock *s)
{
    if (!s->is_readable && !s->has_hangup && !s->has_error)
        return;
    struct conn *c = CONTAINER_OF(s, struct conn, client.stream.sock);
    // Inside TLS, sessions for later and new keys come whenever the server likes.
    if (!stream_is_plain(&c->client.stream) && h1_client_is_clean(&c->client, false))
        return;
    take_off_idle(c);
    conn_close(c);
}

static int64_t idle_end(const struct conn *c)
{
    return c->client.idle_since_ms + c->idle_ms;
}

static void on_idle_timer(struct rt_timer *timer)
{
    struct target *t = CONTAINER_OF(timer, struct target, idle_timer);
    int64_t now = clock_now_ms(), next = INT64_MAX;
    t->n_conns++; // keeps t
    LIST_FOR_SAFE (n, &t->idle) {
        struct conn *c = conn_of(n);
        if (idle_end(c) <= now) {
            take_off_idle(c);
            conn_close(c);
        } else {
            next = MIN(next, idle_end(c));
        }
    }
    if (next != INT64_MAX)
        timer_start(&t->idle_timer, next, on_idle_timer);
    t->n_conns--;
    target_free_if_left(t);
}

static void put_idle(struct conn *c)
{
    struct target *t = c->target;
    struct rt_sock *sock = &c->client.stream.sock;
    list_push_front(&t->idle, &c->client.node);
    t->n_idle++;
    if (UNLIKELY(!sock->is_watched))
        sock_watch(sock);
    sock->on_event = on_idle_event;
    // An earlier end than that of those before it: other settings are in force.
    if (!timer_is_running(&t->idle_timer) || t->idle_timer.at_ms > idle_end(c))
        timer_start(&t->idle_timer, idle_end(c), on_idle_timer);
}

void target_close_idle(struct target *t)
{
    LIST_FOR_SAFE (n, &t->idle) {
        struct conn *c = conn_of(n);
        take_off_idle(c);
        conn_close(c);
    }
}

static bool is_alive(struct conn *c, bool is_sure)
{
    return idle_end(c) > clock_now_ms() && h1_client_is_clean(&c->client, is_sure);
}

static struct conn *take_idle(struct target *t, bool is_sure)
{
    struct list_node *n;
    while ((n = list_first(&t->idle)) != NULL) {
        struct conn *c = conn_of(n);
        take_off_idle(c);
        if (is_alive(c, is_sure))
            return c;
        conn_close(c);
    }
    return NULL;
}

// --- the way back ---

static void on_done(struct h1_client *client, bool is_reusable)
{
    struct conn *c = CONTAINER_OF(client, struct conn, client);
    struct target *t = c->target;
    struct rt_sock *sock = &client->stream.sock;
    client->idle_since_ms = clock_now_ms();
    if (c->place)
        room_leave(registry_room(t->server->worker->registry), c->place);
    c->place = NULL;
    if (!is_reusable || t->is_leaving || sock->has_hangup || sock->has_error || sock->fd < 0) {
        conn_close(c);
        return;
    }
    if (place_grant_conn(t, c))
        return;
    if (t->n_idle >= c->idle_max || c->idle_ms == 0) {
        conn_close(c);
        return;
    }
    put_idle(c);
}

// --- new ones ---

static enum conn_got connect_plain(struct conn *c, struct deadline until, int *ret_error)
{
    struct rt_sock *sock = &c->client.stream.sock;
    enum err err = sock_connect(sock, &c->target->addr, until);
    *ret_error = sock->error;
    if (!err)
        return CONN_OK;
    return err == ERR_CANCELLED ? CONN_CANCELLED : err == ERR_TIMEOUT ? CONN_TIMEOUT : CONN_REFUSED;
}

COLD static void refuse_key(const struct server_state *state, const uint8_t *key,
                            const uint8_t *learnt, struct tls_failure *reterr)
{
    char why[400], key_text[TLS_PIN_TEXT_BYTES], learnt_text[TLS_PIN_TEXT_BYTES];
    snprintf(why, sizeof why,
             "its key has changed since its first use; the pin of its key is " STR_FMT
             ", learnt was " STR_FMT "; if that is right: sallyport pin forget " STR_FMT,
             STR_ARG(tls_pin_text(key, key_text)), STR_ARG(tls_pin_text(learnt, learnt_text)),
             STR_ARG(state->learns_as));
    tls_failure_tell(reterr, TLS_FAILURE_PEER_CERTIFICATE, why);
}

// Whether the server has the key that it has shown first, if that is what counts. Nothing was said
// to it yet. Waits.
static bool has_learnt_key(const struct conn *c, struct deadline until, struct tls_failure *reterr)
{
    const struct server_state *state = c->target->server->state;
    const struct upstream_pinning *p = registry_pinning(state->shared.registry);
    uint8_t key[TLS_PIN_BYTES], learnt[TLS_PIN_BYTES];
    const char *why = "nobody can tell which key it had on its first use";
    if (LIKELY(state->learns_as.len == 0))
        return true;
    if (!tls_client_peer_key(&c->client.stream, key)) {
        tls_failure_tell(reterr, TLS_FAILURE_INTERNAL, "the server's key can't be read");
        return false;
    }
    enum err err = p ? p->ask(p->arg, state->learns_as, key, until, learnt, &why) : ERR_NOT_FOUND;
    if (err == ERR_CANCELLED || err == ERR_TIMEOUT)
        tls_failure_tell(reterr, err == ERR_CANCELLED ? TLS_FAILURE_CANCELLED : TLS_FAILURE_TIMEOUT,
                         NULL);
    else if (err != ERR_OK)
        tls_failure_tell(reterr, TLS_FAILURE_PEER_CERTIFICATE, why);
    else if (memcmp(key, learnt, sizeof key) != 0)
        refuse_key(state, key, learnt, reterr);
    else
        return true;
    return false;
}

static enum conn_got secure(struct conn *c, const struct conn_wish *wish, struct deadline until)
{
    struct worker_server *server = c->target->server;
    const struct server_state *state = server->state;
    struct stream *s = &c->client.stream;
    struct tls_failure *failure = &wish->failure->tls;
    enum tls_offer offer = !wish->may_share      ? TLS_OFFER_HTTP_1
                           : !wish->may_be_alone ? TLS_OFFER_HTTP_2
                                                 : TLS_OFFER_BOTH;
    bool is_done = tls_connect(s, state->tls, &state->peer, &c->target->session, offer, until,
                               failure) == IO_DONE;
    if (is_done && !has_learnt_key(c, until, failure)) {
        tls_session_forget(&c->target->session);
        is_done = false;
    }
    if (is_done) {
        server->n_handshakes++;
        server->n_resumed += tls_conn_info(s)->is_resumed;
        return CONN_OK;
    }
    if (failure->kind == TLS_FAILURE_CANCELLED)
        return CONN_CANCELLED;
    return failure->kind == TLS_FAILURE_TIMEOUT ? CONN_TIMEOUT : CONN_TLS;
}

// Connects c within the time that the tries have. Waits.
static enum conn_got connect_to(struct conn *c, const struct conn_wish *wish)
{
    int64_t began_ms = clock_now_ms();
    int64_t wait_ms = MIN(wish->connect_ms, *wish->connect_left_ms);
    struct deadline until = deadline_at(began_ms + wait_ms);
    wish->failure->tls.kind = TLS_FAILURE_NONE;
    enum conn_got got = connect_plain(c, until, &wish->failure->error);
    if (got == CONN_OK && c->target->server->state->tls)
        got = secure(c, wish, until);
    // How much later than due a busy worker comes to it is nothing that the server has taken.
    *wish->connect_left_ms -= MIN(clock_now_ms() - began_ms, wait_ms);
    wish->failure->got = got;
    return got;
}

// What a connection that stands speaks: HTTP/2 where both sides want it.
static bool is_shared(const struct conn *c, const struct conn_wish *wish)
{
    const struct stream *s = &c->client.stream;
    if (stream_is_plain(s))
        return wish->may_share;
    return str_eq(tls_conn_info(s)->protocol, STR("h2"));
}

// c turns out to be one that many share.
static void make_shared(struct conn *c, struct mux *m, const struct conn_wish *wish)
{
    mux_open(m, &c->client.stream, wish->env);
    loop_defer(free_later, c);
}

// Whether the failure is one for all who wait for the connection, and not only for the exchange
// that made it: that was cancelled, or had little time left.
static bool is_of_all(enum conn_got got, const struct conn_wish *wish)
{
    return got != CONN_CANCELLED && (got != CONN_TIMEOUT || *wish->connect_left_ms > 0);
}

// The caller has the place for it.
static enum conn_got open_conn(struct target *t, const struct conn_wish *wish, struct lease *ret)
{
    struct conn *c = MEM_NEW(struct conn);
    struct mux *m = wish->may_share ? mux_new(t) : NULL;
    c->target = t;
    c->client.done = on_done;
    c->client.owner = t;
    enum conn_got got = connect_to(c, wish);
    if (got != CONN_OK) {
        if (m)
            mux_fail(m, is_of_all(got, wish) ? wish->failure : NULL);
        conn_drop(c);
        place_give_up(t);
        return got;
    }
    if (wish->may_share && wish->may_be_alone) {
        t->is_known = true;
        t->is_shared = is_shared(c, wish);
    }
    if (is_shared(c, wish)) {
        make_shared(c, m, wish);
        *ret = (struct lease){.mux = m};
        return CONN_OK;
    }
    if (m)
        mux_fail(m, NULL);
    *ret = (struct lease){.conn = c};
    return CONN_OK;
}

// --- waiting ---

// Gives back what came although it is no longer wanted.
static void return_grant(struct target *t, struct queued *q)
{
    if (q->mux)
        mux_renounce(q->mux);
    else if (q->conn)
        on_done(&q->conn->client, true);
    else
        place_give_up(t);
}

// What was waited for won't come in time: the exchange chooses again, if it has time left.
static enum conn_got elsewhere(const struct conn_wish *wish)
{
    return *wish->connect_left_ms > 0 ? CONN_MOVED : CONN_TIMEOUT;
}

static struct queued queued_for(const struct conn_wish *wish)
{
    return (struct queued){
        .may_share = wish->may_share && !wish->is_fresh,
        .may_be_alone = wish->may_be_alone,
        .failure = wish->failure,
    };
}

// Whoever waited long may find the server down or drained.
static bool is_still_wanted(const struct conn_wish *wish)
{
    if (!wish->health)
        return true;
    return wish->is_panic ? !health_is_drained(wish->health)
                          : health_is_well(wish->health, clock_now_ms());
}

static enum conn_got wait_in_queue(struct target *t, const struct conn_wish *wish,
                                   struct lease *ret)
{
    if (t->n_queued >= wish->queue_max)
        return CONN_QUEUE_FULL;
    struct queued q = queued_for(wish);
    enum conn_got got = queue_wait(&t->queue, &t->n_queued, &q, deadline_in(wish->queue_ms));
    if (got != CONN_OK) {
        if (q.state == QUEUE_GRANTED)
            return_grant(t, &q);
        return got;
    }
    if (!is_still_wanted(wish)) {
        return_grant(t, &q);
        return CONN_MOVED;
    }
    *ret = (struct lease){.conn = q.conn, .mux = q.mux};
    if (q.conn && (wish->is_fresh || !is_alive(q.conn, wish->is_sure))) {
        conn_drop(q.conn);
        ret->conn = NULL;
    }
    return CONN_OK;
}

// How long others wait for one connection, before another is tried beside it: what is left of an
// exchange's time is enough for a whole try.
static int64_t patience_ms(const struct conn_wish *wish)
{
    return wish->connect_ms / 2;
}

// Waits for a connection that another exchange makes, and that both can share.
static enum conn_got wait_for_mux(struct mux *m, const struct conn_wish *wish, struct lease *ret)
{
    struct queued q = queued_for(wish);
    int64_t began_ms = clock_now_ms();
    struct deadline until = deadline_min(deadline_at(m->began_ms + patience_ms(wish)),
                                         deadline_at(began_ms + *wish->connect_left_ms));
    wish->failure->tls.kind = TLS_FAILURE_NONE;
    enum conn_got got = queue_wait(&m->waiters, &m->n_waiters, &q, until);
    *wish->connect_left_ms -= clock_now_ms() - began_ms;
    if (got == CONN_QUEUE_TIMEOUT || got == CONN_MOVED)
        return elsewhere(wish);
    if (got != CONN_OK) {
        if (q.state == QUEUE_GRANTED)
            mux_renounce(q.mux);
        return got;
    }
    *ret = (struct lease){.mux = q.mux};
    return CONN_OK;
}

// Waits until the server lives, where it was silent for long and the request can't be repeated.
static enum conn_got hear(struct mux *m, const struct conn_wish *wish)
{
    int64_t began_ms = clock_now_ms();
    h2_client_probe(&m->client, wish->connect_ms);
    if (!wish->is_sure)
        return CONN_OK;
    wish->failure->tls.kind = TLS_FAILURE_NONE;
    enum fiber_wake wake = h2_client_hear(&m->client);
    if (wake == FIBER_READY)
        return CONN_OK;
    *wish->connect_left_ms -= clock_now_ms() - began_ms;
    mux_renounce(m);
    return wake == FIBER_CANCELLED ? CONN_CANCELLED : elsewhere(wish);
}

// --- getting one ---

static bool is_leased(const struct lease *l)
{
    return l->conn || l->mux;
}

// A place among the connections, and with luck one that is open. Waits when all are taken.
static enum conn_got get_place(struct target *t, const struct conn_wish *wish, struct lease *ret)
{
    bool may_share = wish->may_share && !wish->is_fresh;
    ret->mux = may_share ? mux_take(t) : NULL;
    if (!ret->mux && wish->may_be_alone && !wish->is_fresh)
        ret->conn = take_idle(t, wish->is_sure);
    if (is_leased(ret))
        return CONN_OK;
    bool may_expect = may_share && (!wish->may_be_alone || !t->is_known || t->is_shared);
    struct mux *expected = may_expect ? mux_expected(t, patience_ms(wish)) : NULL;
    if (expected)
        return wait_for_mux(expected, wish, ret);
    if (wish->conns_max > 0 && t->n_conns >= wish->conns_max) {
        if (t->n_idle == 0)
            return mux_evict(t) ? CONN_OK : wait_in_queue(t, wish, ret);
        struct list_node *last = list_last(&t->idle);
        ASSERT(last != NULL);
        struct conn *oldest = conn_of(last);
        take_off_idle(oldest);
        conn_drop(oldest);
        return CONN_OK;
    }
    t->n_conns++;
    return CONN_OK;
}

enum conn_got target_get(struct target *t, const struct conn_wish *wish, struct lease *ret)
{
    ASSERT(wish->may_share || wish->may_be_alone);
    *ret = (struct lease){.conn = NULL};
    enum conn_got got = get_place(t, wish, ret);
    if (got == CONN_OK && !is_leased(ret))
        got = open_conn(t, wish, ret);
    if (got != CONN_OK)
        return got;
    if (ret->mux) {
        ret->mux->idle_ms = wish->idle_max > 0 ? wish->idle_ms : 0;
        return hear(ret->mux, wish);
    }
    ret->conn->idle_ms = wish->idle_ms;
    ret->conn->idle_max = wish->idle_max;
    return CONN_OK;
}
