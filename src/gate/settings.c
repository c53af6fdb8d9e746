// SPDX-License-Identifier: Apache-2.0
#include "gate/settings.h"

#include "base/ascii.h"
#include "base/num.h"
#include "codec/url.h"
#include "gate/issuers_conf.h"
#include "gate/wiring.h"
#include "http/env.h"
#include "rt/sandbox.h"
#include "tls/policy.h"
#include "upstream/service.h"

#define WORKERS_MAX 256
#define SOCKET_PATH_MAX_BYTES 108 // of struct sockaddr_un

static const char *const sandbox_names[] = {
#define X(id, text) text,
    SANDBOX_MODE_LIST(X)
#undef X
        NULL,
};
static const char *const protocol_names[] = {
    [ENTRYPOINT_HTTP] = "http",
    [ENTRYPOINT_TCP] = "tcp",
    NULL,
};
static const char *const others_names[] = {
    [PROXY_IN_REFUSE] = "refuse",
    [PROXY_IN_ACCEPT] = "accept",
    NULL,
};
static const char *const encoded_slash_names[] = {"keep", "decode", "reject", NULL};

static enum err check_socket_path(const struct conf_text *text, struct diags *diags)
{
    if (text->text.len > 0 && text->text.ptr[0] == '/' && text->text.len < SOCKET_PATH_MAX_BYTES)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT
                     "' can't be a socket's path; allowed are absolute paths of at most "
                     "%d bytes",
                     STR_ARG(text->text), SOCKET_PATH_MAX_BYTES - 1);
}

static const struct conf_item control_items[] = {
    ITEM_TEXT(control_conf, socket, "socket", .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .example = "/run/sallyport/control.sock",
              .check_text = check_socket_path,
              .doc = "A Unix socket, open to the keeper's user and root alone. By default "
                     "`/run/sallyport/control.sock` for root, else "
                     "`$XDG_RUNTIME_DIR/sallyport/control.sock`."),
};

static const struct conf_section control_section = {
    .name = "control",
    .doc = "The socket through which commands (`status`, `reload`, `stop`, `upgrade`) reach the "
           "running proxy. `control: off` has none; signals work all the same.",
    CONF_SECTION_OF(control_conf, control_items),
    .shorthand = "socket",
    .place_offset = CONF_NO_PLACE,
};

static const struct conf_item resolver_items[] = {
    ITEM_TEXTS(resolver_conf, servers, "servers", .since = "0.1", .apply = CONF_HANDOVER,
               .format = "ADDRESS[:PORT]", .example = "[192.0.2.53]",
               .doc = "DNS servers to ask for the names of servers. By default those of the system "
                      "(`/etc/resolv.conf`)."),
    ITEM_DURATION(resolver_conf, timeout_ms, "timeout", .def = "2s", .min = "100ms", .max = "30s",
                  .since = "0.1", .apply = CONF_HANDOVER, .doc = "The time for one try to ask."),
};

static const struct conf_section resolver_section = {
    .name = "resolver",
    .doc =
        "How names of servers become addresses: `/etc/hosts`, then DNS; changes of the system's "
        "files are followed. Answers are kept for their time to live; the last good one stays in "
        "use while DNS fails.",
    CONF_SECTION_OF(resolver_conf, resolver_items),
    .place_offset = CONF_NO_PLACE,
};

static enum err check_token(const struct conf_text *text, struct diags *diags)
{
    for (size_t i = 0; i < text->text.len; i++) {
        if (!ascii_is(text->text.ptr[i], ASCII_TOKEN))
            return diag_fail(diags, ERR_SYNTAX, text->place,
                             "'" STR_FMT "' is not a token: letters, digits and !#$%%&'*+-.^_`|~",
                             STR_ARG(text->text));
    }
    return ERR_OK;
}

static enum err check_path(const struct conf_text *text, struct diags *diags)
{
    struct str canon;
    struct arena mem;
    arena_init(&mem, 64 * 1024, NULL, 0);
    bool is_fine = text->text.len > 0 && text->text.ptr[0] == '/' &&
                   url_path_canon(text->text, &(struct url_path_policy){.decode_slash = false},
                                  &mem, &canon) == ERR_OK &&
                   str_eq(canon, text->text);
    arena_fini(&mem);
    if (is_fine)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT
                     "' is not a path in canonical form; it starts with '/', and has no "
                     "dot segments and no needless escapes",
                     STR_ARG(text->text));
}

