// SPDX-License-Identifier: Apache-2.0
// One exchange with a service: chooses a server, gets a connection, has the request sent and the
// answer's head read, and tries again where that is safe.
//
// What may be tried again (RFC 9110 9.2.2): everything, as long as no connection stood; afterwards
// only what is idempotent and whose body can be sent again, and after those failures alone that
// settings name (judge.h).
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/h1.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/grpc.h"
#include "http/replay.h"
#include "http/websocket.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "upstream/balance.h"
#include "upstream/conn.h"
#include "upstream/judge.h"
#include "upstream/kept_answer.h"
#include "upstream/mirror.h"
#include "upstream/service_priv.h"

#define ANSWER_LINE_MAX_BYTES (16 * 1024)
#define ANSWER_FIELDS_MAX 256
#define HTTP_1_MS (10 * 60 * 1000) // a server that asks for HTTP/1.1 gets nothing else so long
#define SEATS_MAX 64               // servers that one exchange waits for at a time
#define QUEUE_LOOK_MS 250          // then it looks whether anything else has changed
#define REFUSALS_MAX 5 // of one exchange, by servers that leave or have no room (RFC 9113 8.7)

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
};

enum step {
    STEP_DONE,
    STEP_AGAIN,
    STEP_GIVE_UP,
    STEP_CANCELLED, // the client has gone
    STEP_OVERTIME,  // whoever gave the exchange a time for its answer has ended it
};

// Notes a failure for the log and for the client, should it be the last.
COLD static void PRINTF(3, 4) note(struct attempt *a, enum exchange_end end, const char *fmt, ...)
{
    char buf[640];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    a->end = end;
    a->detail = arena_dup(a->x->mem, str_from(buf, MIN((size_t)MAX(n, 0), sizeof buf - 1)));
}

// What no server has answered better.
COLD static enum err give_kept(struct attempt *a)
{
    trail_add(&a->x->trail, a->s->who, "failed", a->detail);
    exchange_drop_answer(a->x);
    kept_answer_give(a->kept, a->x);
    trail_add(&a->x->trail, a->s->who, "gave the answer of", a->x->server_name);
    return ERR_OK;
}

COLD static enum err give_up(struct attempt *a)
{
    struct exchange *x = a->x;
    if (a->kept && !x->resp.must_close) // which is so when the client has failed
        return give_kept(a);
    if (a->end == EXCHANGE_END_OK)
        note(a, EXCHANGE_END_SERVER_CONNECT_TIMEOUT, "no connection in time");
    // A server that can't be reached isn't a slow one, whatever the way in which it can't.
    unsigned status =
        a->end == EXCHANGE_END_SERVER_CONNECT_TIMEOUT ? 502 : exchange_end_status(a->end);
    exchange_fail(x, status, a->end, STR_FMT, STR_ARG(a->detail));
    trail_add(&x->trail, a->s->who, "failed", a->detail);
    if (!a->is_crowded)
        return ERR_OK;
    struct str wait = arena_printf(x->mem, "%" PRId64, (a->s->conf->queue_ms + 999) / 1000);
    return wait.ptr ? headers_set(&x->resp.headers, FIELD_RETRY_AFTER, wait) : ERR_OK;
}

// What h1_client noted.
static void note_told(struct attempt *a, enum exchange_end end)
{
    a->end = end;
    a->detail = a->x->end_detail;
}

// --- choosing ---

// A name that has no answer yet, or NULL; *ret_why of one that has none at all.
static struct worker_server *find_unresolved(struct attempt *a, const char **ret_why)
{
    for (size_t i = 0; i < a->s->n_servers; i++) {
        struct worker_server *server = worker_server_of(a->w, a->s->servers[i].state);
        if (a->s->servers[i].weight == 0)
            continue;
        if (server->version == 0)
            return server;
        if (server->n_targets == 0)
            *ret_why = server->why;
    }
    return NULL;
}

