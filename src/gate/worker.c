// SPDX-License-Identifier: Apache-2.0
#include "gate/worker.h"

#include "base/mem.h"
#include "gate/bans.h"
#include "gate/credentials.h"
#include "gate/proxy_in.h"
#include "gate/recent.h"
#include "gate/sni.h"
#include "gate/tracer.h"
#include "http/exchange.h"
#include "http/h1_server.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "rt/sock.h"
#include "rt/sys.h"
#include "rt/timer.h"
#include "upstream/service.h"

#define ENTRY_NAME_MAX_BYTES 255
#define QUEUE_MAX 4096 // accepted at once before a socket is closed: the keeper's backlog
// A removed socket is still accepted from for so long: clients that are connected as far as they
// know send their first bytes meanwhile.
#define LAST_ACCEPTS_MS 200
#define GONE_LOOK_MS 250 // between two looks whether the last connection of a removed one has ended

struct worker_listener {
    struct http_listener http;     // what connections know
    struct worker *worker;         // borrows
    struct list_node node;         // in worker.listeners
    struct rt_listener *accepting; // owns; NULL until an entrypoint has this name
    struct snapshot *last; // uses: the last snapshot that had its entrypoint, when the one in
                           // force has none any more; else NULL
    struct rt_timer timer; // runs: removed
    int fd;                // owns; -1: closed
    uint32_t id;
    uint8_t name_bytes;
    char name[ENTRY_NAME_MAX_BYTES];
};

struct worker {
    struct http_env env;
    unsigned index;
    bool is_draining;
    struct snapshot *current; // uses; NULL before the first
    struct list listeners;
    struct upstream_worker *upstream; // owns
    struct door *door;                // owns
    struct bans *bans;                // borrows; NULL: none
    struct insight *insight;          // borrows; NULL: none
    struct challenges *challenges;    // shares; NULL: none
    struct meter_rows meters;
    struct recent *recent; // owns
    struct tracer *tracer; // owns
};

static struct worker *worker_of(struct http_env *env)
{
    return CONTAINER_OF(env, struct worker, env);
}

// What is in force for connections of l.
static struct snapshot *snapshot_of(const struct worker_listener *l)
{
    return l->last ? l->last : l->worker->current;
}

static const struct tcp_entry *tcp_entry_of(const struct worker_listener *l)
{
    const struct snapshot *s = snapshot_of(l);
    const struct tcp_entry *tcp = s->tcp ? &s->tcp[l->http.entry_index] : NULL;
    return tcp && tcp->is_on ? tcp : NULL;
}

static const struct door_conf *door_conf_of(const struct worker_listener *l)
{
    const struct tcp_entry *tcp = tcp_entry_of(l);
    if (tcp)
        return tcp->reads_hello ? &tcp->door : NULL;
    const struct snapshot *s = snapshot_of(l);
    const struct door_conf *conf = s->doors ? &s->doors[l->http.entry_index] : NULL;
    return conf && conf->policy ? conf : NULL;
}

static const struct door_conf *begin_welcome(struct http_listener *l, void **ret_snapshot)
{
    struct worker_listener *wl = CONTAINER_OF(l, struct worker_listener, http);
    const struct door_conf *conf = door_conf_of(wl);
    if (!conf)
        return NULL;
    struct snapshot *s = snapshot_of(wl);
    snapshot_use(s, wl->worker->index);
    *ret_snapshot = s;
    return conf;
}

static void end_welcome(struct http_listener *l, void *snapshot)
{
    snapshot_unuse(snapshot, CONTAINER_OF(l, struct worker_listener, http)->worker->index);
}

static const struct door_app door_app = {
    .begin = begin_welcome, .end = end_welcome, .take = tcp_take};

static void begin_exchange(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    struct worker *w = worker_of(env);
    struct worker_listener *wl = CONTAINER_OF(l, struct worker_listener, http);
    struct snapshot *s = snapshot_of(wl);
    snapshot_use(s, w->index);
    x->snapshot = s;
    x->entry = &s->entries[l->entry_index];
}

static const struct http_entry *entry_of(struct http_env *env, struct http_listener *l)
{
    (void)env;
    struct worker_listener *wl = CONTAINER_OF(l, struct worker_listener, http);
    return &snapshot_of(wl)->entries[l->entry_index];
}

