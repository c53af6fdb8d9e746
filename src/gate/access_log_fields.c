// SPDX-License-Identifier: Apache-2.0
#include "gate/access_log_fields.h"

#include "gate/tracer.h"
#include "tls/peer.h"

static struct str ip_as_text(const struct exchange *x, const struct ip *ip)
{
    if (ip->family == 0)
        return STR_NONE;
    char *buf = ARENA_ARRAY(x->mem, char, 46);
    return buf ? ip_text(ip, buf) : STR_NONE;
}

static struct str client(const struct exchange *x)
{
    return ip_as_text(x, &x->client);
}

static struct str peer(const struct exchange *x)
{
    return ip_as_text(x, &x->peer);
}

static struct str user(const struct exchange *x)
{
    return x->user;
}

struct str access_version(const struct exchange *x)
{
    if (x->req.is_raw)
        return STR_NONE;
    switch (x->req.version) {
    case HTTP_1_0:
        return STR("HTTP/1.0");
    case HTTP_2:
        return STR("HTTP/2.0");
    case HTTP_3:
        return STR("HTTP/3.0");
    default:
        return STR("HTTP/1.1");
    }
}

static struct str method(const struct exchange *x)
{
    return x->req.method;
}

static struct str target(const struct exchange *x)
{
    return x->req.target;
}

static struct str path(const struct exchange *x)
{
    return x->req.path;
}

static struct str host(const struct exchange *x)
{
    return x->req.host;
}

static struct str scheme(const struct exchange *x)
{
    return x->req.scheme;
}

static struct str tls_version(const struct exchange *x)
{
    return x->tls ? str_of(x->tls->version_text) : STR_NONE;
}

static struct str tls_cipher(const struct exchange *x)
{
    return x->tls ? str_of(x->tls->cipher) : STR_NONE;
}

static struct str tls_name(const struct exchange *x)
{
    return x->tls ? x->tls->server_name : STR_NONE;
}

static struct str tls_client(const struct exchange *x, enum tls_peer_field field)
{
    struct str text;
    return x->tls && tls_peer_text(x->tls, field, x->mem, &text) ? text : STR_NONE;
}

static struct str tls_client_subject(const struct exchange *x)
{
    return tls_client(x, TLS_PEER_SUBJECT);
}

static struct str tls_client_serial(const struct exchange *x)
{
    return tls_client(x, TLS_PEER_SERIAL);
}

static struct str tls_client_fingerprint(const struct exchange *x)
{
    return tls_client(x, TLS_PEER_FINGERPRINT);
}

static struct str entrypoint(const struct exchange *x)
{
    return x->entry ? x->entry->name : STR_NONE;
}

static struct str route(const struct exchange *x)
{
    return x->route_name;
}

static struct str service(const struct exchange *x)
{
    return x->service_name;
}

static struct str server(const struct exchange *x)
{
    return x->server_name;
}

static struct str trace_id(const struct exchange *x)
{
    return x->trace ? str_from(x->trace->id, sizeof x->trace->id) : STR_NONE;
}

static struct str request_id(const struct exchange *x)
{
    return x->request_id;
}

static struct str end(const struct exchange *x)
{
    return str_of(exchange_end_name(x->end));
}

static struct str end_detail(const struct exchange *x)
{
    return x->end_detail;
}

static struct str referer(const struct exchange *x)
{
    return headers_get(&x->req.headers, FIELD_REFERER);
}

static struct str user_agent(const struct exchange *x)
{
    return headers_get(&x->req.headers, FIELD_USER_AGENT);
}

static int64_t status(const struct exchange *x)
{
    return x->resp.status > 0 ? x->resp.status : -1;
}

static int64_t bytes_in(const struct exchange *x)
{
    return (int64_t)x->request_bytes;
}

static int64_t bytes_out(const struct exchange *x)
{
    return (int64_t)x->response_bytes;
}

static int64_t wire_in(const struct exchange *x)
{
    return (int64_t)x->wire_in;
}

static int64_t wire_out(const struct exchange *x)
{
    return (int64_t)x->wire_out;
}

static int64_t tries(const struct exchange *x)
{
    return x->n_tries;
}

static int64_t reused(const struct exchange *x)
{
    return x->is_reused;
}

static int64_t peer_port(const struct exchange *x)
{
    return x->peer_port;
}

// From one time to another; -1 when one of them never came.
static int64_t between(int64_t from, int64_t to)
{
    return from > 0 && to >= from ? to - from : -1;
}

static int64_t time_head(const struct exchange *x)
{
    return between(x->times.accepted, x->times.head_read);
}

static int64_t time_filters(const struct exchange *x)
{
    return between(x->times.head_read, x->times.chosen);
}

static int64_t time_connect(const struct exchange *x)
{
    return between(x->times.chosen, x->times.connected);
}

