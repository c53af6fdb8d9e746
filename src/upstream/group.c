// SPDX-License-Identifier: Apache-2.0
#include "upstream/group.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "upstream/balance.h"
#include "upstream/mirror.h"

// --- whose turn it is, on one worker ---

struct turn {
    int64_t current;
    char token[STICKY_TOKEN_CHARS]; // zeros: there is no key
};

struct turns {
    struct worker_item item;
    uint32_t cookie_version;
    struct turn members[];
};

static void free_turns(struct worker_item *item)
{
    mem_free(CONTAINER_OF(item, struct turns, item));
}

static void make_tokens(struct turns *t, struct upstream_worker *w, const struct group *g)
{
    uint8_t key[COOKIE_KEY_BYTES];
    t->cookie_version = registry_cookie_key(w->registry, key);
    for (size_t i = 0; t->cookie_version > 0 && i < g->n; i++)
        sticky_token(key, g->sticky.service, g->members[i].name, t->members[i].token);
    explicit_bzero(key, sizeof key);
}

static struct turns *turns_of(struct upstream_worker *w, const struct group *g)
{
    struct worker_item *item = worker_item_get(w, g->shared);
    struct turns *t = item ? CONTAINER_OF(item, struct turns, item) : NULL;
    if (UNLIKELY(!t)) {
        t = mem_alloc(1, sizeof *t + g->n * sizeof t->members[0]);
        t->item.free = free_turns;
        registry_hold(g->shared);
        worker_item_set(w, g->shared, &t->item);
    }
    if (g->sticky.is_on && t->cookie_version != registry_cookie_version(w->registry))
        make_tokens(t, w, g);
    return t;
}

// --- choosing ---

struct choice {
    const struct group *g;
    struct turns *turns;
    uint64_t tried; // bits of members
};

// Whether anybody there can be asked. What isn't resolved yet may be.
static bool is_available(const struct handler *h)
{
    const struct group *g = group_of(h);
    for (size_t i = 0; g && i < g->n; i++)
        if (is_available(g->members[i].service))
            return true;
    return !g && service_is_available(h);
}

static bool may_choose(const struct choice *c, size_t i, bool is_any)
{
    return c->g->members[i].weight > 0 && (c->tried >> i & 1) == 0 &&
           (is_any || is_available(c->g->members[i].service));
}

// The first, or in smooth turns as those of servers. GROUP_MEMBERS_MAX: none.
static size_t choose_among(const struct choice *c, bool is_any)
{
    size_t best = GROUP_MEMBERS_MAX;
    int64_t total = 0;
    for (size_t i = 0; i < c->g->n; i++) {
        if (!may_choose(c, i, is_any))
            continue;
        if (c->g->is_failover)
            return i;
        struct turn *t = &c->turns->members[i];
        t->current += c->g->members[i].weight;
        total += c->g->members[i].weight;
        if (best == GROUP_MEMBERS_MAX || t->current > c->turns->members[best].current)
            best = i;
    }
    if (best < GROUP_MEMBERS_MAX)
        c->turns->members[best].current -= total;
    return best;
}

static size_t choose(const struct choice *c, struct str shown)
{
    for (size_t i = 0; shown.len > 0 && i < c->g->n; i++)
        if (sticky_is(shown, c->turns->members[i].token) && (c->tried >> i & 1) == 0 &&
            is_available(c->g->members[i].service))
            return i;
    size_t i = choose_among(c, false);
    return i < GROUP_MEMBERS_MAX ? i : choose_among(c, true);
}

// --- serving ---

// No server has seen anything of the request that it must not see twice.
static bool may_go_on(const struct exchange *x)
{
    return x->end == EXCHANGE_END_NO_SERVER || x->end == EXCHANGE_END_BREAKER ||
           x->end == EXCHANGE_END_SERVER_CONNECT || x->end == EXCHANGE_END_SERVER_CONNECT_TIMEOUT ||
           x->end == EXCHANGE_END_SERVER_TLS;
}

static enum err give_cookie(const struct group *g, struct exchange *x, struct str shown,
                            const char token[static STICKY_TOKEN_CHARS])
{
    if (!g->sticky.is_on || x->end != EXCHANGE_END_OK || x->resp.status == 0 || token[0] == '\0' ||
        sticky_is(shown, token) || sticky_give(&g->sticky, x, token) == ERR_OK)
        return ERR_OK;
    exchange_fail(x, 503, EXCHANGE_END_RESOURCES, "the exchange's memory is used up");
    return ERR_OK;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct group *g = group_of(h);
    struct choice c = {.g = g, .turns = turns_of(upstream_worker_self(), g)};
    struct str shown = g->sticky.is_on ? sticky_take(&g->sticky, x) : STR_NONE;
    if (g->mirror)
        mirror_begin(g->mirror, g->who, x);
    size_t i = choose(&c, shown);
    if (i == GROUP_MEMBERS_MAX) {
        exchange_fail(x, 503, EXCHANGE_END_NO_SERVER,
                      "no service of " STR_FMT " takes requests (weight 0)", STR_ARG(g->who));
        return ERR_OK;
    }
    for (;;) {
        char token[STICKY_TOKEN_CHARS]; // the turns may be gone after a wait
        memcpy(token, c.turns->members[i].token, sizeof token);
        bool is_kept = shown.len > 0 && sticky_is(shown, token);
        trail_add(&x->trail, g->who, is_kept ? "kept to" : "chose", g->members[i].name);
        c.tried |= UINT64_C(1) << i;
        enum err err = handler_serve(g->members[i].service, x);
        if (err != ERR_OK)
            return err;
        if (!may_go_on(x))
            return give_cookie(g, x, shown, token);
        c.turns = turns_of(upstream_worker_self(), g);
        i = choose_among(&c, false);
        if (i == GROUP_MEMBERS_MAX) // nobody would do better
            return ERR_OK;
        exchange_forget_answer(x);
    }
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    return group_describe(group_of(h), x->mem);
}