// A proxy in front that is trusted knows what it does (RFC 9110 7.4).
static bool is_misdirected(const struct worker *w, const struct snapshot *s,
                           const struct exchange *x)
{
    if (!x->tls || x->peer_is_trusted || x->req.host.len == 0 || !s->doors ||
        str_eq(x->tls->server_name, x->req.host))
        return false;
    const struct door_conf *conf = &s->doors[x->entry - s->entries];
    return !sni_serves(conf, door_store(w->door), x->tls->server_name, x->req.host);
}

// Whether a client is refused as soon as its address is known.
static bool is_shut_out(const struct worker_listener *l, const struct ip *peer)
{
    struct bans *bans = l->worker->bans;
    const struct ban_rules *rules = &snapshot_of(l)->bans;
    return bans && (rules->closes || tcp_entry_of(l)) && bans_refuse(bans, rules, peer, NULL);
}

bool worker_refuses(struct exchange *x)
{
    struct bans *bans = worker_of(x->env)->bans;
    const struct snapshot *s = x->snapshot;
    struct ban ban;
    if (!bans || !bans_refuse(bans, &s->bans, &x->client, &ban))
        return false;
    trail_add(&x->trail, STR("ban"), "refused", arena_dup(x->mem, str_from(ban.by, ban.by_bytes)));
    exchange_fail(x, s->bans.status, EXCHANGE_END_FILTERED, "the client is banned by " STR_FMT,
                  (int)ban.by_bytes, ban.by);
    x->resp.must_close = true;
    return true;
}

static enum err serve_exchange(struct http_env *env, struct exchange *x)
{
    const struct snapshot *s = x->snapshot;
    if (challenges_answer(worker_of(env)->challenges, x) || worker_refuses(x))
        return ERR_OK;
    if (s->tracing)
        tracer_begin(worker_of(env)->tracer, s->tracing, x);
    if (is_misdirected(worker_of(env), s, x)) {
        trail_add(&x->trail, STR("tls"), "misdirected", x->tls->server_name);
        exchange_fail(x, 421, EXCHANGE_END_MISDIRECTED, "the connection is for " STR_FMT,
                      STR_ARG(x->tls->server_name));
        return ERR_OK;
    }
    bool is_answered;
    enum err err = exchange_meet_early(x, &is_answered);
    if (err != ERR_OK || is_answered)
        return err;
    return handler_serve(s->entry_chains[x->entry - s->entries], x);
}

static void log_exchange(const struct access_log *log, const struct exchange *x)
{
    char *line = log_reserve(WORKER_ACCESS_LOG_STREAM, ACCESS_LOG_LINE_MAX_BYTES);
    if (!line)
        return;
    size_t n = access_log_write(log, x, clock_wall_ns(), line, ACCESS_LOG_LINE_MAX_BYTES);
    if (n > 0)
        log_commit(WORKER_ACCESS_LOG_STREAM, n);
}

// What strangers cause at will, or a stop a thousand times, must not fill the log; what servers do
// wrong is always told, even when the status was sent before.
static enum log_level level_of(enum exchange_end end)
{
    switch (end) {
    case EXCHANGE_END_OK:
    case EXCHANGE_END_CLIENT_PROTOCOL:
    case EXCHANGE_END_CLIENT_LIMIT:
    case EXCHANGE_END_CLIENT_TIMEOUT:
    case EXCHANGE_END_CLIENT_GONE:
    case EXCHANGE_END_MISDIRECTED:
    case EXCHANGE_END_EARLY:
    case EXCHANGE_END_NO_ROUTE:
    case EXCHANGE_END_FILTERED:
    case EXCHANGE_END_SHUTDOWN:
    case EXCHANGE_END_BREAKER: // that it opened was told
        return LOG_DEBUG;
    case EXCHANGE_END_NO_SERVER:
    case EXCHANGE_END_SERVER_CONNECT:
    case EXCHANGE_END_SERVER_CONNECT_TIMEOUT:
    case EXCHANGE_END_SERVER_TLS:
    case EXCHANGE_END_SERVER_TIMEOUT:
    case EXCHANGE_END_SERVER_PROTOCOL:
    case EXCHANGE_END_SERVER_GONE:
    case EXCHANGE_END_RESOURCES:
        break;
    }
    return LOG_WARN;
}

