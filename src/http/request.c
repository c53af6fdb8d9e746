// SPDX-License-Identifier: Apache-2.0
#include "http/request.h"

#include "base/num.h"
#include "codec/url.h"
#include "http/env.h"
#include "http/forward.h"

static enum err refuse(struct exchange *x, enum h1_error e)
{
    http_count_client_error(x->env, e);
    exchange_fail(x, (unsigned)h1_error_status(e), EXCHANGE_END_CLIENT_PROTOCOL, "%s",
                  h1_error_text(e));
    return ERR_PROTOCOL;
}

static enum err refuse_method(struct exchange *x)
{
    exchange_fail(x, 405, EXCHANGE_END_CLIENT_PROTOCOL, "the method " STR_FMT " isn't relayed",
                  STR_ARG(x->req.method));
    // Without room for the field the answer is still the right one.
    enum err ignored = headers_add(&x->resp.headers, FIELD_ALLOW,
                                   STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    (void)ignored;
    return ERR_PROTOCOL;
}

static enum err out_of_memory(struct exchange *x)
{
    exchange_fail(x, 431, EXCHANGE_END_RESOURCES, "the memory of the exchange is used up");
    return ERR_PROTOCOL;
}

static enum err take_authority(struct exchange *x, struct str authority)
{
    struct request *r = &x->req;
    struct url_authority parts;
    r->authority = authority;
    if (authority.len == 0)
        return ERR_OK;
    if (url_authority_parse(authority, &parts) != ERR_OK)
        return refuse(x, H1_ERROR_HOST_FORM);
    r->port = parts.port;
    r->host = parts.host;
    if (url_host_is_canon(parts.host))
        return ERR_OK;
    char *buf = ARENA_ARRAY(x->mem, char, parts.host.len);
    if (!buf)
        return out_of_memory(x);
    r->host = url_host_canon(parts.host, buf);
    return ERR_OK;
}

static enum err take_path(struct exchange *x, struct str raw)
{
    enum err err = url_path_canon(raw, &x->entry->paths, x->mem, &x->req.path);
    if (err == ERR_LIMIT)
        return out_of_memory(x);
    return err == ERR_OK ? ERR_OK : refuse(x, H1_ERROR_TARGET);
}

static enum err take_target(struct exchange *x)
{
    struct request *r = &x->req;
    struct url_target t;
    if (r->method_id == METHOD_CONNECT)
        return refuse_method(x);
    if (url_target_parse(r->target, false, &t) != ERR_OK)
        return refuse(x, H1_ERROR_TARGET);
    r->query = t.query;
    r->has_query = t.has_query;
    switch (t.form) {
    case URL_ORIGIN:
        break;
    case URL_ABSOLUTE:
        if ((!str_ieq(t.scheme, STR("http")) && !str_ieq(t.scheme, STR("https"))) ||
            t.authority.len == 0)
            return refuse(x, H1_ERROR_TARGET);
        if (headers_set(&r->headers, FIELD_HOST, t.authority) != ERR_OK)
            return out_of_memory(x);
        break;
    case URL_ASTERISK:
        if (r->method_id != METHOD_OPTIONS)
            return refuse(x, H1_ERROR_TARGET);
        r->is_asterisk = true;
        r->path = STR("*");
        return take_authority(x, headers_get(&r->headers, FIELD_HOST));
    case URL_AUTHORITY:
        return refuse(x, H1_ERROR_TARGET);
    }
    enum err err = take_authority(x, headers_get(&r->headers, FIELD_HOST));
    return err != ERR_OK ? err : take_path(x, t.path);
}

// RFC 9110 7.6.2. Where it may go no further we are the last recipient: OPTIONS asks what we can.
static enum err count_forwards(struct exchange *x)
{
    struct request *r = &x->req;
    if (r->method_id != METHOD_OPTIONS && r->method_id != METHOD_TRACE)
        return ERR_OK;
    const struct field *f = headers_find(&r->headers, FIELD_MAX_FORWARDS);
    uint64_t left;
    if (!f || num_dec(f->value, UINT32_MAX, &left) != ERR_OK)
        return ERR_OK;
    if (left == 0 && r->method_id == METHOD_TRACE)
        return refuse_method(x);
    if (left == 0) {
        enum err ignored = exchange_respond(x, 200, STR_NONE, STR_NONE);
        (void)ignored;
        return ERR_PROTOCOL;
    }
    struct str text = arena_printf(x->mem, "%u", (unsigned)left - 1);
    if (!text.ptr || headers_set(&r->headers, FIELD_MAX_FORWARDS, text) != ERR_OK)
        return out_of_memory(x);
    return ERR_OK;
}

// RFC 9113 3.1 gave up "h2c". A server that still knows it would take requests through the tunnel
// that no rule and no filter here sees, so to us it is no upgrade.
static void take_upgrade(struct request *r)
{
    struct str protocols = headers_get(&r->headers, FIELD_UPGRADE);
    r->is_upgrade =
        r->is_upgrade && !h1_list_has(protocols, STR("h2c")) && !h1_list_has(protocols, STR("h2"));
    if (r->is_upgrade)
        r->upgrade = protocols;
}

enum err request_prepare(struct exchange *x)
{
    struct request *r = &x->req;
    r->scheme = x->tls || x->entry->is_tls ? STR("https") : STR("http");
    take_upgrade(r);
    headers_remove_hop_by_hop(&r->headers);
    if (forward_believe(x) != ERR_OK) // first: it makes the id that error pages carry
        return out_of_memory(x);
    enum err err = take_target(x);
    if (err == ERR_OK)
        err = count_forwards(x);
    if (err == ERR_OK && forward_announce(x) != ERR_OK)
        err = out_of_memory(x);
    return err;
}
