// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_net.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/assert.h"
#include "base/attr.h"
#include "sim/sim.h"

#define SERVERS_MAX 64
#define SYN_AGAIN_NS SIM_S
#define CONNECT_TIMEOUT_NS (127 * SIM_S)
#define DEFER_NS (30 * SIM_S) // then a connection without data is accepted all the same

struct sim_net sim_net;

static struct {
    uint32_t place;
    enum sim_reach reach;
    sim_server_fn *fn;
    void *arg;
} servers[SERVERS_MAX];
static size_t n_servers;
static uint32_t n_connections;

void sim_net_init(void)
{
    sim_net = (struct sim_net){
        .latency_ns = SIM_MS,
        .window_min = 64 * 1024,
        .window_max = 64 * 1024,
        .backlog = 128,
    };
    n_servers = 0;
    n_connections = 0;
}

static void tell(struct sim_end *e)
{
    if (!e->is_closed && e->fn)
        e->fn(e->arg, e);
}

static struct sim_end *new_end(uint32_t id, bool is_workers)
{
    struct sim_end *e = sim_alloc(sizeof *e);
    e->id = id;
    e->is_workers = is_workers;
    e->window = (size_t)sim_between(sim_net.window_min, sim_net.window_max);
    e->ring = sim_alloc_raw(e->window);
    return e;
}

// Returns the worker's end.
static struct sim_end *new_pair(void)
{
    uint32_t id = ++n_connections;
    struct sim_end *ours = new_end(id, true), *theirs = new_end(id, false);
    ours->other = theirs;
    theirs->other = ours;
    return ours;
}

static const char *name_of(const struct sim_end *e)
{
    return e->is_workers ? "worker" : "peer";
}

// --- what travels ---

static int64_t travel_ns(void)
{
    int64_t jitter = sim_net.jitter_ns > 0 ? sim_between(0, sim_net.jitter_ns) : 0;
    return sim_net.latency_ns + jitter;
}

// When what is sent to e now arrives: nothing overtakes.
static int64_t arrival_at(struct sim_end *e)
{
    int64_t at = sim_now_ns() + travel_ns();
    if (at > e->arrival_ns)
        e->arrival_ns = at;
    return e->arrival_ns;
}

static void rst_arrives(void *arg, uint64_t tag)
{
    struct sim_end *e = arg;
    (void)tag;
    if (e->is_closed || e->is_reset)
        return;
    sim_log("#%u RST at %s", e->id, name_of(e));
    e->is_reset = true;
    e->error = e->has_fin ? EPIPE : ECONNRESET;
    tell(e);
}

static void send_rst(struct sim_end *from)
{
    struct sim_end *to = from->other;
    bool overtakes = sim_net.rst_drops_percent > 0 && sim_chance(sim_net.rst_drops_percent);
    sim_at(overtakes ? sim_now_ns() + travel_ns() : arrival_at(to), rst_arrives, to, 0);
}

static void data_arrives(void *arg, uint64_t n)
{
    struct sim_end *e = arg;
    e->n_coming -= n;
    if (e->is_reset)
        return;
    if (e->is_closed) {
        send_rst(e);
        return;
    }
    sim_log("#%u %u bytes at %s", e->id, (unsigned)n, name_of(e));
    e->n_here += n;
    tell(e);
}

static void fin_arrives(void *arg, uint64_t tag)
{
    struct sim_end *e = arg;
    (void)tag;
    if (e->is_closed || e->is_reset)
        return;
    sim_log("#%u FIN at %s", e->id, name_of(e));
    e->has_fin = true;
    tell(e);
}

static size_t space(const struct sim_end *e)
{
    return e->other->window - e->n_unacked;
}

static void ack_arrives(void *arg, uint64_t n)
{
    struct sim_end *e = arg;
    ASSERT(n <= e->n_unacked);
    e->n_unacked -= n;
    if (!e->wants_space || e->is_closed || e->is_reset || space(e) < e->other->window / 3)
        return;
    e->wants_space = false;
    tell(e);
}

// --- connecting ---

static void opened(void *arg, uint64_t tag)
{
    struct sim_end *e = arg;
    (void)tag;
    if (e->is_closed || e->is_reset)
        return;
    e->state = SIM_END_OPEN;
    sim_log("#%u open at %s", e->id, name_of(e));
    tell(e);
}

static void refused(void *arg, uint64_t error)
{
    struct sim_end *e = arg;
    if (e->is_closed)
        return;
    sim_log("#%u refused, error %u", e->id, (unsigned)error);
    e->state = SIM_END_REFUSED;
    e->is_reset = true;
    e->error = (int)error;
    tell(e);
}

void sim_net_serve(uint32_t place, sim_server_fn *fn, void *arg)
{
    ASSERT(n_servers < SERVERS_MAX);
    servers[n_servers].place = place;
    servers[n_servers].reach = SIM_REACH_OPEN;
    servers[n_servers].fn = fn;
    servers[n_servers++].arg = arg;
}

