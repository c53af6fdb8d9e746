// SPDX-License-Identifier: Apache-2.0
// Middlewares about traffic: limits, compression, retries, breakers, error pages, bodies; and
// those that are never had.
#include <inttypes.h>

#include "base/ascii.h"
#include "base/num.h"
#include "dialect/traefik_priv.h"

static struct place place_of(const struct traefik_thing *t)
{
    return t->node->first->key_place;
}

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
        return traefik_fail(c, place_of(t),
                            "average in this period is no whole number in a second, minute, hour "
                            "or day: choose another period");
    struct conf_node *f = traefik_filter(c, t, "rate-limit", place_of(t));
    traefik_set(c, f, "rate", rate, place_of(t));
    traefik_set_uint(c, f, "burst", r->burst, place_of(t));
    // Requests wait for at most half the time between two, or half a second.
    int64_t delay_ms = MIN(r->period_ms / (2 * (int64_t)r->average), (int64_t)500);
    traefik_set_ms(c, f, "delay", delay_ms, place_of(t));
    return put_key(c, &r->criterion, "client-ip", f, place_of(t));
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
    struct conf_node *f = traefik_filter(c, t, "concurrency", place_of(t));
    traefik_set_uint(c, f, "max", r->amount, place_of(t));
    return put_key(c, &r->criterion, "host", f, place_of(t));
}

// --- compress ---

struct compress_conf {
    struct conf_texts excluded, included, encodings;
    struct conf_text default_encoding;
    uint64_t min_bytes;
};

static const struct conf_item compress_items[] = {
    ITEM_TEXTS(compress_conf, excluded, "excludedContentTypes"),
    ITEM_TEXTS(compress_conf, included, "includedContentTypes"),
    ITEM_TEXTS(compress_conf, encodings, "encodings"),
    ITEM_SIZE(compress_conf, min_bytes, "minResponseBodyBytes", .def = "1024"),
};

static const struct conf_section compress_section = {
    .name = "compress",
    CONF_SECTION_OF(compress_conf, compress_items),
};

// What is packed when only exceptions are named: our usual types, with those of text one by one.
static const char *const usual_types[] = {
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "text/xml",
    "text/csv",
    "text/markdown",
    "text/event-stream",
    "text/calendar",
    "text/vtt",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-javascript",
    "application/x-ndjson",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "application/ld+json",
    "application/manifest+json",
    "application/atom+xml",
    "application/rss+xml",
    "application/xhtml+xml",
    "image/svg+xml",
    "font/ttf",
    "font/otf",
    "image/bmp",
    "image/x-icon",
};

static bool is_among(const struct conf_texts *texts, struct str type)
{
    for (size_t i = 0; i < texts->n; i++) {
        if (str_ieq(texts->items[i].text, type))
            return true;
    }
    return false;
}

static bool convert_compress(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct compress_conf *p = conf;
    if (p->excluded.n > 0 && p->included.n > 0)
        return traefik_fail(c, place_of(t),
                            "excludedContentTypes and includedContentTypes exclude each other");
    struct conf_node *f = traefik_filter(c, t, "compress", place_of(t));
    traefik_set_texts(c, f, "codings", &p->encodings);
    traefik_set_texts(c, f, "types", &p->included);
    for (size_t i = 0; p->excluded.n > 0 && i < ARRAY_LEN(usual_types); i++) {
        if (!is_among(&p->excluded, str_of(usual_types[i])))
            traefik_push(c, traefik_list(c, f, "types", place_of(t)), str_of(usual_types[i]),
                         place_of(t));
    }
    traefik_set_uint(c, f, "min-size", p->min_bytes, place_of(t));
    return true;
}

// --- retry and circuitBreaker: settings of the service ---

struct retry_conf {
    uint32_t attempts;
    int64_t interval_ms; // another server is asked, so there's nothing to wait for
};

static const struct conf_item retry_items[] = {
    ITEM_UINT(retry_conf, attempts, "attempts", .is_required = true, .min = "1"),
    ITEM_DURATION(retry_conf, interval_ms, "initialInterval"),
};

static const struct conf_section retry_section = {
    .name = "retry",
    CONF_SECTION_OF(retry_conf, retry_items),
};

static struct conf_node *overlay_of(struct traefik_conv *c, struct traefik_thing *t)
{
    t->overlay = conf_node_new(c->mem, CONF_NODE_MAP, place_of(t));
    if (!t->overlay)
        panic("converted settings don't fit");
    return t->overlay;
}

static bool convert_retry(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct retry_conf *r = conf;
    traefik_set_uint(c, overlay_of(c, t), "tries", MIN(r->attempts, 10u), place_of(t));
    return true;
}

struct breaker_conf {
    struct conf_text expression;
    int64_t check_ms, fallback_ms, recovery_ms;
    uint32_t status;
};

