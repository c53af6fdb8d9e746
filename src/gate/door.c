// SPDX-License-Identifier: Apache-2.0
#include "gate/door.h"

#include <errno.h>

#include "base/mem.h"
#include "gate/sni.h"
#include "http/h1_server.h"
#include "http/h2_server.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/timer.h"
#include "tls/server.h"

#define ANSWER_MS 1000 // for a refusal, and for the client to hear it
#define DROP_MAX_BYTES (64 * 1024)
// A ClientHello in its records; as a rule a block and a buffer are room enough.
#define HELLO_MESSAGE_MAX_BYTES (16 * 1024)
#define HELLO_WIRE_MAX_BYTES (32 * 1024)

enum door_state {
    DOOR_WAITING, // nothing has come: no fiber, no buffer
    DOOR_SHAKING, // a fiber and what it needs
    DOOR_CLOSED,  // freed at the end of the turn
};

struct door_conn {
    struct door_guest guest;
    struct http_conn conn;
    struct list_node node; // SHAKING: in door.shaking
    struct rt_timer timer; // WAITING
    struct door *door;     // borrows
    struct fiber *fiber;   // borrows: SHAKING
    char *buf;             // owns: SHAKING: a buffer
    char *large;           // owns: SHAKING: room for a long ClientHello and its bytes; or NULL
    const char *bytes;     // borrows: as they came, in buf or in large
    size_t n;
    enum door_state state;
    bool is_stopped;
    char name[256]; // guest.server_name
};

struct door {
    struct http_env *env;         // borrows
    const struct door_app *app;   // borrows
    struct tls_store *store;      // shares; NULL: none yet
    struct tls_store *challenges; // shares
    struct tls_tickets *tickets;  // shares
    struct demand *demand;        // borrows; NULL: none
    struct tls_replay *replay;    // shares; NULL: no early data
    struct list shaking;          // struct door_conn: oldest first
    uint32_t handshakes_max;
    struct door_stats stats;
};

static void count_in(uint64_t *at, int64_t n)
{
    __atomic_store_n(at, *at + (uint64_t)n, __ATOMIC_RELAXED);
}

static void count(struct door *d, enum door_counter c, int64_t n)
{
    count_in(&d->stats.counters[c], n);
}

// --- the end of a connection ---

static void free_conn(void *arg)
{
    mem_free(arg);
}

static void close_conn(struct door_conn *c)
{
    ASSERT(c->state != DOOR_CLOSED && !c->buf);
    timer_stop(&c->timer);
    c->state = DOOR_CLOSED;
    if (c->guest.stream.sock.fd >= 0)
        stream_close(&c->guest.stream);
    if (list_node_is_linked(&c->conn.node)) // it wasn't handed over
        http_conn_end(&c->conn);
    loop_defer(free_conn, c);
}

// --- refusals ---

// The handshake came to nothing, by the client's doing.
static void note_offence(const struct door_conn *c)
{
    http_note_offence(c->guest.listener, &c->guest.peer, HTTP_OFFENCE_HANDSHAKE);
}

static struct deadline answer_time(void)
{
    return deadline_in(ANSWER_MS);
}

static void send_bytes(struct door_conn *c, struct str bytes)
{
    // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
    struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    enum io io = stream_writev(&c->guest.stream, &iov, 1, ANSWER_MS, answer_time());
    (void)io; // it is being refused
}

// Until the client has ended: what it sends would turn our end into a reset, which could take the
// answer away.
static void linger(struct door_conn *c)
{
    struct stream *s = &c->guest.stream;
    struct deadline until = answer_time();
    size_t n = 0;
    stream_shut_write(s);
    for (size_t left = DROP_MAX_BYTES;
         left > n && stream_read(s, c->buf, HTTP_BUFFER_BYTES, until, &n) == IO_DONE;)
        left -= n;
}

static void send_alert(struct door_conn *c, enum tls_alert alert)
{
    char bytes[TLS_ALERT_BYTES];
    tls_alert_write(alert, bytes);
    send_bytes(c, str_from(bytes, sizeof bytes));
}

