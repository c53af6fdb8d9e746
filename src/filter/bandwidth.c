// SPDX-License-Identifier: Apache-2.0
// bandwidth: so many bytes per second, for each exchange, each client, or whatever else tells them
// apart.
#include "base/mem.h"
#include "base/num.h"
#include "filter/common.h"
#include "filter/rate_table.h"
#include "filter/states.h"
#include "filter/throttle_body.h"
#include "http/request_key.h"

static const char *const per_names[] = {"key", "exchange", NULL};
enum per {
    PER_KEY,
    PER_EXCHANGE,
};

struct bandwidth_conf {
    uint64_t down, up, burst; // bytes per second; 0: no limit
    unsigned per;
    struct request_key_conf key;
    uint32_t keys_max;
    struct place place;
};

struct flow_state {
    struct filter_state base;
    struct rate_table *down, *up;
};

struct bandwidth {
    struct filter_base base;
    const struct bandwidth_conf *conf; // borrows: the snapshot's
    struct request_key key;
    struct flow_state *state; // shares: with filters of this name; NULL: per exchange, or checked
};

static enum err check(const void *value, struct diags *diags)
{
    const struct bandwidth_conf *c = value;
    if (c->down > 0 || c->up > 0)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, c->place, "it limits nothing: set `down`, `up`, or both");
}

static const struct conf_item items[] = {
    ITEM_SIZE(bandwidth_conf, down, "down", .def = "off", .min = "1KiB", .max = "1TiB",
              .zero = "off", .since = "0.1", .apply = CONF_LIVE, .example = "1MiB",
              .doc = "Bytes per second to clients, of bodies of answers."),
    ITEM_SIZE(bandwidth_conf, up, "up", .def = "off", .min = "1KiB", .max = "1TiB", .zero = "off",
              .since = "0.1", .apply = CONF_LIVE, .example = "512KiB",
              .doc = "Bytes per second from clients, of bodies of requests."),
    ITEM_SIZE(bandwidth_conf, burst, "burst", .def = "64KiB", .min = "1KiB", .max = "1GiB",
              .since = "0.1", .apply = CONF_LIVE, .example = "1MiB",
              .doc = "So much goes at full speed after a pause: small answers aren't slowed down."),
    ITEM_ENUM(bandwidth_conf, per, "per", .names = per_names, .def = "key", .since = "0.1",
              .apply = CONF_LIVE,
              .doc =
                  "Whether all that is equal in `key` shares the rate, or each exchange has it for "
                  "itself."),
    REQUEST_KEY_ITEMS(bandwidth_conf, key, "all"),
    ITEM_UINT(bandwidth_conf, keys_max, "keys-max", .def = "10000", .min = "100", .max = "10000000",
              .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "How many are told apart at a time, with up to 128 bytes of memory each. Beyond, "
                  "those that have been idle for longest are forgotten."),
};

static const struct conf_section section = {
    .name = "bandwidth",
    .doc =
        "Limits the bytes per second of bodies. All workers count together, and reloads keep the "
        "count. Tunnels (WebSockets) aren't limited.",
    CONF_SECTION_OF(bandwidth_conf, items),
    .place_offset = CONF_PLACE_AT(bandwidth_conf, place),
    .check = check,
};

// --- serving ---

static bool wrap(const struct bandwidth *f, struct exchange *x, struct body **at,
                 uint64_t bytes_per_s, struct rate_table *table, uint64_t hash)
{
    if (bytes_per_s == 0 || !*at)
        return true;
    const struct throttle t = {.table = table,
                               .hash = hash,
                               .bytes_per_s = bytes_per_s,
                               .burst_bytes = f->conf->burst,
                               .ends_in_time = at == &x->resp.body};
    return throttle_body_wrap(x, at, &t);
}

// Bodies that are slowed down stay so.
static void keep(struct exchange_guard *g)
{
    (void)g;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct bandwidth *f = (const struct bandwidth *)(const void *)h;
    struct flow_state *s = f->state;
    uint64_t hash = s ? request_key_hash(&f->key, x) : 0;
    if (s && filter_is_counted(x, keep, &s->base, hash)) {
        filter_note(h, x, "passed", STR("limited already"));
        return handler_serve(h->next, x);
    }
    struct filter_count *count = ARENA_NEW(x->mem, struct filter_count);
    if (!count)
        return filter_exhausted(x);
    if (s)
        filter_count_add(x, count, keep, &s->base, hash);
    if (!wrap(f, x, &x->req.body, f->conf->up, s ? s->up : NULL, hash))
        return filter_exhausted(x);
    filter_note(h, x, "limits", STR_NONE);
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK)
        return err;
    bool is_wrapped = wrap(f, x, &x->resp.body, f->conf->down, s ? s->down : NULL, hash);
    return is_wrapped ? ERR_OK : filter_exhausted(x);
}

static struct str rate_text(struct exchange *x, uint64_t rate)
{
    char text[24];
    num_size_text(rate, text);
    return rate == 0 ? STR("any") : arena_printf(x->mem, "%s/s", text);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct bandwidth *f = (const struct bandwidth *)(const void *)h;
    struct str down = rate_text(x, f->conf->down), up = rate_text(x, f->conf->up);
    return arena_printf(x->mem, "answers at " STR_FMT ", requests at " STR_FMT ", %s",
                        STR_ARG(down), STR_ARG(up),
                        f->conf->per == PER_KEY ? "shared by all of its key" : "each by itself");
}

static void fini(struct handler *h)
{
    struct bandwidth *f = (struct bandwidth *)(void *)h;
    if (f->state)
        filter_state_unref(&f->state->base);
}

static const struct handler_type type = {
    .name = "bandwidth", .serve = serve, .explain = explain, .fini = fini};

// --- building ---

static struct filter_state *make_state(uint32_t keys_max)
{
    struct flow_state *state = MEM_NEW(struct flow_state);
    state->down = rate_table_new(keys_max);
    state->up = rate_table_new(keys_max);
    return &state->base;
}

static void end_state(struct filter_state *s)
{
    struct flow_state *state = CONTAINER_OF(s, struct flow_state, base);
    rate_table_free(state->down);
    rate_table_free(state->up);
    mem_free(state);
}

// Times in the tables mean the same whatever the rate, so that a changed one goes on with them.
static const struct filter_state_type state_type = {.make = make_state, .end = end_state};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct bandwidth_conf *c = settings;
    struct bandwidth *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    if (!request_key_build(&c->key, env->diags, &f->key))
        return NULL;
    if (env->states && c->per == PER_KEY)
        f->state = CONTAINER_OF(filter_states_take(env->states, &state_type, name, c->keys_max),
                                struct flow_state, base);
    return &f->base.handler;
}

const struct filter_type filter_bandwidth = {
    .choice = {.key = "bandwidth", .section = &section},
    .build = build,
};
