// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_watch_priv.h"

#include "base/assert.h"
#include "filter/ahead_body.h"
#include "gate/door.h"
#include "gate/snapshot.h"
#include "http/h1_server_priv.h"
#include "rt/loop_priv.h"
#include "sim/sim.h"
#include "sim/sim_audit.h"
#include "sim/sim_disk.h"
#include "sim/sim_sys.h"
#include "sim/sim_tls.h"
#include "upstream/conn.h"
#include "upstream/mux.h"
#include "upstream/room_priv.h"
#include "upstream/service.h"

#define HEAP_LOOK_EACH 64                    // looks: it is slow
#define HEAP_FIXED_BYTES ((size_t)544 << 10) // with what pools keep, and a slab of frames
#define HEAP_SNAPSHOT_BYTES ((size_t)112 << 10)
#define HEAP_POLICIES_BYTES ((size_t)160 << 10)       // of a snapshot: OpenSSL's contexts
#define HEAP_EXCHANGE_BYTES ((size_t)(80 + 64) << 10) // with a body that is kept to be sent again
#define HEAP_CONN_BYTES ((size_t)2 << 10)
#define HEAP_H2_BYTES ((size_t)64 << 10)   // nghttp2's session, and a frame that waits
#define HEAP_TLS_BYTES ((size_t)192 << 10) // OpenSSL's of both sides, and what waits to be sent

static bool is_warm; // a whole world has been: what is allocated once is there

// --- waits ---

void sim_watch_fiber(struct tally *t, const struct fiber *f, const char *where)
{
    const struct rt_timer *timer = &f->stack.timer;
    t->n_fibers++;
    if (f->state != FIBER_PARKED)
        sim_fail("%s: a fiber that doesn't wait, state %d", where, (int)f->state);
    if (f->until.at_ms > t->loop->now_ms + SIM_WATCH_WAIT_MAX_MS)
        sim_fail("%s: a fiber waits without a deadline", where);
    if (f->until.at_ms <= t->loop->now_ms)
        sim_fail("%s: a fiber's deadline was missed", where);
    if (!timer_is_running(timer) || timer->at_ms > f->until.at_ms)
        sim_fail("%s: a fiber has a deadline, but nothing that ends its wait", where);
}

static void look_at_sockets(struct tally *t)
{
    for (uint32_t i = 0; i < sim_sys_n_sockets(); i++) {
        const struct rt_sock *s = sim_sys_watched(i);
        if (!s)
            continue;
        if (s->fd < 0 || !s->is_watched)
            sim_fail("epoll knows a socket that its owner has closed");
        if (s->reader)
            sim_watch_fiber(t, s->reader, "reading");
        if (s->writer)
            sim_watch_fiber(t, s->writer, "writing");
        if (s->reader && s->is_readable)
            sim_fail("a fiber waits to read what is there already");
        if (s->writer && s->is_writable)
            sim_fail("a fiber waits to write although it may");
    }
}

void sim_watch_timer(const struct tally *t, const struct rt_timer *timer, int64_t due_ms,
                     const char *what)
{
    if (due_ms > t->loop->now_ms + SIM_WATCH_WAIT_MAX_MS)
        sim_fail("%s rests without an end", what);
    else if (!timer_is_running(timer) || timer->at_ms > due_ms)
        sim_fail("%s should end at %d ms, and nothing ends it", what, (int)due_ms);
}

static uint32_t length(const struct list *l)
{
    uint32_t n = 0;
    LIST_FOR (at, l)
        n++;
    return n;
}

static uint32_t look_at_timers(const struct list *timers, int64_t not_before_ms)
{
    uint32_t n = 0;
    LIST_FOR (at, timers) {
        const struct rt_timer *timer = CONTAINER_OF(at, struct rt_timer, node);
        n++;
        if (timer->at_ms < not_before_ms || !timer->fn)
            sim_fail("a timer should have run at %d ms", (int)timer->at_ms);
    }
    return n;
}