// Nothing is there to choose from: waits for a name's first answer where one is awaited.
COLD static enum step wait_for_names(struct attempt *a)
{
    const char *why = NULL;
    if (a->s->n_servers == 0) {
        a->is_crowded = true;
        note(a, EXCHANGE_END_NO_SERVER, "the service has no servers now");
        return STEP_GIVE_UP;
    }
    struct worker_server *unresolved = find_unresolved(a, &why);
    if (!unresolved) {
        note(a, EXCHANGE_END_NO_SERVER, "%s",
             why ? why : "no server of the service takes requests (weight 0)");
        return STEP_GIVE_UP;
    }
    exchange_watch(a->x);
    int64_t began_ms = clock_now_ms();
    int64_t wait_ms = MIN(a->s->conf->connect_ms, a->connect_left_ms);
    enum fiber_wake wake = worker_server_wait(unresolved, deadline_at(began_ms + wait_ms));
    a->connect_left_ms -= clock_now_ms() - began_ms;
    if (wake == FIBER_CANCELLED)
        return STEP_CANCELLED;
    if (wake == FIBER_READY)
        return STEP_AGAIN;
    note(a, EXCHANGE_END_NO_SERVER, "the server's name is not resolved yet");
    return STEP_GIVE_UP;
}

// All that could be asked were asked, or there is none.
COLD static enum step none_left(struct attempt *a)
{
    if (a->end == EXCHANGE_END_OK)
        note(a, EXCHANGE_END_NO_SERVER,
             "no server of the service is up, as checks say, or all are drained");
    return STEP_GIVE_UP;
}

// A try has ended so. The server may be another one from here on.
static void judge(struct attempt *a, enum outcome o, unsigned status)
{
    judge_try(&a->judge, &a->pick, roster_of(a->w, a->s), a->health, a->x->server_name, o, status);
}

// What the settings let be tried again, is.
static enum step again(struct attempt *a)
{
    return judge_may_repeat(&a->judge, roster_of(a->w, a->s)) ? STEP_AGAIN : STEP_GIVE_UP;
}

// The request was sent, and there is no answer. The failure is noted.
static enum step fail_sent(struct attempt *a, enum outcome o, bool may_repeat)
{
    judge(a, o, 0);
    bool has_tries = a->pick.n_tried < a->s->conf->tries;
    return may_repeat && has_tries ? again(a) : STEP_GIVE_UP;
}

// There is an answer: the client's, unless it is one of those after which another server is asked.
static enum step answered(struct attempt *a, bool may_repeat)
{
    struct exchange *x = a->x;
    unsigned status = x->resp.status;
    judge(a, OUTCOME_STATUS, status);
    if (LIKELY(status < OUTCOME_STATUS_MIN) || !may_repeat ||
        a->pick.n_tried >= a->s->conf->tries ||
        !outcomes_have(&a->s->retry_on, OUTCOME_STATUS, status) ||
        !pick_has_next(&a->pick, roster_of(a->w, a->s)) || again(a) != STEP_AGAIN)
        return STEP_DONE;
    note(a, EXCHANGE_END_NO_SERVER, "server " STR_FMT ": status %u", STR_ARG(x->server_name),
         status);
    if (!a->kept)
        a->kept = kept_answer_take(x);
    exchange_drop_answer(x);
    if (fiber_is_cancelled(fiber_self()))
        return STEP_CANCELLED;
    return STEP_AGAIN;
}

static enum step choose(struct attempt *a, struct roster_entry **ret)
{
    for (;;) {
        struct roster *r = roster_of(a->w, a->s);
        *ret = LIKELY(r->n > 0) ? pick_next(&a->pick, r) : NULL;
        if (LIKELY(*ret || r->n_taking > 0)) {
            return *ret ? STEP_DONE : none_left(a);
        }
        enum step step = wait_for_names(a);
        if (step != STEP_AGAIN)
            return step;
    }
}

// --- a place ---