static void refuse_plain_http(struct door_conn *c)
{
    static const struct str answer = STR_INIT(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 54\r\n"
        "Connection: close\r\n\r\nThis port speaks HTTPS: use https:// in the address.\r\n");
    count(c->door, DOOR_COUNTER_PLAIN_HTTP, 1);
    send_bytes(c, answer);
    linger(c);
}

static void refuse_hello(struct door_conn *c, enum client_hello_error error)
{
    if (log_is_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "TLS: %s", client_hello_error_text(error));
    if (error == CLIENT_HELLO_ERROR_PLAIN_HTTP) {
        refuse_plain_http(c);
        return;
    }
    count(c->door, DOOR_COUNTER_BAD_HELLO, 1);
    note_offence(c);
    if (error != CLIENT_HELLO_ERROR_NOT_TLS)
        send_alert(c, TLS_ALERT_DECODE_ERROR);
}

static void refuse_name(struct door_conn *c)
{
    count(c->door, DOOR_COUNTER_UNKNOWN_NAME, 1);
    if (log_is_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "TLS: no certificate for '" STR_FMT "'", STR_ARG(c->guest.server_name));
    send_alert(c, TLS_ALERT_UNRECOGNIZED_NAME);
}

// --- the ClientHello ---

// More room for the bytes that came, and for the message.
static char *make_large(struct door_conn *c)
{
    c->large = mem_alloc_raw(HELLO_MESSAGE_MAX_BYTES + HELLO_WIRE_MAX_BYTES);
    char *bytes = c->large + HELLO_MESSAGE_MAX_BYTES;
    memcpy(bytes, c->buf, c->n);
    return bytes;
}

// Goes on from the bytes that are there until it is whole. room is for the message, and lives as
// long as *ret.
static bool read_hello(struct door_conn *c, char *room, struct client_hello *ret)
{
    struct client_hello_reader reader;
    struct stream *s = &c->guest.stream;
    enum client_hello_error error;
    char *bytes = c->buf;
    size_t cap = HTTP_BUFFER_BYTES, n_seen = 0;
    client_hello_begin(&reader, room, HTTP_BLOCK_BYTES);
    for (;;) {
        c->bytes = bytes;
        struct str piece = str_from(bytes + n_seen, c->n - n_seen);
        enum io io = client_hello_feed(&reader, piece, ret, &error);
        n_seen = c->n;
        if (io == IO_DONE)
            return true;
        if (io == IO_AGAIN && c->n == cap) { // in records that hold next to nothing
            error = CLIENT_HELLO_ERROR_LENGTH;
            io = IO_FAIL;
        }
        if (io == IO_FAIL && error == CLIENT_HELLO_ERROR_LENGTH && !c->large) {
            bytes = make_large(c);
            cap = HELLO_WIRE_MAX_BYTES;
            n_seen = 0;
            client_hello_begin(&reader, c->large, HELLO_MESSAGE_MAX_BYTES);
            continue;
        }
        if (io == IO_FAIL)
            break;
        size_t n = 0;
        io = stream_read(s, bytes + c->n, cap - c->n, c->guest.until, &n);
        if (io == IO_FAIL && s->sock.error == ETIMEDOUT) {
            count(c->door, DOOR_COUNTER_SLOW, 1);
            note_offence(c);
        }
        if (io != IO_DONE)
            return false;
        c->n += n;
    }
    refuse_hello(c, error);
    return false;
}

static bool offers_challenge(struct str alpn)
{
    struct str protocol;
    while (client_hello_next_protocol(&alpn, &protocol)) {
        if (str_eq(protocol, STR("acme-tls/1")))
            return true;
    }
    return false;
}

// --- the handshake ---