// What is due runs at once; all others are ahead, in the slots that are marked.
static void look_at_wheel(const struct wheel *w)
{
    uint32_t n = look_at_timers(&w->due, 0);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        for (uint64_t slots = w->slots_used[level]; slots != 0; slots &= slots - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(slots);
            n += look_at_timers(&w->slots[level * WHEEL_SLOTS + slot], w->now_ms + 1);
        }
    }
    SIM_CHECK_INT(w->n_timers, n);
}

static void look_at_loop(struct tally *t)
{
    const struct rt_loop *l = t->loop;
    uint32_t n_yielded = length(&l->yielded);
    SIM_CHECK(list_is_empty(&l->runnable));
    SIM_CHECK_INT((int64_t)l->n_deferred, 0);
    SIM_CHECK_INT(l->stats.n_socks, sim_sys_n_sockets());
    look_at_wheel(&l->wheel);
    // Each fiber waits in a place from where something will wake it. That a Unix socket shall be
    // tried again is the one wait for time alone.
    uint32_t n_fibers = t->n_fibers + n_yielded + sim_sys_n_retrying() + sim_disk_n_waiting();
    if (l->stats.n_fibers != n_fibers)
        sim_fail("there are %u fibers, and %u wait somewhere", l->stats.n_fibers, n_fibers);
}

// --- connections of clients ---

void sim_watch_use(struct tally *t, const struct sim_watch *w, const void *snapshot)
{
    for (uint32_t i = 0; i < w->n_snapshots; i++) {
        if (w->snapshots[i] == snapshot) {
            t->uses[i]++;
            return;
        }
    }
    sim_fail("an exchange has a snapshot that has been freed");
}

static void count_of_listener(struct tally *t, const struct http_listener *l)
{
    uint32_t i = 0;
    while (i < t->n_listeners && t->listeners[i] != l)
        i++;
    ASSERT(i < SIM_WATCH_LISTENERS_MAX);
    if (i == t->n_listeners)
        t->listeners[t->n_listeners++] = l;
    t->n_of_listener[i]++;
}

static void look_at_rest(const struct tally *t, const struct h1_conn *c)
{
    SIM_CHECK(!c->turn && !c->fiber && c->stream.sock.fd >= 0 && c->stream.sock.is_watched);
    SIM_CHECK(c->stream.sock.on_event != NULL);
    if (!timer_is_running(&c->timer) || c->timer.at_ms > c->due_ms)
        sim_fail("a connection in state %u rests without an end", c->state);
    if (c->due_ms <= t->loop->now_ms - 1 || c->due_ms > t->loop->now_ms + SIM_WATCH_WAIT_MAX_MS)
        sim_fail("a connection in state %u should have ended at %d ms", c->state, (int)c->due_ms);
    if (c->state == H1_CONN_IDLE && t->env->leave.is_on && c->stream.sock.is_readable)
        sim_fail("an idle connection has something to read");
}

static void look_at_h1(struct tally *t, const struct sim_watch *w, const struct h1_conn *c)
{
    bool is_listed = list_node_is_linked(&c->conn.idle);
    t->n_turns += c->turn != NULL;
    switch ((enum h1_conn_state)c->state) {
    case H1_CONN_PARKED:
        SIM_CHECK(c->parked != NULL && is_listed);
        t->parked_bytes += c->parked->n;
        t->n_begun++;
        sim_watch_use(t, w, c->parked->snapshot);
        look_at_rest(t, c);
        return;
    case H1_CONN_IDLE:
    case H1_CONN_LINGERING:
        SIM_CHECK(!c->parked && is_listed == (c->state == H1_CONN_IDLE));
        look_at_rest(t, c);
        return;
    case H1_CONN_ACTIVE:
    case H1_CONN_TUNNEL:
        SIM_CHECK(!is_listed && c->turn);
        SIM_CHECK(c->state == H1_CONN_TUNNEL || c->fiber);
        if (c->turn && c->turn->has_begun) {
            t->n_begun++;
            t->n_fibers += ahead_body_n_waiting(c->turn->x.resp.body);
            sim_watch_use(t, w, c->turn->x.snapshot);
        }
        return;
    case H1_CONN_CLOSED:
        sim_fail("a closed connection is in the list");
    }
}