static void leave_place(struct attempt *a)
{
    if (a->place)
        room_leave(registry_room(a->w->registry), a->place);
    a->place = NULL;
}

// Counts the try that begins. False: there are as many as may be.
static bool take_place(struct attempt *a, const struct roster_entry *e)
{
    const struct room_seat seat = pick_seat(&a->pick, e);
    if (seat.max > 0 && !room_take(&seat))
        return false;
    bool is_counted =
        atomic_load_explicit(&e->target->server->state->is_counted, memory_order_relaxed);
    if (seat.max == 0 && is_counted)
        slot_take(e->slot);
    a->place = seat.max > 0 || is_counted ? e->slot : NULL;
    return true;
}

// The place at slot is ours: who is there? The roster may be another one since the wait began, and
// the server down or drained.
static enum step sit_down(struct attempt *a, struct server_slot *slot, struct roster_entry **ret)
{
    struct roster *r = roster_of(a->w, a->s);
    a->place = slot;
    for (size_t i = 0; i < r->n; i++) {
        if (r->entries[i].slot == slot && pick_is_still_well(&a->pick, r, &r->entries[i])) {
            *ret = &r->entries[i];
            return STEP_DONE;
        }
    }
    leave_place(a);
    return STEP_AGAIN;
}

COLD static enum step turn_away(struct attempt *a, const char *why)
{
    a->is_crowded = true;
    note(a, EXCHANGE_END_RESOURCES, "every server has its max-connections, and %s", why);
    return STEP_GIVE_UP;
}

// *e and all that would do as well have no place left: waits for one. Waits.
COLD static enum step queue_up(struct attempt *a, struct roster_entry **e)
{
    struct room_seat seats[SEATS_MAX];
    size_t n = pick_seats(&a->pick, roster_of(a->w, a->s), *e, seats, SEATS_MAX);
    struct room_waiter *w = room_enter(registry_room(a->w->registry), registry_queue(a->s->shared),
                                       seats, n, a->s->conf->queue_max);
    if (!w)
        return turn_away(a, "the queue is full");
    exchange_watch(a->x);
    trail_add(&a->x->trail, a->s->who, "queued", STR_NONE);
    if (a->queue_until.at_ms == 0)
        a->queue_until = deadline_min(deadline_in(a->s->conf->queue_ms), a->until);
    for (;;) {
        struct server_slot *slot = NULL;
        struct deadline look = deadline_min(a->queue_until, deadline_in(QUEUE_LOOK_MS));
        enum room_got got = room_wait(w, look, &slot);
        if (got == ROOM_GRANTED)
            return sit_down(a, slot, e);
        bool is_late = a->queue_until.at_ms <= clock_now_ms();
        // No place was given back, but a server may have come, or all of them be gone.
        if (got == ROOM_EXPIRED && !is_late && pick_must_wait(&a->pick, roster_of(a->w, a->s)))
            continue;
        slot = room_exit(w);
        if (slot)
            return sit_down(a, slot, e);
        if (got == ROOM_CANCELLED)
            return STEP_CANCELLED;
        return is_late ? turn_away(a, "no place became free in time") : STEP_AGAIN;
    }
}

// --- a connection ---

