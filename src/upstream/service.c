// SPDX-License-Identifier: Apache-2.0
// Building a service from its settings, and taking it apart.
#include "upstream/service.h"

#include <inttypes.h>

#include "base/text.h"
#include "base/writer.h"
#include "codec/base64.h"
#include "codec/url.h"
#include "rt/clock.h"
#include "upstream/balance.h"
#include "upstream/group.h"
#include "upstream/mirror.h"
#include "upstream/service_priv.h"

#define IPV6_NETWORK_BITS 64 // whoever has an address has all of these, and changes among them

// The servers of a service take turns, so all must be good for the same routes.
static enum err join_protocols(struct service *s, enum server_protocol protocol,
                               const struct server_conf *conf, struct diags *diags)
{
    if (s->protocol == SERVER_ANYTHING)
        s->protocol = protocol;
    if (protocol == SERVER_ANYTHING || protocol == s->protocol)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, conf->url.place,
                     "service '" STR_FMT "' has servers for HTTP and for TCP: give each kind a "
                     "service of its own",
                     STR_ARG(s->handler.name));
}

// With what the server has to be and what is shown to it, since connections are shared by key.
static enum err secure_server(const struct service_conf *conf, const struct tls_client *tls,
                              struct arena *mem, struct diags *diags, struct server_url *url)
{
    struct conf_text name = conf->tls.server_name;
    const char *why = NULL;
    enum err err = ERR_OK;
    if (name.text.len > 0)
        err = tls_peer_parse(name.text, mem, &url->peer, &why);
    if (err)
        return diag_fail(diags, err, name.place, "server-name '" STR_FMT "': %s",
                         STR_ARG(name.text), why);
    char id[(TLS_CLIENT_ID_BYTES + 2) / 3 * 4], buf[46];
    struct str raw = str_from((const char *)tls_client_id(tls), TLS_CLIENT_ID_BYTES);
    size_t n_id = base64_encode(raw, false, id);
    struct str peer = url->peer.name.len > 0 ? url->peer.name : ip_text(&url->peer.ip, buf);
    url->learns_as = tls_client_learns(tls) ? url->key : STR_NONE;
    url->key = arena_printf(mem, STR_FMT " tls " STR_FMT " %.*s", STR_ARG(url->key), STR_ARG(peer),
                            (int)n_id, id);
    if (url->key.ptr)
        return ERR_OK;
    return diag_fail(diags, ERR_LIMIT, conf->place, "memory limit of the settings");
}

// What builds the servers of one service.
struct servers {
    struct service *s;
    const struct service_conf *conf;
    struct upstream_registry *registry;
    struct arena *mem;
    struct diags *diags;
    struct tls_client *tls; // shares; NULL: not needed yet
    bool is_tls_bad;        // an error, which was told
};

static enum err use_tls(struct servers *b, struct server_url *url)
{
    if (!b->tls && !b->is_tls_bad) {
        b->tls = tls_clients_take(registry_tls(b->registry), &b->conf->tls, b->conf->authorities,
                                  b->diags);
        b->is_tls_bad = !b->tls;
    }
    return b->tls ? secure_server(b->conf, b->tls, b->mem, b->diags, url) : ERR_NOT_FOUND;
}

// What is spoken with the server. It is part of the key, since connections are shared by it.
static enum err choose_http(const struct servers *b, const struct server_conf *conf,
                            struct server_url *url)
{
    enum server_http wanted = (enum server_http)b->conf->http;
    if (url->protocol == SERVER_TCP && wanted != SERVER_HTTP_AUTO)
        return diag_fail(b->diags, ERR_SYNTAX, conf->url.place,
                         "service '" STR_FMT "' says which 'http' its servers speak, but those of "
                         "TCP routes speak none",
                         STR_ARG(b->s->handler.name));
    if (url->http == SERVER_HTTP_2 && wanted == SERVER_HTTP_1)
        return diag_fail(b->diags, ERR_SYNTAX, conf->url.place,
                         "server '" STR_FMT "' speaks HTTP/2, but the service's 'http' is 1.1: "
                         "write http:// or leave 'http' out",
                         STR_ARG(conf->url.text));
    if (url->http == SERVER_HTTP_AUTO)
        url->http = wanted == SERVER_HTTP_AUTO && !url->is_tls ? SERVER_HTTP_1 : wanted;
    const char *mark = url->http == SERVER_HTTP_2                  ? " http/2"
                       : url->http == SERVER_HTTP_1 && url->is_tls ? " http/1.1"
                                                                   : "";
    url->key = arena_concat(b->mem, url->key, str_of(mark), STR_NONE);
    if (url->key.ptr)
        return ERR_OK;
    return diag_fail(b->diags, ERR_LIMIT, conf->url.place, "memory limit of the settings");
}