static enum err check_listen(const struct conf_text *text, struct diags *diags)
{
    struct listen_addr ignored;
    return listen_parse(text, diags, &ignored);
}

static enum err check_absolute(const struct conf_text *text, struct diags *diags)
{
    if (text->text.len > 1 && text->text.ptr[0] == '/' && str_find(text->text, '\0') == STR_NPOS)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT "' is not the absolute path of a folder", STR_ARG(text->text));
}

static const struct conf_item certificate_items[] = {
    ITEM_TEXT(certificate_conf, cert, "cert", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a path", .example = "/etc/ssl/app.example.com.pem",
              .doc = "A PEM file with the certificate, then its intermediates, and the key unless "
                     "`key` names it; or a folder of such files, which is watched, so that new, "
                     "changed and removed ones count without a reload. A folder's path ends with "
                     "`/`, or the folder is there."),
    ITEM_TEXT(certificate_conf, key, "key", .since = "0.1", .apply = CONF_LIVE, .format = "a path",
              .example = "/etc/ssl/app.example.com.key",
              .doc = "The PEM file with the private key, when it isn't in `cert`."),
    ITEM_BOOL(certificate_conf, is_default, "default", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Show this one to clients that ask for a name which no certificate has, or "
                     "for none. Without a default that is the first certificate."),
};

static const struct conf_section certificate_section = {
    .name = "certificate",
    .doc = "Certificates from files. They are watched, and each is used for the names in it: "
           "exact ones, then wildcards for one label. One with an ECDSA key and one with an RSA "
           "key may stand side by side: the client's offer chooses.",
    CONF_SECTION_OF(certificate_conf, certificate_items),
    .shorthand = "cert",
    .place_offset = CONF_PLACE_AT(certificate_conf, place),
};

#define CERTIFICATES_ITEM(S)                                                                       \
    ITEM_LIST(S, certificates, "certificates", .section = &certificate_section, .since = "0.1",    \
              .apply = CONF_LIVE, .example = "[{ cert: a.pem, key: a.key }]",                      \
              .doc = "Certificates from files, which go before those of issuers and of the local " \
                     "CA. Whoever asks for a name in them gets them, wherever they stand here.")

static const struct conf_item entry_tls_items[] = {
    CERTIFICATES_ITEM(entry_tls_conf),
    ITEM_BOOL(entry_tls_conf, strict_sni, "strict-sni", .def = "no", .since = "0.1",
              .apply = CONF_NEW_CONNS,
              .doc = "Refuse clients that ask for a name which no certificate has, or for none, "
                     "instead of showing them the default one."),
    ITEM_DURATION(entry_tls_conf, handshake_ms, "handshake-timeout", .def = "10s", .min = "100ms",
                  .max = "5m", .since = "0.1", .apply = CONF_NEW_CONNS,
                  .doc = "The time for a handshake, from the beginning of the connection."),
    TLS_CONF_ITEMS(entry_tls_conf, policy.),
};

static enum err check_entry_tls(const void *value, struct diags *diags)
{
    return tls_conf_check(&((const struct entry_tls_conf *)value)->policy, diags);
}

static const struct conf_section entry_tls_section = {
    .name = "entrypoint-tls",
    .doc = "How an entrypoint speaks TLS. Certificates come from files or from the local CA.",
    CONF_SECTION_OF(entry_tls_conf, entry_tls_items),
    .place_offset = CONF_PLACE_AT(entry_tls_conf, policy.place),
    .check = check_entry_tls,
};

static const struct conf_item proxy_in_items[] = {
    ITEM_NETS(proxy_in_conf, from, "from", .is_required = true, .since = "0.1",
              .apply = CONF_NEW_CONNS, .example = "[10.0.0.5, 10.0.0.6]",
              .doc = "Addresses of the balancers. Each of their connections must begin with a "
                     "header, of version 1 or 2."),
    ITEM_ENUM(proxy_in_conf, others, "others", .names = others_names, .def = "refuse",
              .since = "0.1", .apply = CONF_NEW_CONNS,
              .doc = "Connections from elsewhere: `refuse` closes them; `accept` takes them as "
                     "clients that come directly, and a header of theirs is no header."),
    ITEM_DURATION(proxy_in_conf, timeout_ms, "timeout", .def = "5s", .min = "10ms", .max = "5m",
                  .since = "0.1", .apply = CONF_NEW_CONNS,
                  .doc = "How long a connection may take to send its header."),
};