static void look_at_conn(struct tally *t, const struct sim_watch *w, struct http_conn *c)
{
    t->n_conns++;
    count_of_listener(t, c->listener);
    if (str_eq(c->ops->name, STR("h1")))
        look_at_h1(t, w, CONTAINER_OF(c, struct h1_conn, conn));
    else if (str_eq(c->ops->name, STR("h2")))
        sim_watch_h2_conn(t, w, c);
    else if (str_eq(c->ops->name, STR("tcp")))
        t->n_tcp++;
    else if (list_node_is_linked(&c->idle))
        t->n_waiting++;
    else
        t->n_shaking++;
}

static void look_at_clients(struct tally *t, const struct sim_watch *w)
{
    const struct http_env *env = t->env;
    const uint64_t *counters = env->stats.counters;
    LIST_FOR (n, &env->conns) {
        look_at_conn(t, w, CONTAINER_OF(n, struct http_conn, node));
    }
    for (uint32_t i = 0; i < t->n_listeners; i++)
        SIM_CHECK_INT(t->listeners[i]->n_conns, t->n_of_listener[i]);
    SIM_CHECK_INT((int64_t)counters[HTTP_COUNTER_CONNS_OPEN], t->n_conns);
    SIM_CHECK_INT((int64_t)counters[HTTP_COUNTER_CONNS_IDLE], length(&env->idle));
    SIM_CHECK_INT((int64_t)counters[HTTP_COUNTER_EXCHANGES_OPEN], t->n_begun);
    SIM_CHECK_INT(sim_audit_n_open(), t->n_begun + t->n_tcp);
    SIM_CHECK(counters[HTTP_COUNTER_TUNNELS_OPEN] >= length(&env->tunnels));
    SIM_CHECK(t->n_conns <= env->conns_max);
    // Bounded memory: a block for each exchange, and three buffers at most; one of both for each
    // handshake, and one block more when a TCP route has taken it; later a buffer for each
    // direction in which its tunnel can't move what is there.
    uint32_t n_welcomed = (uint32_t)w->door->counters[DOOR_COUNTER_OPEN];
    uint32_t n_taken = n_welcomed - t->n_shaking;
    SIM_CHECK(n_welcomed >= t->n_shaking && n_taken <= t->n_tcp);
    SIM_CHECK_INT(env->blocks.n_out, t->n_turns + t->n_streams + n_welcomed + n_taken);
    // A connection of HTTP/2 has one while bytes wait for its socket, and its tunnels one for each
    // direction.
    SIM_CHECK(env->buffers.n_out <=
              3 * t->n_turns + n_welcomed + 2 * t->n_tcp + t->n_h2_conns + 2 * t->n_streams);
    SIM_CHECK(env->parked_bytes == t->parked_bytes);
}

// --- servers ---

uint32_t sim_watch_queue(struct tally *t, const struct list *queue, const char *where)
{
    uint32_t n = 0;
    LIST_FOR (at, queue) {
        sim_watch_fiber(t, CONTAINER_OF(at, struct sim_watch_waiting, node)->fiber, where);
        n++;
    }
    return n;
}

static void look_at_idle(const struct tally *t, const struct conn *c)
{
    const struct rt_sock *s = &c->client.stream.sock;
    SIM_CHECK(!c->client.state && s->fd >= 0 && s->is_watched && s->on_event);
    SIM_CHECK(!s->reader && !s->writer);
    if (c->client.idle_since_ms + c->idle_ms < t->loop->now_ms)
        sim_fail("a server's connection is idle beyond its time");
}

static void look_at_target(struct tally *t, const struct target *target)
{
    SIM_CHECK_INT(target->n_idle, length(&target->idle));
    SIM_CHECK_INT(target->n_queued, sim_watch_queue(t, &target->queue, "the queue of a server"));
    SIM_CHECK(target->n_conns >= target->n_idle);
    SIM_CHECK(target->n_idle == 0 || timer_is_running(&target->idle_timer));
    SIM_CHECK(!target->is_leaving);
    LIST_FOR (n, &target->idle)
        look_at_idle(t, CONTAINER_OF(n, struct conn, client.node));
    LIST_FOR (n, &target->muxes)
        sim_watch_mux(t, CONTAINER_OF(n, struct mux, client.node));
    t->n_server_socks += target->n_conns;
}

