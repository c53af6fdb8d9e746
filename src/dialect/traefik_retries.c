// SPDX-License-Identifier: Apache-2.0
// Middlewares that are settings of the service here: retries and breakers.
#include <inttypes.h>

#include "base/ascii.h"
#include "base/num.h"
#include "dialect/traefik_priv.h"

static struct conf_node *overlay_of(struct traefik_conv *c, struct traefik_thing *t)
{
    t->overlay = conf_node_new(c->mem, CONF_NODE_MAP, traefik_kind_place(t));
    if (!t->overlay)
        panic("converted settings don't fit");
    return t->overlay;
}

// --- retry ---

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

static bool convert_retry(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct retry_conf *r = conf;
    traefik_set_uint(c, overlay_of(c, t), "tries", MIN(r->attempts, 10u), traefik_kind_place(t));
    return true;
}

// --- circuitBreaker ---

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
    struct conf_node *breaker = traefik_map(c, overlay_of(c, t), "breaker", traefik_kind_place(t));
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
        traefik_set(c, breaker, "percent", STR("100"), traefik_kind_place(t));
    traefik_set_ms(c, breaker, "open", b->fallback_ms, traefik_kind_place(t));
    return true;
}

const struct traefik_middleware traefik_retry_middlewares[] = {
    {.name = "retry", .section = &retry_section, .convert = convert_retry},
    {.name = "circuitBreaker", .section = &breaker_section, .convert = convert_breaker},
    {.name = NULL},
};
