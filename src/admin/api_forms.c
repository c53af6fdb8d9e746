// SPDX-License-Identifier: Apache-2.0
#include "admin/api_forms.h"

#include "codec/json.h"

static void put_texts(struct text *to, const char *key, const struct api_texts *texts)
{
    json_text_open(to, key, '[');
    for (size_t i = 0; i < texts->n; i++)
        json_text_put(to, NULL, texts->items[i]);
    text_byte(to, ']');
}

static void put_place(struct text *to, const struct place *p)
{
    json_text_open(to, "from", '{');
    json_text_put(to, "source", str_of(p->source));
    if (p->line > 0)
        json_text_uint(to, "line", p->line);
    text_byte(to, '}');
}

static void open_thing(struct text *to, const struct api_thing *t)
{
    text_byte(to, '{');
    json_text_put(to, "name", t->name);
    json_text_put(to, "provider", t->provider);
    json_text_bool(to, "enabled", t->error.len == 0);
    if (t->error.len > 0)
        json_text_put(to, "error", t->error);
    if (t->place.source)
        put_place(to, &t->place);
}

void api_put_route(const struct api_route *r, struct text *to)
{
    open_thing(to, &r->thing);
    json_text_put(to, "rule", r->rule);
    json_text_uint(to, "priority", (uint64_t)MAX(r->priority, 0));
    put_texts(to, "entrypoints", &r->entrypoints);
    json_text_bool(to, "tls", r->is_tls);
    json_text_bool(to, "connections", r->is_connection);
    if (r->issuer.len > 0)
        json_text_put(to, "issuer", r->issuer);
    json_text_open(to, "filters", '[');
    for (size_t i = 0; i < r->filters.n; i++) {
        json_text_open(to, NULL, '{');
        json_text_put(to, "name", r->filters.items[i]);
        json_text_put(to, "kind", r->kinds.items[i]);
        text_byte(to, '}');
    }
    text_byte(to, ']');
    json_text_put(to, "service", r->service);
    text_byte(to, '}');
}

void api_put_filter(const struct api_filter *f, struct text *to)
{
    open_thing(to, &f->thing);
    json_text_put(to, "kind", f->kind);
    put_texts(to, "used_by", &f->used_by);
    text_byte(to, '}');
}

static struct str kind_text(enum api_service_kind kind)
{
    switch (kind) {
    case API_SERVICE_SERVERS:
        break;
    case API_SERVICE_SPLIT:
        return STR("split");
    case API_SERVICE_FAILOVER:
        return STR("failover");
    case API_SERVICE_INTERNAL:
        return STR("internal");
    }
    return STR("servers");
}

void api_put_service(const struct api_service *s, struct text *to)
{
    open_thing(to, &s->thing);
    json_text_put(to, "kind", kind_text(s->kind));
    json_text_bool(to, "connections", s->is_for_connections);
    if (s->detail.len > 0) {
        json_text_key(to, NULL);
        text_put(to, s->detail);
    }
    if (s->n_members > 0) {
        json_text_open(to, "members", '[');
        for (size_t i = 0; i < s->n_members; i++) {
            json_text_open(to, NULL, '{');
            json_text_put(to, "service", s->members[i].name);
            json_text_uint(to, "weight", s->members[i].weight);
            text_byte(to, '}');
        }
        text_byte(to, ']');
    }
    put_texts(to, "used_by", &s->used_by);
    text_byte(to, '}');
}

void api_put_entry(const struct api_entry *e, struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "name", e->name);
    json_text_put(to, "listen", e->listen);
    if (e->port > 0)
        json_text_uint(to, "port", e->port);
    json_text_put(to, "protocol", e->is_for_connections ? STR("tcp") : STR("http"));
    json_text_bool(to, "tls", e->is_tls);
    json_text_bool(to, "http2", e->has_http2);
    put_texts(to, "filters", &e->filters);
    json_text_uint(to, "connections", e->n_conns);
    text_byte(to, '}');
}

void api_put_site(const struct api_site *s, struct text *to)
{
    open_thing(to, &s->thing);
    put_texts(to, "names", &s->names);
    put_texts(to, "entrypoints", &s->entrypoints);
    json_text_bool(to, "tls", s->is_tls);
    put_texts(to, "filters", &s->filters);
    put_texts(to, "to", &s->to);
    json_text_uint(to, "routes", s->n_routes);
    text_byte(to, '}');
}