static struct health_plan *plan_for(const struct servers *b, const struct server_url *url)
{
    const struct health_conf *conf = &b->conf->health;
    struct str host = conf->host.text;
    if (host.len == 0)
        host = b->s->host == SERVICE_HOST_FIXED ? b->conf->host.text : url->authority;
    return health_plan_new(&(struct health_plan_of){.conf = conf,
                                                    .url = url,
                                                    .http = url->http,
                                                    .tls = url->is_tls ? b->tls : NULL,
                                                    .host = host},
                           b->diags);
}

// Whether there is more to know of the health of servers than that they are there.
static bool knows_addresses(const struct service_conf *conf)
{
    return conf->health.is_on || conf->eject.is_on;
}

static enum err build_server(struct servers *b, struct service_server *to,
                             const struct server_conf *conf)
{
    struct server_url url;
    enum err err = server_url_parse(&conf->url, b->mem, b->diags, &url);
    struct str name = err ? STR_NONE : url.key; // before it says how it is spoken with
    if (!err)
        err = join_protocols(b->s, url.protocol, conf, b->diags);
    if (!err && url.is_tls)
        err = use_tls(b, &url);
    if (!err)
        err = choose_http(b, conf, &url);
    if (err)
        return err;
    struct health_plan *plan = NULL;
    if (b->conf->health.is_on && !(plan = plan_for(b, &url)))
        return ERR_SYNTAX;
    struct server_state *state =
        registry_take_server(b->registry, &url, url.is_tls ? b->tls : NULL);
    *to = (struct service_server){
        .state = state,
        .health = registry_take_health(b->registry,
                                       &(struct health_wish){.service = b->s->handler.name,
                                                             .server = state,
                                                             .name = name,
                                                             .has_slots = knows_addresses(b->conf),
                                                             .plan = plan}),
        .weight = conf->weight,
        .tier = conf->is_backup,
        .active_max = conf->active_max,
        .text = conf->url.text,
        .authority = url.authority,
    };
    return ERR_OK;
}

static enum err read_host(const struct service_conf *conf, struct diags *diags,
                          enum service_host *ret)
{
    struct str host = conf->host.text;
    struct url_authority authority;
    *ret = SERVICE_HOST_FIXED;
    if (host.len == 0 || str_eq(host, STR("keep")))
        *ret = SERVICE_HOST_KEEP;
    else if (str_eq(host, STR("server")))
        *ret = SERVICE_HOST_SERVER;
    else if (url_authority_parse(host, &authority))
        return diag_fail(diags, ERR_SYNTAX, conf->host.place,
                         "host: '" STR_FMT "' is not a host name; allowed are keep, server and "
                         "HOST[:PORT]",
                         STR_ARG(host));
    return ERR_OK;
}

// The same name and the same servers: the same round of balancing, over all snapshots.
static struct shared *take_identity(const struct service *s, struct upstream_registry *registry)
{
    struct text key = {0};
    text_put(&key, s->handler.name);
    if (knows_addresses(s->conf)) // the rosters are of other states of health then
        text_put(&key, STR(" +"));
    for (size_t i = 0; i < s->n_servers; i++) {
        char weight[16];
        struct writer w;
        writer_init(&w, weight, sizeof weight);
        writer_put(&w, STR(" "));
        writer_dec(&w, s->servers[i].weight);
        writer_put(&w, s->servers[i].tier > 0 ? STR("/") : STR("*"));
        text_put(&key, writer_str(&w));
        text_put(&key, s->servers[i].state->shared.key);
    }
    struct shared *shared = registry_take_service(registry, text_str(&key));
    text_fini(&key);
    return shared;
}

static enum err read_hash_key(struct service *s, struct diags *diags)
{
    static const struct conf_text client_ip = {.text = STR_INIT("client-ip")};
    const struct conf_texts source = {.items = (struct conf_text *)(uintptr_t)&client_ip, .n = 1};
    const struct service_conf *conf = s->conf;
    bool is_source = conf->balance == SERVICE_BALANCE_SOURCE;
    if (conf->balance != SERVICE_BALANCE_HASH && !is_source)
        return ERR_OK;
    if (!request_key_parse(is_source ? &source : &conf->hash_key, diags, &s->hash_key))
        return ERR_SYNTAX;
    s->hash_key.v6_bits = IPV6_NETWORK_BITS;
    if (conf->hash_factor == 0 || conf->hash_factor >= 100)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, conf->place,
                     "hash-balance-factor: %u would leave requests over; write 100 or more (125: a "
                     "quarter more than its share), or 0",
                     conf->hash_factor);
}

