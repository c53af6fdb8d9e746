// SPDX-License-Identifier: Apache-2.0
// The settings of services and servers.
#include "http/request_key.h"
#include "upstream/service.h"

static const struct conf_item server_items[] = {
    ITEM_TEXT(server_conf, url, "url", .is_required = true, .since = "0.1",
              .format = "http://HOST[:PORT], https://HOST[:PORT], h2c://HOST[:PORT], "
                        "tcp://HOST:PORT, unix:/PATH or unix:@NAME",
              .pattern = "^([hH][tT][tT][pP][sS]?://.+|[hH]2[cC]://.+|[tT][cC][pP]://.+|"
                         "unix:[/@].+)$",
              .example = "http://10.0.0.1:8080",
              .doc = "Where the server listens. A name is resolved when it is first needed and "
                     "again when its time to live ends; each of its addresses becomes a target of "
                     "its own. The port is 80 when none is given, 443 with `https://`. `h2c://` is "
                     "HTTP/2 without TLS, as gRPC servers speak it inside. `tcp://` is for TCP "
                     "routes, whose bytes pass untouched."),
    ITEM_UINT(server_conf, weight, "weight", .def = "1", .min = "0", .max = "1000", .since = "0.1",
              .example = "2",
              .doc =
                  "Share of the requests, compared with the weights of the other servers; "
                  "each address of a name has it. 0: "
                  "it gets no new clients, only those who stick to it, for instance before it is "
                  "taken away."),
    ITEM_UINT(server_conf, active_max, "max-connections", .def = "0", .min = "0", .max = "1000000",
              .since = "0.1", .example = "20",
              .doc = "How many requests may be in progress there, with tunnels and connections of "
                     "TCP routes, of the whole proxy; for each address of a name. Those beyond go "
                     "to other servers, and when all are full they wait, first come, first served, "
                     "as `queue-max` and `queue-timeout` say. 0: any number."),
    ITEM_BOOL(server_conf, is_backup, "backup", .def = "no", .since = "0.1", .example = "yes",
              .doc = "Gets requests only while none of the servers that aren't backups can be "
                     "used."),
};

const struct conf_section server_section = {
    .name = "server",
    .doc = "One server of a service. A text alone is its `url`.",
    CONF_SECTION_OF(server_conf, server_items),
    .shorthand = "url",
    .place_offset = CONF_AT(server_conf, place, struct place),
};

static const char *const balance_names[] = {
#define X(id, name) [SERVICE_BALANCE_##id] = name,
    SERVICE_BALANCE_LIST(X)
#undef X
        NULL,
};

const char *service_balance_name(enum service_balance b)
{
    return balance_names[b];
}

static const char *const http_names[] = {
    [SERVER_HTTP_AUTO] = "auto",
    [SERVER_HTTP_1] = "1.1",
    [SERVER_HTTP_2] = "2",
    NULL,
};

static const char *const proxy_protocol_names[] = {
    [SERVICE_PROXY_PROTOCOL_OFF] = "off",
    [SERVICE_PROXY_PROTOCOL_V1] = "v1",
    [SERVICE_PROXY_PROTOCOL_V2] = "v2",
    NULL,
};

static const char *const secure_names[] = {
#define X(id, name) [STICKY_SECURE_##id] = name,
    STICKY_SECURE_LIST(X)
#undef X
        NULL,
};

static const char *const same_site_names[] = {
#define X(id, name) [STICKY_SAME_SITE_##id] = name,
    STICKY_SAME_SITE_LIST(X)
#undef X
        NULL,
};

static const struct conf_item sticky_items[] = {
    ITEM_TEXT(sticky_conf, cookie, "cookie", .since = "0.1", .example = "route",
              .doc = "The cookie's name. Without it, a name of the service's own, such as "
                     "stick-1f60a3."),
    ITEM_TEXT(sticky_conf, path, "path", .def = "/", .since = "0.1", .example = "/app",
              .doc = "For which paths of the site the browser sends it."),
    ITEM_TEXT(sticky_conf, domain, "domain", .since = "0.1", .example = "example.com",
              .doc = "For which names: this one and all below it. Without it, the site's alone."),
    ITEM_ENUM(sticky_conf, secure, "secure", .names = secure_names, .def = "auto", .since = "0.1",
              .example = "always",
              .doc =
                  "Whether browsers send it by HTTPS alone. `auto`: when it was given by HTTPS."),
    ITEM_BOOL(sticky_conf, http_only, "http-only", .def = "yes", .since = "0.1", .example = "yes",
              .doc = "Keeps it from scripts."),
    ITEM_ENUM(sticky_conf, same_site, "same-site", .names = same_site_names, .def = "lax",
              .since = "0.1", .example = "strict",
              .doc = "Whether it goes along with requests that other sites cause: `lax` with links "
                     "alone, `strict` never, `none` always (by HTTPS); `unset` leaves it to the "
                     "browser."),
    ITEM_DURATION(sticky_conf, max_age_ms, "max-age", .def = "0", .min = "0", .max = "400d",
                  .since = "0.1", .example = "1d",
                  .doc = "How long browsers keep it, from when it was given. 0: until they are "
                         "closed."),
};

