// SPDX-License-Identifier: Apache-2.0
// rate-limit: so many requests in a time for each client, or whatever else tells them apart.
#include "base/mem.h"
#include "filter/common.h"
#include "filter/rate_table.h"
#include "filter/states.h"
#include "http/request_key.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000
#define REFILL_MAX_NS ((int64_t)366 * 86400 * NS_PER_S)

static const char *const fields_names[] = {"off", "refused", "always", NULL};
enum fields {
    FIELDS_OFF,
    FIELDS_REFUSED,
    FIELDS_ALWAYS,
};

struct rate_limit_conf {
    uint64_t rate; // per second * 10^12
    uint32_t burst;
    struct request_key_conf key;
    int64_t delay_ms;
    uint32_t status, keys_max;
    unsigned fields;
    bool dry_run;
    struct place place;
};

struct limit_state {
    struct filter_state base;
    struct rate_table *table;
};

struct rate_limit {
    struct filter_base base;
    const struct rate_limit_conf *conf; // borrows: the snapshot's
    struct request_key key;
    struct rate rate;
    struct str quoted, policy; // the name, and the whole value, in RateLimit-Policy
    struct limit_state *state; // shares: with filters of this name; NULL: only checked
};

static const struct conf_item items[] = {
    ITEM_RATE(rate_limit_conf, rate, "rate", .is_required = true, .min = "1/d", .max = "1000000/s",
              .since = "0.1", .apply = CONF_LIVE, .example = "10/s",
              .doc =
                  "So many requests in the long run: in a second (`s`), minute (`m`), hour (`h`) "
                  "or day (`d`)."),
    ITEM_UINT(rate_limit_conf, burst, "burst", .def = "1", .min = "1", .max = "1000000",
              .since = "0.1", .apply = CONF_LIVE, .example = "50",
              .doc =
                  "So many at once, after a pause. A page brings its pictures and scripts along: "
                  "limits for people want a burst of 50 or more."),
    REQUEST_KEY_ITEMS(rate_limit_conf, key, "[client-ip, path]"),
    ITEM_DURATION(rate_limit_conf, delay_ms, "delay", .def = "0s", .max = "60s", .since = "0.1",
                  .apply = CONF_LIVE,
                  .doc =
                      "Requests beyond the limit wait for their turn, if that is at most so long; "
                      "the others are refused at once."),
    ITEM_UINT(rate_limit_conf, status, "status", .def = "429", .min = "400", .max = "599",
              .since = "0.1", .apply = CONF_LIVE, .doc = "The answer to what is refused."),
    ITEM_ENUM(rate_limit_conf, fields, "fields", .names = fields_names, .def = "refused",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Which answers tell of the limit, by `RateLimit` and `RateLimit-Policy`. What "
                     "is refused has `Retry-After` in any case."),
    ITEM_BOOL(rate_limit_conf, dry_run, "dry-run", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Refuses and delays nothing, and notes what it would have done: for finding a "
                     "limit that fits."),
    ITEM_UINT(
        rate_limit_conf, keys_max, "keys-max", .def = "100000", .min = "100", .max = "10000000",
        .since = "0.1", .apply = CONF_LIVE,
        .doc =
            "How many are told apart at a time, with up to 64 bytes of memory each. Beyond, those "
            "that have been idle for longest are forgotten."),
};

static const struct conf_section section = {
    .name = "rate-limit",
    .doc = "Limits how many requests come in a time. All workers count together, and reloads keep "
           "the count.",
    CONF_SECTION_OF(rate_limit_conf, items),
    .shorthand = "rate",
    .place_offset = CONF_PLACE_AT(rate_limit_conf, place),
};

// --- serving ---

// A rate of few a day is rounded by less than a millisecond, which is no second more.
static int64_t seconds_up(int64_t ns)
{
    return (MAX(ns - NS_PER_MS, 0) + NS_PER_S - 1) / NS_PER_S;
}

