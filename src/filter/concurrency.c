// SPDX-License-Identifier: Apache-2.0
// concurrency: so many exchanges at a time for each client, or whatever else tells them apart.
#include "base/mem.h"
#include "filter/common.h"
#include "filter/states.h"
#include "filter/tally.h"
#include "http/request_key.h"

struct concurrency_conf {
    uint32_t max;
    struct request_key_conf key;
    uint32_t status, keys_max;
    int64_t retry_after_ms;
    bool dry_run;
};

struct tally_state {
    struct filter_state base;
    struct tally *tally;
};

struct concurrency {
    struct filter_base base;
    const struct concurrency_conf *conf; // borrows: the snapshot's
    struct request_key key;
    struct str retry_after;    // seconds
    struct tally_state *state; // shares: with filters of this name; NULL: only checked
};

static const struct conf_item items[] = {
    ITEM_UINT(concurrency_conf, max, "max", .is_required = true, .min = "1", .max = "1000000",
              .since = "0.1", .apply = CONF_LIVE, .example = "20",
              .doc = "So many requests at a time, from their heads to the last byte of their "
                     "answers. WebSockets and other tunnels count for as long as they live."),
    REQUEST_KEY_ITEMS(concurrency_conf, key, "\"header:X-Api-Key\""),
    ITEM_UINT(concurrency_conf, status, "status", .def = "429", .min = "400", .max = "599",
              .since = "0.1", .apply = CONF_LIVE, .example = "503",
              .doc =
                  "The answer to what is beyond: 429 says that the client asks for too much, 503 "
                  "that the service is busy."),
    ITEM_DURATION(concurrency_conf, retry_after_ms, "retry-after", .def = "1s", .min = "1s",
                  .max = "1d", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "What `Retry-After` says to those."),
    ITEM_BOOL(concurrency_conf, dry_run, "dry-run", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Refuses nothing, and notes what it would have refused: for finding a limit "
                     "that fits."),
    ITEM_UINT(concurrency_conf, keys_max, "keys-max", .def = "100000", .min = "100",
              .max = "10000000", .since = "0.1", .apply = CONF_LIVE,
              .doc = "How many different keys may have requests at a time. Those beyond are "
                     "refused."),
};

static const struct conf_section section = {
    .name = "concurrency",
    .doc = "Limits how many requests are served at a time. All workers count together, and reloads "
           "keep the count.",
    CONF_SECTION_OF(concurrency_conf, items),
    .shorthand = "max",
};

// --- serving ---

static enum err refuse(const struct concurrency *f, struct exchange *x, const char *why)
{
    filter_note(&f->base.handler, x, "denied", str_of(why));
    exchange_fail(x, f->conf->status, EXCHANGE_END_FILTERED, STR_FMT ": %s", STR_ARG(f->base.who),
                  why);
    return headers_set(&x->resp.headers, FIELD_RETRY_AFTER, f->retry_after) == ERR_OK
               ? ERR_OK
               : filter_exhausted(x);
}

// An exchange's place is free again.
static void leave(struct exchange_guard *g)
{
    const struct filter_count *c = CONTAINER_OF(g, struct filter_count, guard);
    tally_leave(CONTAINER_OF(c->state, struct tally_state, base)->tally, c->hash);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct concurrency *f = (const struct concurrency *)(const void *)h;
    bool is_dry = f->conf->dry_run;
    uint64_t hash = request_key_hash(&f->key, x);
    uint32_t n = 0;
    if (filter_is_counted(x, leave, &f->state->base, hash)) {
        filter_note(h, x, "passed", STR("counted already"));
        return handler_serve(h->next, x);
    }
    struct filter_count *place = ARENA_NEW(x->mem, struct filter_count);
    if (!place)
        return filter_exhausted(x);
    switch (tally_enter(f->state->tally, hash, is_dry ? UINT32_MAX : f->conf->max, &n)) {
    case TALLY_ENTERED:
        filter_count_add(x, place, leave, &f->state->base, hash);
        break;
    case TALLY_FULL:
        return refuse(f, x, "too many requests at a time");
    case TALLY_NO_ROOM:
        if (!is_dry)
            return refuse(f, x, "too many keys at a time");
        break;
    }
    filter_note(h, x, n > f->conf->max ? "would have denied" : "passed", STR_NONE);
    return handler_serve(h->next, x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct concurrency *f = (const struct concurrency *)(const void *)h;
    return arena_printf(x->mem, "counts it; %s what is beyond %u at a time",
                        f->conf->dry_run ? "notes" : "refuses", f->conf->max);
}

static void fini(struct handler *h)
{
    struct concurrency *f = (struct concurrency *)(void *)h;
    if (f->state)
        filter_state_unref(&f->state->base);
}

static const struct handler_type type = {
    .name = "concurrency", .serve = serve, .explain = explain, .fini = fini};

// --- building ---

static struct filter_state *make_state(uint32_t keys_max)
{
    struct tally_state *state = MEM_NEW(struct tally_state);
    state->tally = tally_new(keys_max);
    return &state->base;
}

static void end_state(struct filter_state *s)
{
    struct tally_state *state = CONTAINER_OF(s, struct tally_state, base);
    tally_free(state->tally);
    mem_free(state);
}

static const struct filter_state_type state_type = {.make = make_state, .end = end_state};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct concurrency_conf *c = settings;
    struct concurrency *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    if (!request_key_build(&c->key, env->diags, &f->key))
        return NULL;
    f->retry_after = arena_printf(env->mem, "%lld", (long long)(c->retry_after_ms + 999) / 1000);
    if (!f->retry_after.ptr)
        return filter_no_memory(env);
    if (env->states)
        f->state = CONTAINER_OF(filter_states_take(env->states, &state_type, name, c->keys_max),
                                struct tally_state, base);
    return &f->base.handler;
}

const struct filter_type filter_concurrency = {
    .choice = {.key = "concurrency", .section = &section},
    .build = build,
};
