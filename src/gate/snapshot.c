// SPDX-License-Identifier: Apache-2.0
#include "gate/snapshot.h"

#include "base/mem.h"
#include "filter/filter.h"
#include "gate/snapshot_priv.h"
#include "gate/wiring.h"
#include "rt/file.h"
#include "upstream/service.h"

#define SNAPSHOT_MAX_BYTES ((size_t)4 << 30)
#define GO_ON_ERRORS_MAX 20
#define ENTRIES_MAX 64 // bits of route.entries

// The settings file may name no entrypoint: then there are two.
static void add_default_entrypoints(struct builder *b)
{
    static const struct {
        struct str name, listen, tls;
    } defaults[] = {
        {STR_INIT("web"), STR_INIT(":80"), STR_INIT("off")},
        {STR_INIT("websecure"), STR_INIT(":443"), STR_INIT("on")},
    };
    struct arena *mem = &b->s->mem;
    struct place place = {.source = "built-in default"};
    struct conf_map *map = &b->s->settings.entrypoints;
    map->items = ARENA_ARRAY(mem, struct conf_map_item, ARRAY_LEN(defaults));
    for (map->n = 0; map->n < ARRAY_LEN(defaults); map->n++) {
        struct conf_node *node = conf_node_new(mem, CONF_NODE_MAP, place);
        conf_node_put(node, STR("listen"), conf_node_scalar(mem, defaults[map->n].listen, place));
        conf_node_put(node, STR("tls"), conf_node_scalar(mem, defaults[map->n].tls, place));
        struct entrypoint_conf *entry = ARENA_NEW(mem, struct entrypoint_conf);
        enum err err = conf_read(&entrypoint_section, node, NULL, mem, b->diags, entry);
        ASSERT(err == ERR_OK);
        map->items[map->n] =
            (struct conf_map_item){.name = defaults[map->n].name, .place = place, .value = entry};
    }
}

static void build_entry(const struct conf_map_item *item, struct http_entry *e)
{
    const struct entrypoint_conf *c = item->value;
    struct listen_addr addr = {.port = 0};
    (void)!listen_parse(&c->listen, NULL, &addr); // checked while it was read
    *e = (struct http_entry){
        .name = item->name,
        .limits = {.line_max_bytes = (uint32_t)c->line_max_bytes,
                   .head_max_bytes = (uint32_t)c->head_max_bytes,
                   .fields_max = c->fields_max},
        .body_max_bytes = c->body_max_bytes,
        .exchange_mem_bytes = c->exchange_mem_bytes,
        .requests_max = c->requests_max,
        .h2_streams_max = c->http2_streams_max,
        .h2c = c->h2c,
        .idle_ms = c->idle_ms,
        .head_ms = c->head_ms,
        .body_idle_ms = c->body_idle_ms,
        .body_min_rate = c->body_min_rate,
        .tunnel_idle_ms = c->tunnel_idle_ms,
        .linger_ms = c->linger_ms,
        .linger_max_bytes = 1 << 20,
        .paths = {.decode_slash = c->encoded_slash == ENCODED_SLASH_DECODE,
                  .reject_slash = c->encoded_slash == ENCODED_SLASH_REJECT,
                  .merge_slashes = c->merge_slashes},
        .trusted = c->trusted_proxies.items,
        .n_trusted = c->trusted_proxies.n,
        .balancers = c->proxy_protocol.from.items,
        .n_balancers = c->proxy_protocol.is_on ? c->proxy_protocol.from.n : 0,
        .x_forwarded = c->x_forwarded,
        .x_real_ip = c->x_real_ip,
        .forwarded = c->forwarded,
        .via = c->via.text,
        .request_id_to_client = c->request_id,
        .port = addr.port,
    };
}

static struct proxy_in proxy_in_of(const struct entrypoint_conf *e)
{
    const struct proxy_in_conf *c = &e->proxy_protocol;
    if (!c->is_on)
        return (struct proxy_in){.n_from = 0};
    return (struct proxy_in){
        .from = c->from.items,
        .n_from = c->from.n,
        .takes_others = c->others == PROXY_IN_ACCEPT,
        .timeout_ms = c->timeout_ms,
    };
}

// The kernel would share out connections between the two: each would get some of the other's.
static void check_addresses(struct builder *b)
{
    const struct conf_map *map = &b->s->settings.entrypoints;
    for (size_t i = 0; i < map->n; i++) {
        const struct entrypoint_conf *c = map->items[i].value;
        struct listen_addr addr, other;
        if (listen_parse(&c->listen, NULL, &addr) != ERR_OK || addr.port == 0)
            continue;
        for (size_t j = 0; j < i; j++) {
            const struct entrypoint_conf *d = map->items[j].value;
            if (listen_parse(&d->listen, NULL, &other) == ERR_OK && other.port == addr.port &&
                ip_eq(&other.ip, &addr.ip))
                diag_fail(b->diags, ERR_SYNTAX, c->listen.place,
                          "the entrypoint '" STR_FMT "' has this address already (line %u)",
                          STR_ARG(map->items[j].name), map->items[j].place.line);
        }
    }
}

