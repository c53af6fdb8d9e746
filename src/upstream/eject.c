// SPDX-License-Identifier: Apache-2.0
#include "upstream/eject.h"

#include "base/num.h"

static uint32_t count_row(struct eject *e, bool is_failure)
{
    if (is_failure)
        return atomic_fetch_add_explicit(&e->n_row, 1, memory_order_relaxed) + 1;
    if (UNLIKELY(atomic_load_explicit(&e->n_row, memory_order_relaxed) > 0))
        atomic_store_explicit(&e->n_row, 0, memory_order_relaxed);
    return 0;
}

bool eject_count(struct eject *e, const struct eject_conf *conf, bool is_failure, int64_t now_ms)
{
    uint32_t n_row = count_row(e, is_failure);
    bool is_row = conf->failures > 0 && n_row >= conf->failures;
    bool is_share = false;
    struct window_sum sum = {.n = 1};
    if (conf->percent > 0) {
        sum = window_add(&e->window, is_failure, conf->window_ms, now_ms);
        is_share = is_failure && window_sum_is_bad(sum, conf->requests_min, conf->percent);
    }
    if (!is_row && !is_share)
        return false;
    uint32_t percent = is_share ? (uint32_t)(sum.n_bad * 100 / sum.n) : 0;
    atomic_store_explicit(&e->reason, percent << 16 | MIN(n_row, UINT16_MAX), memory_order_relaxed);
    return true;
}

int64_t eject_begin(struct eject *e, const struct eject_conf *conf, int64_t now_ms)
{
    int64_t until = atomic_load_explicit(&e->until_ms, memory_order_relaxed);
    if (until > now_ms)
        return 0;
    // Who was well for as long as the longest ejection begins anew.
    bool is_old = until == 0 || now_ms - until > conf->time_max_ms;
    uint32_t n_times = is_old ? 1 : atomic_load_explicit(&e->n_times, memory_order_relaxed) + 1;
    int64_t time_ms = MIN(conf->time_ms * n_times, conf->time_max_ms);
    if (!atomic_compare_exchange_strong_explicit(&e->until_ms, &until, now_ms + time_ms,
                                                 memory_order_relaxed, memory_order_relaxed))
        return 0;
    atomic_store_explicit(&e->n_times, MIN(n_times, UINT16_MAX), memory_order_relaxed);
    atomic_store_explicit(&e->n_row, 0, memory_order_relaxed);
    window_reset(&e->window);
    return time_ms;
}

void eject_reset(struct eject *e)
{
    atomic_store_explicit(&e->until_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&e->n_row, 0, memory_order_relaxed);
    atomic_store_explicit(&e->n_times, 0, memory_order_relaxed);
    window_reset(&e->window);
}

static enum err check(const void *value, struct diags *diags)
{
    const struct eject_conf *c = value;
    if (c->is_on && c->failures == 0 && c->percent == 0)
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "`failures` and `percent` are both 0: nothing would ever be ejected");
    return ERR_OK;
}

static const struct conf_item items[] = {
    ITEM_UINT(eject_conf, failures, "failures", .def = "5", .min = "0", .max = "10000",
              .since = "0.1", .example = "3",
              .doc = "After how many failures in a row a server is ejected. 0: any number."),
    ITEM_UINT(eject_conf, percent, "percent", .def = "0", .min = "0", .max = "100", .since = "0.1",
              .example = "50",
              .doc = "When so many of a hundred requests in the window have failed, the server is "
                     "ejected. 0: any share."),
    ITEM_UINT(eject_conf, requests_min, "requests-min", .def = "20", .min = "1", .max = "1000000",
              .since = "0.1", .doc = "How many requests the window must have for `percent`."),
    ITEM_DURATION(eject_conf, window_ms, "window", .def = "10s", .min = "100ms", .max = "1h",
                  .since = "0.1", .doc = "The time over which `percent` is reckoned."),
    ITEM_TEXTS(eject_conf, on, "when", .def = "[connect, closed, timeout, malformed, 502-504]",
               .since = "0.1", .check_text = outcomes_check, .format = "failures",
               .example = "[connect, timeout, 500-599]",
               .doc = "What a failure is. `connect`: no connection, or no TLS on it. `closed`: the "
                      "connection was closed or reset before the whole head of an answer. "
                      "`timeout`: no answer in `answer-timeout`. `malformed`: an answer that is "
                      "none. And statuses, or ranges of them."),
    ITEM_DURATION(eject_conf, time_ms, "time", .def = "10s", .min = "10ms", .max = "1d",
                  .since = "0.1", .example = "30s",
                  .doc = "How long a server is ejected the first time; the second time twice as "
                         "long, and so on."),
    ITEM_DURATION(eject_conf, time_max_ms, "time-max", .def = "5m", .min = "10ms", .max = "1d",
                  .since = "0.1",
                  .doc = "How long at most. A server that was well for so long begins anew."),
    ITEM_UINT(eject_conf, max_percent, "max-percent", .def = "50", .min = "1", .max = "99",
              .since = "0.1", .example = "30",
              .doc = "How large a share of the servers may be ejected or down at a time, for "
                     "another one to be ejected. One may always be, if there are two."),
};

const struct conf_section eject_section = {
    .name = "eject",
    .doc = "Leaves out servers that fail requests, for a time that grows. For all workers at once.",
    CONF_SECTION_OF(eject_conf, items),
    .shorthand = "failures",
    .place_offset = CONF_PLACE_AT(eject_conf, place),
    .check = check,
};