// True: the stream goes on as HTTP.
static bool shake(struct door_conn *c, const struct tls_policy *policy,
                  const struct tls_entry *entry, struct str alpn)
{
    struct door *d = c->door;
    struct tls_failure failure = {.kind = TLS_FAILURE_NONE};
    struct tls_tickets *tickets = tls_tickets_ref(d->tickets);
    struct tls_replay *replay = tls_replay_ref(d->replay);
    enum err err = tls_accept(&c->guest.stream,
                              &(struct tls_accept_options){
                                  .policy = policy,
                                  .entry = entry,
                                  .tickets = tickets,
                                  .replay = replay,
                                  .server_name = c->guest.server_name,
                                  .early = c->guest.early,
                                  .alpn = alpn,
                                  .until = c->guest.until,
                              },
                              &failure);
    tls_tickets_unref(tickets);
    tls_replay_unref(replay);
    if (err != ERR_OK) {
        count_in(&d->stats.failures[failure.kind], 1);
        if (failure.kind != TLS_FAILURE_CANCELLED && failure.kind != TLS_FAILURE_INTERNAL)
            note_offence(c);
        if (log_is_on(LOG_DEBUG))
            log_line(LOG_DEBUG, "TLS for '" STR_FMT "': %s", STR_ARG(c->guest.server_name),
                     failure.text);
        return false;
    }
    count(d, DOOR_COUNTER_DONE, 1);
    const struct tls_info *info = tls_conn_info(&c->guest.stream);
    count(d, DOOR_COUNTER_TLS12, info->version == 0x0303);
    count(d, DOOR_COUNTER_RESUMED, info->is_resumed);
    count(d, DOOR_COUNTER_EARLY, info->is_early);
    return true;
}

// Shows a challenge's certificate, and nothing after it (RFC 8737 3).
static void answer_challenge(struct door_conn *c)
{
    struct tls_store *store = tls_store_ref(c->door->challenges);
    const struct tls_entry *entry = tls_store_find_exact(store, c->guest.server_name);
    if (!entry)
        refuse_name(c);
    else if (shake(c, c->guest.conf->policy, entry, TLS_ALPN_ACME))
        linger(c);
    tls_store_unref(store);
}

// A name that may have a certificate and has none yet waits for it; then its handshake has the
// whole time that handshakes have.
static void wait_for_demand(struct door_conn *c)
{
    struct door *d = c->door;
    struct door_guest *g = &c->guest;
    bool has;
    if (!d->demand || !demand_is_for(g->conf->demand, d->store, g->server_name, &has))
        return;
    if (has) {
        demand_note_use(d->demand, g->server_name);
        return;
    }
    count(d, DOOR_COUNTER_DEMANDED, 1);
    (void)demand_wait(d->demand, g->conf->demand, g->server_name);
    g->until = deadline_in(g->conf->handshake_ms);
}

static void go_on_as_http(struct door_guest *g)
{
    if (str_eq(tls_conn_info(&g->stream)->protocol, STR("h2")))
        h2_server_adopt(g->listener, &g->stream, &g->peer, g->peer_port, STR_NONE);
    else
        h1_server_adopt(g->listener, &g->stream, &g->peer, g->peer_port);
}

static void terminate(struct door_conn *c)
{
    struct door *d = c->door;
    struct door_guest *g = &c->guest;
    wait_for_demand(c);
    if (!d->store) {
        refuse_name(c);
        return;
    }
    struct tls_store *store = tls_store_ref(d->store); // another may come meanwhile
    const struct tls_entry *entry = g->conf->strict_sni
                                        ? tls_store_find_exact(store, g->server_name)
                                        : tls_store_find(store, g->server_name);
    struct str alpn = g->conf->http2 ? TLS_ALPN_HTTP2 : TLS_ALPN_HTTP1;
    if (!entry)
        refuse_name(c);
    else if (shake(c, sni_policy(g->conf, g->server_name), entry, alpn) && !c->is_stopped)
        go_on_as_http(g);
    tls_store_unref(store);
}