static enum err check_proxy_in(const void *value, struct diags *diags)
{
    const struct proxy_in_conf *c = value;
    if (!c->is_on || c->from.n > 0)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, c->place,
                     "`from` names nobody: name the balancers, or leave 'proxy-protocol' out");
}

static const struct conf_section proxy_in_section = {
    .name = "proxy-protocol",
    .doc = "Balancers in front that tell by the PROXY protocol whose a connection is. The address "
           "in the header is the connection's for everything: rules, limits, lists, logs.",
    CONF_SECTION_OF(proxy_in_conf, proxy_in_items),
    .shorthand = "from",
    .place_offset = CONF_PLACE_AT(proxy_in_conf, place),
    .check = check_proxy_in,
};

static const struct conf_item entrypoint_items[] = {
    ITEM_TEXT(
        entrypoint_conf, listen, "listen", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
        .format = "[ADDRESS]:PORT", .example = "\":80\"", .check_text = check_listen,
        .doc = "The address to listen on. Without one before the colon: every address, IPv4 and "
               "IPv6."),
    ITEM_ENUM(entrypoint_conf, protocol, "protocol", .names = protocol_names, .def = "http",
              .since = "0.1", .apply = CONF_NEW_CONNS,
              .doc = "What is spoken here. `tcp`: nothing that is looked into, such as databases "
                     "and mail; TCP routes (`HostSNI`) take whole connections. Servers may speak "
                     "first, unless a route asks for the name in a client's first TLS message."),
    ITEM_SWITCHED(entrypoint_conf, tls, "tls", struct entry_tls_conf, is_on,
                  .section = &entry_tls_section, .def = "off", .since = "0.1",
                  .apply = CONF_NEW_CONNS,
                  .doc = "Whether TLS is spoken here: `on`, `off`, or a map that says how."),
    ITEM_TEXTS(entrypoint_conf, use, "use", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of filters", .example = "[security-headers]",
               .doc = "Filters that every request here passes through, in this order, before its "
                      "route is looked for."),
    ITEM_BOOL(entrypoint_conf, http2, "http2", .def = "yes", .since = "0.1",
              .apply = CONF_NEW_CONNS, .doc = "Offer HTTP/2 to clients over TLS, beside HTTP/1.1."),
    ITEM_BOOL(entrypoint_conf, h2c, "h2c", .def = "no", .since = "0.1", .apply = CONF_NEW_CONNS,
              .doc =
                  "Take HTTP/2 without TLS, too, from clients that speak it without asking (prior "
                  "knowledge): gRPC inside a network, or a proxy in front."),
    ITEM_UINT(entrypoint_conf, http2_streams_max, "http2-streams-max", .def = "100", .min = "1",
              .max = "1000", .since = "0.1", .apply = CONF_NEW_CONNS,
              .doc = "The most requests at once on one connection of HTTP/2. Clients are told, and "
                     "wait."),
    ITEM_DURATION(entrypoint_conf, idle_ms, "idle-timeout", .def = "75s", .min = "100ms",
                  .max = "1d", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "Close a client's connection after this long without a request."),
    ITEM_DURATION(entrypoint_conf, head_ms, "head-timeout", .def = "15s", .min = "100ms",
                  .max = "10m", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "The time for a whole request head, from its first byte. With `protocol: "
                         "tcp`: for the first message of TLS, where a route asks for its name."),
    ITEM_DURATION(entrypoint_conf, body_idle_ms, "body-timeout", .def = "60s", .min = "100ms",
                  .max = "1d", .since = "0.1", .apply = CONF_LIVE,
                  .doc =
                      "The time without a byte of a request's body, or without the client taking a "
                      "byte of the answer. There is no limit on the whole."),
    ITEM_SIZE(entrypoint_conf, body_min_rate, "body-min-rate", .def = "100", .min = "0",
              .max = "1GiB", .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "Bytes per second that a request's body must bring on average, after ten seconds "
                  "of grace. 0: no such limit."),
    ITEM_DURATION(
        entrypoint_conf, tunnel_idle_ms, "tunnel-timeout", .def = "1h", .min = "1s", .max = "30d",
        .since = "0.1", .apply = CONF_NEW_CONNS,
        .doc = "Close a tunnel (WebSocket and other upgrades, connections of TCP routes) after "
               "this long without a byte in either direction."),
    ITEM_DURATION(
        entrypoint_conf, linger_ms, "linger-timeout", .def = "2s", .min = "0", .max = "1m",
        .since = "0.1", .apply = CONF_LIVE,
        .doc = "How long to read on, and drop what is read, after an answer that came before "
               "the end of the request, so that the client sees the answer."),
    ITEM_SIZE(
        entrypoint_conf, body_max_bytes, "body-max", .def = "0", .min = "0", .max = "1024TiB",
        .since = "0.1", .apply = CONF_LIVE,
        .doc = "The largest request body; a larger one is answered with 413. 0: no limit. Bodies "
               "are streamed, so a large one needs no more memory than a small one."),
    ITEM_SIZE(entrypoint_conf, line_max_bytes, "line-max", .def = "16KiB", .min = "256",
              .max = "64KiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "The longest request line; a longer one is answered with 414."),
    ITEM_SIZE(entrypoint_conf, head_max_bytes, "head-max", .def = "64KiB", .min = "1KiB",
              .max = "1MiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "The largest request head; a larger one is answered with 431."),
    ITEM_UINT(entrypoint_conf, fields_max, "fields-max", .def = "128", .min = "8", .max = "512",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "The most header fields in a request; more are answered with 431."),
    ITEM_SIZE(entrypoint_conf, exchange_mem_bytes, "exchange-memory", .def = "512KiB",
              .min = "64KiB", .max = "64MiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "The most memory that one exchange may use beside its buffers."),
    ITEM_UINT(entrypoint_conf, requests_max, "requests-max", .def = "0", .min = "0",
              .max = "4294967295", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Close a connection after this many requests. 0: no limit."),
    ITEM_ENUM(entrypoint_conf, encoded_slash, "encoded-slash", .names = encoded_slash_names,
              .def = "keep", .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "What becomes of `%2F` in a path: it is kept as data of one segment, decoded to "
                  "`/` before anything looks at the path, or the request is refused."),
    ITEM_BOOL(entrypoint_conf, merge_slashes, "merge-slashes", .def = "no", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Make one `/` of several in a row in a path."),
    ITEM_SWITCHED(entrypoint_conf, proxy_protocol, "proxy-protocol", struct proxy_in_conf, is_on,
                  .section = &proxy_in_section, .def = "off", .since = "0.1",
                  .apply = CONF_NEW_CONNS,
                  .doc = "Take PROXY headers, before TLS and anything else: the addresses of those "
                         "who send them, or a map with more."),
    ITEM_NETS(entrypoint_conf, trusted_proxies, "trusted-proxies", .since = "0.1",
              .apply = CONF_LIVE, .example = "[private, cloudflare]",
              .doc =
                  "Addresses of proxies in front of this one whose forwarding fields "
                  "(`X-Forwarded-…`, `Forwarded`, `X-Request-Id`) are believed. Those of anybody "
                  "else are dropped."),
    ITEM_BOOL(entrypoint_conf, x_forwarded, "x-forwarded", .def = "yes", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Tell servers the client's address and what it asked for: `X-Forwarded-For`, "
                     "`-Proto`, `-Host` and `-Port`."),
    ITEM_BOOL(entrypoint_conf, x_real_ip, "x-real-ip", .def = "yes", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Tell servers the client's address as `X-Real-IP`."),
    ITEM_BOOL(entrypoint_conf, forwarded, "forwarded", .def = "no", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Send `Forwarded` (RFC 7239) to servers."),
    ITEM_BOOL(
        entrypoint_conf, request_id, "request-id", .def = "yes", .since = "0.1", .apply = CONF_LIVE,
        .doc = "Return the request's id to the client as `X-Request-Id`. Servers and logs always "
               "get it."),
    ITEM_TEXT(entrypoint_conf, via, "via", .since = "0.1", .apply = CONF_LIVE,
              .format = "a pseudonym", .pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]*$",
              .check_text = check_token, .example = "edge",
              .doc = "Add `Via` with this name to requests and answers. By default there is none."),
};

const struct conf_section entrypoint_section = {
    .name = "entrypoint",
    .doc = "A listening address, and how it speaks with clients.",
    CONF_SECTION_OF(entrypoint_conf, entrypoint_items),
    .shorthand = "listen",
    .place_offset = CONF_PLACE_AT(entrypoint_conf, place),
};

// What routes of all kinds have in common. S is the struct's name.
#define ROUTE_TARGET_ITEMS(S)                                                                      \
    ITEM_TEXTS(S, use, "use", .since = "0.1", .apply = CONF_LIVE, .format = "names of filters",    \
               .example = "[login, api-headers]",                                                  \
               .doc = "Filters that requests pass through, in this order."),                       \
        ITEM_TEXTS(S, to, "to", .since = "0.1", .apply = CONF_LIVE,                                \
                   .format = "a service's name, a URL, or a list of URLs",                         \
                   .example = "http://10.33.0.6:8065",                                             \
                   .doc = "Where requests go: the name of a service, or the servers themselves. "  \
                          "May be left out when a filter answers everything."),                    \
        ITEM_TEXT(S, strip, "strip", .since = "0.1", .apply = CONF_LIVE,                           \
                  .format = "a path prefix", .example = "/app", .check_text = check_path,          \
                  .doc = "Remove this prefix from the path before the server sees it. `Location` " \
                         "and the paths of cookies are corrected on the way back."),               \
        ITEM_TEXT(S, replace, "replace", .since = "0.1", .apply = CONF_LIVE,                       \
                  .format = "a path prefix", .example = "/v2", .check_text = check_path,           \
                  .doc = "Put this prefix in the place of the one that `strip` removes.")

static const struct conf_item site_route_items[] = {
    ITEM_TEXT(site_route_conf, match, "match", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a rule", .example = "PathPrefix(`/api`)",
              .doc = "Which of the site's requests take this route."),
    ITEM_TEXT(site_route_conf, name, "name", .since = "0.1", .apply = CONF_LIVE, .format = "a name",
              .example = "api",
              .doc = "What logs and `explain` call it; by default the site's name "
                     "and a number."),
    ITEM_UINT(site_route_conf, priority, "priority", .def = "0", .max = "2000000000",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Higher ones are tried first. 0: by the length of the rule, behind the site's "
                     "rank (see `sites`)."),
    ROUTE_TARGET_ITEMS(site_route_conf),
};

static const struct conf_section site_route_section = {
    .name = "site-route",
    .doc = "A route inside a site.",
    CONF_SECTION_OF(site_route_conf, site_route_items),
    .place_offset = CONF_PLACE_AT(site_route_conf, place),
};

static const struct conf_item site_tls_items[] = {
    CERTIFICATES_ITEM(site_tls_conf),
    ITEM_TEXTS(site_tls_conf, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
               .format = "names in issuers, or local", .example = "[letsencrypt, zerossl]",
               .doc = "Who signs the site's certificate: names in `issuers`, best first, of which "
                      "the next is asked when one fails; or `local` for the local CA. By default "
                      "the setting `issuer`."),
    ITEM_BOOL(
        site_tls_conf, on_demand, "on-demand", .def = "no", .since = "0.1", .apply = CONF_LIVE,
        .doc = "For the site's names with `*.`: each name below gets a certificate of its own "
               "when it is first asked for, as the setting `on-demand` allows, and none is "
               "ordered for the wildcard."),
    TLS_CONF_ITEMS(site_tls_conf, policy.),
};

static enum err check_site_tls(const void *value, struct diags *diags)
{
    return tls_conf_check(&((const struct site_tls_conf *)value)->policy, diags);
}

const struct conf_section site_tls_section = {
    .name = "site-tls",
    .doc = "TLS of one site. What isn't given here is as the entrypoint has it.",
    CONF_SECTION_OF(site_tls_conf, site_tls_items),
    .place_offset = CONF_PLACE_AT(site_tls_conf, policy.place),
    .check = check_site_tls,
};

static const struct conf_item hsts_items[] = {
    ITEM_DURATION(hsts_conf, max_age_ms, "max-age", .def = "365d", .min = "0", .max = "3650d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long browsers remember it. 0 makes them forget it."),
    ITEM_BOOL(hsts_conf, subdomains, "include-subdomains", .def = "no", .since = "0.1",
              .apply = CONF_LIVE, .doc = "It holds for all names below the site's, too."),
    ITEM_BOOL(hsts_conf, preload, "preload", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Agree that browsers have the site in their lists."),
};

static enum err check_hsts(const void *value, struct diags *diags)
{
    const struct hsts_conf *c = value;
    if (!c->preload || (c->subdomains && c->max_age_ms >= INT64_C(31536000000)))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, c->place,
                     "'preload' needs 'include-subdomains: on' and a 'max-age' of at least 365d, "
                     "or browsers' lists don't take the site");
}

static const struct conf_section hsts_section = {
    .name = "hsts",
    .doc = "Strict-Transport-Security (RFC 6797): browsers that have once been here come by HTTPS "
           "alone, and let nobody click a warning away.",
    CONF_SECTION_OF(hsts_conf, hsts_items),
    .place_offset = CONF_PLACE_AT(hsts_conf, place),
    .check = check_hsts,
};

static const struct conf_item site_items[] = {
    ITEM_TEXTS(site_conf, aliases, "aliases", .since = "0.1", .apply = CONF_LIVE,
               .format = "host names", .example = "[www.example.com]",
               .doc = "Further names of the site."),
    ITEM_TEXTS(site_conf, entrypoints, "entrypoints", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of entrypoints", .example = "[web]",
               .doc = "Where the site can be reached. By default at every entrypoint."),
    ROUTE_TARGET_ITEMS(site_conf),
    ITEM_LIST(site_conf, routes, "routes", .section = &site_route_section, .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Routes for some of the site's requests. They are tried before the site's own "
                     "`to`, and have its filters in front of their own."),
    ITEM_SWITCHED(site_conf, tls, "tls", struct site_tls_conf, is_on, .section = &site_tls_section,
                  .def = "on", .since = "0.1", .apply = CONF_NEW_CONNS,
                  .doc =
                      "HTTPS at the entrypoints that speak TLS. `off`: the site is served at the "
                      "plain ones alone. A map says what is different from the entrypoint."),
    ITEM_BOOL(site_conf, redirect_to_https, "redirect-to-https", .def = "on", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Send plain requests to the same URL by `https`, when the site is served "
                     "there: with 301 for GET and HEAD, else with 308. The port is that of the "
                     "first entrypoint with TLS."),
    ITEM_SWITCHED(site_conf, hsts, "hsts", struct hsts_conf, is_on, .section = &hsts_section,
                  .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "`Strict-Transport-Security` in answers over TLS. Not sent while the "
                         "certificate is from the local CA: nobody could come back."),
};

const struct conf_section site_section = {
    .name = "site",
    .doc = "What happens to the requests for a host name. In short form just where they go. A name "
           "may "
           "start with `*.` for any one label. Sites come before free routes, exact names before "
           "those with `*`, unless a `priority` says otherwise.",
    CONF_SECTION_OF(site_conf, site_items),
    .shorthand = "to",
    .place_offset = CONF_PLACE_AT(site_conf, place),
};

static const struct conf_item route_tls_items[] = {
    ITEM_TEXTS(route_tls_conf, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
               .format = "names in issuers, or local", .example = "[letsencrypt, zerossl]",
               .doc = "Who signs the certificates: names in `issuers`, best first, or `local` for "
                      "the local CA. By default the setting `issuer`."),
};

static const struct conf_section route_tls_section = {
    .name = "route-tls",
    .doc = "Certificates for the names in the route's rule (``Host(`name`)``), one for each, where "
           "an entrypoint speaks TLS and no site has the name.",
    CONF_SECTION_OF(route_tls_conf, route_tls_items),
    .place_offset = CONF_NO_PLACE,
};

static const struct conf_item route_items[] = {
    ITEM_TEXT(route_conf, match, "match", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
              .format = "a rule", .example = "Host(`a.example`) && PathPrefix(`/api`)",
              .doc = "Which requests take this route."),
    ITEM_TEXT(route_conf, name, "name", .since = "0.1", .apply = CONF_LIVE, .format = "a name",
              .example = "api",
              .doc = "What logs and `explain` call it; by default `route` and a "
                     "number."),
    ITEM_UINT(route_conf, priority, "priority", .def = "0", .max = "2000000000", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Higher ones are tried first. 0: the length of the rule."),
    ITEM_TEXTS(route_conf, entrypoints, "entrypoints", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of entrypoints", .example = "[web]",
               .doc = "Where the route can be reached. By default at every entrypoint."),
    ITEM_SECTION(route_conf, tls, "tls", struct route_tls_conf, .section = &route_tls_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "Certificates for the names in its rule."),
    ITEM_BOOL(route_conf, passthrough, "passthrough", .def = "off", .since = "0.1",
              .apply = CONF_NEW_CONNS,
              .doc = "Leave TLS to the server: connections go there untouched, decided by the name "
                     "in their first message (``HostSNI(`name`)``). At entrypoints with `protocol: "
                     "tcp` nothing else is done anyway."),
    ROUTE_TARGET_ITEMS(route_conf),
};

const struct conf_section route_section = {
    .name = "route",
    .doc = "A route that belongs to no site.",
    CONF_SECTION_OF(route_conf, route_items),
    .place_offset = CONF_PLACE_AT(route_conf, place),
};

static const struct conf_item filter_items[] = {
    ITEM_CHOICE(filter_conf, choice, "", .choices = wiring_filter_choices, .is_required = true,
                .since = "0.1", .apply = CONF_LIVE, .doc = "The kind of filter and its settings."),
};

const struct conf_section filter_section = {
    .name = "filter",
    .doc = "One step around a request, under a name that routes use.",
    CONF_SECTION_OF(filter_conf, filter_items),
    .place_offset = CONF_NO_PLACE,
};

static enum err check_workers(const struct conf_text *text, struct diags *diags)
{
    unsigned ignored;
    return workers_parse(text, 1, diags, &ignored);
}

static const struct conf_item root_items[] = {
    ITEM_TEXT(settings, workers, "workers", .def = "auto", .since = "0.1", .apply = CONF_HANDOVER,
              .format = "auto or a number", .pattern = "^(auto|[1-9][0-9]{0,2})$",
              .check_text = check_workers,
              .doc = "Threads that serve; `auto`: one for each core that the process may use."),
    ITEM_TEXT(settings, user, "user", .def = "nobody", .since = "0.1", .apply = CONF_HANDOVER,
              .format = "a user's name", .example = "sallyport",
              .doc = "Who the gate runs as when the keeper was started as root."),
    ITEM_TEXT(settings, state, "state", .since = "0.1", .apply = CONF_LIVE, .format = "a path",
              .example = "/var/lib/sallyport", .check_text = check_absolute,
              .doc = "The folder for keys and certificates that are made here; nobody else may "
                     "read it. By default `$STATE_DIRECTORY`, which systemd sets; else "
                     "`/var/lib/sallyport` for root, and `$XDG_STATE_HOME/sallyport` or "
                     "`~/.local/state/sallyport` for others."),
    ITEM_TEXT(settings, lists, "lists", .def = LISTS_FOLDER, .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .check_text = check_absolute,
              .doc =
                  "A folder with lists of addresses, which settings may use by name: `offices` is "
                  "`offices.txt` in it. A list of the same name that comes with the program, "
                  "such as `cloudflare`, is replaced."),
    ITEM_ENUM(settings, sandbox, "sandbox", .names = sandbox_names, .def = "best-effort",
              .since = "0.1", .apply = CONF_HANDOVER,
              .doc =
                  "Whether the gate, which reads what clients send, shuts itself off from files, "
                  "programs, other processes and new listening sockets (seccomp, Landlock). "
                  "`best-effort`: as far as the kernel can; `require`: wholly, or the settings "
                  "are refused; `off`: not at all."),
    ITEM_UINT(settings, conns_max, "connections-max", .def = "100000", .min = "16",
              .max = "10000000", .since = "0.1", .apply = CONF_HANDOVER,
              .doc =
                  "The most client connections of all workers together. Beyond it the one that has "
                  "been idle for longest is closed."),
    ITEM_DURATION(settings, drain_ms, "drain-timeout", .def = "30s", .min = "0", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long running exchanges may go on after the order to stop."),
    ITEM_SWITCHED(settings, control, "control", struct control_conf, is_on,
                  .section = &control_section, .def = "on", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "The control socket, or `off`."),
    ITEM_SECTION(settings, log, "log", struct log_conf, .section = &log_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "The error log."),
    ITEM_SWITCHED(settings, access_log, "access-log", struct access_log_conf, is_on,
                  .section = &access_log_section, .def = "on", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "The access log, or `off`."),
    ITEM_SECTION(settings, resolver, "resolver", struct resolver_conf, .section = &resolver_section,
                 .since = "0.1", .apply = CONF_HANDOVER, .doc = "DNS."),
    ITEM_TEXT(settings, email, "email", .since = "0.1", .apply = CONF_LIVE,
              .format = "an email address", .check_text = issuers_check_email,
              .example = "you@example.com",
              .doc = "Get certificates for the sites from Let's Encrypt, whose terms of use you "
                     "agree to, and be reached there. Without this and `issuers` they come from "
                     "the local CA, as they do for names that no public authority serves."),
    ITEM_MAP(settings, issuers, "issuers", .section = &issuer_section, .since = "0.1",
             .apply = CONF_LIVE,
             .doc = "Authorities, by name, instead of what `email` alone stands for."),
    ITEM_TEXTS(
        settings, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
        .format = "names in issuers, or local", .example = "[letsencrypt, zerossl]",
        .doc = "Who signs where sites and routes don't say it: names in `issuers`, best first, of "
               "which the next is asked when one fails; or `local` for the local CA. By "
               "default the first of `issuers`."),
    ITEM_SECTION(settings, hooks, "hooks", struct hooks_conf, .section = &hooks_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "Programs that are run when something has happened to a certificate."),
    ITEM_SWITCHED(settings, on_demand, "on-demand", struct demand_conf, is_on,
                  .section = &demand_section, .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "Certificates that are ordered in the first handshake that asks for their "
                         "name, or `off`."),
    ITEM_FILE(settings, authorities, "authorities", .since = "0.1", .apply = CONF_LIVE,
              .example = "/etc/ssl/certs/ca-certificates.crt",
              .doc = "PEM file with the authorities that servers with `https://` are verified "
                     "against, unless the service has a `ca` of its own. By default the system's; "
                     "it is read anew with each reload."),
    ITEM_SECTION(settings, providers, "providers", struct providers_conf,
                 .section = &providers_section, .since = "0.1", .apply = CONF_LIVE,
                 .doc = "What brings sites beside this file."),
    ITEM_SECTION(settings, geo, "geo", struct geo_conf, .section = &geo_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "Databases that tell where addresses belong."),
    ITEM_SECTION(settings, ban, "ban", struct ban_conf, .section = &ban_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "Refusing clients that misbehave, for a while."),
    ITEM_SECTION(settings, metrics, "metrics", struct metrics_conf, .section = &metrics_section,
                 .since = "0.1", .apply = CONF_LIVE, .doc = "Numbers for Prometheus."),
    ITEM_SECTION(settings, tracing, "tracing", struct tracing_conf, .section = &tracing_section,
                 .since = "0.1", .apply = CONF_LIVE, .doc = "Traces for OpenTelemetry."),
    ITEM_MAP(settings, entrypoints, "entrypoints", .section = &entrypoint_section, .since = "0.1",
             .apply = CONF_LIVE,
             .doc = "Where clients connect, by name. By default `web` on `:80`, and `websecure` "
                    "on `:443` with TLS."),
    ITEM_MAP(settings, sites, "sites", .section = &site_section, .since = "0.1", .apply = CONF_LIVE,
             .doc = "Host names and what happens to their requests."),
    ITEM_MAP(settings, services, "services", .section = &service_section, .since = "0.1",
             .apply = CONF_LIVE, .doc = "Pools of servers by name."),
    ITEM_MAP(settings, filters, "filters", .section = &filter_section, .since = "0.1",
             .apply = CONF_LIVE, .doc = "Filters by name."),
    ITEM_LIST(settings, routes, "routes", .section = &route_section, .since = "0.1",
              .apply = CONF_LIVE, .doc = "Routes that belong to no site."),
};

const struct conf_section settings_section = {
    .name = "settings",
    .doc = "The settings file.",
    CONF_SECTION_OF(settings, root_items),
    .place_offset = CONF_NO_PLACE,
};

enum err listen_parse(const struct conf_text *text, struct diags *diags, struct listen_addr *ret)
{
    size_t colon = str_rfind(text->text, ':');
    uint64_t port;
    struct listen_addr addr = {.port = 0};
    if (colon == STR_NPOS || num_dec(str_skip(text->text, colon + 1), 65535, &port) != ERR_OK)
        goto malformed;
    struct str host = str_first(text->text, colon);
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = str_from(host.ptr + 1, host.len - 2);
    else if (str_find(host, ':') != STR_NPOS)
        goto malformed;
    if (host.len > 0 && !str_eq(host, STR("*")) && ip_parse(host, &addr.ip) != ERR_OK)
        goto malformed;
    addr.port = (uint16_t)port;
    *ret = addr;
    return ERR_OK;
malformed:
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is not an address to listen on; write \":80\", "
                     "\"127.0.0.1:8080\" or \"[::1]:8080\"",
                     STR_ARG(text->text));
}

enum err workers_parse(const struct conf_text *text, unsigned n_cpus, struct diags *diags,
                       unsigned *ret)
{
    if (str_eq(text->text, STR("auto"))) {
        *ret = MIN(MAX(n_cpus, 1u), (unsigned)WORKERS_MAX);
        return ERR_OK;
    }
    uint64_t n;
    if (num_dec(text->text, WORKERS_MAX, &n) != ERR_OK || n == 0)
        return diag_fail(diags, ERR_RANGE, text->place,
                         "workers is '" STR_FMT "'; allowed are auto and numbers from 1 to %d",
                         STR_ARG(text->text), WORKERS_MAX);
    *ret = (unsigned)n;
    return ERR_OK;
}