static const struct conf_section sticky_section = {
    .name = "sticky",
    .doc = "How clients are told to stay with one server. `on` is enough.",
    CONF_SECTION_OF(sticky_conf, sticky_items),
    .place_offset = CONF_AT(sticky_conf, place, struct place),
};

static const struct conf_item split_items[] = {
    ITEM_TEXT(split_conf, service, "service", .is_required = true, .since = "0.1",
              .example = "canary", .doc = "A service under `services`."),
    ITEM_UINT(split_conf, weight, "weight", .def = "1", .min = "0", .max = "1000000",
              .since = "0.1", .example = "5",
              .doc = "Its share of the requests, compared with the weights of the others."),
};

static const struct conf_section split_section = {
    .name = "split",
    .doc = "One of the services that a service is made of. A text alone is its name.",
    CONF_SECTION_OF(split_conf, split_items),
    .shorthand = "service",
    .place_offset = CONF_AT(split_conf, place, struct place),
};

static const struct conf_item mirror_items[] = {
    ITEM_TEXT(mirror_conf, to, "to", .since = "0.1", .example = "next",
              .doc = "The service under `services` that gets the copies."),
    ITEM_UINT(mirror_conf, share, "share", .def = "100", .min = "0", .max = "100", .since = "0.1",
              .example = "10", .doc = "How many of 100 requests are copied, by lot."),
    ITEM_SIZE(mirror_conf, body_max_bytes, "body-max", .def = "64KiB", .min = "0", .max = "16MiB",
              .since = "0.1", .example = "1MiB",
              .doc = "Requests with a larger body aren't copied. Copies of bodies are kept in the "
                     "memory of the request, of which they take up to half, until they "
                     "are complete."),
    ITEM_DURATION(mirror_conf, timeout_ms, "timeout", .def = "10s", .min = "10ms", .max = "10m",
                  .since = "0.1", .example = "2s",
                  .doc = "How long a copy may take, with its answer."),
};

static const struct conf_section mirror_section = {
    .name = "mirror",
    .doc = "Which requests are copied, and where to.",
    CONF_SECTION_OF(mirror_conf, mirror_items),
    .place_offset = CONF_AT(mirror_conf, place, struct place),
};

