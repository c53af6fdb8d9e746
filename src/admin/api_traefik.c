// SPDX-License-Identifier: Apache-2.0
// The same things in the form of Traefik's API (v3): names and case of members are those that tools
// read.
#include "admin/api_forms.h"
#include "base/ascii.h"
#include "codec/json.h"

// Our kinds of filters and what Traefik calls them. What isn't here has no twin: its kind is told
// as it is.
static const struct {
    struct str kind;
    const char *member;
} twins[] = {
    {STR_INIT("add-prefix"), "addPrefix"},     {STR_INIT("allow"), "ipAllowList"},
    {STR_INIT("basic-auth"), "basicAuth"},     {STR_INIT("body-limit"), "buffering"},
    {STR_INIT("buffer"), "buffering"},         {STR_INIT("client-cert"), "passTLSClientCert"},
    {STR_INIT("compress"), "compress"},        {STR_INIT("concurrency"), "inFlightReq"},
    {STR_INIT("error-pages"), "errors"},       {STR_INIT("forward-auth"), "forwardAuth"},
    {STR_INIT("headers"), "headers"},          {STR_INIT("rate-limit"), "rateLimit"},
    {STR_INIT("redirect"), "redirectRegex"},   {STR_INIT("replace-path"), "replacePath"},
    {STR_INIT("rewrite"), "replacePathRegex"}, {STR_INIT("strip-prefix"), "stripPrefix"},
};

static const char *twin_of(struct str kind)
{
    for (size_t i = 0; i < ARRAY_LEN(twins); i++) {
        if (str_eq(twins[i].kind, kind))
            return twins[i].member;
    }
    return NULL;
}

void api_put_traefik_name(struct str name, struct str provider, struct text *to)
{
    text_put(to, name);
    if (str_find(name, '@') != STR_NPOS)
        return;
    text_byte(to, '@');
    text_put(to, provider);
}

static void put_name(struct text *to, const char *key, struct str name, struct str provider)
{
    struct text full = {.ptr = NULL};
    api_put_traefik_name(name, provider, &full);
    json_text_put(to, key, text_str(&full));
    text_fini(&full);
}

static void put_texts(struct text *to, const char *key, const struct api_texts *texts)
{
    if (texts->n == 0)
        return; // Traefik leaves out what is empty
    json_text_open(to, key, '[');
    for (size_t i = 0; i < texts->n; i++)
        json_text_put(to, NULL, texts->items[i]);
    text_byte(to, ']');
}

// Filters and routes are of the same provider as who names them, unless they say so.
static void put_names(struct text *to, const char *key, const struct api_texts *texts,
                      struct str provider)
{
    if (texts->n == 0)
        return;
    json_text_open(to, key, '[');
    for (size_t i = 0; i < texts->n; i++)
        put_name(to, NULL, texts->items[i], provider);
    text_byte(to, ']');
}

static void open_thing(struct text *to, const struct api_thing *t, bool is_member)
{
    text_byte(to, '{');
    if (!is_member) {
        size_t at = str_find(t->name, '@');
        put_name(to, "name", t->name, t->provider);
        json_text_put(to, "provider", at == STR_NPOS ? t->provider : str_skip(t->name, at + 1));
    }
    json_text_put(to, "status", t->error.len > 0 ? STR("disabled") : STR("enabled"));
    if (t->error.len == 0)
        return;
    json_text_open(to, "error", '[');
    json_text_put(to, NULL, t->error);
    text_byte(to, ']');
}

void api_put_traefik_router(const struct api_route *r, bool is_member, struct text *to)
{
    open_thing(to, &r->thing, is_member);
    put_texts(to, "entryPoints", &r->entrypoints);
    put_names(to, "middlewares", &r->filters, r->thing.provider);
    put_name(to, "service", r->service, r->service_provider);
    json_text_put(to, "rule", r->rule);
    json_text_uint(to, "priority", (uint64_t)MAX(r->priority, 0));
    if (r->is_tls || r->is_connection) {
        json_text_open(to, "tls", '{');
        if (r->is_connection)
            json_text_bool(to, "passthrough", true);
        else
            json_text_put(to, "options", STR("default"));
        if (r->issuer.len > 0)
            json_text_put(to, "certResolver", r->issuer);
        text_byte(to, '}');
    }
    put_texts(to, "using", &r->entrypoints);
    text_byte(to, '}');
}

static void put_type(struct text *to, const char *name)
{
    json_text_key(to, "type");
    text_byte(to, '"');
    for (; *name; name++)
        text_byte(to, ascii_lower(*name));
    text_byte(to, '"');
}

// What a filter is set to stays here: much of it is secret.
void api_put_traefik_middleware(const struct api_filter *f, bool is_member, struct text *to)
{
    const char *twin = twin_of(f->kind);
    open_thing(to, &f->thing, is_member);
    put_names(to, "usedBy", &f->used_by, f->thing.provider);
    if (twin) {
        json_text_open(to, twin, '{');
        text_byte(to, '}');
    }
    if (!is_member && twin)
        put_type(to, twin);
    else if (!is_member)
        json_text_put(to, "type", f->kind);
    text_byte(to, '}');
}

