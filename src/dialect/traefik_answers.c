// SPDX-License-Identifier: Apache-2.0
// Middlewares about answers: compression, error pages, their type; and those that are never had.
#include "dialect/traefik_priv.h"

// --- compress ---

struct compress_conf {
    struct conf_texts excluded, included, encodings;
    struct conf_text default_encoding;
    uint64_t min_bytes;
};

static const struct conf_item compress_items[] = {
    ITEM_TEXTS(compress_conf, excluded, "excludedContentTypes"),
    ITEM_TEXTS(compress_conf, included, "includedContentTypes"),
    ITEM_TEXTS(compress_conf, encodings, "encodings"),
    ITEM_SIZE(compress_conf, min_bytes, "minResponseBodyBytes", .def = "1024"),
};

static const struct conf_section compress_section = {
    .name = "compress",
    CONF_SECTION_OF(compress_conf, compress_items),
};

// What is packed when only exceptions are named: our usual types, with those of text one by one.
static const char *const usual_types[] = {
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "text/xml",
    "text/csv",
    "text/markdown",
    "text/event-stream",
    "text/calendar",
    "text/vtt",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-javascript",
    "application/x-ndjson",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "application/ld+json",
    "application/manifest+json",
    "application/atom+xml",
    "application/rss+xml",
    "application/xhtml+xml",
    "image/svg+xml",
    "font/ttf",
    "font/otf",
    "image/bmp",
    "image/x-icon",
};

static bool is_among(const struct conf_texts *texts, struct str type)
{
    for (size_t i = 0; i < texts->n; i++) {
        if (str_ieq(texts->items[i].text, type))
            return true;
    }
    return false;
}

static bool convert_compress(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct compress_conf *p = conf;
    if (p->excluded.n > 0 && p->included.n > 0)
        return traefik_fail(c, traefik_kind_place(t),
                            "excludedContentTypes and includedContentTypes exclude each other");
    struct conf_node *f = traefik_filter(c, t, "compress", traefik_kind_place(t));
    traefik_set_texts(c, f, "codings", &p->encodings);
    traefik_set_texts(c, f, "types", &p->included);
    for (size_t i = 0; p->excluded.n > 0 && i < ARRAY_LEN(usual_types); i++) {
        if (!is_among(&p->excluded, str_of(usual_types[i])))
            traefik_push(c, traefik_list(c, f, "types", traefik_kind_place(t)),
                         str_of(usual_types[i]), traefik_kind_place(t));
    }
    traefik_set_uint(c, f, "min-size", p->min_bytes, traefik_kind_place(t));
    return true;
}

// --- errors ---

struct errors_conf {
    struct conf_texts status;
    struct conf_text service, query;
};

static const struct conf_item errors_items[] = {
    ITEM_TEXTS(errors_conf, status, "status", .is_required = true),
    ITEM_TEXT(errors_conf, service, "service", .is_required = true),
    ITEM_TEXT(errors_conf, query, "query", .def = "/"),
};

static const struct conf_section errors_section = {
    .name = "errors",
    CONF_SECTION_OF(errors_conf, errors_items),
};

static bool convert_errors(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct errors_conf *e = conf;
    struct str service = traefik_service(c, &e->service, NULL, STR_NONE);
    if (service.len == 0)
        return false;
    if (str_search(e->query.text, STR("{url}")) != STR_NPOS)
        return traefik_fail(c, e->query.place, "query: {url} isn't supported: use {status}");
    struct conf_node *f = traefik_filter(c, t, "error-pages", traefik_kind_place(t));
    struct conf_node *pages = traefik_list(c, f, "pages", traefik_kind_place(t));
    struct conf_node *page = conf_node_new(c->mem, CONF_NODE_MAP, traefik_kind_place(t));
    if (!page)
        panic("converted settings don't fit");
    conf_node_append(pages, page);
    traefik_set_texts(c, page, "statuses", &e->status);
    traefik_set(c, page, "service", service, e->service.place);
    traefik_set(c, page, "path", e->query.text, e->query.place);
    return true;
}

// --- contentType ---

struct content_conf {
    bool detects;
    struct conf_text given;
};

static const struct conf_item content_items[] = {
    ITEM_TEXT(content_conf, given, "autoDetect"),
};

static const struct conf_section content_section = {
    .name = "contentType",
    CONF_SECTION_OF(content_conf, content_items),
};

// Nothing is ever guessed here, which is what "autoDetect: false" asks for.
static bool convert_content(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct content_conf *p = conf;
    if (str_ieq(p->given.text, STR("false")))
        return true;
    return traefik_fail(c, traefik_kind_place(t),
                        "types of answers aren't guessed: let the server send Content-Type, or set "
                        "it with the middleware headers");
}

const struct traefik_middleware traefik_answer_middlewares[] = {
    {.name = "compress", .section = &compress_section, .convert = convert_compress},
    {.name = "errors", .section = &errors_section, .convert = convert_errors},
    {.name = "contentType", .section = &content_section, .convert = convert_content},
    {.name = "grpcWeb",
     .refusal =
         "gRPC-Web isn't translated: let the server speak it, or put a translator beside it"},
    {.name = "plugin",
     .refusal = "plugins are programs for Traefik; look for a filter that does the same in the "
                "settings file, and name it with @file"},
    {.name = NULL},
};

// --- options that can't be had ---

const struct traefik_refusal traefik_middleware_refusals[] = {
    {"forwardAuth", "preserveLocationHeader", "Location is passed on as it is: leave it out"},
    {"headers", "allowedHosts", "write the hosts into the router's rule: Host(`…`)"},
    {"headers", "hostsProxyHeaders", "forwardedHeaders.trustedIPs of the entrypoint decides"},
    {"headers", "sslProxyHeaders", "forwardedHeaders.trustedIPs of the entrypoint decides"},
    {"headers", "sslForceHost", "use redirectRegex for requests with another host"},
    {"rateLimit", "redis", "limits are counted by each proxy for itself"},
    {"compress", "defaultEncoding",
     "clients that don't say what they take get answers as they are: leave it out"},
    {"retry", "timeout", "use forwardingTimeouts of a serversTransport"},
    {"retry", "maxRequestBodyBytes", "use retries of a service in the settings file"},
    {"retry", "status", "use retries of a service in the settings file"},
    {"errors", "statusRewrites", "the status stays: leave it out"},
    {"errors", "forwardNGINXHeaders", "the page's server gets its path alone: leave it out"},
    {"buffering", "maxResponseBodyBytes", "answers aren't limited: leave it out"},
    {"buffering", "retryExpression", "use the middleware retry"},
    {.section = NULL},
};