// Methods and limits that go by the number of exchanges need it from all services of a server.
static void count_exchanges(const struct service *s)
{
    for (size_t i = 0; i < s->n_servers; i++)
        if (balance_methods[s->conf->balance].counts || s->servers[i].active_max > 0)
            atomic_store_explicit(&s->servers[i].state->is_counted, true, memory_order_relaxed);
}

static enum err build_servers(struct service *s, struct upstream_registry *registry,
                              struct arena *mem, struct diags *diags)
{
    struct servers b = {.s = s, .conf = s->conf, .registry = registry, .mem = mem, .diags = diags};
    enum err result = ERR_OK;
    for (size_t i = 0; i < s->conf->servers.n; i++) {
        enum err err = build_server(&b, &s->servers[s->n_servers], s->conf->servers.items[i]);
        if (err)
            result = err;
        else
            s->n_servers++;
    }
    if (!result && !b.tls && s->conf->tls.place.line > 0)
        diag_warn(diags, s->conf->tls.place,
                  "'tls' does nothing: no server of the service has a URL with https://");
    tls_client_unref(b.tls);
    return result;
}

static enum err check_sticky(const struct service *s, struct diags *diags)
{
    if (!s->sticky.is_on || s->protocol != SERVER_TCP)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, s->conf->sticky.place,
                     "'sticky' needs cookies, which TCP routes don't have; 'balance: source' keeps "
                     "clients at one server there");
}

static enum err read_outcomes(struct service *s, struct diags *diags)
{
    enum err err = outcomes_parse(&s->conf->retries.on, diags, &s->retry_on);
    if (!err)
        err = outcomes_parse(&s->conf->eject.on, diags, &s->eject_on);
    if (!err)
        err = outcomes_parse(&s->conf->breaker.on, diags, &s->breaker_on);
    return err;
}

static enum err check_kind(struct str name, const struct service_conf *conf, struct diags *diags)
{
    int n_kinds = (conf->servers.n > 0) + (conf->split.n > 0) + (conf->failover.n > 0);
    if (n_kinds == 1 || (n_kinds == 0 && conf->may_be_empty))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, conf->place, "service '" STR_FMT "' %s", STR_ARG(name),
                     n_kinds == 0 ? "has no servers (nor split or failover)"
                                  : "can have only one of servers, split and failover");
}

struct handler *service_build(struct str name, const struct service_conf *conf,
                              struct upstream_registry *registry, struct arena *mem,
                              struct diags *diags)
{
    if (check_kind(name, conf, diags) != ERR_OK)
        return NULL;
    if (conf->split.n > 0 || conf->failover.n > 0)
        return group_build(name, conf, registry, mem, diags);
    struct service *s = ARENA_NEW(mem, struct service);
    struct service_conf *copy = ARENA_NEW(mem, struct service_conf);
    struct str own_name = arena_dup(mem, name);
    struct str who = arena_concat(mem, STR("service "), name, STR_NONE);
    struct service_server *servers = ARENA_ARRAY(mem, struct service_server, conf->servers.n + 1);
    if (!s || !copy || !own_name.ptr || !who.ptr || !servers) {
        (void)diag_fail(diags, ERR_LIMIT, conf->place, "memory limit of the settings");
        return NULL;
    }
    *copy = *conf;
    *s = (struct service){
        .handler = {.type = &service_handler_type, .name = own_name},
        .who = who,
        .conf = copy,
        .servers = servers,
    };
    enum err host_err = read_host(conf, diags, &s->host);
    enum err outcomes_err = read_outcomes(s, diags);
    enum err key_err = read_hash_key(s, diags);
    enum err sticky_err = sticky_build(&conf->sticky, own_name, mem, diags, &s->sticky);
    enum err servers_err = build_servers(s, registry, mem, diags);
    enum err mirror_err = conf->mirror.is_on ? mirror_build(conf, mem, diags, &s->mirror) : ERR_OK;
    if (host_err || outcomes_err || key_err || sticky_err || servers_err || mirror_err ||
        check_sticky(s, diags)) {
        service_release(&s->handler);
        return NULL;
    }
    copy->servers = (struct conf_list){0}; // the caller's
    copy->authorities = NULL;
    copy->names = NULL;
    s->shared = take_identity(s, registry);
    mirror_count(s->mirror, s->shared);
    for (size_t i = 0; i < s->n_servers; i++)
        s->has_limits = s->has_limits || s->servers[i].active_max > 0;
    count_exchanges(s);
    return &s->handler;
}