static void build_entries(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct conf_map *map = &s->settings.entrypoints;
    if (map->n == 0)
        add_default_entrypoints(b);
    snapshot_add_metrics_entrypoint(b);
    if (map->n > ENTRIES_MAX) {
        diag_fail(b->diags, ERR_LIMIT, map->items[ENTRIES_MAX].place,
                  "there are %zu entrypoints; at most %d are allowed", map->n, ENTRIES_MAX);
        return;
    }
    s->entries = ARENA_ARRAY(&s->mem, struct http_entry, map->n);
    s->proxy_in = ARENA_ARRAY(&s->mem, struct proxy_in, map->n);
    for (size_t i = 0; i < map->n; i++) {
        build_entry(&map->items[i], &s->entries[i]);
        s->proxy_in[i] = proxy_in_of(map->items[i].value);
    }
    s->n_entries = (unsigned)map->n;
    check_addresses(b);
    snapshot_build_doors(b);
    snapshot_build_tcp_entries(b);
}

void snapshot_remember(struct builder *b, struct handler_set *set, struct handler *h)
{
    if (set->n == set->cap) {
        size_t cap = MAX(set->cap * 2, (size_t)16);
        struct handler **bigger = ARENA_ARRAY(&b->s->mem, struct handler *, cap);
        if (set->n > 0)
            memcpy(bigger, set->items, set->n * sizeof(struct handler *));
        set->items = bigger;
        set->cap = cap;
    }
    set->items[set->n++] = h;
}

static void snapshot_free(struct snapshot *s)
{
    ban_rules_fini(&s->bans);
    map_fini(&s->filter_meters);
    meter_list_fini(&s->meters);
    router_fini(s->router);
    router_fini(s->tcp_router);
    for (size_t i = 0; i < s->all_filters.n; i++) {
        struct handler *h = s->all_filters.items[i];
        if (h->type->fini)
            h->type->fini(h);
    }
    for (size_t i = 0; i < s->all_services.n; i++)
        service_release(s->all_services.items[i]);
    map_fini(&s->services);
    for (unsigned i = 0; s->doors && i < s->n_entries; i++)
        map_fini(&s->doors[i].policies);
    if (s->demand)
        map_fini(&s->demand->wildcards);
    for (size_t i = 0; i < s->n_policies; i++)
        tls_policy_free(s->policies[i]);
    struct str bytes = s->bytes;
    arena_fini(&s->tree);
    arena_fini(&s->mem);
    mem_free(s);
    file_unmap(bytes);
}

static void on_free_mail(struct rt_mail *m)
{
    snapshot_free(CONTAINER_OF(m, struct snapshot, free_mail));
}

void snapshot_unref(struct snapshot *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (!s->home) {
        snapshot_free(s);
        return;
    }
    s->free_mail.fn = on_free_mail;
    loop_post(s->home, &s->free_mail);
}

struct snapshot *snapshot_build(const struct conf_node *root, const struct snapshot_env *env,
                                struct diags *diags)
{
    struct snapshot *s = MEM_NEW(struct snapshot);
    arena_init(&s->mem, SNAPSHOT_MAX_BYTES, NULL, 0);
    atomic_init(&s->refs, 1);
    s->root = root;
    struct builder b = {.s = s, .env = env, .diags = diags, .root = root};
    b.hosts_end = &s->hosts;
    meter_list_init(&s->meters, env->meters);
    size_t n_errors = diags->n_errors;
    // Goes on after an error, so that all of them are told at once; what failed has its default.
    bool is_read = conf_read(&settings_section, root, NULL, &s->mem, diags, &s->settings) == ERR_OK;
    if (is_read || diags->n_errors < GO_ON_ERRORS_MAX) {
        (void)geo_build(&s->settings.geo, diags, &s->geo); // told in diags
        build_entries(&b);
        (void)!ban_rules_build(&s->settings.ban, &s->mem, diags, &s->bans); // told in diags
        snapshot_build_services(&b);
        snapshot_check_filters(&b);
        snapshot_reserve_fields(&b);
        snapshot_build_entry_filters(&b);
        snapshot_build_routes(&b);
        snapshot_count_filters(&b);
        const struct filter_env filter_env = snapshot_filter_env(&b);
        s->tracing = tracing_build(&s->settings.tracing, &filter_env); // NULL is told in diags
        snapshot_build_demand(&b);
    }
    if (is_read)
        snapshot_build_site_policies(&b);
    map_fini(&b.names);
    map_fini(&b.hosts);
    map_fini(&b.policies);
    map_fini(&b.asked);
    if (diags->n_errors > n_errors) {
        snapshot_free(s);
        return NULL;
    }
    s->access_log = access_log_build(&s->settings.access_log, &s->mem);
    return s;
}

int snapshot_find_entry(const struct snapshot *s, struct str name)
{
    for (unsigned i = 0; i < s->n_entries; i++) {
        if (str_eq(s->entries[i].name, name))
            return (int)i;
    }
    return -1;
}
