// SPDX-License-Identifier: Apache-2.0
// Middlewares that limit: rates, requests at a time, bodies.
#include <inttypes.h>

#include "dialect/traefik_priv.h"

// --- whose requests share a limit ---

const struct conf_item traefik_strategy_items[] = {
    ITEM_UINT(traefik_strategy, depth, "depth"),
    ITEM_TEXTS(traefik_strategy, excluded, "excludedIPs"),
    ITEM_UINT(traefik_strategy, v6_bits, "ipv6Subnet", .min = "1", .max = "128"),
};

const struct conf_section traefik_strategy_section = {
    .name = "ipStrategy",
    CONF_SECTION_OF(traefik_strategy, traefik_strategy_items),
    .place_offset = CONF_PLACE_AT(traefik_strategy, place),
};

struct criterion_conf {
    struct traefik_strategy ip;
    struct conf_text header;
    bool host;
};

static const struct conf_item criterion_items[] = {
    ITEM_SECTION(criterion_conf, ip, "ipStrategy", struct traefik_strategy,
                 .section = &traefik_strategy_section),
    ITEM_TEXT(criterion_conf, header, "requestHeaderName"),
    ITEM_BOOL(criterion_conf, host, "requestHost"),
};

static const struct conf_section criterion_section = {
    .name = "sourceCriterion",
    CONF_SECTION_OF(criterion_conf, criterion_items),
};

static bool put_key(struct traefik_conv *c, const struct criterion_conf *k, const char *usual,
                    struct conf_node *filter, struct place place)
{
    bool has_ip = k->ip.place.source != NULL;
    if (k->ip.depth > 0 || k->ip.excluded.n > 0)
        return traefik_fail(c, k->ip.place, "ipStrategy: " TRAEFIK_STRATEGY_TEXT);
    if (has_ip + (k->header.text.len > 0) + k->host > 1)
        return traefik_fail(c, place, "sourceCriterion: only one of its kinds can be chosen");
    struct str key = has_ip ? STR("client-ip")
                     : k->header.text.len > 0
                         ? arena_concat(c->mem, STR("header:"), k->header.text, STR_NONE)
                     : k->host ? STR("host")
                               : str_of(usual);
    traefik_set(c, filter, "key", key, place);
    // Version 3 counts whole IPv6 addresses unless it is told otherwise; our /64 is stricter.
    if (k->ip.v6_bits > 0)
        traefik_set_uint(c, filter, "ipv6-prefix", k->ip.v6_bits, k->ip.place);
    return true;
}

// --- rateLimit ---

struct rate_conf {
    uint32_t average, burst;
    int64_t period_ms;
    struct criterion_conf criterion;
};

static const struct conf_item rate_items[] = {
    ITEM_UINT(rate_conf, average, "average"),
    ITEM_UINT(rate_conf, burst, "burst", .def = "1", .min = "1"),
    ITEM_DURATION(rate_conf, period_ms, "period", .def = "1s", .min = "1ms"),
    ITEM_SECTION(rate_conf, criterion, "sourceCriterion", struct criterion_conf,
                 .section = &criterion_section),
};

static const struct conf_section rate_section = {
    .name = "rateLimit",
    CONF_SECTION_OF(rate_conf, rate_items),
};

// average in the period, as a whole number in a second, minute, hour or day.
static struct str rate_text(struct traefik_conv *c, const struct rate_conf *r)
{
    static const struct {
        uint64_t ms;
        char name;
    } units[] = {{1000, 's'}, {60000, 'm'}, {3600000, 'h'}, {86400000, 'd'}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t scaled = r->average * units[i].ms;
        if (scaled % (uint64_t)r->period_ms == 0)
            return arena_printf(c->mem, "%" PRIu64 "/%c", scaled / (uint64_t)r->period_ms,
                                units[i].name);
    }
    return STR_NONE;
}

static bool convert_rate(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct rate_conf *r = conf;
    if (r->average == 0) // no limit
        return true;
    struct str rate = rate_text(c, r);
    if (!rate.ptr)
        return traefik_fail(c, traefik_kind_place(t),
                            "average in this period is no whole number in a second, minute, hour "
                            "or day: choose another period");
    struct conf_node *f = traefik_filter(c, t, "rate-limit", traefik_kind_place(t));
    traefik_set(c, f, "rate", rate, traefik_kind_place(t));
    traefik_set_uint(c, f, "burst", r->burst, traefik_kind_place(t));
    // Requests wait for at most half the time between two, or half a second.
    int64_t delay_ms = MIN(r->period_ms / (2 * (int64_t)r->average), (int64_t)500);
    traefik_set_ms(c, f, "delay", delay_ms, traefik_kind_place(t));
    return put_key(c, &r->criterion, "client-ip", f, traefik_kind_place(t));
}

// --- inFlightReq ---

struct flight_conf {
    uint32_t amount;
    struct criterion_conf criterion;
};

static const struct conf_item flight_items[] = {
    ITEM_UINT(flight_conf, amount, "amount", .is_required = true),
    ITEM_SECTION(flight_conf, criterion, "sourceCriterion", struct criterion_conf,
                 .section = &criterion_section),
};

static const struct conf_section flight_section = {
    .name = "inFlightReq",
    CONF_SECTION_OF(flight_conf, flight_items),
};

static bool convert_flight(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct flight_conf *r = conf;
    struct conf_node *f = traefik_filter(c, t, "concurrency", traefik_kind_place(t));
    traefik_set_uint(c, f, "max", r->amount, traefik_kind_place(t));
    return put_key(c, &r->criterion, "host", f, traefik_kind_place(t));
}

// --- buffering ---

struct buffering_conf {
    uint64_t request_max, request_mem, response_mem;
};

static const struct conf_item buffering_items[] = {
    ITEM_SIZE(buffering_conf, request_max, "maxRequestBodyBytes"),
    ITEM_SIZE(buffering_conf, request_mem, "memRequestBodyBytes", .def = "1048576"),
    ITEM_SIZE(buffering_conf, response_mem, "memResponseBodyBytes", .def = "1048576"),
};

static const struct conf_section buffering_section = {
    .name = "buffering",
    CONF_SECTION_OF(buffering_conf, buffering_items),
};

// What our filter can be asked for: one limit of memory for both ways.
static uint64_t memory_of(const struct buffering_conf *b)
{
    return MIN(MAX(MAX(b->request_mem, b->response_mem), (uint64_t)4096), (uint64_t)1 << 30);
}

static bool convert_buffering(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct buffering_conf *b = conf;
    if (b->request_max > 0)
        traefik_set_uint(c, traefik_filter(c, t, "body-limit", traefik_kind_place(t)), "max",
                         b->request_max, traefik_kind_place(t));
    struct conf_node *f = traefik_filter(c, t, "buffer", traefik_kind_place(t));
    traefik_set_uint(c, f, "memory", memory_of(b), traefik_kind_place(t));
    return true;
}

const struct traefik_middleware traefik_limit_middlewares[] = {
    {.name = "rateLimit", .section = &rate_section, .convert = convert_rate},
    {.name = "inFlightReq", .section = &flight_section, .convert = convert_flight},
    {.name = "buffering", .section = &buffering_section, .convert = convert_buffering},
    {.name = NULL},
};