void service_release(struct handler *service)
{
    if (!service)
        return;
    if (group_of(service)) {
        group_release(CONTAINER_OF(service, struct group, handler));
        return;
    }
    ASSERT(service->type == &service_handler_type);
    struct service *s = CONTAINER_OF(service, struct service, handler);
    if (s->shared)
        registry_drop(s->shared);
    for (size_t i = 0; i < s->n_servers; i++) {
        registry_drop(&s->servers[i].health->shared);
        registry_drop(&s->servers[i].state->shared);
    }
    s->shared = NULL;
    s->n_servers = 0;
}

enum server_protocol service_protocol(const struct handler *service)
{
    const struct group *g = group_of(service);
    return g ? g->protocol : service_of(service)->protocol;
}

enum service_proxy_protocol service_proxy_protocol(const struct handler *service)
{
    if (group_of(service)) // none that has it is in one
        return SERVICE_PROXY_PROTOCOL_OFF;
    return (enum service_proxy_protocol)service_of(service)->conf->proxy_protocol;
}

bool service_is_available(const struct handler *service)
{
    const struct service *s = service_of(service);
    struct upstream_worker *w = upstream_worker_self();
    const struct roster *r = roster_of(w, s);
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < r->n; i++)
        if (r->entries[i].weight > 0 && server_is_usable(r->entries[i].slot, now_ms) &&
            health_is_well(r->entries[i].health, now_ms))
            return true;
    for (size_t i = 0; i < s->n_servers; i++)
        if (s->servers[i].weight > 0 && worker_server_of(w, s->servers[i].state)->version == 0)
            return true;
    return false;
}

bool service_is_sticky(const struct handler *service)
{
    const struct group *g = group_of(service);
    return g ? g->sticky.is_on : service_of(service)->sticky.is_on;
}

void service_each_learnt(const struct handler *service, service_learnt_fn *fn, void *arg)
{
    if (group_of(service))
        return;
    const struct service *s = service_of(service);
    for (size_t i = 0; i < s->n_servers; i++) {
        if (s->servers[i].state->learns_as.len > 0)
            fn(arg, s->servers[i].state->learns_as);
    }
}

// What is known of a server now: nothing, as long as all is well.
static void describe_state(struct server_state *state, struct text *to)
{
    struct server_answer answer = {0};
    registry_hold_server(state, &answer);
    for (size_t i = 0; i < answer.n; i++) {
        char buf[46];
        text_printf(to, "%s" STR_FMT, i > 0 ? " " : " at ",
                    STR_ARG(ip_text(&answer.addrs[i].ip, buf)));
    }
    registry_unhold(&state->shared);
    uint64_t n_failures = 0;
    size_t n_skipped = 0;
    for (size_t i = 0; i < state->n_slots; i++) {
        const struct server_slot *slot = &state->slots[i];
        n_failures += atomic_load_explicit(&slot->n_failures, memory_order_relaxed);
        n_skipped +=
            atomic_load_explicit(&slot->skip_until_ms, memory_order_relaxed) > clock_now_ms();
    }
    if (n_failures > 0)
        text_printf(to, " (%" PRIu64 " failures%s)", n_failures, n_skipped > 0 ? ", skipped" : "");
}

struct str service_describe(const struct handler *service, struct arena *mem)
{
    if (group_of(service))
        return group_describe(group_of(service), mem);
    const struct service *s = service_of(service);
    struct text text = {0};
    if (s->mirror)
        text_printf(&text, "mirrored to " STR_FMT " (%u %%): ", STR_ARG(s->mirror->name),
                    s->mirror->share);
    if (s->conf->balance != SERVICE_BALANCE_ROUND_ROBIN)
        text_printf(&text, "%s: ", service_balance_name((enum service_balance)s->conf->balance));
    if (s->sticky.is_on)
        text_printf(&text, "sticky by the cookie " STR_FMT ": ", STR_ARG(s->sticky.name));
    for (size_t i = 0; i < s->n_servers; i++) {
        const struct service_server *server = &s->servers[i];
        text_printf(&text, "%s" STR_FMT " weight %u%s", i > 0 ? ", " : "", STR_ARG(server->text),
                    server->weight, server->tier > 0 ? " backup" : "");
        if (server->active_max > 0)
            text_printf(&text, " max-connections %u", server->active_max);
        describe_state(server->state, &text);
    }
    struct str described = arena_dup(mem, text_str(&text));
    text_fini(&text);
    return described;
}