// Whose turn it is at slot: who has waited longest, for whichever service.
static bool is_first_at(const struct room *r, const struct room_waiter *w,
                        const struct server_slot *slot)
{
    LIST_FOR (at, &r->queues) {
        LIST_FOR (n, &CONTAINER_OF(at, struct room_queue, node)->waiters) {
            const struct room_waiter *other = CONTAINER_OF(n, struct room_waiter, node);
            for (size_t i = 0; i < other->n_seats; i++)
                if (other->number < w->number && other->seats[i].slot == slot)
                    return false;
        }
    }
    return true;
}

// Nobody waits for a place that is free, and each is counted where it waits.
static void look_at_queue(struct tally *t, const struct room *r, const struct room_queue *q)
{
    uint64_t last = 0;
    SIM_CHECK_INT(q->n, sim_watch_queue(t, &q->waiters, "the queue for places"));
    LIST_FOR (n, &q->waiters) {
        const struct room_waiter *w = CONTAINER_OF(n, struct room_waiter, node);
        SIM_CHECK(!w->granted && !w->is_told);
        SIM_CHECK(w->number > last);
        last = w->number;
        for (size_t i = 0; i < w->n_seats; i++) {
            const struct room_seat *seat = &w->seats[i];
            if (slot_n_active(seat->slot) < seat->max && is_first_at(r, w, seat->slot))
                sim_fail("a place is free, and somebody waits for one there");
            SIM_CHECK(atomic_load(&seat->slot->n_waiting) > 0);
            t->n_seats++;
        }
    }
}

static void look_at_slots(struct tally *t, const struct server_state *s)
{
    for (size_t i = 0; i < s->n_slots; i++) {
        t->n_places += slot_n_active(&s->slots[i]);
        t->n_seats_counted += atomic_load(&s->slots[i].n_waiting);
    }
}

static void look_at_servers(struct tally *t, const struct sim_watch *w)
{
    const struct upstream_worker *u = upstream_worker_self();
    for (uint32_t i = 0; u && i < u->n_items; i++) {
        struct worker_item *item = u->items[i];
        if (item && item->shared->kind == SHARED_SERVICE)
            look_at_queue(t, registry_room(u->registry), registry_queue(item->shared));
        if (!item || item->shared->kind != SHARED_SERVER)
            continue;
        const struct worker_server *s = CONTAINER_OF(item, struct worker_server, item);
        (void)sim_watch_queue(t, &s->waiters, "a name without an answer");
        look_at_slots(t, s->state);
        t->n_leaving += s->n_leaving;
        for (uint32_t j = 0; j < s->n_targets; j++)
            look_at_target(t, s->targets[j]);
    }
    SIM_CHECK_INT(t->n_seats_counted, t->n_seats);
    // An exchange has one place at a time, also as a tunnel.
    SIM_CHECK(t->n_places <= t->n_begun + t->n_tcp);
    uint32_t n_checks = w->checker ? upstream_checker_n_running(w->checker) : 0;
    if (t->n_leaving == 0)
        SIM_CHECK(sim_sys_n_sockets() <= t->n_conns + t->n_server_socks + n_checks);
}

// --- snapshots ---

// Listening sockets that may have settings of their own: those in force don't name their
// entrypoint.
static uint32_t orphans(const struct sim_watch *w)
{
    const struct snapshot *now = w->n_snapshots > 0 ? w->snapshots[w->n_snapshots - 1] : NULL;
    uint32_t n = 0;
    if (!now || snapshot_find_entry(now, STR("web")) < 0)
        n += w->n_web;
    if (!now || snapshot_find_entry(now, STR("other")) < 0)
        n += w->n_other;
    return n;
}