const struct handler_type group_handler_type = {
    .name = "service",
    .serve = serve,
    .explain = explain,
};

// --- building ---

static enum err add_member(struct group *g, const struct service_conf *conf,
                           const struct conf_text *name, uint32_t weight, struct diags *diags)
{
    const struct handler *service = conf->names->find(conf->names, name);
    if (!service)
        return ERR_NOT_FOUND;
    enum server_protocol protocol = service_protocol(service);
    if (service_proxy_protocol(service) != SERVICE_PROXY_PROTOCOL_OFF)
        return diag_fail(diags, ERR_SYNTAX, name->place,
                         "the service '" STR_FMT "' has 'proxy-protocol', which a service of "
                         "services can't pass on",
                         STR_ARG(name->text));
    if (g->protocol == SERVER_ANYTHING)
        g->protocol = protocol;
    if (protocol != SERVER_ANYTHING && protocol != g->protocol)
        return diag_fail(diags, ERR_SYNTAX, name->place,
                         "the service '" STR_FMT "' has servers of another kind (HTTP or TCP) than "
                         "those before it",
                         STR_ARG(name->text));
    g->members[g->n++] =
        (struct group_member){.service = service, .name = name->text, .weight = weight};
    return ERR_OK;
}

static enum err add_members(struct group *g, const struct service_conf *conf, struct diags *diags)
{
    enum err result = ERR_OK;
    for (size_t i = 0; i < conf->split.n && g->n < GROUP_MEMBERS_MAX; i++) {
        const struct split_conf *s = conf->split.items[i];
        enum err err = add_member(g, conf, &s->service, s->weight, diags);
        result = err ? err : result;
    }
    for (size_t i = 0; i < conf->failover.n && g->n < GROUP_MEMBERS_MAX; i++) {
        enum err err = add_member(g, conf, &conf->failover.items[i], 1, diags);
        result = err ? err : result;
    }
    return result;
}

static void take_identity(struct group *g, struct upstream_registry *registry)
{
    struct text key = {0};
    text_printf(&key, "of services " STR_FMT, STR_ARG(g->handler.name));
    for (size_t i = 0; i < g->n; i++)
        text_printf(&key, " %u*" STR_FMT, g->members[i].weight, STR_ARG(g->members[i].name));
    g->shared = registry_take_service(registry, text_str(&key));
    text_fini(&key);
}

struct handler *group_build(struct str name, const struct service_conf *conf,
                            struct upstream_registry *registry, struct arena *mem,
                            struct diags *diags)
{
    size_t n = conf->split.n + conf->failover.n;
    if (n > GROUP_MEMBERS_MAX) {
        (void)diag_fail(diags, ERR_LIMIT, conf->place,
                        "service '" STR_FMT "' is made of %zu services; at most %d are allowed",
                        STR_ARG(name), n, GROUP_MEMBERS_MAX);
        return NULL;
    }
    struct group *g = ARENA_NEW(mem, struct group);
    struct group_member *members = ARENA_ARRAY(mem, struct group_member, n);
    struct str own_name = arena_dup(mem, name);
    struct str who = arena_concat(mem, STR("service "), name, STR_NONE);
    if (!g || !members || !own_name.ptr || !who.ptr) {
        (void)diag_fail(diags, ERR_LIMIT, conf->place, "memory limit of the settings");
        return NULL;
    }
    *g = (struct group){
        .handler = {.type = &group_handler_type, .name = own_name},
        .who = who,
        .is_failover = conf->failover.n > 0,
        .members = members,
    };
    enum err err = add_members(g, conf, diags);
    if (!err)
        err = sticky_build(&conf->sticky, own_name, mem, diags, &g->sticky);
    if (!err && conf->mirror.is_on)
        err = mirror_build(conf, mem, diags, &g->mirror);
    if (err)
        return NULL;
    take_identity(g, registry);
    mirror_count(g->mirror, g->shared);
    return &g->handler;
}

void group_release(struct group *g)
{
    if (g->shared)
        registry_drop(g->shared);
    g->shared = NULL;
}

struct str group_describe(const struct group *g, struct arena *mem)
{
    struct text text = {0};
    uint64_t total = 0;
    for (size_t i = 0; i < g->n; i++)
        total += g->members[i].weight;
    if (g->mirror)
        text_printf(&text, "mirrored to " STR_FMT " (%u %%), ", STR_ARG(g->mirror->name),
                    g->mirror->share);
    text_printf(&text, g->is_failover ? "the first that can be used of" : "shared out");
    if (g->sticky.is_on)
        text_printf(&text, ", sticky by the cookie " STR_FMT, STR_ARG(g->sticky.name));
    text_printf(&text, ": ");
    for (size_t i = 0; i < g->n; i++) {
        text_printf(&text, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(g->members[i].name));
        if (!g->is_failover)
            text_printf(&text, " %u of %u", g->members[i].weight, (unsigned)total);
    }
    struct str described = arena_dup(mem, text_str(&text));
    text_fini(&text);
    return described;
}
