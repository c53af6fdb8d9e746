// SPDX-License-Identifier: Apache-2.0
// proxy_pass and grpc_pass as services, and what becomes of the path.
#include "dialect/nginx_priv.h"

// URL of a proxy_pass. Without uri the path stays as it is.
struct target_url {
    bool is_tls, is_h2;
    struct str address, uri;
};

static bool parse_url(struct str s, struct target_url *ret)
{
    static const struct {
        struct str prefix;
        bool is_tls, is_h2;
    } schemes[] = {
        {STR_INIT("http://"), false, false},
        {STR_INIT("https://"), true, false},
        {STR_INIT("grpc://"), false, true},
        {STR_INIT("grpcs://"), true, true},
    };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!str_starts(s, schemes[i].prefix))
            continue;
        struct str rest = str_skip(s, schemes[i].prefix.len);
        bool is_unix = str_starts(rest, STR("unix:"));
        size_t from = is_unix ? 5 : 0;
        size_t end = str_find(str_skip(rest, from), is_unix ? ':' : '/');
        end = end == STR_NPOS ? rest.len : from + end;
        *ret = (struct target_url){.is_tls = schemes[i].is_tls,
                                   .is_h2 = schemes[i].is_h2,
                                   .address = str_first(rest, end),
                                   .uri = str_skip(rest, end + (is_unix && end < rest.len))};
        return rest.len > 0 && nginx_is_plain(rest);
    }
    return false;
}

// --- the service ---

// What Host servers get, as our setting; empty: as the client sent it.
static struct str host_of(struct nginx_server *s, struct nginx_directive *block,
                          const struct target_url *url)
{
    struct nginx_directive *level = nginx_level(block, "proxy_set_header");
    struct nginx_directive *d = level ? nginx_get(level, "proxy_set_header") : NULL;
    for (; d; d = d->same) {
        struct str value = nginx_word(d, 2);
        if (!str_ieq(nginx_word(d, 1), STR("Host")))
            continue;
        d->is_done = true;
        if (str_eq(value, STR("$host")) || str_eq(value, STR("$http_host")) ||
            str_eq(value, STR("$host:$server_port")))
            return STR_NONE;
        if (str_eq(value, STR("$server_name")) && s->host.len > 0)
            return s->host;
        if (!str_starts(value, STR("$proxy_host")) && nginx_is_plain(value))
            return value;
        if (!str_starts(value, STR("$proxy_host")))
            nginx_note(s->n, d, DRAFT_CHANGED, "servers get the host that the client asked for");
        break;
    }
    if (d && !str_starts(nginx_word(d, 2), STR("$proxy_host")))
        return STR_NONE;
    // The name in the URL, be it that of an upstream block.
    return nginx_upstream(s->n, url->address) ? url->address : STR("server");
}

static void put_times(struct nginx_server *s, struct nginx_directive *block, bool is_grpc,
                      struct conf_node *service)
{
    static const struct {
        const char *name, *grpc, *key;
    } times[] = {
        {"proxy_connect_timeout", "grpc_connect_timeout", "connect-timeout"},
        {"proxy_read_timeout", "grpc_read_timeout", "answer-timeout"},
        {"proxy_read_timeout", "grpc_read_timeout", "body-timeout"},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct nginx_directive *d = nginx_setting(block, is_grpc ? times[i].grpc : times[i].name);
        if (d)
            draft_set(s->n->d, service, str_of(times[i].key), nginx_time(s->n, nginx_word(d, 1)),
                      d->place);
    }
    struct nginx_directive *d = nginx_setting(block, "proxy_send_timeout");
    (void)d; // one time is for both ways here
    d = nginx_setting(block, is_grpc ? "grpc_next_upstream" : "proxy_next_upstream");
    if (d && str_eq(nginx_word(d, 1), STR("off")))
        draft_set(s->n->d, service, STR("tries"), STR("1"), d->place);
    else if (d && d->n_words > 1)
        nginx_note(s->n, d, DRAFT_CHANGED,
                   "see 'retries' of the service for when another is tried");
    d = nginx_setting(block, "proxy_next_upstream_tries");
    if (d && !str_eq(nginx_word(d, 1), STR("0")))
        draft_set(s->n->d, service, STR("tries"), nginx_word(d, 1), d->place);
}

static void put_tls(struct nginx_server *s, struct nginx_directive *block,
                    struct nginx_directive *pass, struct conf_node *service)
{
    static const struct {
        const char *name, *key;
    } files[] = {{"proxy_ssl_trusted_certificate", "ca"},
                 {"proxy_ssl_certificate", "cert"},
                 {"proxy_ssl_certificate_key", "key"}};
    struct draft *d = s->n->d;
    struct conf_node *tls = draft_map(d, service, STR("tls"), pass->place);
    bool is_verified = nginx_is_on(block, "proxy_ssl_verify");
    for (size_t i = is_verified ? 0 : 1; i < sizeof files / sizeof *files; i++) {
        struct nginx_directive *file = nginx_setting(block, files[i].name);
        if (file)
            draft_set(d, tls, str_of(files[i].key), nginx_word(file, 1), file->place);
    }
    struct nginx_directive *name = nginx_setting(block, "proxy_ssl_name");
    if (name && nginx_is_plain(nginx_word(name, 1)))
        draft_set(d, tls, STR("server-name"), nginx_word(name, 1), name->place);
    (void)nginx_setting(block, "proxy_ssl_server_name"); // names are always sent
    if (is_verified)
        return;
    draft_set(d, tls, STR("verify"), STR("off"), pass->place);
    draft_remark(d, tls,
                 "nginx doesn't look at certificates of servers unless proxy_ssl_verify is "
                 "on. Take 'verify: off' out if they are good, or put 'pin: first-use' in "
                 "its place.");
}