static void log_failure(const struct exchange *x)
{
    enum log_level level = level_of(x->end);
    if (x->end == EXCHANGE_END_OK || x->end == EXCHANGE_END_FILTERED || !log_is_on(level))
        return;
    if (x->req.is_raw)
        log_line(level, "connection " STR_FMT ": '" STR_FMT "': %s: " STR_FMT,
                 STR_ARG(x->request_id), STR_ARG(x->req.host), exchange_end_text(x->end),
                 STR_ARG(x->end_detail));
    else
        log_line(level, "exchange " STR_FMT ": " STR_FMT " " STR_FMT STR_FMT ": %u, %s: " STR_FMT,
                 STR_ARG(x->request_id), STR_ARG(x->req.method), STR_ARG(x->req.host),
                 STR_ARG(x->req.path), x->resp.status, exchange_end_text(x->end),
                 STR_ARG(x->end_detail));
}

// Who has ended it, by the trail: a filter's name, or nothing.
static struct str filter_of(const struct exchange *x)
{
    static const struct str mark = STR_INIT("filter ");
    if (x->ended_at == 0 || x->ended_at > TRAIL_MAX)
        return STR_NONE;
    struct str who = x->trail.steps[x->ended_at - 1].who;
    return str_starts(who, mark) ? str_skip(who, mark.len) : STR_NONE;
}

static void count_exchange(struct worker *w, const struct snapshot *s, const struct exchange *x)
{
    if (s->meters.n == 0)
        return;
    meter_count(&w->meters, s->meters.items[x->meter], x);
    if (x->end != EXCHANGE_END_FILTERED)
        return;
    const struct meter *filter = map_get(&s->filter_meters, filter_of(x));
    if (filter)
        meter_count_filtered(&w->meters, filter, x);
}

static void finish_exchange(struct http_env *env, struct exchange *x)
{
    struct worker *w = worker_of(env);
    struct snapshot *s = x->snapshot;
    // A connection that was closed before it asked for anything isn't an exchange to tell of.
    bool has_request = x->req.method.len > 0 || x->resp.status > 0 || x->req.is_raw;
    if (has_request) {
        if (s->access_log)
            log_exchange(s->access_log, x);
        log_failure(x);
        count_exchange(w, s, x);
        if (recent_is_wanted(x))
            recent_add(w->recent, x, clock_wall_ns());
        if (s->tracing)
            tracer_finish(w->tracer, s->tracing, x);
    }
    bool may_count = x->resp.status >= 400 || x->offences != 0 ||
                     x->end == EXCHANGE_END_CLIENT_PROTOCOL ||
                     x->end == EXCHANGE_END_CLIENT_TIMEOUT;
    if (has_request && w->bans && s->bans.n > 0 && may_count)
        bans_note(w->bans, &s->bans, x);
    x->snapshot = NULL;
    snapshot_unuse(s, w->index);
}

static void note_offence(struct http_listener *l, const struct ip *peer, enum http_offence what)
{
    const struct worker_listener *wl = CONTAINER_OF(l, struct worker_listener, http);
    struct bans *bans = wl->worker->bans;
    const struct snapshot *s = snapshot_of(wl);
    if (bans && s->bans.n > 0)
        bans_note_offence(bans, &s->bans, &s->entries[l->entry_index], peer, what);
}

static void hold_snapshot(struct http_env *env, void *snapshot)
{
    snapshot_use(snapshot, worker_of(env)->index);
}

static void release_snapshot(struct http_env *env, void *snapshot)
{
    snapshot_unuse(snapshot, worker_of(env)->index);
}

static void begin_try(struct http_env *env, struct exchange *x)
{
    tracer_try(worker_of(env)->tracer, x);
}

static void end_try(struct exchange *x, unsigned status, enum exchange_end end)
{
    trace_try_end(x, status, end, clock_now_ns());
}

static const struct http_app app = {
    .begin = begin_exchange,
    .serve = serve_exchange,
    .finish = finish_exchange,
    .entry = entry_of,
    .hold = hold_snapshot,
    .release = release_snapshot,
    .offended = note_offence,
    .try_begins = begin_try,
    .try_ends = end_try,
};

struct insight *worker_insight(struct http_env *env)
{
    return worker_of(env)->insight;
}

struct worker *worker_new(unsigned index, const struct worker_links *links)
{
    ASSERT(index < SNAPSHOT_WORKERS_MAX);
    struct worker *w = MEM_NEW(struct worker);
    w->index = index;
    w->bans = links->bans;
    w->insight = links->insight;
    list_init(&w->listeners);
    http_env_init(&w->env, &app, w, links->conns_max);
    w->env.slots = links->slots;
    w->upstream = upstream_worker_new(links->registry, index, loop_self());
    w->tracer = tracer_new(&w->env, &w->current);
    w->door = door_new(&w->env, &door_app, DOOR_HANDSHAKES_MAX);
    w->recent = recent_new();
    return w;
}

