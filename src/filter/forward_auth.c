// SPDX-License-Identifier: Apache-2.0
// forward-auth: asks another server who the client is, as Traefik's ForwardAuth does. An answer 2xx
// lets the request pass, with fields of that answer; any other goes to the client.
#include "filter/forward_auth.h"
#include "base/ascii.h"
#include "filter/whole_body.h"
#include "http/sub.h"

static enum err unavailable(const struct handler *h, struct exchange *x, struct str why)
{
    const struct filter_base *f = (const struct filter_base *)(const void *)h;
    filter_note(h, x, "failed", why);
    exchange_fail(x, 503, EXCHANGE_END_NO_SERVER, STR_FMT ": " STR_FMT, STR_ARG(f->who),
                  STR_ARG(why));
    return ERR_OK;
}

// --- asking ---

// What the auth server may believe is what we say: nothing of the client's by these names, nor by
// those that auth servers know from other proxies. Conditions and ranges are about the answer of
// the server behind, not about the auth server's.
static void drop_misleading(struct headers *h)
{
    static const struct str names[] = {
        STR_INIT("X-Forwarded-Method"),      STR_INIT("X-Forwarded-Uri"),
        STR_INIT("X-Original-Url"),          STR_INIT("X-Original-Uri"),
        STR_INIT("X-Original-Method"),       STR_INIT("X-Rewrite-Url"),
        STR_INIT("X-Auth-Request-Redirect"), STR_INIT("X-Original-Host"),
    };
    static const enum field_id conditions[] = {
        FIELD_IF_MATCH,     FIELD_IF_MODIFIED_SINCE,   FIELD_IF_NONE_MATCH,
        FIELD_IF_RANGE,     FIELD_IF_UNMODIFIED_SINCE, FIELD_RANGE,
        FIELD_MAX_FORWARDS,
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        headers_remove_twins(h, names[i]);
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        headers_remove(h, conditions[i]);
}

static enum err copy_chosen(const struct forward_auth *f, const struct exchange *x,
                            struct headers *to)
{
    const struct headers *h = &x->req.headers;
    const struct conf_texts *names = &f->conf->request_headers;
    for (const struct field *from = headers_next(h, NULL); from; from = headers_next(h, from)) {
        for (size_t i = 0; i < names->n; i++) {
            if (!str_ieq(from->name, names->items[i].text))
                continue;
            enum err err = headers_add_named(to, from->name, from->value);
            if (err != ERR_OK)
                return err;
            break;
        }
    }
    return ERR_OK;
}

static struct str client_text(struct exchange *x)
{
    char text[46];
    return x->client.family == 0 ? STR("unknown") : arena_dup(x->mem, ip_text(&x->client, text));
}

// As the router sees it: with another case or a dot behind it the name could pass by the auth
// server's rules.
static struct str host_text(struct exchange *x)
{
    const struct request *r = &x->req;
    return r->port == 0 ? r->host
                        : arena_printf(x->mem, STR_FMT ":%u", STR_ARG(r->host), (unsigned)r->port);
}

// ptr is NULL: no memory. An empty value is not told.
static enum err say(struct headers *to, enum field_id id, struct str value)
{
    headers_remove_twins(to, field_name(id));
    if (!value.ptr)
        return ERR_LIMIT;
    return value.len > 0 ? headers_add(to, id, value) : ERR_OK;
}

// WHY: not even trusted proxies are asked for the host and the address: many pass on what clients
// write in X-Forwarded-Host, and put addresses behind those that clients have made up. The decision
// has to be about the host that routes the request, and about the client that all else here is
// about.
static enum err tell_request(struct headers *to, struct exchange *x, struct str host)
{
    const struct request *r = &x->req;
    struct str uri = r->has_query ? arena_concat(x->mem, r->path, STR("?"), r->query) : r->path;
    struct str client = client_text(x);
    headers_remove(to, FIELD_FORWARDED);
    if (!uri.ptr || headers_add_named(to, STR("X-Forwarded-Method"), r->method) != ERR_OK ||
        headers_add_named(to, STR("X-Forwarded-Uri"), uri) != ERR_OK ||
        say(to, FIELD_X_FORWARDED_PROTO, r->scheme) != ERR_OK ||
        say(to, FIELD_X_FORWARDED_HOST, host) != ERR_OK ||
        say(to, FIELD_X_FORWARDED_FOR, client) != ERR_OK)
        return ERR_LIMIT;
    return say(to, FIELD_X_REAL_IP, client);
}

// Its body, if that is one, is what goes through it; and the auth server is no end for it.
static bool is_tunnel(const struct exchange *x)
{
    return x->req.is_upgrade || x->req.is_raw || x->req.method_id == METHOD_CONNECT;
}

static enum err make_request(const struct forward_auth *f, struct exchange *x, struct str body,
                             struct sub_request *ret)
{
    struct str host = x->req.host.len > 0 ? host_text(x) : STR("");
    *ret = sub_request_to(x, f->service);
    ret->authority = f->authority.len > 0 ? f->authority : host;
    ret->path = f->path;
    ret->query = f->query;
    ret->has_query = f->has_query;
    ret->timeout_ms = f->conf->timeout_ms;
    ret->answer_max_bytes = (size_t)f->conf->answer_max_bytes;
    ret->body = body;
    if (f->conf->keeps_method && !is_tunnel(x))
        ret->method = x->req.method;
    enum err err = f->conf->request_headers.n > 0 ? copy_chosen(f, x, &ret->headers)
                                                  : sub_copy_fields(ret, x, body.len > 0);
    headers_remove(&ret->headers, FIELD_CONTENT_LENGTH); // the body's own
    drop_misleading(&ret->headers);
    return err == ERR_OK ? tell_request(&ret->headers, x, host) : err;
}

// --- passing ---

// After the first segment of "name=value; Path=/".
static struct str cookie_name(struct str set_cookie)
{
    struct str name, rest;
    str_cut(set_cookie, '=', &name, &rest);
    return str_trim(name);
}

static bool is_wanted_cookie(const struct forward_auth *f, struct str set_cookie)
{
    const struct conf_texts *names = &f->conf->cookies;
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->items[i].text, cookie_name(set_cookie)))
            return true;
    return false;
}