static void decide(struct door_conn *c)
{
    struct door *d = c->door;
    struct door_guest *g = &c->guest;
    g->conf = d->app->begin(g->listener, &g->snapshot);
    if (!g->conf)
        return;
    if (d->challenges && offers_challenge(g->alpn))
        answer_challenge(c);
    else if (d->app->take && d->app->take(g))
        count(d, DOOR_COUNTER_TAKEN, 1);
    else if (g->conf->policy)
        terminate(c);
    else
        refuse_name(c); // an entrypoint for TCP alone
    d->app->end(g->listener, g->snapshot);
}

// Bounded: the one that has taken longest has to go, as ours take milliseconds.
static void begin_shaking(struct door_conn *c)
{
    struct door *d = c->door;
    struct list_node *first = list_first(&d->shaking);
    if (first && d->stats.counters[DOOR_COUNTER_OPEN] >= d->handshakes_max) {
        struct door_conn *oldest = CONTAINER_OF(first, struct door_conn, node);
        list_remove(&oldest->node);
        list_push_back(&d->shaking, &oldest->node); // not twice in a turn
        count(d, DOOR_COUNTER_CROWDED, 1);
        fiber_cancel(oldest->fiber);
    }
    list_push_back(&d->shaking, &c->node);
    count(d, DOOR_COUNTER_OPEN, 1);
}

static void welcome(struct door_conn *c, char *room)
{
    struct client_hello hello;
    begin_shaking(c);
    if (read_hello(c, room, &hello)) {
        size_t n = MIN(hello.server_name.len, sizeof c->name);
        if (n > 0)
            memcpy(c->name, hello.server_name.ptr, n);
        c->guest.server_name = str_from(c->name, n);
        c->guest.alpn = hello.alpn;
        c->guest.early = str_from(c->bytes, c->n);
        decide(c);
    }
    list_remove(&c->node);
    count(c->door, DOOR_COUNTER_OPEN, -1);
}

static void on_timer(struct rt_timer *t)
{
    struct door_conn *c = CONTAINER_OF(t, struct door_conn, timer);
    count(c->door, DOOR_COUNTER_SLOW, 1);
    close_conn(c);
}

static void wait_for_first_byte(struct door_conn *c)
{
    int64_t leave_ms = http_leave_idle_ms(c->guest.listener);
    int64_t due_ms = c->guest.until.at_ms;
    if (leave_ms < INT64_MAX)
        due_ms = MIN(due_ms, clock_now_ms() + leave_ms);
    c->state = DOOR_WAITING;
    http_conn_rest(&c->conn);
    timer_start(&c->timer, due_ms, on_timer);
    sock_watch(&c->guest.stream.sock);
}

// The fiber of a connection from its first byte on. A look without any byte leaves it waiting.
static void run(void *arg)
{
    struct door_conn *c = arg;
    struct http_env *env = c->door->env;
    char *room = pool_take(&env->blocks);
    c->buf = room ? pool_take(&env->buffers) : NULL;
    c->fiber = fiber_self();
    enum io io = IO_FAIL;
    if (!c->buf)
        http_count(env, HTTP_COUNTER_CONNS_REFUSED, 1);
    else if (!c->is_stopped)
        io = stream_try_read(&c->guest.stream, c->buf, HTTP_BUFFER_BYTES, &c->n);
    if (io == IO_DONE)
        welcome(c, room);
    if (c->buf)
        pool_give(&env->buffers, c->buf);
    if (room)
        pool_give(&env->blocks, room);
    mem_free(c->large);
    c->buf = c->large = NULL;
    c->fiber = NULL;
    if (io == IO_AGAIN)
        wait_for_first_byte(c);
    else
        close_conn(c);
}

// --- waiting for the first byte ---

static void resume(struct door_conn *c)
{
    http_conn_rouse(&c->conn);
    timer_stop(&c->timer);
    c->state = DOOR_SHAKING;
    if (fiber_run(run, c))
        return;
    http_count(c->door->env, HTTP_COUNTER_CONNS_REFUSED, 1);
    close_conn(c);
}