// draft-ietf-httpapi-ratelimit-headers-10, 3 and 4
static enum err put_fields(const struct rate_limit *f, struct exchange *x,
                           const struct rate_verdict *v)
{
    struct str limit = arena_printf(x->mem, "\"" STR_FMT "\";r=%lld;t=%lld", STR_ARG(f->quoted),
                                    (long long)v->left, (long long)seconds_up(v->reset_ns));
    if (!limit.ptr ||
        headers_add_named(&x->resp.headers, STR("RateLimit-Policy"), f->policy) != ERR_OK ||
        headers_add_named(&x->resp.headers, STR("RateLimit"), limit) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static enum err refuse(const struct rate_limit *f, struct exchange *x, const struct rate_verdict *v)
{
    filter_note(&f->base.handler, x, "denied", STR("too many requests"));
    exchange_note_offence(x, EXCHANGE_OFFENCE_RATE_LIMITED);
    exchange_fail(x, f->conf->status, EXCHANGE_END_FILTERED, STR_FMT ": too many requests",
                  STR_ARG(f->base.who));
    struct str wait = arena_printf(x->mem, "%lld", (long long)seconds_up(v->wait_ns));
    if (!wait.ptr || headers_set(&x->resp.headers, FIELD_RETRY_AFTER, wait) != ERR_OK)
        return filter_exhausted(x);
    return f->conf->fields == FIELDS_OFF ? ERR_OK : put_fields(f, x, v);
}

// What was counted stays.
static void keep(struct exchange_guard *g)
{
    (void)g;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct rate_limit *f = (const struct rate_limit *)(const void *)h;
    uint64_t hash = request_key_hash(&f->key, x);
    if (filter_is_counted(x, keep, &f->state->base, hash)) {
        filter_note(h, x, "passed", STR("counted already"));
        return handler_serve(h->next, x);
    }
    struct filter_count *count = ARENA_NEW(x->mem, struct filter_count);
    if (!count)
        return filter_exhausted(x);
    filter_count_add(x, count, keep, &f->state->base, hash);
    struct rate_verdict v = rate_table_take(f->state->table, hash, &f->rate,
                                            f->conf->delay_ms * NS_PER_MS, clock_now_ns());
    if (f->conf->dry_run && (!v.is_within || v.wait_ns > 0)) {
        filter_note(h, x, v.is_within ? "would have delayed" : "would have denied", STR_NONE);
        return handler_serve(h->next, x);
    }
    if (!v.is_within)
        return refuse(f, x, &v);
    if (v.wait_ns > 0) {
        filter_note(h, x, "delayed",
                    arena_printf(x->mem, "%lld ms", (long long)(v.wait_ns / NS_PER_MS)));
        exchange_watch(x); // or nobody would notice that the client has gone
        if (fiber_sleep((v.wait_ns + NS_PER_MS - 1) / NS_PER_MS) == FIBER_CANCELLED)
            return ERR_CANCELLED;
    } else {
        filter_note(h, x, "passed", STR_NONE);
    }
    enum err err = handler_serve(h->next, x);
    return err == ERR_OK && f->conf->fields == FIELDS_ALWAYS ? put_fields(f, x, &v) : err;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct rate_limit *f = (const struct rate_limit *)(const void *)h;
    return arena_printf(x->mem, "counts it; %s what is beyond " STR_FMT,
                        f->conf->dry_run ? "notes" : "refuses", STR_ARG(f->policy));
}

static void fini(struct handler *h)
{
    struct rate_limit *f = (struct rate_limit *)(void *)h;
    if (f->state)
        filter_state_unref(&f->state->base);
}

static const struct handler_type type = {
    .name = "rate-limit", .serve = serve, .explain = explain, .fini = fini};

// --- building ---

static struct filter_state *make_state(uint32_t keys_max)
{
    struct limit_state *state = MEM_NEW(struct limit_state);
    state->table = rate_table_new(keys_max);
    return &state->base;
}

static void end_state(struct filter_state *s)
{
    struct limit_state *state = CONTAINER_OF(s, struct limit_state, base);
    rate_table_free(state->table);
    mem_free(state);
}

// Times in the table mean the same whatever the rate, so that a changed one goes on with it.
static const struct filter_state_type state_type = {.make = make_state, .end = end_state};

// A name as a quoted string of a structured field (RFC 9651 3.3.3).
static struct str quotable(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < ' ' || name.ptr[i] > '~' || name.ptr[i] == '"' || name.ptr[i] == '\\')
            return STR("limit");
    return name;
}

static enum err set_rate(const struct rate_limit_conf *c, const struct filter_env *env,
                         struct rate_limit *f)
{
    f->rate = (struct rate){.interval_ns = (int64_t)(1e21 / (double)c->rate), .burst = c->burst};
    if (f->rate.interval_ns > REFILL_MAX_NS / f->rate.burst)
        return diag_fail(env->diags, ERR_RANGE, c->place,
                         "a burst of %u would take more than a year to come again: lower it, or "
                         "raise the rate",
                         c->burst);
    double window_s = c->burst * 1e12 / (double)c->rate; // in which the whole burst comes again
    f->quoted = quotable(f->base.handler.name);
    f->policy = arena_printf(env->mem, "\"" STR_FMT "\";q=%u;w=%lld", STR_ARG(f->quoted), c->burst,
                             (long long)MAX(window_s + 0.5, 1));
    return f->policy.ptr ? ERR_OK : ERR_LIMIT;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct rate_limit_conf *c = settings;
    struct rate_limit *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    bool is_fine = request_key_build(&c->key, env->diags, &f->key);
    enum err err = set_rate(c, env, f);
    if (err == ERR_LIMIT)
        return filter_no_memory(env);
    if (!is_fine || err != ERR_OK)
        return NULL;
    if (env->states)
        f->state = CONTAINER_OF(filter_states_take(env->states, &state_type, name, c->keys_max),
                                struct limit_state, base);
    return &f->base.handler;
}

const struct filter_type filter_rate_limit = {
    .choice = {.key = "rate-limit", .section = &section},
    .build = build,
};
