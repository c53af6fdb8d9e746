// SPDX-License-Identifier: Apache-2.0
// By which protocol a server is asked, and on which connection.
#include "http/exchange.h"
#include "http/websocket.h"
#include "rt/clock.h"
#include "upstream/serve_priv.h"

// Where a server's word about HTTP/1.1 is kept: of upgrades, or of all else.
_Atomic int64_t *attempt_http_1_until(const struct attempt *a, struct server_slot *slot)
{
    return a->x->req.is_upgrade ? &slot->no_tunnel_until_ms : &slot->http_1_until_ms;
}

static bool asked_for_http_1(const struct attempt *a, const struct target *t)
{
    return atomic_load_explicit(attempt_http_1_until(a, t->slot), memory_order_relaxed) >
           clock_now_ms();
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

// Whether the server's protocol is one that the exchange can go by.
bool attempt_can_speak(struct attempt *a, const struct target *t)
{
    if (may_share(a, t) || may_be_alone(a, t))
        return true;
    if (a->x->req.is_upgrade) {
        attempt_note(a, EXCHANGE_END_SERVER_PROTOCOL,
                     "server " STR_FMT
                     ": an upgrade to anything but WebSocket needs HTTP/1.1, and the "
                     "settings say HTTP/2 alone",
                     STR_ARG(t->name));
        return false;
    }
    attempt_note(a, EXCHANGE_END_SERVER_PROTOCOL,
                 "server " STR_FMT
                 ": gRPC needs HTTP/2, and the settings say HTTP/1.1: write its URL with "
                 "h2c:// or https://, or 'http: 2' in the service",
                 STR_ARG(t->name));
    return false;
}

// Waits, if there is no connection. STEP_DONE: *ret.
NOINLINE enum step attempt_connect(struct attempt *a, struct target *t, struct lease *ret)
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
    attempt_leave_place(a);
    return attempt_connect_failed(a, got, &failure, slot);
}