static const struct conf_item breaker_items[] = {
    ITEM_TEXT(breaker_conf, expression, "expression", .is_required = true),
    ITEM_DURATION(breaker_conf, check_ms, "checkPeriod"), // looked at with every request
    ITEM_DURATION(breaker_conf, fallback_ms, "fallbackDuration", .def = "10s"),
    ITEM_DURATION(breaker_conf, recovery_ms, "recoveryDuration"), // trials decide
    ITEM_UINT(breaker_conf, status, "responseCode", .def = "503"),
};

static const struct conf_section breaker_section = {
    .name = "circuitBreaker",
    CONF_SECTION_OF(breaker_conf, breaker_items),
};

// "0.30" in hundredths, rounded up, 1 to 100.
static bool parse_ratio(struct str s, uint64_t *ret_percent)
{
    struct str whole, part = STR_NONE;
    uint64_t n, hundredths = 0;
    str_cut(s, '.', &whole, &part);
    if (num_dec(whole, 1, &n) != ERR_OK)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        if (!ascii_is(part.ptr[i], ASCII_DIGIT))
            return false;
        if (i < 2)
            hundredths = hundredths * 10 + (uint64_t)(part.ptr[i] - '0');
    }
    if (part.len == 1)
        hundredths *= 10;
    *ret_percent = MAX(MIN(n * 100 + hundredths, (uint64_t)100), (uint64_t)1);
    return true;
}

// The digits at the beginning of *s, up to a '.', which is passed over with what follows.
static bool take_number(struct str *s, uint64_t *ret)
{
    size_t n = 0, m;
    while (n < s->len && ascii_is(s->ptr[n], ASCII_DIGIT))
        n++;
    m = n;
    while (m < s->len && (ascii_is(s->ptr[m], ASCII_DIGIT) || s->ptr[m] == '.'))
        m++;
    if (num_dec(str_first(*s, n), 1000000, ret) != ERR_OK)
        return false;
    *s = str_skip(*s, m);
    return true;
}

// One condition: "NetworkErrorRatio() > 0.30" and so on.
static bool put_condition(struct traefik_conv *c, struct str condition, struct conf_node *breaker,
                          struct place place)
{
    struct str left, right;
    uint64_t percent, quantile, ms;
    if (!str_cut(condition, '>', &left, &right))
        return false;
    left = str_trim(left);
    right = str_trim(right);
    if (str_starts(left, STR("LatencyAtQuantileMS("))) {
        left = str_skip(left, STR("LatencyAtQuantileMS(").len);
        if (!take_number(&left, &quantile) || !str_eq(left, STR(")")) || quantile >= 100 ||
            num_dec(right, 86400000, &ms) != ERR_OK || conf_node_get(breaker, STR("slow")))
            return false;
        traefik_set_ms(c, breaker, "slow", (int64_t)ms, place);
        traefik_set_uint(c, breaker, "slow-percent", 100 - quantile, place);
        return true;
    }
    bool is_network = str_eq(left, STR("NetworkErrorRatio()"));
    bool is_status = str_eq(left, STR("ResponseCodeRatio(500, 600, 0, 600)")) ||
                     str_eq(left, STR("ResponseCodeRatio(500,600,0,600)"));
    if ((!is_network && !is_status) || !parse_ratio(right, &percent))
        return false;
    struct str text = arena_printf(c->mem, "%" PRIu64, percent);
    const struct conf_node *known = conf_node_get(breaker, STR("percent"));
    if (known && !str_eq(known->text, text))
        return false;
    traefik_set(c, breaker, "percent", text, place);
    static const char *const network[] = {"connect", "closed", "timeout", "malformed"};
    struct conf_node *when = traefik_list(c, breaker, "when", place);
    for (size_t i = 0; is_network && i < ARRAY_LEN(network); i++)
        traefik_push(c, when, str_of(network[i]), place);
    if (is_status)
        traefik_push(c, when, STR("500-599"), place);
    return true;
}

static bool convert_breaker(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct breaker_conf *b = conf;
    struct conf_node *breaker = traefik_map(c, overlay_of(c, t), "breaker", place_of(t));
    struct str rest = b->expression.text;
    bool is_fine = b->status == 503;
    while (is_fine && rest.len > 0) {
        size_t n = MIN(str_search(rest, STR("||")), rest.len);
        is_fine = put_condition(c, str_first(rest, n), breaker, b->expression.place);
        rest = str_skip(rest, n + 2);
    }
    if (!is_fine)
        return traefik_fail(
            c, b->expression.place,
            "the expression can be NetworkErrorRatio() > R, ResponseCodeRatio(500, 600, 0, 600) > "
            "R and LatencyAtQuantileMS(Q) > N, joined by ||, with one R; and the answer is 503");
    if (!conf_node_get(breaker, STR("percent")))
        traefik_set(c, breaker, "percent", STR("100"), place_of(t));
    traefik_set_ms(c, breaker, "open", b->fallback_ms, place_of(t));
    return true;
}

