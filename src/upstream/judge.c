// SPDX-License-Identifier: Apache-2.0
#include "upstream/judge.h"

#include <stdio.h>

#include "rt/clock.h"
#include "rt/log.h"

static struct breaker *breaker_of(const struct service *s)
{
    return &CONTAINER_OF(s->shared, struct service_state, shared)->breaker;
}

bool judge_begin(struct judge *j, const struct service *s, struct roster *r)
{
    *j = (struct judge){.service = s, .began_ms = clock_now_ms()};
    if (UNLIKELY(s->conf->breaker.is_on))
        j->breaker = breaker_ask(breaker_of(s), &s->conf->breaker, j->began_ms);
    if (UNLIKELY(j->breaker == BREAKER_REFUSE))
        return false;
    retry_budget_add(&r->budget, j->began_ms);
    return true;
}

int64_t judge_retry_after_s(const struct judge *j)
{
    return breaker_retry_after_s(breaker_of(j->service), j->began_ms);
}

// --- ejection ---

// One of two may always go; beyond that, a share of them.
static bool may_eject(const struct pick *p, const struct roster *r, const struct eject_conf *conf)
{
    size_t n_well, n = pick_count(p, r, &n_well);
    size_t n_out = n - n_well;
    return n >= 2 && (n_out == 0 || (n_out + 1) * 100 <= n * conf->max_percent);
}

static const char *outcome_text(enum outcome o, unsigned status, char buf[static 32])
{
    switch (o) {
    case OUTCOME_CONNECT:
        return "no connection";
    case OUTCOME_CLOSED:
        return "closed connection";
    case OUTCOME_TIMEOUT:
        return "no answer in time";
    case OUTCOME_MALFORMED:
        return "malformed answer";
    case OUTCOME_STATUS:
        break;
    }
    snprintf(buf, 32, "status %u", status);
    return buf;
}

COLD static void eject(const struct service *s, struct health_slot *health, struct str server,
                       enum outcome o, unsigned status, int64_t now_ms)
{
    char buf[32];
    int64_t time_ms = eject_begin(&health->eject, &s->conf->eject, now_ms);
    if (time_ms == 0)
        return;
    uint32_t reason = atomic_load_explicit(&health->eject.reason, memory_order_relaxed);
    const char *last = outcome_text(o, status, buf);
    if (reason >> 16 > 0)
        log_warn(STR_FMT ": server " STR_FMT
                         " is ejected for %.1f s: %u %% of its requests failed, the last one: %s",
                 STR_ARG(s->who), STR_ARG(server), (double)time_ms / 1000, reason >> 16, last);
    else
        log_warn(STR_FMT ": server " STR_FMT
                         " is ejected for %.1f s: %u requests in a row failed, the last one: %s",
                 STR_ARG(s->who), STR_ARG(server), (double)time_ms / 1000, reason & 0xffff, last);
}

void judge_try(struct judge *j, struct pick *p, const struct roster *r, struct health_slot *health,
               struct str server, enum outcome o, unsigned status)
{
    const struct service *s = j->service;
    j->has_outcome = true;
    j->outcome = o;
    j->status = status;
    j->ended_ms = clock_now_ms();
    if (LIKELY(!s->conf->eject.is_on))
        return;
    p->now_ms = j->ended_ms;
    bool is_failure = outcomes_have(&s->eject_on, o, status);
    if (eject_count(&health->eject, &s->conf->eject, is_failure, p->now_ms) &&
        may_eject(p, r, &s->conf->eject))
        eject(s, health, server, o, status, p->now_ms);
}

// --- the next try ---

bool judge_may_repeat(const struct judge *j, struct roster *r)
{
    const struct retries_conf *conf = &j->service->conf->retries;
    if (!outcomes_have(&j->service->retry_on, j->outcome, j->status))
        return false;
    if (conf->time_ms > 0 && j->ended_ms - j->began_ms >= conf->time_ms)
        return false;
    return j->outcome == OUTCOME_CONNECT ||
           retry_budget_take(&r->budget, j->ended_ms, conf->budget_percent, conf->budget_min);
}

// --- the breaker ---

void judge_cancel(struct judge *j)
{
    if (UNLIKELY(j->service->conf->breaker.is_on))
        breaker_forget(breaker_of(j->service), j->breaker, clock_now_ms());
}

void judge_end(struct judge *j)
{
    const struct service *s = j->service;
    const struct breaker_conf *conf = &s->conf->breaker;
    if (LIKELY(!conf->is_on))
        return;
    if (!j->has_outcome) {
        judge_cancel(j);
        return;
    }
    bool is_failure = outcomes_have(&s->breaker_on, j->outcome, j->status);
    switch (breaker_count(breaker_of(s), conf, j->breaker, is_failure, j->ended_ms - j->began_ms,
                          j->ended_ms)) {
    case BREAKER_STAYS:
        break;
    case BREAKER_OPENS:
        log_warn(STR_FMT ": its breaker opens: too many requests fail or are slow; for %.1f s "
                         "they are refused",
                 STR_ARG(s->who), (double)conf->open_ms / 1000);
        break;
    case BREAKER_CLOSES:
        log_info(STR_FMT ": its breaker closes: requests are let through again", STR_ARG(s->who));
        break;
    }
}