// The auth server's cookies take the place of those of the server.
static enum err add_cookies(const struct forward_auth *f, struct exchange *x,
                            const struct headers *from)
{
    struct headers *to = &x->resp.headers;
    if (f->conf->cookies.n == 0 || !headers_find(from, FIELD_SET_COOKIE))
        return ERR_OK;
    for (const struct field *old = headers_next(to, NULL); old; old = headers_next(to, old))
        if (old->id == FIELD_SET_COOKIE && is_wanted_cookie(f, old->value))
            headers_drop(to, old);
    for (const struct field *c = headers_next(from, NULL); c; c = headers_next(from, c))
        if (c->id == FIELD_SET_COOKIE && is_wanted_cookie(f, c->value) &&
            headers_add(to, FIELD_SET_COOKIE, c->value) != ERR_OK)
            return filter_exhausted(x);
    return ERR_OK;
}

static enum err let_pass(const struct handler *h, struct exchange *x, const struct sub_answer *a)
{
    const struct forward_auth *f = (const struct forward_auth *)(const void *)h;
    if (forward_auth_take_fields(f, x, &a->headers) != ERR_OK)
        return filter_exhausted(x);
    const struct field *user = f->user.len > 0 ? headers_find_named(&a->headers, f->user) : NULL;
    if (user)
        x->user = user->value;
    filter_note(h, x, "passed", a->server_name);
    enum err err = handler_serve(h->next, x);
    return err == ERR_OK ? add_cookies(f, x, &a->headers) : err;
}

// The auth server's answer becomes the client's.
static enum err hand_over(const struct handler *h, struct exchange *x, const struct sub_answer *a)
{
    if (a->is_cut)
        return unavailable(h, x, STR("the auth server's answer is longer than 'answer-max'"));
    filter_note(h, x, "denied", arena_printf(x->mem, "%u", a->status));
    if (exchange_respond(x, a->status, STR_NONE, a->body) != ERR_OK)
        return filter_exhausted(x);
    const struct headers *from = &a->headers;
    for (const struct field *f = headers_next(from, NULL); f; f = headers_next(from, f)) {
        if (f->id == FIELD_CONTENT_LENGTH || f->id == FIELD_TRAILER)
            continue;
        if (headers_add_named(&x->resp.headers, f->name, f->value) != ERR_OK)
            return filter_exhausted(x);
    }
    exchange_end_filtered(x);
    return ERR_OK;
}

// --- the request's body ---

static enum err refuse_body(const struct handler *h, struct exchange *x)
{
    const struct forward_auth *f = (const struct forward_auth *)(const void *)h;
    filter_note(h, x, "denied", STR("the request's body is longer than 'body-max'"));
    exchange_fail(x, 413, EXCHANGE_END_FILTERED,
                  STR_FMT ": the request's body is longer than 'body-max'", STR_ARG(f->base.who));
    x->resp.must_close = true; // the rest of the body isn't worth being read
    return ERR_OK;
}

// *ret_is_answered: the request goes no further.
static enum err read_body(const struct handler *h, struct exchange *x, struct str *ret,
                          bool *ret_is_answered)
{
    const struct forward_auth *f = (const struct forward_auth *)(const void *)h;
    *ret_is_answered = true;
    size_t max = (size_t)f->conf->body_max_bytes;
    if (x->req.body->length > 0 && (uint64_t)x->req.body->length > max)
        return refuse_body(h, x);
    if (exchange_continue(x) != ERR_OK)
        return ERR_CANCELLED;
    switch (whole_body_read(x, max, ret)) {
    case WHOLE_BODY_READ:
        *ret_is_answered = false;
        return ERR_OK;
    case WHOLE_BODY_TOO_LARGE:
        return refuse_body(h, x);
    case WHOLE_BODY_BROKEN:
        return filter_body_failed(x);
    case WHOLE_BODY_EXHAUSTED:
        break;
    }
    return filter_exhausted(x);
}

enum err forward_auth_serve(const struct handler *h, struct exchange *x)
{
    const struct forward_auth *f = (const struct forward_auth *)(const void *)h;
    struct sub_request r;
    struct sub_answer a;
    struct str body = STR_NONE;
    if (f->conf->forwards_body && x->req.body && !is_tunnel(x)) {
        bool is_answered;
        enum err err = read_body(h, x, &body, &is_answered);
        if (err != ERR_OK || is_answered)
            return err;
    }
    if (make_request(f, x, body, &r) != ERR_OK)
        return filter_exhausted(x);
    switch (sub_ask(x, &r, &a)) {
    case SUB_CANCELLED:
        return ERR_CANCELLED;
    case SUB_FAILED:
        return unavailable(h, x, a.why);
    case SUB_ANSWERED:
        break;
    }
    if (a.status >= 200 && a.status < 300)
        return let_pass(h, x, &a);
    return hand_over(h, x, &a);
}