static void on_proxied(struct http_listener *http, struct stream *s, const struct ip *peer,
                       uint16_t peer_port)
{
    struct worker_listener *l = CONTAINER_OF(http, struct worker_listener, http);
    const struct door_conf *door = door_conf_of(l);
    if (is_shut_out(l, peer))
        stream_close(s);
    else if (door)
        door_adopt(l->worker->door, http, door->handshake_ms, s, peer, peer_port);
    else if (tcp_entry_of(l))
        tcp_adopt(http, s, peer, peer_port);
    else
        h1_server_adopt(http, s, peer, peer_port);
}

static void on_accept(void *arg, int fd, const struct rt_addr *peer)
{
    struct worker_listener *l = arg;
    struct ip ip;
    uint16_t port;
    if (addr_to_ip(peer, &ip, &port) && is_shut_out(l, &ip)) {
        sys_close(fd);
        return;
    }
    const struct proxy_in *proxy_in = &snapshot_of(l)->proxy_in[l->http.entry_index];
    const struct door_conf *door = door_conf_of(l);
    if (proxy_in->n_from > 0)
        proxy_in_accept(&l->http, proxy_in, fd, peer, on_proxied);
    else if (door)
        door_accept(l->worker->door, &l->http, door->handshake_ms, fd, peer);
    else if (tcp_entry_of(l))
        tcp_accept(&l->http, fd, peer);
    else
        h1_server_accept(&l->http, fd, peer);
}

// Who waits in the queue would be reset: they come in first.
static void close_listener(struct worker_listener *l)
{
    if (l->accepting) {
        listener_take_waiting(l->accepting, QUEUE_MAX);
        listener_stop(l->accepting);
    }
    l->accepting = NULL;
    if (l->fd >= 0)
        sys_close(l->fd);
    l->fd = -1;
}

// Closes without a look at the queue.
static void drop_listener(struct worker_listener *l)
{
    if (l->accepting)
        listener_stop(l->accepting);
    l->accepting = NULL;
    close_listener(l);
}

static void free_listener(struct worker_listener *l)
{
    ASSERT(l->fd < 0);
    timer_stop(&l->timer);
    list_remove(&l->node);
    if (l->last)
        snapshot_unuse(l->last, l->worker->index);
    mem_free(l);
}

// The time of a removed socket's last accepts is over, and then that of its connections.
static void on_gone(struct rt_timer *t)
{
    struct worker_listener *l = CONTAINER_OF(t, struct worker_listener, timer);
    if (l->fd >= 0)
        close_listener(l);
    if (l->http.n_conns == 0)
        free_listener(l);
    else
        timer_start(&l->timer, clock_now_ms() + GONE_LOOK_MS, on_gone);
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    LIST_FOR_SAFE (n, &w->listeners) {
        struct worker_listener *l = CONTAINER_OF(n, struct worker_listener, node);
        drop_listener(l);
        free_listener(l);
    }
    door_free(w->door);
    challenges_unref(w->challenges);
    recent_free(w->recent);
    upstream_worker_free(w->upstream);
    http_env_fini(&w->env);
    meter_rows_fini(&w->meters);
    tracer_free(w->tracer);
    if (w->current)
        snapshot_unuse(w->current, w->index);
    mem_free(w);
}

static bool is_removed(const struct worker_listener *l)
{
    return l->fd < 0 || timer_is_running(&l->timer);
}

static void start_accepting(struct worker_listener *l)
{
    if (!l->accepting && !is_removed(l) && !l->worker->is_draining)
        l->accepting = listener_start(l->fd, on_accept, l);
}

// Binds a listening socket to the entrypoint of its name in the snapshot in force.
static void bind_listener(struct worker_listener *l, struct snapshot *before)
{
    struct worker *w = l->worker;
    int index = snapshot_find_entry(w->current, str_from(l->name, l->name_bytes));
    if (index >= 0) {
        if (l->last)
            snapshot_unuse(l->last, w->index);
        l->last = NULL;
        l->http.entry_index = (unsigned)index;
        l->http.first_ms = (uint32_t)MIN(w->current->entries[index].idle_ms, (int64_t)UINT32_MAX);
        l->http.leave.is_on &= is_removed(l);
        start_accepting(l);
        return;
    }
    // Its entrypoint is gone: those who are connected, or will be before the keeper removes the
    // socket, are served under the last settings it had.
    http_listener_drain(&l->http);
    if (!l->last && before && (l->accepting || l->http.n_conns > 0)) {
        l->last = before;
        snapshot_use(before, w->index);
    }
}

