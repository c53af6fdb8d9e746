// SPDX-License-Identifier: Apache-2.0
#include "upstream/retries.h"

#include "base/num.h"

// Forgets what is older than RETRY_BUDGET_S.
static void turn_to(struct retry_budget *b, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    if (now_s == b->at_s)
        return;
    int64_t n = MIN(now_s - b->at_s, (int64_t)RETRY_BUDGET_S);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (now_s - i) % RETRY_BUDGET_S;
        b->n_requests -= b->seconds[at].n_requests;
        b->n_retries -= b->seconds[at].n_retries;
        b->seconds[at].n_requests = b->seconds[at].n_retries = 0;
    }
    b->at_s = now_s;
}

void retry_budget_add(struct retry_budget *b, int64_t now_ms)
{
    turn_to(b, now_ms);
    b->seconds[b->at_s % RETRY_BUDGET_S].n_requests++;
    b->n_requests++;
}

bool retry_budget_take(struct retry_budget *b, int64_t now_ms, uint32_t percent, uint32_t min_per_s)
{
    turn_to(b, now_ms);
    uint64_t max = b->n_requests * percent / 100 + (uint64_t)min_per_s * RETRY_BUDGET_S;
    if (b->n_retries >= max)
        return false;
    b->seconds[b->at_s % RETRY_BUDGET_S].n_retries++;
    b->n_retries++;
    return true;
}

static const struct conf_item items[] = {
    ITEM_TEXTS(retries_conf, on, "when", .def = "[connect, closed]", .since = "0.1",
               .check_text = outcomes_check, .format = "failures",
               .example = "[connect, closed, timeout, 502-504]",
               .doc = "After what another server is tried: as of `eject`. But for `connect`, when "
                      "nothing was sent, only requests that may be repeated (RFC 9110 9.2.2) are "
                      "sent again. `[]`: after nothing."),
    ITEM_DURATION(retries_conf, time_ms, "time", .def = "30s", .min = "0", .max = "1h",
                  .since = "0.1", .example = "5s",
                  .doc = "No request is sent again that began longer ago. 0: however long ago."),
    ITEM_UINT(retries_conf, budget_percent, "budget-percent", .def = "20", .min = "0",
              .max = "1000", .since = "0.1",
              .doc = "How many requests may be sent again, of a hundred of the last 10 s, so that "
                     "retries can't multiply an outage. Those that met no connection don't count."),
    ITEM_UINT(retries_conf, budget_min, "budget-min", .def = "10", .min = "0", .max = "1000000",
              .since = "0.1",
              .doc =
                  "How many beyond that, per second and worker: for services with few requests."),
    ITEM_SIZE(retries_conf, body_max_bytes, "body-max", .def = "64KiB", .min = "0", .max = "1GiB",
              .since = "0.1", .example = "1MiB",
              .doc = "Up to which size a request's body is kept, so that it can be sent again. It "
                     "must fit into half of `exchange-memory` of the entrypoint, too."),
};

const struct conf_section retries_section = {
    .name = "retries",
    .doc = "When a request that has failed is sent to another server; to how many is `tries`.",
    CONF_SECTION_OF(retries_conf, items),
    .shorthand = "when",
    .place_offset = CONF_PLACE_AT(retries_conf, place),
};