// --- errors ---

struct errors_conf {
    struct conf_texts status;
    struct conf_text service, query;
};

static const struct conf_item errors_items[] = {
    ITEM_TEXTS(errors_conf, status, "status", .is_required = true),
    ITEM_TEXT(errors_conf, service, "service", .is_required = true),
    ITEM_TEXT(errors_conf, query, "query", .def = "/"),
};

static const struct conf_section errors_section = {
    .name = "errors",
    CONF_SECTION_OF(errors_conf, errors_items),
};

static bool convert_errors(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct errors_conf *e = conf;
    struct str service = traefik_service(c, &e->service, NULL, STR_NONE);
    if (service.len == 0)
        return false;
    if (str_search(e->query.text, STR("{url}")) != STR_NPOS)
        return traefik_fail(c, e->query.place, "query: {url} isn't supported: use {status}");
    struct conf_node *f = traefik_filter(c, t, "error-pages", place_of(t));
    struct conf_node *pages = traefik_list(c, f, "pages", place_of(t));
    struct conf_node *page = conf_node_new(c->mem, CONF_NODE_MAP, place_of(t));
    if (!page)
        panic("converted settings don't fit");
    conf_node_append(pages, page);
    traefik_set_texts(c, page, "statuses", &e->status);
    traefik_set(c, page, "service", service, e->service.place);
    traefik_set(c, page, "path", e->query.text, e->query.place);
    return true;
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
        traefik_set_uint(c, traefik_filter(c, t, "body-limit", place_of(t)), "max", b->request_max,
                         place_of(t));
    struct conf_node *f = traefik_filter(c, t, "buffer", place_of(t));
    traefik_set_uint(c, f, "memory", memory_of(b), place_of(t));
    return true;
}

// --- contentType ---

struct content_conf {
    bool detects;
    struct conf_text given;
};

static const struct conf_item content_items[] = {
    ITEM_TEXT(content_conf, given, "autoDetect"),
};

static const struct conf_section content_section = {
    .name = "contentType",
    CONF_SECTION_OF(content_conf, content_items),
};

// Nothing is ever guessed here, which is what "autoDetect: false" asks for.
static bool convert_content(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct content_conf *p = conf;
    if (str_ieq(p->given.text, STR("false")))
        return true;
    return traefik_fail(c, place_of(t),
                        "types of answers aren't guessed: let the server send Content-Type, or set "
                        "it with the middleware headers");
}

const struct traefik_middleware traefik_traffic_middlewares[] = {
    {.name = "rateLimit", .section = &rate_section, .convert = convert_rate},
    {.name = "inFlightReq", .section = &flight_section, .convert = convert_flight},
    {.name = "compress", .section = &compress_section, .convert = convert_compress},
    {.name = "retry", .section = &retry_section, .convert = convert_retry},
    {.name = "circuitBreaker", .section = &breaker_section, .convert = convert_breaker},
    {.name = "errors", .section = &errors_section, .convert = convert_errors},
    {.name = "buffering", .section = &buffering_section, .convert = convert_buffering},
    {.name = "contentType", .section = &content_section, .convert = convert_content},
    {.name = "grpcWeb",
     .refusal =
         "gRPC-Web isn't translated: let the server speak it, or put a translator beside it"},
    {.name = "plugin",
     .refusal = "plugins are programs for Traefik; look for a filter that does the same in the "
                "settings file, and name it with @file"},
    {.name = NULL},
};

// --- options that can't be had ---

const struct traefik_refusal traefik_middleware_refusals[] = {
    {"forwardAuth", "preserveLocationHeader", "Location is passed on as it is: leave it out"},
    {"headers", "allowedHosts", "write the hosts into the router's rule: Host(`…`)"},
    {"headers", "hostsProxyHeaders", "forwardedHeaders.trustedIPs of the entrypoint decides"},
    {"headers", "sslProxyHeaders", "forwardedHeaders.trustedIPs of the entrypoint decides"},
    {"headers", "sslForceHost", "use redirectRegex for requests with another host"},
    {"rateLimit", "redis", "limits are counted by each proxy for itself"},
    {"compress", "defaultEncoding",
     "clients that don't say what they take get answers as they are: leave it out"},
    {"retry", "timeout", "use forwardingTimeouts of a serversTransport"},
    {"retry", "maxRequestBodyBytes", "use retries of a service in the settings file"},
    {"retry", "status", "use retries of a service in the settings file"},
    {"errors", "statusRewrites", "the status stays: leave it out"},
    {"errors", "forwardNGINXHeaders", "the page's server gets its path alone: leave it out"},
    {"buffering", "maxResponseBodyBytes", "answers aren't limited: leave it out"},
    {"buffering", "retryExpression", "use the middleware retry"},
    {.section = NULL},
};