static bool is_our_own_limit(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void count_failure(struct server_slot *slot)
{
    atomic_fetch_add_explicit(&slot->n_failures, 1, memory_order_relaxed);
}

// The failure is noted. Only the first of a row is worth a line in the log.
COLD static void skip_for_a_while(const struct attempt *a, struct server_slot *slot)
{
    count_failure(slot);
    if (a->s->conf->skip_ms == 0)
        return;
    int64_t until = clock_now_ms() + a->s->conf->skip_ms;
    if (atomic_exchange_explicit(&slot->skip_until_ms, until, memory_order_relaxed) == 0)
        log_warn(STR_FMT ": " STR_FMT "; skipped for a while", STR_ARG(a->s->who),
                 STR_ARG(a->detail));
}

static void note_reached(const struct attempt *a, struct server_slot *slot)
{
    if (LIKELY(atomic_load_explicit(&slot->skip_until_ms, memory_order_relaxed) == 0))
        return;
    if (atomic_exchange_explicit(&slot->skip_until_ms, 0, memory_order_relaxed) == 0)
        return;
    slot_rise(slot, clock_now_ms());
    log_info(STR_FMT ": server " STR_FMT " is back", STR_ARG(a->s->who),
             STR_ARG(a->x->server_name));
}

COLD static enum step connect_failed(struct attempt *a, enum conn_got got,
                                     const struct conn_failure *why, struct server_slot *slot)
{
    struct str name = a->x->server_name;
    int error = why->error;
    switch (got) {
    case CONN_OK:
        return STEP_DONE;
    case CONN_MOVED:
        a->pick.n_tried--; // it was not tried
        return STEP_AGAIN;
    case CONN_CANCELLED:
        return STEP_CANCELLED;
    case CONN_QUEUE_FULL:
        a->is_crowded = true;
        note(a, EXCHANGE_END_RESOURCES, "server " STR_FMT ": the queue for connections is full",
             STR_ARG(name));
        return STEP_GIVE_UP;
    case CONN_QUEUE_TIMEOUT:
        a->is_crowded = true;
        note(a, EXCHANGE_END_RESOURCES, "server " STR_FMT ": no connection became free in time",
             STR_ARG(name));
        return STEP_GIVE_UP;
    case CONN_TIMEOUT:
        note(a, EXCHANGE_END_SERVER_CONNECT_TIMEOUT, "server " STR_FMT ": no %s in time",
             STR_ARG(name), why->tls.kind == TLS_FAILURE_TIMEOUT ? "TLS handshake" : "connection");
        skip_for_a_while(a, slot);
        judge(a, OUTCOME_CONNECT, 0);
        return again(a);
    case CONN_TLS:
        note(a, EXCHANGE_END_SERVER_TLS, "server " STR_FMT ": %s", STR_ARG(name), why->tls.text);
        skip_for_a_while(a, slot);
        judge(a, OUTCOME_CONNECT, 0);
        return again(a);
    case CONN_REFUSED:
        break;
    }
    if (is_our_own_limit(error)) {
        note(a, EXCHANGE_END_RESOURCES, "server " STR_FMT ": %s", STR_ARG(name),
             strerrordesc_np(error));
        return STEP_GIVE_UP;
    }
    note(a, EXCHANGE_END_SERVER_CONNECT, "server " STR_FMT ": %s", STR_ARG(name),
         strerrordesc_np(error));
    skip_for_a_while(a, slot);
    judge(a, OUTCOME_CONNECT, 0);
    return again(a);
}

// Where a server's word about HTTP/1.1 is kept: of upgrades, or of all else.
static _Atomic int64_t *http_1_until(const struct attempt *a, struct server_slot *slot)
{
    return a->x->req.is_upgrade ? &slot->no_tunnel_until_ms : &slot->http_1_until_ms;
}

static bool asked_for_http_1(const struct attempt *a, const struct target *t)
{
    return atomic_load_explicit(http_1_until(a, t->slot), memory_order_relaxed) > clock_now_ms();
}

// What upgrades other than WebSocket need is HTTP/1.1's own, and what gRPC needs, HTTP/2's:
// trailers, and bodies both ways at a time.
static bool may_share(const struct attempt *a, const struct target *t)
{
    enum server_http http = t->server->state->http;
    const struct request *r = &a->x->req;
    if (http == SERVER_HTTP_1 || r->is_raw || (r->is_upgrade && !websocket_is_asked_for(r)))
        return false;
    return http == SERVER_HTTP_2 || a->is_grpc || (!a->wants_http_1 && !asked_for_http_1(a, t));
}

static bool may_be_alone(const struct attempt *a, const struct target *t)
{
    return a->x->req.is_raw || (t->server->state->http != SERVER_HTTP_2 && !a->is_grpc);
}

// Waits, if there is no connection. STEP_DONE: *ret.
NOINLINE static enum step connect_to(struct attempt *a, struct target *t, struct lease *ret)
{
    const struct service_conf *conf = a->s->conf;
    // What waits may let the target go: the slot is the server's, which the snapshot keeps.
    struct server_slot *slot = t->slot;
    UNINITIALIZED struct conn_failure failure; // large, and hardly ever written to
    failure.error = 0;
    failure.tls.kind = TLS_FAILURE_NONE;
    a->may_choose = may_share(a, t) && may_be_alone(a, t);
    struct conn_wish wish = {
        .env = a->x->env,
        .may_share = may_share(a, t),
        .may_be_alone = may_be_alone(a, t),
        .is_fresh = a->wants_fresh || a->x->req.is_raw,
        .is_sure = !a->is_idempotent || a->x->req.body,
        .conns_max = conf->conns_max,
        .queue_max = conf->queue_max,
        .queue_ms = conf->queue_ms,
        .connect_ms = conf->connect_ms,
        .connect_left_ms = &a->connect_left_ms,
        .failure = &failure,
        .health = a->health,
        .is_panic = a->pick.is_panic,
        .idle_ms = conf->idle_ms,
        .idle_max = conf->idle_max,
    };
    if (target_is_full(t, conf->conns_max)) // who leaves the queue gives up the place in it
        exchange_watch(a->x);
    enum conn_got got = target_get(t, &wish, ret);
    if (LIKELY(got == CONN_OK))
        return STEP_DONE;
    leave_place(a);
    return connect_failed(a, got, &failure, slot);
}

// --- the exchange ---

static struct str host_for(const struct attempt *a, size_t server)
{
    switch (a->s->host) {
    case SERVICE_HOST_KEEP:
        break;
    case SERVICE_HOST_SERVER:
        return a->s->servers[server].authority;
    case SERVICE_HOST_FIXED:
        return a->s->conf->host.text;
    }
    return STR_NONE;
}

// The client's side failed: it is told, unless it has gone.
COLD static enum step body_failed(struct attempt *a)
{
    struct exchange *x = a->x;
    if (x->resp.status != 0)
        return STEP_DONE;
    if (x->end == EXCHANGE_END_CLIENT_GONE || x->end == EXCHANGE_END_OK)
        return STEP_CANCELLED;
    note_told(a, x->end);
    x->resp.must_close = true;
    return STEP_GIVE_UP;
}

// A server that won't have a request that may be a replay gets it when it isn't one (RFC 8470 5.2).
COLD static enum step too_early(struct attempt *a)
{
    if (!exchange_retry_early(a->x))
        return STEP_DONE;
    a->pick.n_tried--;
    note(a, EXCHANGE_END_OK, "too early");
    return STEP_AGAIN;
}

// By the loop's clock, which costs nothing: what both ends of the time are late by is the worker's
// own business of one turn, the same for all servers.
static void measure(const struct attempt *a, struct server_slot *slot)
{
    if (balance_methods[a->s->conf->balance].measures)
        slot_observe(slot, clock_now_ns() - a->began_ns, clock_now_ms());
}

// RFC 9113 7: so the server did nothing of it, whatever its method is.
COLD static enum step ask_by_http_1(struct attempt *a, bool sent_body, struct server_slot *slot)
{
    bool is_known = atomic_exchange_explicit(http_1_until(a, slot), clock_now_ms() + HTTP_1_MS,
                                             memory_order_relaxed) > clock_now_ms();
    note_told(a, EXCHANGE_END_SERVER_PROTOCOL);
    if (!is_known && a->may_choose && !a->x->req.is_upgrade)
        log_info(STR_FMT ": " STR_FMT "; it gets HTTP/1.1 where the settings leave the choice",
                 STR_ARG(a->s->who), STR_ARG(a->detail));
    if (sent_body || !a->may_choose || ++a->n_refused > REFUSALS_MAX)
        return STEP_GIVE_UP;
    a->wants_http_1 = true;
    a->pick.n_tried--;
    return STEP_AGAIN;
}

// Whether the server has all of the request, and has had the most of the time since that came here.
static bool is_servers_fault(const struct exchange *x)
{
    const struct body *b = x->req.body;
    if (b && (b->length < 0 || x->request_bytes < (uint64_t)b->length))
        return false;
    int64_t now_ns = clock_now_ns();
    return (now_ns - x->times.chosen) * 2 >= now_ns - x->times.head_read;
}

// A wait for the server has ended. If not because the client has gone, but because a filter's time
// for the answer is over, the server was too slow.
COLD static enum step interrupted(struct attempt *a, struct server_slot *slot)
{
    if (!fiber_is_interrupted(fiber_self()) || !is_servers_fault(a->x))
        return STEP_CANCELLED;
    count_failure(slot);
    measure(a, slot);
    judge(a, OUTCOME_TIMEOUT, 0);
    return STEP_OVERTIME;
}

static enum step served(struct attempt *a, enum http_client_end end, bool sent_body,
                        struct server_slot *slot)
{
    bool may_repeat = a->is_idempotent && !sent_body;
    switch (end) {
    case HTTP_CLIENT_OK:
        note_reached(a, slot);
        measure(a, slot);
        return UNLIKELY(a->x->resp.status == 425) ? too_early(a) : answered(a, may_repeat);
    case HTTP_CLIENT_STALE:
        a->wants_fresh = true;
        a->pick.n_tried--; // not the server's fault
        note_told(a, EXCHANGE_END_SERVER_GONE);
        return may_repeat ? STEP_AGAIN : STEP_GIVE_UP;
    case HTTP_CLIENT_CLOSED:
        count_failure(slot);
        note_told(a, EXCHANGE_END_SERVER_GONE);
        return fail_sent(a, OUTCOME_CLOSED, may_repeat);
    case HTTP_CLIENT_REFUSED:
        note_told(a, EXCHANGE_END_SERVER_GONE);
        if (sent_body || ++a->n_refused > REFUSALS_MAX)
            return STEP_GIVE_UP;
        a->pick.n_tried--; // it was not the server's whole refusal, as a rule: this connection's
        return STEP_AGAIN;
    case HTTP_CLIENT_HTTP_1:
        return ask_by_http_1(a, sent_body, slot);
    case HTTP_CLIENT_TIMEOUT:
        count_failure(slot);
        measure(a, slot);
        note_told(a, EXCHANGE_END_SERVER_TIMEOUT);
        return fail_sent(a, OUTCOME_TIMEOUT, may_repeat);
    case HTTP_CLIENT_PROTOCOL:
        count_failure(slot);
        note_told(a, EXCHANGE_END_SERVER_PROTOCOL);
        return fail_sent(a, OUTCOME_MALFORMED, may_repeat);
    case HTTP_CLIENT_RESOURCES:
        note_told(a, EXCHANGE_END_RESOURCES);
        return STEP_GIVE_UP;
    case HTTP_CLIENT_BODY:
        return body_failed(a);
    case HTTP_CLIENT_CANCELLED:
        break;
    }
    return interrupted(a, slot);
}

static struct http_client_options options_for(const struct attempt *a, size_t server)
{
    const struct service_conf *conf = a->s->conf;
    return (struct http_client_options){
        .limits = {.line_max_bytes = ANSWER_LINE_MAX_BYTES,
                   .head_max_bytes = (uint32_t)conf->head_max_bytes,
                   .fields_max = ANSWER_FIELDS_MAX},
        .head_ms = conf->head_ms,
        .body_idle_ms = conf->body_idle_ms,
        .tunnel_idle_ms = a->x->entry->tunnel_idle_ms,
        .until = a->until,
        .host = host_for(a, server),
    };
}

// The client keeps to the server that has answered, if that isn't the one it named.
static enum step stick(struct attempt *a)
{
    struct exchange *x = a->x;
    if (a->token[0] == '\0' || x->resp.status == 0 || sticky_is(a->pick.shown, a->token))
        return STEP_DONE;
    if (sticky_give(&a->s->sticky, x, a->token) == ERR_OK)
        return STEP_DONE;
    note(a, EXCHANGE_END_RESOURCES, "the exchange's memory is used up");
    return STEP_GIVE_UP;
}

static void call_ended(void *slot)
{
    room_leave(registry_room(upstream_worker_self()->registry), slot);
}

static enum step serve_alone(struct attempt *a, struct conn *c, size_t server,
                             struct server_slot *slot)
{
    struct exchange *x = a->x;
    c->place = a->place;
    a->place = NULL;
    x->is_reused = c->client.n_exchanges > 0;
    c->target->n_requests++;
    x->times.connected = clock_now_ns();
    if (x->req.is_raw) {
        x->resp.tunnel = h1_client_take(&c->client);
        judge(a, OUTCOME_STATUS, 200);
        return STEP_DONE;
    }
    const struct http_client_options options = options_for(a, server);
    bool sent_body = false;
    enum http_client_end end = h1_client_serve(&c->client, x, &options, &sent_body);
    return served(a, end, sent_body, slot);
}

static enum step serve_shared(struct attempt *a, struct mux *m, size_t server,
                              struct server_slot *slot)
{
    struct exchange *x = a->x;
    if (!mux_begin(m)) { // over before it could begin
        leave_place(a);
        a->pick.n_tried--;
        return STEP_AGAIN;
    }
    x->is_reused = m->client.n_exchanges > 0;
    m->target->n_requests++;
    x->times.connected = clock_now_ns();
    struct http_client_options options = options_for(a, server);
    options.ended = a->place ? call_ended : NULL;
    options.ended_arg = a->place;
    a->place = NULL;
    bool sent_body = false;
    enum http_client_end end = h2_client_serve(&m->client, x, &options, &sent_body);
    return served(a, end, sent_body, slot);
}

// Whether the server's protocol is one that the exchange can go by.
static bool can_speak(struct attempt *a, const struct target *t)
{
    if (may_share(a, t) || may_be_alone(a, t))
        return true;
    if (a->x->req.is_upgrade) {
        note(a, EXCHANGE_END_SERVER_PROTOCOL,
             "server " STR_FMT ": an upgrade to anything but WebSocket needs HTTP/1.1, and the "
             "settings say HTTP/2 alone",
             STR_ARG(t->name));
        return false;
    }
    note(a, EXCHANGE_END_SERVER_PROTOCOL,
         "server " STR_FMT ": gRPC needs HTTP/2, and the settings say HTTP/1.1: write its URL with "
         "h2c:// or https://, or 'http: 2' in the service",
         STR_ARG(t->name));
    return false;
}

static enum step try_once(struct attempt *a)
{
    struct exchange *x = a->x;
    struct roster_entry *e;
    enum step step = choose(a, &e);
    if (step == STEP_DONE && !take_place(a, e))
        step = queue_up(a, &e);
    if (step != STEP_DONE)
        return step;
    if (balance_methods[a->s->conf->balance].measures)
        a->began_ns = clock_now_ns();
    if (a->end != EXCHANGE_END_OK)
        trail_add(&x->trail, a->s->who, "retried", a->detail);
    if (!can_speak(a, e->target)) {
        leave_place(a);
        return STEP_GIVE_UP;
    }
    // What waits may let the target go: the slot is the server's, which the snapshot keeps.
    struct server_slot *slot = e->target->slot;
    size_t server = roster_server(e);
    a->health = health_slot_of(a->s->servers[server].health, e->target->slot_index);
    a->pick.tried[a->pick.n_tried++] = e->key;
    x->server_name = arena_dup(x->mem, e->target->name);
    bool is_kept = a->s->sticky.is_on && sticky_is(a->pick.shown, e->token);
    trail_add(&x->trail, a->s->who, is_kept ? "kept to" : "chose", x->server_name);
    memcpy(a->token, e->token, sizeof a->token);
    x->times.chosen = clock_now_ns();
    x->n_tries++;
    struct lease lease;
    step = connect_to(a, e->target, &lease);
    if (step != STEP_DONE)
        return step;
    bool is_new =
        lease.mux ? lease.mux->client.n_exchanges == 0 : lease.conn->client.n_exchanges == 0;
    if (is_new)
        note_reached(a, slot);
    step = lease.mux ? serve_shared(a, lease.mux, server, slot)
                     : serve_alone(a, lease.conn, server, slot);
    return UNLIKELY(a->s->sticky.is_on) && step == STEP_DONE ? stick(a) : step;
}

// The breaker is open.
COLD static enum err refuse(struct attempt *a)
{
    struct exchange *x = a->x;
    exchange_fail(x, 503, EXCHANGE_END_BREAKER, STR_FMT ": its breaker is open",
                  STR_ARG(a->s->who));
    trail_add(&x->trail, a->s->who, "refused", STR("its breaker is open"));
    struct str after = arena_printf(x->mem, "%lld", (long long)judge_retry_after_s(&a->judge));
    if (!after.ptr || headers_set(&x->resp.headers, FIELD_RETRY_AFTER, after) != ERR_OK)
        return ERR_LIMIT;
    return ERR_OK;
}

static enum err service_serve(const struct handler *h, struct exchange *x)
{
    const struct service *s = service_of(h);
    struct attempt a = {
        .x = x,
        .s = s,
        .w = upstream_worker_self(),
        .pick = {.service = s, .worker = upstream_worker_self(), .exchange = x},
        .is_idempotent = method_is_idempotent(x->req.method_id),
        .is_grpc = grpc_is(x),
        .until = deadline_at(INT64_MAX),
        .connect_left_ms = s->conf->connect_ms + s->conf->connect_ms / 2,
    };
    ASSERT(a.w != NULL);
    if (UNLIKELY(s->mirror != NULL))
        mirror_begin(s->mirror, s->who, x);
    if (s->sticky.is_on)
        a.pick.shown = sticky_take(&s->sticky, x);
    x->service_name = s->handler.name;
    int64_t timeout_ms = a.is_grpc ? grpc_timeout_ms(x) : -1;
    if (timeout_ms >= 0) {
        a.until = deadline_in(timeout_ms);
        a.connect_left_ms = MIN(a.connect_left_ms, timeout_ms);
    }
    if (UNLIKELY(!judge_begin(&a.judge, s, roster_of(a.w, s))))
        return refuse(&a);
    if (x->req.body && a.is_idempotent && s->conf->tries > 1)
        replay_record(x, s->conf->retries.body_max_bytes);
    enum step step = STEP_AGAIN;
    while (step == STEP_AGAIN) {
        step = try_once(&a);
        // An answer that isn't taken was dropped, and what sent the body has ended with it.
        if (step == STEP_AGAIN &&
            (a.pick.n_tried >= s->conf->tries || a.connect_left_ms <= 0 || !replay_restart(x)))
            step = STEP_GIVE_UP;
    }
    if (UNLIKELY(step == STEP_CANCELLED)) {
        judge_cancel(&a.judge);
        return ERR_CANCELLED;
    }
    judge_end(&a.judge);
    if (UNLIKELY(step == STEP_OVERTIME))
        return ERR_CANCELLED;
    return LIKELY(step == STEP_DONE) ? ERR_OK : give_up(&a);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    return service_describe(h, x->mem);
}

const struct handler_type service_handler_type = {
    .name = "service",
    .serve = service_serve,
    .explain = explain,
};