// The name of a service with all that holds for it, made when there is none that is the same.
static struct str service_of(struct nginx_server *s, struct nginx_directive *block,
                             struct nginx_directive *pass, const struct target_url *url,
                             bool is_grpc)
{
    struct nginx *n = s->n;
    const char *scheme = url->is_tls ? "https://" : url->is_h2 ? "h2c://" : "http://";
    struct nginx_directive *upstream = nginx_upstream(n, url->address);
    struct conf_node *services = draft_map(n->d, n->d->root, STR("services"), pass->place);
    struct conf_node *service = draft_loose_map(n->d, pass->place);
    struct str host = host_of(s, block, url);
    if (upstream) {
        nginx_put_upstream(n, upstream, scheme, service);
    } else {
        struct conf_node *servers = draft_list(n->d, service, STR("servers"), pass->place);
        draft_push(n->d, servers, nginx_url(n, scheme, url->address), pass->place);
    }
    if (host.len > 0)
        draft_set(n->d, service, STR("host"), host, pass->place);
    put_times(s, block, is_grpc, service);
    if (url->is_tls)
        put_tls(s, block, pass, service);
    if (url->is_h2 && url->is_tls)
        draft_set(n->d, service, STR("http"), STR("2"), pass->place);
    struct str packed = nginx_shape(n, service);
    struct conf_node *known = map_get(&n->services, packed);
    if (known) {
        draft_also(n->d, known, pass->place);
        return known->key;
    }
    struct str name = draft_name(n->d, services, upstream ? url->address : s->shown);
    draft_put(n->d, services, name, service);
    map_set(&n->services, packed, service);
    return name;
}

// --- the path ---

// One text in the place of another, wherever slashes are.
static void put_exchange(struct nginx_server *s, struct nginx_directive *pass, struct str prefix,
                         struct str uri, struct conf_node *target)
{
    struct draft *d = s->n->d;
    struct conf_node *settings = nginx_filter(s, target, "rewrite", pass->place);
    struct text from = {0};
    text_byte(&from, '^');
    for (size_t i = 0; i < prefix.len; i++) {
        if (memchr(".^$*+?()[]{}|\\", prefix.ptr[i], 14))
            text_byte(&from, '\\');
        text_byte(&from, prefix.ptr[i]);
    }
    draft_set(d, settings, STR("from"), text_str(&from), pass->place);
    text_fini(&from);
    draft_set(d, settings, STR("to"), uri, pass->place);
}

static void put_path(struct nginx_server *s, const struct nginx_location *l,
                     struct nginx_directive *pass, struct str uri, struct conf_node *target)
{
    struct draft *d = s->n->d;
    bool is_prefix = l->match == NGINX_MATCH_PREFIX || l->match == NGINX_MATCH_FIRM;
    if (uri.len == 0 || str_eq(uri, l->text))
        return;
    if (!is_prefix) {
        struct conf_node *settings = nginx_filter(s, target, "replace-path", pass->place);
        draft_set(d, settings, STR("path"), uri, pass->place);
        return;
    }
    // Of "/app" and "/", nginx would make "//x" of "/app/x".
    bool is_whole = str_ends(l->text, STR("/")) == str_ends(uri, STR("/")) || str_eq(uri, STR("/"));
    if (!is_whole) {
        put_exchange(s, pass, l->text, uri, target);
        return;
    }
    struct str strip = str_first(l->text, l->text.len - str_ends(l->text, STR("/")));
    struct str replace = str_first(uri, uri.len - str_ends(uri, STR("/")));
    if (strip.len == 0) {
        struct conf_node *settings = nginx_filter(s, target, "add-prefix", pass->place);
        draft_set(d, settings, STR("prefix"), replace, pass->place);
        return;
    }
    draft_set(d, target, STR("strip"), strip, pass->place);
    if (replace.len > 0)
        draft_set(d, target, STR("replace"), replace, pass->place);
}

bool nginx_put_proxy(struct nginx_server *s, const struct nginx_location *l,
                     struct conf_node *target)
{
    struct nginx_directive *proxy = nginx_get(l->block, "proxy_pass");
    struct nginx_directive *grpc = nginx_get(l->block, "grpc_pass");
    struct nginx_directive *pass = proxy ? proxy : grpc;
    struct target_url url;
    if (!pass)
        return false;
    pass->is_done = true;
    struct str address = nginx_word(pass, 1);
    if (grpc && !proxy && str_search(address, STR("://")) == STR_NPOS)
        address = draft_printf(s->n->d, "grpc://" STR_FMT, STR_ARG(address));
    if (!parse_url(address, &url)) {
        nginx_note(s->n, pass, DRAFT_CLOSED,
                   "where requests go can't be made of variables here; name the servers");
        nginx_close(s, target, pass);
        return true;
    }
    draft_set(s->n->d, target, STR("to"), service_of(s, l->block, pass, &url, !proxy), pass->place);
    put_path(s, l, pass, url.uri, target);
    return true;
}
