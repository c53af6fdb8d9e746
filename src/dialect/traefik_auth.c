// SPDX-License-Identifier: Apache-2.0
// Middlewares that decide who may pass: basicAuth, forwardAuth, ipAllowList.
#include "dialect/traefik_priv.h"

// --- basicAuth ---

struct basic_conf {
    struct conf_texts users;
    struct conf_text users_file, realm, header;
    bool removes;
};

static const struct conf_item basic_items[] = {
    ITEM_TEXTS(basic_conf, users, "users"),
    ITEM_TEXT(basic_conf, users_file, "usersFile"),
    ITEM_TEXT(basic_conf, realm, "realm", .def = "traefik"),
    ITEM_BOOL(basic_conf, removes, "removeHeader"),
    ITEM_TEXT(basic_conf, header, "headerField"),
};

static const struct conf_section basic_section = {
    .name = "basicAuth",
    CONF_SECTION_OF(basic_conf, basic_items),
};

// Compose wants '$$' for '$', and people write that elsewhere, too. A hash has none of its own.
static struct str without_doubled(struct traefik_conv *c, struct str user)
{
    char *copy = ARENA_ARRAY(c->mem, char, user.len + 1);
    size_t n = 0;
    if (!copy)
        panic("converted settings don't fit");
    for (size_t i = 0; i < user.len; i++) {
        copy[n++] = user.ptr[i];
        if (user.ptr[i] == '$' && i + 1 < user.len && user.ptr[i + 1] == '$')
            i++;
    }
    return str_from(copy, n);
}

static bool convert_basic(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct basic_conf *b = conf;
    struct place place = t->node->first->key_place;
    struct conf_node *f = traefik_filter(c, t, "basic-auth", place);
    for (size_t i = 0; i < b->users.n; i++) {
        const struct conf_text *user = &b->users.items[i];
        // These would be read as references to files and variables of ours.
        if (str_starts(user->text, STR("file:")) || str_starts(user->text, STR("env:")))
            return traefik_fail(c, user->place, "a user can't be called 'file' or 'env'");
        traefik_push(c, traefik_list(c, f, "users", user->place), without_doubled(c, user->text),
                     user->place);
    }
    if (b->users_file.text.len > 0 && !traefik_may_name_files(c, b->users_file.place))
        return false;
    if (b->users_file.text.len > 0)
        traefik_set(c, f, "users-file", b->users_file.text, b->users_file.place);
    traefik_set(c, f, "realm", b->realm.text, place);
    traefik_set_bool(c, f, "strip", b->removes, place);
    if (b->header.text.len > 0)
        traefik_set(c, f, "user-header", b->header.text, b->header.place);
    return true;
}

// --- ipAllowList ---

struct allow_conf {
    struct conf_texts ranges;
    struct traefik_strategy strategy;
    uint32_t status;
};

static const struct conf_item allow_items[] = {
    ITEM_TEXTS(allow_conf, ranges, "sourceRange", .is_required = true),
    ITEM_SECTION(allow_conf, strategy, "ipStrategy", struct traefik_strategy,
                 .section = &traefik_strategy_section),
    ITEM_UINT(allow_conf, status, "rejectStatusCode", .def = "403", .min = "400", .max = "599"),
};

static const struct conf_section allow_section = {
    .name = "ipAllowList",
    CONF_SECTION_OF(allow_conf, allow_items),
};

static bool convert_allow(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct allow_conf *a = conf;
    if (a->strategy.depth > 0 || a->strategy.excluded.n > 0)
        return traefik_fail(c, a->strategy.place, "ipStrategy: " TRAEFIK_STRATEGY_TEXT);
    struct conf_node *f = traefik_filter(c, t, "allow", t->node->first->key_place);
    for (size_t i = 0; i < a->ranges.n; i++) {
        const struct conf_text *range = &a->ranges.items[i];
        if (!traefik_push_net(c, traefik_list(c, f, "addresses", range->place), range))
            return false;
    }
    traefik_set_uint(c, f, "status", a->status, t->node->first->key_place);
    return true;
}

// --- forwardAuth ---

struct auth_tls_conf {
    bool is_on;
    struct conf_text ca, cert, key;
    bool is_insecure;
    struct place place;
};

static const struct conf_item auth_tls_items[] = {
    ITEM_TEXT(auth_tls_conf, ca, "ca"),
    ITEM_TEXT(auth_tls_conf, cert, "cert"),
    ITEM_TEXT(auth_tls_conf, key, "key"),
    ITEM_BOOL(auth_tls_conf, is_insecure, "insecureSkipVerify"),
};

static const struct conf_section auth_tls_section = {
    .name = "forwardAuth.tls",
    CONF_SECTION_OF(auth_tls_conf, auth_tls_items),
    .place_offset = CONF_PLACE_AT(auth_tls_conf, place),
};

struct forward_conf {
    struct conf_text address, regex, user;
    bool is_trusting, forwards_body, keeps_method;
    uint32_t body_max_bytes; // 0: not given
    struct conf_texts response, request, cookies;
    struct auth_tls_conf tls;
    struct place place;
};

