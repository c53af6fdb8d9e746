// SPDX-License-Identifier: Apache-2.0
// Building a service from its settings, and taking it apart.
#include "upstream/service.h"

#include <inttypes.h>

#include "base/text.h"
#include "base/writer.h"
#include "codec/url.h"
#include "rt/clock.h"
#include "upstream/service_priv.h"

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

static enum err build_server(struct service *s, struct service_server *to,
                             const struct server_conf *conf, struct upstream_registry *registry,
                             struct arena *mem, struct diags *diags)
{
    struct server_url url;
    enum err err = server_url_parse(&conf->url, mem, diags, &url);
    if (!err)
        err = join_protocols(s, url.protocol, conf, diags);
    if (err)
        return err;
    *to = (struct service_server){
        .state = registry_take_server(registry, &url),
        .weight = conf->weight,
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
    for (size_t i = 0; i < s->n_servers; i++) {
        char weight[16];
        struct writer w;
        writer_init(&w, weight, sizeof weight);
        writer_put(&w, STR(" "));
        writer_dec(&w, s->servers[i].weight);
        writer_put(&w, STR("*"));
        text_put(&key, writer_str(&w));
        text_put(&key, s->servers[i].state->shared.key);
    }
    struct shared *shared = registry_take_service(registry, text_str(&key));
    text_fini(&key);
    return shared;
}

static enum err build_servers(struct service *s, struct upstream_registry *registry,
                              struct arena *mem, struct diags *diags)
{
    enum err result = ERR_OK;
    for (size_t i = 0; i < s->conf->servers.n; i++) {
        const struct server_conf *conf = s->conf->servers.items[i];
        enum err err = build_server(s, &s->servers[s->n_servers], conf, registry, mem, diags);
        if (err)
            result = err;
        else
            s->n_servers++;
    }
    return result;
}

struct handler *service_build(struct str name, const struct service_conf *conf,
                              struct upstream_registry *registry, struct arena *mem,
                              struct diags *diags)
{
    if (conf->servers.n == 0) {
        (void)diag_fail(diags, ERR_SYNTAX, conf->place, "service '" STR_FMT "' has no servers",
                        STR_ARG(name));
        return NULL;
    }
    struct service *s = ARENA_NEW(mem, struct service);
    struct service_conf *copy = ARENA_NEW(mem, struct service_conf);
    struct str own_name = arena_dup(mem, name);
    struct str who = arena_concat(mem, STR("service "), name, STR_NONE);
    struct service_server *servers = ARENA_ARRAY(mem, struct service_server, conf->servers.n);
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
    enum err servers_err = build_servers(s, registry, mem, diags);
    if (host_err || servers_err) {
        service_release(&s->handler);
        return NULL;
    }
    copy->servers = (struct conf_list){0}; // the caller's
    s->shared = take_identity(s, registry);
    return &s->handler;
}

void service_release(struct handler *service)
{
    if (!service)
        return;
    ASSERT(service->type == &service_handler_type);
    struct service *s = CONTAINER_OF(service, struct service, handler);
    if (s->shared)
        registry_drop(s->shared);
    for (size_t i = 0; i < s->n_servers; i++)
        registry_drop(&s->servers[i].state->shared);
    s->shared = NULL;
    s->n_servers = 0;
}

enum server_protocol service_protocol(const struct handler *service)
{
    return service_of(service)->protocol;
}

enum service_proxy_protocol service_proxy_protocol(const struct handler *service)
{
    return (enum service_proxy_protocol)service_of(service)->conf->proxy_protocol;
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
    const struct service *s = service_of(service);
    struct text text = {0};
    for (size_t i = 0; i < s->n_servers; i++) {
        const struct service_server *server = &s->servers[i];
        text_printf(&text, "%s" STR_FMT " weight %u", i > 0 ? ", " : "", STR_ARG(server->text),
                    server->weight);
        describe_state(server->state, &text);
    }
    struct str described = arena_dup(mem, text_str(&text));
    text_fini(&text);
    return described;
}
