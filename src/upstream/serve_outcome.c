// SPDX-License-Identifier: Apache-2.0
// What has become of a try: what is noted of the server, and whether there is another try.
//
// What may be tried again (RFC 9110 9.2.2): everything, as long as no connection stood; afterwards
// only what is idempotent and whose body can be sent again, and after those failures alone that
// settings name (judge.h).
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/exchange.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "upstream/balance.h"
#include "upstream/kept_answer.h"
#include "upstream/serve_priv.h"

#define HTTP_1_MS (10 * 60 * 1000) // a server that asks for HTTP/1.1 gets nothing else so long
#define REFUSALS_MAX 5 // of one exchange, by servers that leave or have no room (RFC 9113 8.7)

// Notes a failure for the log and for the client, should it be the last.
COLD void PRINTF(3, 4) attempt_note(struct attempt *a, enum exchange_end end, const char *fmt, ...)
{
    char buf[640];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    a->end = end;
    a->n_noted++;
    a->detail = arena_dup(a->x->mem, str_from(buf, MIN((size_t)MAX(n, 0), sizeof buf - 1)));
}

// What h1_client noted.
static void note_told(struct attempt *a, enum exchange_end end)
{
    a->end = end;
    a->n_noted++;
    a->detail = a->x->end_detail;
}

// A try has ended so. The server may be another one from here on.
void attempt_judge(struct attempt *a, enum outcome o, unsigned status)
{
    judge_try(&a->judge, &a->pick, roster_of(a->w, a->s), a->health, a->x->server_name, o, status);
}

// What the settings let be tried again, is.
static enum step again(struct attempt *a)
{
    return judge_may_repeat(&a->judge, roster_of(a->w, a->s)) ? STEP_AGAIN : STEP_GIVE_UP;
}

// --- servers that are not reached ---

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

void attempt_reached(const struct attempt *a, struct server_slot *slot)
{
    if (LIKELY(atomic_load_explicit(&slot->skip_until_ms, memory_order_relaxed) == 0))
        return;
    if (atomic_exchange_explicit(&slot->skip_until_ms, 0, memory_order_relaxed) == 0)
        return;
    slot_rise(slot, clock_now_ms());
    log_info(STR_FMT ": server " STR_FMT " is back", STR_ARG(a->s->who),
             STR_ARG(a->x->server_name));
}

COLD enum step attempt_connect_failed(struct attempt *a, enum conn_got got,
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
        attempt_note(a, EXCHANGE_END_RESOURCES,
                     "server " STR_FMT ": the queue for connections is full", STR_ARG(name));
        return STEP_GIVE_UP;
    case CONN_QUEUE_TIMEOUT:
        a->is_crowded = true;
        attempt_note(a, EXCHANGE_END_RESOURCES,
                     "server " STR_FMT ": no connection became free in time", STR_ARG(name));
        return STEP_GIVE_UP;
    case CONN_TIMEOUT:
        attempt_note(a, EXCHANGE_END_SERVER_CONNECT_TIMEOUT, "server " STR_FMT ": no %s in time",
                     STR_ARG(name),
                     why->tls.kind == TLS_FAILURE_TIMEOUT ? "TLS handshake" : "connection");
        skip_for_a_while(a, slot);
        attempt_judge(a, OUTCOME_CONNECT, 0);
        return again(a);
    case CONN_TLS:
        attempt_note(a, EXCHANGE_END_SERVER_TLS, "server " STR_FMT ": %s", STR_ARG(name),
                     why->tls.text);
        skip_for_a_while(a, slot);
        attempt_judge(a, OUTCOME_CONNECT, 0);
        return again(a);
    case CONN_REFUSED:
        break;
    }
    if (is_our_own_limit(error)) {
        attempt_note(a, EXCHANGE_END_RESOURCES, "server " STR_FMT ": %s", STR_ARG(name),
                     strerrordesc_np(error));
        return STEP_GIVE_UP;
    }
    attempt_note(a, EXCHANGE_END_SERVER_CONNECT, "server " STR_FMT ": %s", STR_ARG(name),
                 strerrordesc_np(error));
    skip_for_a_while(a, slot);
    attempt_judge(a, OUTCOME_CONNECT, 0);
    return again(a);
}

// --- servers that were asked ---

// The request was sent, and there is no answer. The failure is noted.
static enum step fail_sent(struct attempt *a, enum outcome o, bool may_repeat)
{
    attempt_judge(a, o, 0);
    bool has_tries = a->pick.n_tried < a->s->conf->tries;
    return may_repeat && has_tries ? again(a) : STEP_GIVE_UP;
}

// There is an answer: the client's, unless it is one of those after which another server is asked.
static enum step answered(struct attempt *a, bool may_repeat)
{
    struct exchange *x = a->x;
    unsigned status = x->resp.status;
    attempt_judge(a, OUTCOME_STATUS, status);
    if (LIKELY(status < OUTCOME_STATUS_MIN) || !may_repeat ||
        a->pick.n_tried >= a->s->conf->tries ||
        !outcomes_have(&a->s->retry_on, OUTCOME_STATUS, status) ||
        !pick_has_next(&a->pick, roster_of(a->w, a->s)) || again(a) != STEP_AGAIN)
        return STEP_DONE;
    attempt_note(a, EXCHANGE_END_NO_SERVER, "server " STR_FMT ": status %u",
                 STR_ARG(x->server_name), status);
    a->dropped_status = (uint16_t)status;
    if (!a->kept)
        a->kept = kept_answer_take(x);
    exchange_drop_answer(x);
    if (fiber_is_cancelled(fiber_self()))
        return STEP_CANCELLED;
    return STEP_AGAIN;
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
    a->dropped_status = 425;
    attempt_note(a, EXCHANGE_END_OK, "too early");
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
    bool is_known =
        atomic_exchange_explicit(attempt_http_1_until(a, slot), clock_now_ms() + HTTP_1_MS,
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
    attempt_judge(a, OUTCOME_TIMEOUT, 0);
    return STEP_OVERTIME;
}

enum step attempt_served(struct attempt *a, enum http_client_end end, bool sent_body,
                         struct server_slot *slot)
{
    bool may_repeat = a->is_idempotent && !sent_body;
    switch (end) {
    case HTTP_CLIENT_OK:
        attempt_reached(a, slot);
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