static void on_event(struct rt_sock *s)
{
    struct door_conn *c = CONTAINER_OF(s, struct door_conn, guest.stream.sock);
    if (c->state == DOOR_WAITING && s->is_readable)
        resume(c);
    else if (c->state == DOOR_SHAKING && s->has_error && c->fiber)
        fiber_cancel(c->fiber); // a reset: nobody is there any more
}

static void stop(struct http_conn *conn)
{
    struct door_conn *c = CONTAINER_OF(conn, struct door_conn, conn);
    if (c->state == DOOR_WAITING) {
        close_conn(c);
    } else if (c->state == DOOR_SHAKING) {
        c->is_stopped = true;
        if (c->fiber)
            fiber_cancel(c->fiber);
    }
}

static void leave(struct http_conn *conn, int64_t idle_ms, int64_t not_before_ms)
{
    struct door_conn *c = CONTAINER_OF(conn, struct door_conn, conn);
    int64_t due_ms = MAX(clock_now_ms() + idle_ms, not_before_ms);
    if (c->state == DOOR_WAITING && due_ms < c->timer.at_ms)
        timer_start(&c->timer, due_ms, on_timer);
}

static const struct http_conn_ops conn_ops = {
    .name = STR_INIT("door"), .close = stop, .leave = leave};

// --- public ---

struct door *door_new(struct http_env *env, const struct door_app *app, uint32_t handshakes_max)
{
    struct door *d = MEM_NEW(struct door);
    d->env = env;
    d->app = app;
    d->handshakes_max = handshakes_max;
    list_init(&d->shaking);
    return d;
}

void door_free(struct door *d)
{
    if (!d)
        return;
    ASSERT(list_is_empty(&d->shaking));
    tls_store_unref(d->store);
    tls_store_unref(d->challenges);
    tls_tickets_unref(d->tickets);
    tls_replay_unref(d->replay);
    mem_free(d);
}

void door_adopt(struct door *d, struct http_listener *l, int64_t handshake_ms, struct stream *s,
                const struct ip *peer, uint16_t peer_port)
{
    struct door_conn *c = MEM_NEW(struct door_conn);
    c->door = d;
    c->guest.listener = l;
    c->guest.until = deadline_in(handshake_ms);
    stream_move(s, &c->guest.stream);
    c->guest.stream.sock.on_event = on_event;
    c->guest.peer = *peer;
    c->guest.peer_port = peer_port;
    http_conn_begin(&c->conn, l, &conn_ops);
    // TCP_DEFER_ACCEPT: its first bytes are here, as a rule.
    resume(c);
}

void door_accept(struct door *d, struct http_listener *l, int64_t handshake_ms, int fd,
                 const struct rt_addr *peer)
{
    struct stream s;
    struct ip ip;
    uint16_t port;
    if (http_accept(d->env, fd, peer, &s, &ip, &port))
        door_adopt(d, l, handshake_ms, &s, &ip, port);
}

void door_hand_over(struct door_guest *g)
{
    http_conn_end(&CONTAINER_OF(g, struct door_conn, guest)->conn);
}

static void switch_store(struct tls_store **at, struct tls_store *s)
{
    struct tls_store *before = *at;
    *at = s ? tls_store_ref(s) : NULL;
    tls_store_unref(before);
}

void door_set_store(struct door *d, struct tls_store *s)
{
    switch_store(&d->store, s);
}

const struct tls_store *door_store(const struct door *d)
{
    return d->store;
}

void door_set_challenges(struct door *d, struct tls_store *s)
{
    switch_store(&d->challenges, s);
}

void door_set_tickets(struct door *d, struct tls_tickets *t)
{
    struct tls_tickets *before = d->tickets;
    d->tickets = tls_tickets_ref(t);
    tls_tickets_unref(before);
}

void door_set_demand(struct door *d, struct demand *demand)
{
    d->demand = demand;
}

void door_set_replay(struct door *d, struct tls_replay *r)
{
    struct tls_replay *before = d->replay;
    d->replay = tls_replay_ref(r);
    tls_replay_unref(before);
}

const struct door_stats *door_stats(const struct door *d)
{
    return &d->stats;
}
