// SPDX-License-Identifier: Apache-2.0
// The middleware headers: fields of one's own, security fields, CORS.
#include <inttypes.h>

#include "dialect/traefik_priv.h"

struct field_conf {
    struct conf_text value;
};

struct headers_conf {
    struct conf_map request, response; // of field_conf
    struct conf_texts cors_headers, cors_methods, cors_origins, cors_patterns, cors_expose;
    bool cors_credentials, cors_vary;
    struct conf_text cors_max_age; // seconds, perhaps below 0
    uint32_t sts_seconds;
    bool sts_subdomains, sts_preload, sts_always;
    bool frame_deny, nosniff, xss_filter, is_development;
    struct conf_text frame_options, xss_value, csp, csp_report, public_key, referrer, permissions,
        features;
    bool ssl_redirect, ssl_temporary;
    struct conf_text ssl_host;
};

static const struct conf_item field_items[] = {
    ITEM_TEXT(field_conf, value, "value"),
};

static const struct conf_section field_section = {
    .name = "header",
    CONF_SECTION_OF(field_conf, field_items),
    .shorthand = "value",
};

static const struct conf_item items[] = {
    ITEM_MAP(headers_conf, request, "customRequestHeaders", .section = &field_section),
    ITEM_MAP(headers_conf, response, "customResponseHeaders", .section = &field_section),
    ITEM_BOOL(headers_conf, cors_credentials, "accessControlAllowCredentials"),
    ITEM_TEXTS(headers_conf, cors_headers, "accessControlAllowHeaders"),
    ITEM_TEXTS(headers_conf, cors_methods, "accessControlAllowMethods"),
    ITEM_TEXTS(headers_conf, cors_origins, "accessControlAllowOriginList"),
    ITEM_TEXTS(headers_conf, cors_patterns, "accessControlAllowOriginListRegex"),
    ITEM_TEXTS(headers_conf, cors_expose, "accessControlExposeHeaders"),
    ITEM_TEXT(headers_conf, cors_max_age, "accessControlMaxAge"),
    ITEM_BOOL(headers_conf, cors_vary, "addVaryHeader"), // always done
    ITEM_UINT(headers_conf, sts_seconds, "stsSeconds"),
    ITEM_BOOL(headers_conf, sts_subdomains, "stsIncludeSubdomains"),
    ITEM_BOOL(headers_conf, sts_preload, "stsPreload"),
    // Browsers heed the field by HTTPS alone, and so it is sent always.
    ITEM_BOOL(headers_conf, sts_always, "forceSTSHeader"),
    ITEM_BOOL(headers_conf, frame_deny, "frameDeny"),
    ITEM_TEXT(headers_conf, frame_options, "customFrameOptionsValue"),
    ITEM_BOOL(headers_conf, nosniff, "contentTypeNosniff"),
    ITEM_BOOL(headers_conf, xss_filter, "browserXssFilter"),
    ITEM_TEXT(headers_conf, xss_value, "customBrowserXSSValue"),
    ITEM_TEXT(headers_conf, csp, "contentSecurityPolicy"),
    ITEM_TEXT(headers_conf, csp_report, "contentSecurityPolicyReportOnly"),
    ITEM_TEXT(headers_conf, public_key, "publicKey"),
    ITEM_TEXT(headers_conf, referrer, "referrerPolicy"),
    ITEM_TEXT(headers_conf, permissions, "permissionsPolicy"),
    ITEM_TEXT(headers_conf, features, "featurePolicy"),
    ITEM_BOOL(headers_conf, is_development, "isDevelopment"),
    ITEM_BOOL(headers_conf, ssl_redirect, "sslRedirect"),
    ITEM_BOOL(headers_conf, ssl_temporary, "sslTemporaryRedirect"),
    ITEM_TEXT(headers_conf, ssl_host, "sslHost"),
};

static const struct conf_section section = {
    .name = "headers",
    CONF_SECTION_OF(headers_conf, items),
};

// --- fields ---

struct sides {
    struct conf_node *filter, *request, *response; // maps; NULL until needed
};

static struct conf_node *changes(struct traefik_conv *c, struct traefik_thing *t, struct sides *s,
                                 bool is_request)
{
    struct conf_node **side = is_request ? &s->request : &s->response;
    if (!s->filter)
        s->filter = traefik_filter(c, t, "headers", traefik_kind_place(t));
    if (!*side)
        *side =
            traefik_map(c, s->filter, is_request ? "request" : "response", traefik_kind_place(t));
    return *side;
}

static void set_field(struct traefik_conv *c, struct conf_node *side, struct str name,
                      struct str value, struct place place)
{
    struct conf_node *set = traefik_map(c, side, "set", place);
    struct conf_node *known = traefik_get(set, name);
    if (known) {
        known->text = value;
        return;
    }
    struct conf_node *node = conf_node_scalar(c->mem, value, place);
    if (!node)
        panic("converted settings don't fit");
    node->is_quoted = true;
    conf_node_put(set, name, node);
}

static void set_security(struct traefik_conv *c, struct traefik_thing *t, struct sides *s,
                         const char *name, struct str value)
{
    if (value.len > 0)
        set_field(c, changes(c, t, s, false), str_of(name), value, traefik_kind_place(t));
}

static struct str sts_value(struct traefik_conv *c, const struct headers_conf *h)
{
    if (h->sts_seconds == 0 || h->is_development)
        return STR_NONE;
    return arena_printf(c->mem, "max-age=%" PRIu32 "%s%s", h->sts_seconds,
                        h->sts_subdomains ? "; includeSubDomains" : "",
                        h->sts_preload ? "; preload" : "");
}