void worker_add_listener(struct worker *w, uint32_t id, struct str entry_name, int fd)
{
    ASSERT(entry_name.len <= ENTRY_NAME_MAX_BYTES);
    struct worker_listener *l = MEM_NEW(struct worker_listener);
    l->http.env = &w->env;
    l->worker = w;
    l->id = id;
    l->fd = fd;
    l->name_bytes = (uint8_t)entry_name.len;
    memcpy(l->name, entry_name.ptr, entry_name.len);
    list_push_back(&w->listeners, &l->node);
    if (w->current && snapshot_find_entry(w->current, entry_name) >= 0)
        bind_listener(l, NULL);
}

void worker_remove_listener(struct worker *w, uint32_t id)
{
    LIST_FOR (n, &w->listeners) {
        struct worker_listener *l = CONTAINER_OF(n, struct worker_listener, node);
        if (l->id != id || is_removed(l))
            continue;
        http_listener_drain(&l->http);
        if (l->accepting)
            listener_refuse_new(l->accepting);
        timer_start(&l->timer, clock_now_ms() + (l->accepting ? LAST_ACCEPTS_MS : 0), on_gone);
    }
}

void worker_switch(struct worker *w, struct snapshot *s)
{
    struct snapshot *before = w->current;
    snapshot_use(s, w->index);
    w->current = s;
    LIST_FOR (n, &w->listeners)
        bind_listener(CONTAINER_OF(n, struct worker_listener, node), before);
    if (before)
        snapshot_unuse(before, w->index);
}

void worker_equip(struct worker *w, const struct credentials *c)
{
    door_set_store(w->door, c->store);
    challenges_unref(w->challenges);
    w->challenges = challenges_ref(c->challenges);
    door_set_challenges(w->door, c->challenges ? challenges_store(c->challenges) : NULL);
    door_set_tickets(w->door, c->tickets);
    door_set_demand(w->door, c->demand);
    door_set_replay(w->door, c->replay);
}

void worker_drain(struct worker *w, int64_t idle_ms)
{
    w->is_draining = true;
    LIST_FOR (n, &w->listeners) {
        struct worker_listener *l = CONTAINER_OF(n, struct worker_listener, node);
        if (!is_removed(l))
            close_listener(l);
    }
    http_env_drain(&w->env, idle_ms);
    tracer_expect_end(w->tracer);
}

bool worker_is_drained(const struct worker *w)
{
    LIST_FOR (n, &w->listeners) {
        if (CONTAINER_OF(n, struct worker_listener, node)->fd >= 0)
            return false;
    }
    return worker_n_open(w) == 0 && w->env.n_subs == 0 && tracer_is_idle(w->tracer);
}

void worker_abort(struct worker *w)
{
    w->is_draining = true;
    LIST_FOR (n, &w->listeners)
        drop_listener(CONTAINER_OF(n, struct worker_listener, node));
    tunnel_abort_all(&w->env);
    http_env_abort(&w->env);
}

uint32_t worker_n_open(const struct worker *w)
{
    return (uint32_t)w->env.stats.counters[HTTP_COUNTER_CONNS_OPEN];
}

const struct http_stats *worker_stats(const struct worker *w)
{
    return &w->env.stats;
}

const uint64_t *worker_spans(const struct worker *w)
{
    return tracer_counts(w->tracer);
}

const struct meter_rows *worker_meters(const struct worker *w)
{
    return &w->meters;
}

const struct recent *worker_recent(const struct worker *w)
{
    return w->recent;
}

const struct door_stats *worker_door_stats(const struct worker *w)
{
    return door_stats(w->door);
}

void worker_each_listener(const struct worker *w, worker_listener_fn *fn, void *arg)
{
    LIST_FOR (n, &w->listeners) {
        const struct worker_listener *l = CONTAINER_OF(n, struct worker_listener, node);
        fn(arg, str_from(l->name, l->name_bytes), l->http.n_conns);
    }
}