static size_t find_server(uint32_t place)
{
    size_t i = 0;
    while (i < n_servers && servers[i].place != place)
        i++;
    return i;
}

void sim_net_set_reach(uint32_t place, enum sim_reach reach)
{
    size_t i = find_server(place);
    ASSERT(i < n_servers);
    servers[i].reach = reach;
}

// A server accepts theirs, or doesn't.
static bool is_accepted(size_t server, struct sim_end *theirs)
{
    theirs->state = SIM_END_OPEN;
    if (server < n_servers && servers[server].reach == SIM_REACH_OPEN &&
        servers[server].fn(servers[server].arg, theirs))
        return true;
    theirs->is_closed = true;
    return false;
}

// The SYN is at the server.
static void syn_at_server(void *arg, uint64_t place)
{
    struct sim_end *theirs = arg, *ours = theirs->other;
    size_t i = find_server((uint32_t)place);
    if (ours->is_closed)
        return;
    if (i < n_servers && servers[i].reach == SIM_REACH_NOTHING)
        sim_in(CONNECT_TIMEOUT_NS, refused, ours, ETIMEDOUT);
    else if (is_accepted(i, theirs))
        sim_at(arrival_at(ours), opened, ours, 0);
    else
        sim_at(arrival_at(ours), refused, ours, ECONNREFUSED);
}

// When a SYN sent now arrives: lost ones are sent again.
static int64_t syn_arrival_at(struct sim_end *to)
{
    while (sim_net.syn_loss_percent > 0 && sim_chance(sim_net.syn_loss_percent))
        to->arrival_ns = MAX(to->arrival_ns, sim_now_ns()) + SYN_AGAIN_NS;
    return arrival_at(to);
}

struct sim_end *sim_net_connect(uint32_t place)
{
    struct sim_end *ours = new_pair();
    sim_log("#%u worker connects to 10.0.0.%u:%u", ours->id, (place >> 16) + 1, place & 0xffff);
    sim_at(syn_arrival_at(ours->other), syn_at_server, ours->other, place);
    return ours;
}

// The server accepts what stands already.
static void unix_at_server(void *arg, uint64_t place)
{
    struct sim_end *theirs = arg;
    if (!is_accepted(find_server((uint32_t)place), theirs))
        send_rst(theirs);
}

struct sim_end *sim_net_connect_unix(uint32_t place, int *ret_error)
{
    size_t i = find_server(place);
    if (i == n_servers || servers[i].reach != SIM_REACH_OPEN) {
        *ret_error = i < n_servers && servers[i].reach == SIM_REACH_REFUSED ? ECONNREFUSED : ENOENT;
        return NULL;
    }
    struct sim_end *ours = new_pair();
    sim_log("#%u worker connects to unix %u", ours->id, place);
    ours->state = SIM_END_OPEN;
    sim_at(arrival_at(ours->other), unix_at_server, ours->other, place);
    return ours;
}

struct dial {
    struct sim_listener *l;
    struct sim_end *ours;
    bool is_queued;
};

static void enqueue(struct dial *d)
{
    struct sim_listener *l = d->l;
    d->is_queued = true;
    d->ours->fn = NULL;
    if (!l->is_open) {
        sim_net_reset(d->ours);
        return;
    }
    if (!l->queue)
        l->queue = sim_alloc(sim_net.backlog * sizeof(struct sim_end *));
    if (l->n_queued == sim_net.backlog) {
        sim_net_reset(d->ours);
        return;
    }
    l->queue[l->n_queued++] = d->ours;
    l->fn(l->arg, NULL);
}

static void on_deferred(void *arg, struct sim_end *e)
{
    (void)e;
    enqueue(arg);
}

static void on_defer_end(void *arg, uint64_t tag)
{
    struct dial *d = arg;
    (void)tag;
    if (!d->is_queued)
        enqueue(d);
}

// The SYN is at the worker's machine: the kernel answers.
static void syn_at_worker(void *arg, uint64_t tag)
{
    struct dial *d = arg;
    struct sim_end *client = d->ours->other;
    (void)tag;
    if (client->is_closed)
        return;
    if (!d->l->is_open) {
        sim_at(arrival_at(client), refused, client, ECONNREFUSED);
        return;
    }
    if (d->l->refuses_new || d->l->n_queued >= sim_net.backlog) {
        sim_in(SYN_AGAIN_NS, syn_at_worker, d, 0);
        return;
    }
    d->ours->state = SIM_END_OPEN;
    sim_at(arrival_at(client), opened, client, 0);
    if (!sim_net.defer_accept) {
        enqueue(d);
        return;
    }
    d->ours->fn = on_deferred;
    d->ours->arg = d;
    sim_in(DEFER_NS, on_defer_end, d, 0);
}