// Each lives exactly as long as somebody uses it: the worker (the one in force), an exchange, or a
// listening socket whose entrypoint is gone (those can't be seen from here).
static void look_at_snapshots(const struct tally *t, struct sim_watch *w)
{
    uint32_t n_kept = 0, n_unknown = 0;
    for (uint32_t i = 0; i < w->n_snapshots; i++) {
        struct snapshot *s = w->snapshots[i];
        uint32_t known = t->uses[i] + (i == w->n_snapshots - 1), uses = s->worker_uses[0];
        uint32_t refs = atomic_load(&s->refs);
        if (uses < known)
            sim_fail("snapshot %u has %u users, but counts %u", (unsigned)s->seq, known, uses);
        else
            n_unknown += uses - known;
        if (refs != 1 + (uses > 0))
            sim_fail("snapshot %u with %u uses has %u refs", (unsigned)s->seq, uses, refs);
        if (uses > 0) {
            w->snapshots[n_kept++] = s;
        } else {
            sim_log("snapshot %u is used no more", (unsigned)s->seq);
            snapshot_unref(s);
        }
    }
    w->n_snapshots = n_kept;
    if (n_unknown > orphans(w) + (uint32_t)w->door->counters[DOOR_COUNTER_OPEN] + t->n_tcp)
        sim_fail("%u uses of snapshots have no user", n_unknown);
}

// All that the worker may have, by what it was asked to do at most.
static void look_at_heap(const struct tally *t, struct sim_watch *w)
{
    w->n_turns_peak = MAX(w->n_turns_peak, t->n_turns + t->n_streams);
    w->n_shared_peak = MAX(w->n_shared_peak, t->n_h2_conns + t->n_muxes);
    w->n_chunks_peak = MAX(w->n_chunks_peak, t->env->pieces.n_out);
    if (w->n_looks % HEAP_LOOK_EACH != 0 || !is_warm)
        return;
    size_t heap = sim_heap_bytes();
    size_t policies = 0;
    for (uint32_t i = 0; i < w->n_snapshots; i++)
        policies += w->snapshots[i]->doors ? HEAP_POLICIES_BYTES : 0;
    size_t limit = policies + w->heap_start_bytes + HEAP_FIXED_BYTES +
                   HEAP_SNAPSHOT_BYTES * w->n_snapshots + HEAP_EXCHANGE_BYTES * w->n_turns_peak +
                   HEAP_H2_BYTES * w->n_shared_peak + HTTP_BUFFER_BYTES * w->n_chunks_peak +
                   HEAP_CONN_BYTES * sim_sys_n_sockets() + HEAP_TLS_BYTES * sim_tls_n_open();
    if (heap > limit)
        sim_fail("%zu bytes of the heap, where %zu are enough", heap - w->heap_start_bytes,
                 limit - w->heap_start_bytes);
}

static void look(void *arg)
{
    struct sim_watch *w = arg;
    if (sim_has_failed())
        return; // what follows from a fault says little
    struct tally t = {
        .loop = w->loop,
        .env = sim_env_of(w->stats),
    };
    look_at_sockets(&t);
    look_at_clients(&t, w);
    look_at_servers(&t, w);
    sim_watch_h2_end(&t);
    look_at_loop(&t);
    look_at_snapshots(&t, w);
    look_at_heap(&t, w);
    w->n_looks++;
}

void sim_watch_start(struct sim_watch *w, struct rt_loop *loop, const struct http_stats *stats,
                     const struct door_stats *door)
{
    *w = (struct sim_watch){
        .loop = loop, .stats = stats, .door = door, .heap_start_bytes = sim_heap_bytes()};
    sim_sys.on_rest = look;
    sim_sys.on_rest_arg = w;
}

void sim_watch_add_snapshot(struct sim_watch *w, struct snapshot *s)
{
    ASSERT(w->n_snapshots < SIM_WATCH_SNAPSHOTS_MAX);
    w->snapshots[w->n_snapshots++] = s;
}

void sim_watch_stop(struct sim_watch *w)
{
    look(w);
    sim_sys.on_rest = NULL;
}

void sim_watch_end(struct sim_watch *w)
{
    for (uint32_t i = 0; i < w->n_snapshots; i++) {
        struct snapshot *s = w->snapshots[i];
        if (s->worker_uses[0] != 0 || atomic_load(&s->refs) != 1)
            sim_fail("snapshot %u is used by nobody, but counts %u", (unsigned)s->seq,
                     s->worker_uses[0]);
        else
            snapshot_unref(s);
    }
    w->n_snapshots = 0;
    is_warm = true;
}
