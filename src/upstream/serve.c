// SPDX-License-Identifier: Apache-2.0
// One exchange with a service: chooses a server, gets a connection, has the request sent and the
// answer's head read, and tries again where that is safe (serve_outcome.c).
#include <inttypes.h>
#include <string.h>

#include "codec/h1.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/grpc.h"
#include "http/replay.h"
#include "rt/clock.h"
#include "upstream/balance.h"
#include "upstream/kept_answer.h"
#include "upstream/mirror.h"
#include "upstream/serve_priv.h"

#define ANSWER_LINE_MAX_BYTES (16 * 1024)
#define ANSWER_FIELDS_MAX 256

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
        attempt_note(a, EXCHANGE_END_SERVER_CONNECT_TIMEOUT, "no connection in time");
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
    attempt_note(a, EXCHANGE_END_RESOURCES, "the exchange's memory is used up");
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
        attempt_judge(a, OUTCOME_STATUS, 200);
        return STEP_DONE;
    }
    const struct http_client_options options = options_for(a, server);
    bool sent_body = false;
    enum http_client_end end = h1_client_serve(&c->client, x, &options, &sent_body);
    return attempt_served(a, end, sent_body, slot);
}

static enum step serve_shared(struct attempt *a, struct mux *m, size_t server,
                              struct server_slot *slot)
{
    struct exchange *x = a->x;
    if (!mux_begin(m)) { // over before it could begin
        attempt_leave_place(a);
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
    return attempt_served(a, end, sent_body, slot);
}

// Asks the server that was chosen.
static enum step ask(struct attempt *a, struct target *t, size_t server)
{
    // What waits may let the target go: the slot is the server's, which the snapshot keeps.
    struct server_slot *slot = t->slot;
    struct lease lease;
    enum step step = attempt_connect(a, t, &lease);
    if (step != STEP_DONE)
        return step;
    bool is_new =
        lease.mux ? lease.mux->client.n_exchanges == 0 : lease.conn->client.n_exchanges == 0;
    if (is_new)
        attempt_reached(a, slot);
    return lease.mux ? serve_shared(a, lease.mux, server, slot)
                     : serve_alone(a, lease.conn, server, slot);
}

// The same, and whoever traces the exchange is told.
COLD static enum step ask_traced(struct attempt *a, struct target *t, size_t server)
{
    struct exchange *x = a->x;
    uint32_t n_noted = a->n_noted;
    a->dropped_status = 0;
    x->env->app->try_begins(x->env, x);
    enum step step = ask(a, t, server);
    unsigned status = x->resp.status != 0 ? x->resp.status : a->dropped_status;
    enum exchange_end end = EXCHANGE_END_OK; // nothing came of it: the server wasn't asked
    if (step == STEP_CANCELLED)
        end = EXCHANGE_END_CLIENT_GONE;
    else if (step == STEP_OVERTIME)
        end = EXCHANGE_END_SERVER_TIMEOUT;
    else if (a->n_noted > n_noted)
        end = a->end;
    x->env->app->try_ends(x, status, end);
    return step;
}

static enum step try_once(struct attempt *a)
{
    struct exchange *x = a->x;
    struct roster_entry *e;
    enum step step = attempt_choose(a, &e);
    if (step != STEP_DONE)
        return step;
    if (balance_methods[a->s->conf->balance].measures)
        a->began_ns = clock_now_ns();
    if (a->end != EXCHANGE_END_OK)
        trail_add(&x->trail, a->s->who, "retried", a->detail);
    if (!attempt_can_speak(a, e->target)) {
        attempt_leave_place(a);
        return STEP_GIVE_UP;
    }
    size_t server = roster_server(e);
    a->health = health_slot_of(a->s->servers[server].health, e->target->slot_index);
    a->pick.tried[a->pick.n_tried++] = e->key;
    x->server_name = arena_dup(x->mem, e->target->name);
    bool is_kept = a->s->sticky.is_on && sticky_is(a->pick.shown, e->token);
    trail_add(&x->trail, a->s->who, is_kept ? "kept to" : "chose", x->server_name);
    memcpy(a->token, e->token, sizeof a->token);
    x->times.chosen = clock_now_ns();
    x->n_tries++;
    step =
        UNLIKELY(x->trace != NULL) ? ask_traced(a, e->target, server) : ask(a, e->target, server);
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