static const struct conf_item service_items[] = {
    ITEM_LIST(service_conf, servers, "servers", .section = &server_section, .since = "0.1",
              .example = "[\"http://10.0.0.1:8080\", \"http://10.0.0.2:8080\"]",
              .doc = "The servers that share the requests. One alone needs no list."),
    ITEM_BOOL(service_conf, may_be_empty, "may-be-empty", .def = "no", .since = "0.1",
              .example = "yes",
              .doc = "Whether the service may have no servers, as one whose containers are all "
                     "away: its requests get 503 with Retry-After then."),
    ITEM_ENUM(
        service_conf, balance, "balance", .names = balance_names, .def = "round-robin",
        .since = "0.1", .example = "least-connections",
        .doc = "How requests are shared, always by weight. `round-robin`: in turn, evenly "
               "spread. `least-connections`: to the server with the fewest requests in progress, "
               "of all workers. `least-time`: to where the answer is likely to come first, by "
               "the time that answers took and the requests in progress. `random-two`: to the "
               "less busy one of two drawn by lot. `hash`: the same `hash-key` to the same "
               "server. `source`: the same client address to the same server. `first`: to the "
               "first of the list that can be used, the others only stand by."),
    ITEM_TEXTS(service_conf, hash_key, "hash-key", .def = "client-ip", .since = "0.1",
               .format = REQUEST_KEY_FORMAT, .example = "[\"cookie:session\"]",
               .doc =
                   "With `balance: hash`: what requests have to have in common to go to the same "
                   "server. Requests without any of it take turns. When a server is gone, only "
                   "its keys move."),
    ITEM_UINT(service_conf, hash_factor, "hash-balance-factor", .def = "0", .min = "0",
              .max = "1000", .since = "0.1", .example = "125",
              .doc =
                  "With `balance: hash` or `source`: a server that has so many hundredths of its "
                  "fair share of the requests in progress is passed over, so that no key can "
                  "overload it. At least 100; 0: never."),
    ITEM_DURATION(service_conf, slow_start_ms, "slow-start", .def = "0", .min = "0", .max = "1h",
                  .since = "0.1", .example = "30s",
                  .doc = "How long the weight of a server grows from nothing to what it is, when "
                         "the server is new or has come back: caches are cold then. Not with "
                         "`first`, nor for requests that a hash brings."),
    ITEM_LIST(service_conf, split, "split", .section = &split_section, .since = "0.1",
              .example = "[{ service: stable, weight: 95 }, { service: canary, weight: 5 }]",
              .doc = "Instead of `servers`: other services that share the requests by weight. Of "
                     "the settings below, `sticky` and `mirror` are good for it."),
    ITEM_TEXTS(service_conf, failover, "failover", .since = "0.1", .example = "[main, reserve]",
               .doc =
                   "Instead of `servers`: other services, of which the first one gets the "
                   "requests that has a server that can be used. When no connection can be made, "
                   "the request goes to the next."),
    ITEM_SWITCHED(service_conf, mirror, "mirror", struct mirror_conf, is_on,
                  .section = &mirror_section, .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "Copies of requests go to another service, whose answers are thrown away. "
                         "The original doesn't wait for them, nor does it fail with them."),
    ITEM_SWITCHED(service_conf, sticky, "sticky", struct sticky_conf, is_on,
                  .section = &sticky_section, .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "Clients stay with the server that they had first, as long as it can be "
                         "used, by a cookie that says nothing of the server to anybody else. "
                         "Servers don't see it."),
    ITEM_ENUM(service_conf, http, "http", .names = http_names, .def = "auto", .since = "0.1",
              .example = "2",
              .doc =
                  "Which HTTP the servers speak. `auto`: with `https://` what the server prefers "
                  "of HTTP/2 and HTTP/1.1 (ALPN), HTTP/1.1 where it can't tell. `1.1`, `2`: that "
                  "alone; `2` without TLS means that the server knows it beforehand, as with "
                  "`h2c://`. Many requests share a connection of HTTP/2; an upgrade (WebSocket) "
                  "gets one of HTTP/1.1 with `auto`."),
    ITEM_TEXT(service_conf, host, "host", .def = "keep", .since = "0.1",
              .format = "keep, server or HOST[:PORT]", .example = "app.internal",
              .doc = "The Host field that servers see. `keep`: as the client sent it. `server`: "
                     "the server's own name and port. Anything else is sent as it stands."),
    ITEM_SECTION(service_conf, tls, "tls", struct tls_client_conf, .section = &tls_client_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "How TLS is spoken with servers whose URL begins with `https://`: whom "
                        "they have to be, and what is shown to them."),
    ITEM_DURATION(service_conf, connect_ms, "connect-timeout", .def = "2s", .min = "10ms",
                  .max = "1m", .since = "0.1", .example = "500ms",
                  .doc =
                      "How long one try to connect may last. All tries of one request together "
                      "take at most one and a half times as long. A request also waits so long "
                      "for the first address of a server's name. The handshake of TLS is part of "
                      "it."),
    ITEM_DURATION(service_conf, head_ms, "answer-timeout", .def = "1m", .min = "10ms", .max = "1d",
                  .since = "0.1", .example = "5m",
                  .doc = "How long a server may think: from the end of the request to the end of "
                         "the answer's head. Then the client gets 504."),
    ITEM_DURATION(service_conf, body_idle_ms, "body-timeout", .def = "1m", .min = "10ms",
                  .max = "1d", .since = "0.1", .example = "5m",
                  .doc = "How long nothing may come of an answer's body, and nothing be taken of a "
                         "request's."),
    ITEM_SIZE(service_conf, head_max_bytes, "answer-head-max", .def = "64KiB", .min = "1KiB",
              .max = "1MiB", .since = "0.1", .example = "128KiB",
              .doc = "Largest head of an answer, with all its fields. A larger one is refused, and "
                     "the client gets 502."),
    ITEM_UINT(service_conf, tries, "tries", .def = "3", .min = "1", .max = "10", .since = "0.1",
              .example = "1",
              .doc =
                  "How many servers are tried for one request, no one twice. After which failures, "
                  "`retries` says."),
    ITEM_SWITCHED(service_conf, health, "health", struct health_conf, is_on,
                  .section = &health_section, .def = "off", .since = "0.1",
                  .example = "{ path: /healthz, every: 5s }",
                  .doc = "Ask servers by and by whether they work, and use those alone that do."),
    ITEM_SECTION(service_conf, retries, "retries", struct retries_conf, .section = &retries_section,
                 .since = "0.1", .example = "[connect, closed, 502-504]",
                 .doc = "When a request that has failed is sent to another server."),
    ITEM_SWITCHED(service_conf, eject, "eject", struct eject_conf, is_on, .section = &eject_section,
                  .def = "off", .since = "0.1", .example = "{ failures: 5, time: 10s }",
                  .doc = "Leave out servers that fail requests, for a time that grows."),
    ITEM_SWITCHED(service_conf, breaker, "breaker", struct breaker_conf, is_on,
                  .section = &breaker_section, .def = "off", .since = "0.1",
                  .example = "{ percent: 50, open: 10s }",
                  .doc = "Refuse requests at once while too many fail or are slow, so that the "
                         "service can recover."),
    ITEM_UINT(
        service_conf, panic_percent, "panic-percent", .def = "1", .min = "0", .max = "100",
        .since = "0.1", .example = "50",
        .doc = "When a smaller share of the servers than this is up and not ejected, all are used: "
               "a broken check must not take the service away. 1: when none is up. 0: never; "
               "when none is up, clients get 503."),
    ITEM_DURATION(service_conf, skip_ms, "skip-time", .def = "10s", .min = "0", .max = "1h",
                  .since = "0.1", .example = "30s",
                  .doc = "How long a server that can't be reached is skipped. Then one request "
                         "tries it again. While all are skipped, the one that failed the longest "
                         "ago is tried all the same."),
    ITEM_DURATION(service_conf, idle_ms, "idle-timeout", .def = "30s", .min = "0", .max = "1h",
                  .since = "0.1", .example = "5s",
                  .doc = "How long a connection to a server is kept without a request. It should "
                         "be shorter than the server's own limit. 0: none is kept."),
    ITEM_UINT(service_conf, idle_max, "idle-max", .def = "1024", .min = "0", .max = "65536",
              .since = "0.1", .example = "32",
              .doc = "How many idle connections are kept, for each server and worker."),
    ITEM_UINT(service_conf, conns_max, "connections-max", .def = "0", .min = "0", .max = "1000000",
              .since = "0.1", .example = "100",
              .doc = "How many connections there may be, for each server and worker. Requests "
                     "beyond wait in a queue. 0: any number. One of HTTP/2 serves up to 100 "
                     "requests at a time, or as many as the server allows."),
    ITEM_UINT(service_conf, queue_max, "queue-max", .def = "1000", .min = "0", .max = "1000000",
              .since = "0.1", .example = "100",
              .doc =
                  "How many requests may wait: for a connection, for each server and worker, when "
                  "`connections-max` is reached; for a place, for the whole service, when all of "
                  "its servers have their `max-connections`. Those beyond get 503 with "
                  "Retry-After."),
    ITEM_DURATION(
        service_conf, queue_ms, "queue-timeout", .def = "5s", .min = "1ms", .max = "1h",
        .since = "0.1", .example = "30s",
        .doc = "How long a request waits in such a queue; then it gets 503 with Retry-After."),
    ITEM_ENUM(service_conf, proxy_protocol, "proxy-protocol", .names = proxy_protocol_names,
              .def = "off", .since = "0.1", .example = "v2",
              .doc = "Begin each connection to a server with a PROXY header, which tells the "
                     "client's address. For TCP routes only (requests of HTTP routes carry it in "
                     "their fields); the server must expect it."),
};

static const char *const service_kinds[] = {"servers", "split", "failover", NULL};

const struct conf_section service_section = {
    .name = "service",
    .doc = "Where requests go: servers that do the same work. A text alone, or a list, stands for "
           "its `servers`.",
    CONF_SECTION_OF(service_conf, service_items),
    .shorthand = "servers",
    .place_offset = CONF_AT(service_conf, place, struct place),
    .one_of = service_kinds, // service_build checks it
    .instead = "may-be-empty",
};
