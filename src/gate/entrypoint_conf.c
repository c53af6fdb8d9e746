// SPDX-License-Identifier: Apache-2.0
#include "gate/entrypoint_conf.h"

#include "base/ascii.h"
#include "base/num.h"
#include "tls/policy.h"

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

static enum err check_listen(const struct conf_text *text, struct diags *diags)
{
    struct listen_addr ignored;
    return listen_parse(text, diags, &ignored);
}

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
    ITEM_BOOL(entrypoint_conf, merge_slashes, "merge-slashes", .def = "yes", .since = "0.1",
              .apply = CONF_LIVE,
              .doc =
                  "Make one `/` of several in a row in a path, so that `//admin` is no way round "
                  "a rule for `/admin`. `no` is for servers to which they differ."),
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