struct sim_end *sim_net_dial(struct sim_listener *l, sim_end_fn *fn, void *arg)
{
    struct dial *d = sim_alloc(sizeof *d);
    d->l = l;
    d->ours = new_pair();
    d->ours->other->fn = fn;
    d->ours->other->arg = arg;
    sim_at(syn_arrival_at(d->ours), syn_at_worker, d, 0);
    return d->ours->other;
}

struct sim_end *sim_net_accept(struct sim_listener *l)
{
    if (l->n_queued == 0)
        return NULL;
    struct sim_end *e = l->queue[0];
    l->n_queued--;
    memmove(l->queue, l->queue + 1, l->n_queued * sizeof l->queue[0]);
    return e;
}

void sim_net_close_listener(struct sim_listener *l)
{
    l->is_open = false;
    for (struct sim_end *e; (e = sim_net_accept(l));)
        sim_net_reset(e);
}

// --- calls ---

static size_t first_part(const struct sim_end *e, size_t at, size_t n)
{
    size_t left = e->window - at;
    return n < left ? n : left;
}

ssize_t sim_net_peek(struct sim_end *e, void *buf, size_t n)
{
    ASSERT(!e->is_closed);
    if (e->n_here == 0) {
        if (e->has_fin)
            return 0;
        if (!e->is_reset)
            return -EAGAIN;
        int error = e->error;
        e->error = 0;
        return -error;
    }
    n = n < e->n_here ? n : e->n_here;
    size_t part = first_part(e, e->ring_at, n);
    memcpy(buf, e->ring + e->ring_at, part);
    memcpy((char *)buf + part, e->ring, n - part);
    return (ssize_t)n;
}

ssize_t sim_net_read(struct sim_end *e, void *buf, size_t n)
{
    ssize_t got = sim_net_peek(e, buf, n);
    if (got <= 0)
        return got;
    e->ring_at = (e->ring_at + (size_t)got) % e->window;
    e->n_here -= (size_t)got;
    sim_in(sim_net.latency_ns, ack_arrives, e->other, (uint64_t)got);
    return got;
}

static void send_segments(struct sim_end *to, size_t n)
{
    while (n > 0) {
        size_t part = n;
        if (sim_net.segment_max > 0 && part > 1)
            part = (size_t)sim_between(1, part < sim_net.segment_max ? (int64_t)part
                                                                     : sim_net.segment_max);
        sim_at(arrival_at(to), data_arrives, to, part);
        n -= part;
    }
}

ssize_t sim_net_write(struct sim_end *e, const void *buf, size_t n)
{
    ASSERT(!e->is_closed);
    if (e->is_reset) {
        int error = e->error != 0 ? e->error : EPIPE;
        e->error = 0;
        return -error;
    }
    if (e->sent_fin)
        return -EPIPE;
    if (e->state == SIM_END_CONNECTING)
        return -EAGAIN;
    size_t room = space(e);
    if (n > room) {
        n = room;
        e->wants_space = true;
    }
    if (n == 0)
        return -EAGAIN;
    struct sim_end *to = e->other;
    size_t at = (to->ring_at + to->n_here + to->n_coming) % to->window;
    size_t part = first_part(to, at, n);
    memcpy(to->ring + at, buf, part);
    memcpy(to->ring, (const char *)buf + part, n - part);
    to->n_coming += n;
    e->n_unacked += n;
    send_segments(to, n);
    return (ssize_t)n;
}

void sim_net_shut_write(struct sim_end *e)
{
    if (e->sent_fin || e->is_reset || e->state != SIM_END_OPEN)
        return;
    e->sent_fin = true;
    sim_at(arrival_at(e->other), fin_arrives, e->other, 0);
}

void sim_net_reset(struct sim_end *e)
{
    ASSERT(!e->is_closed);
    e->is_closed = true;
    if (!e->is_reset && e->state == SIM_END_OPEN)
        send_rst(e);
}

// What nobody has read turns the end into a reset (RFC 9293 3.10.4, Linux's tcp_close).
void sim_net_close(struct sim_end *e)
{
    if (e->n_here > 0) {
        sim_net_reset(e);
        return;
    }
    ASSERT(!e->is_closed);
    sim_net_shut_write(e);
    e->is_closed = true;
}

uint32_t sim_net_poll(struct sim_end *e)
{
    uint32_t events = 0;
    if (e->state == SIM_END_CONNECTING)
        return 0;
    if (e->is_reset || (e->has_fin && e->sent_fin))
        events |= EPOLLHUP;
    if (e->is_reset || e->has_fin)
        events |= EPOLLIN | EPOLLRDHUP;
    if (e->n_here > 0)
        events |= EPOLLIN;
    if (e->is_reset || e->sent_fin || space(e) >= e->other->window / 3)
        events |= EPOLLOUT;
    else
        e->wants_space = true;
    if (e->error != 0)
        events |= EPOLLERR;
    return events;
}