static const struct conf_item forward_items[] = {
    ITEM_TEXT(forward_conf, address, "address", .is_required = true),
    // Whom to believe about forwarding fields is the entrypoint's to say.
    ITEM_BOOL(forward_conf, is_trusting, "trustForwardHeader"),
    ITEM_TEXTS(forward_conf, response, "authResponseHeaders"),
    ITEM_TEXT(forward_conf, regex, "authResponseHeadersRegex"),
    ITEM_TEXTS(forward_conf, request, "authRequestHeaders"),
    ITEM_TEXTS(forward_conf, cookies, "addAuthCookiesToResponse"),
    ITEM_TEXT(forward_conf, user, "headerField"),
    ITEM_BOOL(forward_conf, forwards_body, "forwardBody"),
    ITEM_UINT(forward_conf, body_max_bytes, "maxBodySize", .max = "16777216"),
    ITEM_BOOL(forward_conf, keeps_method, "preserveRequestMethod"),
    ITEM_SWITCHED(forward_conf, tls, "tls", struct auth_tls_conf, is_on,
                  .section = &auth_tls_section, .def = "off"),
};

static const struct conf_section forward_section = {
    .name = "forwardAuth",
    CONF_SECTION_OF(forward_conf, forward_items),
    .place_offset = CONF_PLACE_AT(forward_conf, place),
};

// The auth server as a service of its own, since a URL alone says nothing of TLS. Path and query
// stay with the filter.
static void put_auth_service(struct traefik_conv *c, const struct traefik_thing *t,
                             const struct forward_conf *f, struct conf_node *filter)
{
    struct place place = f->tls.place;
    struct str url = f->address.text, path = STR("/");
    size_t host = str_search(url, STR("://")) + 3;
    size_t slash = str_find(str_skip(url, host), '/');
    if (slash != STR_NPOS) {
        path = str_skip(url, host + slash);
        url = str_first(url, host + slash);
    }
    struct conf_node *service = conf_node_new(c->mem, CONF_NODE_MAP, place);
    struct str name = arena_concat(c->mem, t->name, STR("/auth"), STR_NONE);
    if (!service || !name.ptr)
        panic("converted settings don't fit");
    traefik_push(c, traefik_list(c, service, "servers", place), url, f->address.place);
    struct conf_node *tls = traefik_map(c, service, "tls", place);
    if (f->tls.is_insecure)
        traefik_set(c, tls, "verify", STR("off"), place);
    if (f->tls.ca.text.len > 0)
        traefik_set(c, tls, "ca", f->tls.ca.text, f->tls.ca.place);
    if (f->tls.cert.text.len > 0)
        traefik_set(c, tls, "cert", f->tls.cert.text, f->tls.cert.place);
    if (f->tls.key.text.len > 0)
        traefik_set(c, tls, "key", f->tls.key.text, f->tls.key.place);
    service->key = name;
    service->key_place = place;
    map_set(&c->out_services, name, service);
    traefik_set(c, filter, "address", name, f->address.place);
    traefik_set(c, filter, "path", path, f->address.place);
}

static void put_body(struct traefik_conv *c, const struct forward_conf *f, struct conf_node *filter)
{
    if (f->keeps_method)
        traefik_set(c, filter, "preserve-method", STR("yes"), f->place);
    if (!f->forwards_body)
        return;
    struct str max = arena_printf(c->mem, "%u", (unsigned)f->body_max_bytes);
    if (!max.ptr)
        panic("converted settings don't fit");
    traefik_set(c, filter, "forward-body", STR("yes"), f->place);
    traefik_set(c, filter, "body-max", max, f->place);
}

static bool convert_forward(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct forward_conf *f = conf;
    if (!str_istarts(f->address.text, STR("http://")) &&
        !str_istarts(f->address.text, STR("https://")))
        return traefik_fail(c, f->address.place, "'" STR_FMT "' is no URL with http:// or https://",
                            STR_ARG(f->address.text));
    if (f->forwards_body && f->body_max_bytes == 0)
        return traefik_fail(c, f->place,
                            "forwardBody needs maxBodySize: bodies wait in memory, and are never "
                            "taken without a limit (1 to 16777216 bytes)");
    struct conf_node *filter = traefik_filter(c, t, "forward-auth", t->node->first->key_place);
    bool has_files = f->tls.ca.text.len > 0 || f->tls.cert.text.len > 0;
    if (has_files && !traefik_may_name_files(c, f->tls.place))
        return false;
    if (f->tls.is_on)
        put_auth_service(c, t, f, filter);
    else
        traefik_set(c, filter, "address", f->address.text, f->address.place);
    traefik_set_texts(c, filter, "auth-response-headers", &f->response);
    traefik_set_texts(c, filter, "auth-request-headers", &f->request);
    traefik_set_texts(c, filter, "add-auth-cookies-to-response", &f->cookies);
    if (f->regex.text.len > 0)
        traefik_set(c, filter, "auth-response-headers-regex", f->regex.text, f->regex.place);
    if (f->user.text.len > 0)
        traefik_set(c, filter, "user-header", f->user.text, f->user.place);
    put_body(c, f, filter);
    return true;
}

const struct traefik_middleware traefik_auth_middlewares[] = {
    {.name = "basicAuth", .section = &basic_section, .convert = convert_basic},
    {.name = "digestAuth",
     .refusal = "digest authentication isn't supported, and its hashes (MD5) can't be used "
                "otherwise: use basicAuth with hashes of `htpasswd -nB`, over TLS"},
    {.name = "forwardAuth", .section = &forward_section, .convert = convert_forward},
    {.name = "ipAllowList", .section = &allow_section, .convert = convert_allow},
    {.name = "ipWhiteList", .section = &allow_section, .convert = convert_allow},
    {.name = "passTLSClientCert",
     .refusal = "servers would get other fields than Traefik's: use the filter client-cert of the "
                "settings file, by its name with @file"},
    {.name = NULL},
};