static void put_servers(const struct api_service *s, struct text *to)
{
    json_text_open(to, "loadBalancer", '{');
    json_text_open(to, "servers", '[');
    for (size_t i = 0; i < s->n_servers; i++) {
        json_text_open(to, NULL, '{');
        json_text_put(to, s->is_for_connections ? "address" : "url", s->servers[i].url);
        if (s->servers[i].weight != 1)
            json_text_uint(to, "weight", s->servers[i].weight);
        text_byte(to, '}');
    }
    text_byte(to, ']');
    if (!s->is_for_connections)
        json_text_bool(to, "passHostHeader", s->keeps_host);
    text_byte(to, '}');
}

static void put_members(const struct api_service *s, struct text *to)
{
    if (s->kind == API_SERVICE_FAILOVER) {
        static const char *const keys[] = {"service", "fallback"};
        json_text_open(to, "failover", '{');
        for (size_t i = 0; i < s->n_members && i < ARRAY_LEN(keys); i++)
            put_name(to, keys[i], s->members[i].name, s->thing.provider);
        text_byte(to, '}');
        return;
    }
    json_text_open(to, "weighted", '{');
    json_text_open(to, "services", '[');
    for (size_t i = 0; i < s->n_members; i++) {
        json_text_open(to, NULL, '{');
        put_name(to, "name", s->members[i].name, s->thing.provider);
        json_text_uint(to, "weight", s->members[i].weight);
        text_byte(to, '}');
    }
    text_put(to, STR("]}"));
}

// Of servers that are named twice, the last one's counts: it is a map.
static void put_server_status(const struct api_service *s, struct text *to)
{
    json_text_open(to, "serverStatus", '{');
    for (size_t i = 0; i < s->n_servers; i++) {
        bool is_last = true;
        for (size_t k = i + 1; k < s->n_servers && is_last; k++)
            is_last = !str_eq(s->servers[i].url, s->servers[k].url);
        if (!is_last)
            continue;
        char last = to->ptr[to->len - 1];
        if (last != '{')
            text_byte(to, ',');
        json_text_str(to, s->servers[i].url);
        text_put(to, s->servers[i].is_up ? STR(":\"UP\"") : STR(":\"DOWN\""));
    }
    text_byte(to, '}');
}

void api_put_traefik_service(const struct api_service *s, bool is_member, struct text *to)
{
    static const char *const types[] = {[API_SERVICE_SERVERS] = "loadbalancer",
                                        [API_SERVICE_SPLIT] = "weighted",
                                        [API_SERVICE_FAILOVER] = "failover",
                                        [API_SERVICE_INTERNAL] = NULL};
    open_thing(to, &s->thing, is_member);
    put_names(to, "usedBy", &s->used_by, s->thing.provider);
    if (s->kind == API_SERVICE_SERVERS)
        put_servers(s, to);
    else if (s->kind != API_SERVICE_INTERNAL)
        put_members(s, to);
    if (s->n_servers > 0)
        put_server_status(s, to);
    if (!is_member && types[s->kind])
        json_text_put(to, "type", str_of(types[s->kind]));
    text_byte(to, '}');
}

void api_put_traefik_entry(const struct api_entry *e, struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "name", e->name);
    json_text_put(to, "address", e->listen);
    json_text_open(to, "http", '{');
    put_names(to, "middlewares", &e->filters, STR("file"));
    if (e->is_tls) {
        json_text_open(to, "tls", '{');
        text_byte(to, '}');
    }
    text_put(to, STR("}}"));
}

static void put_counts(struct text *to, const char *key, const struct api_counts *c)
{
    json_text_open(to, key, '{');
    json_text_uint(to, "total", c->total);
    json_text_uint(to, "warnings", 0);
    json_text_uint(to, "errors", c->errors);
    text_byte(to, '}');
}

void api_put_traefik_overview(const struct api_overview *o, struct text *to)
{
    static const struct api_counts none;
    text_byte(to, '{');
    json_text_open(to, "http", '{');
    put_counts(to, "routers", &o->http_routes);
    put_counts(to, "services", &o->http_services);
    put_counts(to, "middlewares", &o->filters);
    text_byte(to, '}');
    json_text_open(to, "tcp", '{');
    put_counts(to, "routers", &o->tcp_routes);
    put_counts(to, "services", &o->tcp_services);
    put_counts(to, "middlewares", &none);
    text_byte(to, '}');
    json_text_open(to, "udp", '{');
    put_counts(to, "routers", &none);
    put_counts(to, "services", &none);
    text_byte(to, '}');
    json_text_open(to, "features", '{');
    json_text_put(to, "tracing", o->has_tracing ? STR("OTLP") : STR_NONE);
    json_text_put(to, "metrics", o->has_metrics ? STR("Prometheus") : STR_NONE);
    json_text_bool(to, "accessLog", o->has_access_log);
    json_text_bool(to, "hub", false);
    text_byte(to, '}');
    put_texts(to, "providers", &o->providers);
    text_byte(to, '}');
}

void api_put_traefik_version(struct str version, struct str started, struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "Version", version);
    json_text_put(to, "Codename", STR("sallyport"));
    if (started.len > 0)
        json_text_put(to, "startDate", started);
    text_byte(to, '}');
}