static int64_t time_server(const struct exchange *x)
{
    return between(x->times.sent, x->times.answer_head);
}

static int64_t time_body(const struct exchange *x)
{
    return between(x->times.answer_head, x->times.finished);
}

static int64_t time_total(const struct exchange *x)
{
    return between(x->times.accepted, x->times.finished);
}

#define TEXT(name_, fn, doc_)                                                                      \
    {                                                                                              \
        .name = STR_INIT(name_), .kind = ACCESS_TEXT, .text = fn, .doc = doc_                      \
    }
#define URL(name_, fn, doc_)                                                                       \
    {                                                                                              \
        .name = STR_INIT(name_), .kind = ACCESS_TEXT, .text = fn, .has_query = true, .doc = doc_   \
    }
#define NUMBER(name_, fn, doc_)                                                                    \
    {                                                                                              \
        .name = STR_INIT(name_), .kind = ACCESS_NUMBER, .number = fn, .doc = doc_                  \
    }
#define TIME(name_, fn, doc_)                                                                      \
    {                                                                                              \
        .name = STR_INIT(name_), .kind = ACCESS_NUMBER, .number = fn, .is_time = true, .doc = doc_ \
    }

const struct access_field access_fields[] = {
    {.name = STR_INIT("time"),
     .kind = ACCESS_TIME,
     .doc = "when the exchange ended, ISO 8601, UTC"},
    {.name = STR_INIT("date"),
     .kind = ACCESS_DATE,
     .is_composed = true,
     .doc = "the same as in common logs"},
    TEXT("request-id", request_id, "the id that servers and error pages show too"),
    TEXT("trace-id", trace_id, "the trace that the exchange is part of (`tracing`)"),
    TEXT("client", client, "the client's address"),
    TEXT("peer", peer, "the address of the connection: the client or a trusted proxy"),
    NUMBER("peer-port", peer_port, "its port"),
    TEXT("user", user, "the name of an authenticated user"),
    {.name = STR_INIT("request"),
     .kind = ACCESS_REQUEST,
     .is_composed = true,
     .doc = "the request line as received, secrets redacted"},
    TEXT("method", method, "the method"),
    TEXT("scheme", scheme, "http or https; tcp: a connection of a TCP route"),
    TEXT("host", host, "the host name asked for, in lower case; of a TCP route: by the TLS client"),
    URL("target", target, "the request target as received, secrets redacted"),
    TEXT("path", path, "the canonical path, as filters left it"),
    TEXT("version", access_version, "the protocol that the client speaks"),
    URL("referer", referer, "Referer, secrets redacted"),
    TEXT("user-agent", user_agent, "User-Agent"),
    NUMBER("status", status, "the status of the answer"),
    TEXT("tls-version", tls_version, "the version of TLS that the client speaks"),
    TEXT("tls-cipher", tls_cipher, "the cipher of the client's connection"),
    TEXT("tls-name", tls_name, "the server name that the client asked for by TLS (SNI)"),
    TEXT("tls-client-subject", tls_client_subject, "the subject of the client's certificate"),
    TEXT("tls-client-serial", tls_client_serial, "its serial number"),
    TEXT("tls-client-fingerprint", tls_client_fingerprint, "its SHA-256"),
    NUMBER("bytes-in", bytes_in, "bytes of the request's body"),
    NUMBER("bytes-out", bytes_out, "bytes of the answer's body"),
    NUMBER("wire-in", wire_in, "bytes from the client, heads included"),
    NUMBER("wire-out", wire_out, "bytes to the client, heads included"),
    TEXT("entrypoint", entrypoint, "the entrypoint"),
    TEXT("route", route, "the route that matched"),
    TEXT("service", service, "the service"),
    TEXT("server", server, "the server's address"),
    NUMBER("tries", tries, "servers tried"),
    NUMBER("reused", reused, "1: the server's connection had served before"),
    TIME("ms-head", time_head, "from the first byte to the end of the request's head"),
    TIME("ms-filters", time_filters, "from there to the choice of a server"),
    TIME("ms-connect", time_connect, "until a connection to it was at hand"),
    TIME("ms-server", time_server, "from the request sent to the answer's head"),
    TIME("ms-body", time_body, "from there to the end"),
    TIME("ms-total", time_total, "from the first byte to the end"),
    TEXT("end", end, "how it ended: `ok` or a reason (`sallyport print ends`)"),
    TEXT("end-detail", end_detail, "the cause behind an error page"),
    {.name = STR_INIT("trail"),
     .kind = ACCESS_TRAIL,
     .doc = "the decisions taken, in order, with reasons"},
};

const size_t access_n_fields = ARRAY_LEN(access_fields);

const struct access_field *access_field_find(struct str name)
{
    for (size_t i = 0; i < access_n_fields; i++) {
        if (str_eq(access_fields[i].name, name))
            return &access_fields[i];
    }
    return NULL;
}
