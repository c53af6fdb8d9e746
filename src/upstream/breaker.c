// SPDX-License-Identifier: Apache-2.0
#include "upstream/breaker.h"

#include "base/num.h"

const char *breaker_state_name(enum breaker_state s)
{
    static const char *const names[] = {
#define X(id, name) name,
        BREAKER_LIST(X)
#undef X
    };
    ASSERT((size_t)s < ARRAY_LEN(names));
    return names[s];
}

static enum breaker_state state_of(const struct breaker *b)
{
    return (enum breaker_state)atomic_load_explicit(&b->state, memory_order_relaxed);
}

// Of several threads one succeeds.
static bool go(struct breaker *b, enum breaker_state from, enum breaker_state to, int64_t now_ms)
{
    uint32_t old = from;
    if (!atomic_compare_exchange_strong_explicit(&b->state, &old, to, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    atomic_store_explicit(&b->since_ms, now_ms, memory_order_relaxed);
    return true;
}

enum breaker_verdict breaker_ask(struct breaker *b, const struct breaker_conf *conf, int64_t now_ms)
{
    if (LIKELY(state_of(b) == BREAKER_CLOSED))
        return BREAKER_PASS;
    int64_t next = atomic_load_explicit(&b->next_ms, memory_order_relaxed);
    // One trial at a time, unless it takes longer than this.
    if (next > now_ms ||
        !atomic_compare_exchange_strong_explicit(&b->next_ms, &next, now_ms + conf->open_ms,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&b->n_refused, 1, memory_order_relaxed);
        return BREAKER_REFUSE;
    }
    (void)go(b, BREAKER_OPEN, BREAKER_TRYING, now_ms);
    return BREAKER_TRIAL;
}

static enum breaker_change count_trial(struct breaker *b, const struct breaker_conf *conf,
                                       bool is_bad, int64_t now_ms)
{
    if (is_bad) {
        atomic_store_explicit(&b->n_good, 0, memory_order_relaxed);
        atomic_store_explicit(&b->next_ms, now_ms + conf->open_ms, memory_order_relaxed);
        (void)go(b, BREAKER_TRYING, BREAKER_OPEN, now_ms);
        return BREAKER_STAYS;
    }
    atomic_store_explicit(&b->next_ms, now_ms, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->n_good, 1, memory_order_relaxed) + 1 < conf->trials)
        return BREAKER_STAYS;
    window_reset(&b->failed);
    window_reset(&b->slow);
    return go(b, BREAKER_TRYING, BREAKER_CLOSED, now_ms) ? BREAKER_CLOSES : BREAKER_STAYS;
}

enum breaker_change breaker_count(struct breaker *b, const struct breaker_conf *conf,
                                  enum breaker_verdict verdict, bool is_failure, int64_t took_ms,
                                  int64_t now_ms)
{
    ASSERT(verdict != BREAKER_REFUSE);
    bool is_slow = conf->slow_ms > 0 && took_ms > conf->slow_ms;
    if (verdict == BREAKER_TRIAL)
        return count_trial(b, conf, is_failure || is_slow, now_ms);
    struct window_sum failed = window_add(&b->failed, is_failure, conf->window_ms, now_ms);
    bool is_bad = is_failure && window_sum_is_bad(failed, conf->requests_min, conf->percent);
    if (conf->slow_ms > 0) {
        struct window_sum slow = window_add(&b->slow, is_slow, conf->window_ms, now_ms);
        is_bad =
            is_bad || (is_slow && window_sum_is_bad(slow, conf->requests_min, conf->slow_percent));
    }
    if (!is_bad || state_of(b) != BREAKER_CLOSED)
        return BREAKER_STAYS;
    atomic_store_explicit(&b->n_good, 0, memory_order_relaxed);
    atomic_store_explicit(&b->next_ms, now_ms + conf->open_ms, memory_order_relaxed);
    return go(b, BREAKER_CLOSED, BREAKER_OPEN, now_ms) ? BREAKER_OPENS : BREAKER_STAYS;
}

void breaker_forget(struct breaker *b, enum breaker_verdict verdict, int64_t now_ms)
{
    if (verdict == BREAKER_TRIAL) // the next request is one in its place
        atomic_store_explicit(&b->next_ms, now_ms, memory_order_relaxed);
}

int64_t breaker_retry_after_s(const struct breaker *b, int64_t now_ms)
{
    int64_t left_ms = atomic_load_explicit(&b->next_ms, memory_order_relaxed) - now_ms;
    return MAX((left_ms + 999) / 1000, (int64_t)1);
}

static const struct conf_item items[] = {
    ITEM_UINT(breaker_conf, percent, "percent", .def = "50", .min = "1", .max = "100",
              .since = "0.1", .example = "30",
              .doc = "When so many of a hundred requests in the window have failed, it opens."),
    ITEM_DURATION(breaker_conf, slow_ms, "slow", .def = "0", .min = "0", .max = "1h",
                  .since = "0.1", .example = "2s",
                  .doc = "A request is slow when its answer's head takes longer. 0: none is."),
    ITEM_UINT(breaker_conf, slow_percent, "slow-percent", .def = "50", .min = "1", .max = "100",
              .since = "0.1",
              .doc = "When so many of a hundred requests in the window were slow, it opens."),
    ITEM_UINT(breaker_conf, requests_min, "requests-min", .def = "20", .min = "1", .max = "1000000",
              .since = "0.1", .doc = "How many requests the window must have for that."),
    ITEM_DURATION(breaker_conf, window_ms, "window", .def = "10s", .min = "100ms", .max = "1h",
                  .since = "0.1", .doc = "The time over which shares are reckoned."),
    ITEM_DURATION(breaker_conf, open_ms, "open", .def = "10s", .min = "10ms", .max = "1h",
                  .since = "0.1", .example = "30s",
                  .doc = "How long it stays open before a request is let through as a trial."),
    ITEM_UINT(breaker_conf, trials, "trials", .def = "1", .min = "1", .max = "1000", .since = "0.1",
              .example = "5",
              .doc = "How many trials, one after the other, must be well for it to close."),
    ITEM_TEXTS(breaker_conf, on, "when", .def = "[connect, closed, timeout, malformed, 500-599]",
               .since = "0.1", .check_text = outcomes_check, .format = "failures",
               .example = "[connect, timeout, 502-504]",
               .doc = "What a failure is: as of `eject`. It is the last try of a request that "
                      "counts."),
};

const struct conf_section breaker_section = {
    .name = "breaker",
    .doc = "A circuit breaker: when too many requests of the service fail or are slow, it opens, "
           "and clients get 503 with Retry-After at once, so that the service can recover. For "
           "all workers at once.",
    CONF_SECTION_OF(breaker_conf, items),
    .shorthand = "percent",
    .place_offset = CONF_PLACE_AT(breaker_conf, place),
};