// First the security fields, then those of one's own, which go before them.
static void put_security(struct traefik_conv *c, struct traefik_thing *t, struct sides *s,
                         const struct headers_conf *h)
{
    struct str frame = h->frame_options.text.len > 0 ? h->frame_options.text
                       : h->frame_deny               ? STR("DENY")
                                                     : STR_NONE;
    struct str xss = h->xss_value.text.len > 0 ? h->xss_value.text
                     : h->xss_filter           ? STR("1; mode=block")
                                               : STR_NONE;
    set_security(c, t, s, "Strict-Transport-Security", sts_value(c, h));
    set_security(c, t, s, "X-Frame-Options", frame);
    set_security(c, t, s, "X-Content-Type-Options", h->nosniff ? STR("nosniff") : STR_NONE);
    set_security(c, t, s, "X-XSS-Protection", xss);
    set_security(c, t, s, "Content-Security-Policy", h->csp.text);
    set_security(c, t, s, "Content-Security-Policy-Report-Only", h->csp_report.text);
    set_security(c, t, s, "Public-Key-Pins", h->public_key.text);
    set_security(c, t, s, "Referrer-Policy", h->referrer.text);
    set_security(c, t, s, "Permissions-Policy", h->permissions.text);
    set_security(c, t, s, "Feature-Policy", h->features.text);
}

// An empty value takes the field out.
static void put_fields(struct traefik_conv *c, struct traefik_thing *t, struct sides *s,
                       const struct conf_map *fields, bool is_request)
{
    for (size_t i = 0; i < fields->n; i++) {
        const struct conf_map_item *item = &fields->items[i];
        const struct conf_text *value = &((const struct field_conf *)item->value)->value;
        struct conf_node *side = changes(c, t, s, is_request);
        if (value->text.len > 0)
            set_field(c, side, item->name, value->text, item->place);
        else
            traefik_push(c, traefik_list(c, side, "remove", item->place), item->name, item->place);
    }
}

// --- CORS ---

static bool has_cors(const struct headers_conf *h)
{
    return h->cors_origins.n > 0 || h->cors_patterns.n > 0 || h->cors_headers.n > 0 ||
           h->cors_methods.n > 0 || h->cors_expose.n > 0 || h->cors_credentials;
}

static bool put_cors(struct traefik_conv *c, struct traefik_thing *t, const struct headers_conf *h)
{
    if (!has_cors(h))
        return true;
    if (h->cors_origins.n == 0 && h->cors_patterns.n == 0)
        return traefik_fail(c, traefik_kind_place(t),
                            "accessControl…: no origin is allowed: name them in "
                            "accessControlAllowOriginList");
    struct conf_node *f = traefik_filter(c, t, "cors", traefik_kind_place(t));
    traefik_set_texts(c, f, "origins", &h->cors_origins);
    for (size_t i = 0; i < h->cors_patterns.n; i++) // Go's are found anywhere in the origin
        traefik_push(c, traefik_list(c, f, "origin-patterns", traefik_kind_place(t)),
                     traefik_anywhere(c, h->cors_patterns.items[i].text),
                     h->cors_patterns.items[i].place);
    traefik_set_texts(c, f, "methods", &h->cors_methods);
    traefik_set_texts(c, f, "headers", &h->cors_headers);
    traefik_set_texts(c, f, "expose", &h->cors_expose);
    traefik_set_bool(c, f, "credentials", h->cors_credentials, traefik_kind_place(t));
    uint64_t seconds = 0;
    if (h->cors_max_age.text.len > 0 &&
        traefik_duration(h->cors_max_age.text, &seconds) != ERR_OK &&
        !str_eq(h->cors_max_age.text, STR("-1")))
        return traefik_fail(c, h->cors_max_age.place, "accessControlMaxAge: expected seconds");
    traefik_set_ms(c, f, "max-age", (int64_t)MIN(seconds, (uint64_t)86400000),
                   traefik_kind_place(t));
    return true;
}

// --- redirects of version 2 ---

static void put_ssl(struct traefik_conv *c, struct traefik_thing *t, const struct headers_conf *h)
{
    if (!h->ssl_redirect || h->is_development)
        return;
    struct conf_node *f = traefik_filter(c, t, "redirect", traefik_kind_place(t));
    if (h->ssl_host.text.len > 0) {
        traefik_set(c, f, "of", STR("url"), traefik_kind_place(t));
        traefik_set(c, f, "from", STR("^http:"), traefik_kind_place(t));
        traefik_set(
            c, f, "to",
            arena_printf(c->mem, "https://" STR_FMT "{path}{query}", STR_ARG(h->ssl_host.text)),
            h->ssl_host.place);
    } else {
        traefik_set(c, f, "scheme", STR("https"), traefik_kind_place(t));
    }
    traefik_set_bool(c, f, "permanent", !h->ssl_temporary, traefik_kind_place(t));
}

static bool convert(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct headers_conf *h = conf;
    struct sides s = {.filter = NULL};
    put_ssl(c, t, h);
    if (!put_cors(c, t, h))
        return false;
    put_security(c, t, &s, h);
    put_fields(c, t, &s, &h->response, false);
    put_fields(c, t, &s, &h->request, true);
    return true;
}

const struct traefik_middleware traefik_header_middlewares[] = {
    {.name = "headers", .section = &section, .convert = convert},
    {.name = NULL},
};
