// SPDX-License-Identifier: Apache-2.0
#include "http/forward.h"

#include "base/ascii.h"
#include "base/writer.h"
#include "http/env.h"
#include "rt/clock.h"

#define REQUEST_ID_MAX_BYTES 128

bool forward_is_trusted(const struct http_entry *e, const struct ip *ip)
{
    for (size_t i = 0; i < e->n_trusted; i++) {
        if (ip_net_contains(&e->trusted[i], ip))
            return true;
    }
    return false;
}

// An address with an optional port: "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80".
static enum err parse_node(struct str s, struct ip *ret)
{
    if (s.len > 0 && s.ptr[0] == '[') {
        size_t end = str_find(s, ']');
        return end == STR_NPOS ? ERR_SYNTAX : ip_parse(str_from(s.ptr + 1, end - 1), ret);
    }
    size_t colon = str_find(s, ':');
    if (colon != STR_NPOS && str_rfind(s, ':') == colon)
        s = str_first(s, colon);
    return ip_parse(s, ret);
}

// The client among the nodes of a list, fed from left to right: the rightmost address that isn't
// trusted; when all are, the leftmost one. What is malformed hides all that is left of it.
struct search {
    const struct http_entry *entry;
    struct ip client;
    bool is_found;
};

static void feed(struct search *s, struct str node)
{
    struct ip ip;
    if (parse_node(node, &ip) != ERR_OK)
        s->is_found = false;
    else if (!s->is_found || !forward_is_trusted(s->entry, &ip)) {
        s->client = ip;
        s->is_found = true;
    }
}

// Takes the next part off a list whose separators may stand inside quoted strings (RFC 9110 5.6.4).
static bool next_quoted_item(struct str *rest, char sep, struct str *ret)
{
    if (rest->len == 0)
        return false;
    bool in_quotes = false;
    size_t i = 0;
    for (; i < rest->len && (in_quotes || rest->ptr[i] != sep); i++) {
        if (rest->ptr[i] == '"')
            in_quotes = !in_quotes;
        else if (in_quotes && rest->ptr[i] == '\\')
            i++;
    }
    // WHY: a quote that a client leaves open must not swallow what trusted proxies put behind it.
    if (in_quotes)
        i = str_find(*rest, sep);
    i = MIN(i, rest->len);
    *ret = str_trim(str_first(*rest, i));
    *rest = str_skip(*rest, i + 1);
    return true;
}

// One element of Forwarded: "for=192.0.2.1;proto=https" (RFC 7239 4).
static void feed_element(struct search *s, struct str element)
{
    struct str pair, name, value, node = STR_NONE;
    while (next_quoted_item(&element, ';', &pair)) {
        if (str_cut(pair, '=', &name, &value) && str_ieq(name, STR("for")))
            node = value;
    }
    if (node.len >= 2 && node.ptr[0] == '"' && node.ptr[node.len - 1] == '"')
        node = str_from(node.ptr + 1, node.len - 2);
    feed(s, node);
}

static struct ip find_client(struct exchange *x)
{
    const struct headers *h = &x->req.headers;
    struct search s = {.entry = x->entry};
    enum field_id id =
        headers_find(h, FIELD_X_FORWARDED_FOR) ? FIELD_X_FORWARDED_FOR : FIELD_FORWARDED;
    if (!headers_find(h, id))
        return x->peer;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if (f->id != id)
            continue;
        struct str rest = f->value, item;
        while (next_quoted_item(&rest, ',', &item)) {
            if (id == FIELD_FORWARDED)
                feed_element(&s, item);
            else
                feed(&s, item);
        }
    }
    return s.is_found ? s.client : x->peer;
}

// In lower case, and with '-' for '_': many servers can't tell these apart.
static char folded(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

// X-Forwarded-Anything, and its twins.
static bool is_forwarding_name(struct str name)
{
    static const struct str known[] = {STR_INIT("x-forwarded-"), STR_INIT("x-real-ip"),
                                       STR_INIT("x-request-id")};
    if (ascii_lower(name.ptr[0]) != 'x')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        size_t at = 0;
        while (at < known[i].len && at < name.len && known[i].ptr[at] == folded(name.ptr[at]))
            at++;
        if (at == known[i].len)
            return true;
    }
    return false;
}

static void drop_strangers_fields(struct headers *h)
{
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if (f->id == FIELD_FORWARDED || is_forwarding_name(f->name))
            headers_drop(h, f);
    }
}

static bool is_reserved(const struct http_reserved *r, struct str name)
{
    if ((r->lengths >> (name.len & 63) & 1) == 0)
        return false;
    for (size_t i = 0; i < r->n; i++) {
        if (field_is_twin(r->names[i], name))
            return true;
    }
    return false;
}

static void drop_reserved(const struct http_entry *e, struct headers *h)
{
    if (!e->reserved)
        return;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if (is_reserved(e->reserved, f->name))
            headers_drop(h, f);
    }
}

void forward_clean_trailers(const struct exchange *x, struct headers *trailers)
{
    drop_reserved(x->entry, trailers);
    if (!x->peer_is_trusted)
        drop_strangers_fields(trailers);
}

static bool is_request_id(struct str s)
{
    return s.len <= REQUEST_ID_MAX_BYTES && ascii_is_token(s);
}

// n characters of Crockford's base 32, most significant first.
static void put_base32(char *at, unsigned n, uint64_t value)
{
    while (n-- > 0) {
        at[n] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value & 31];
        value >>= 5;
    }
}

// Sorts by time, as a ULID does: 48 bits of milliseconds, 40 of the worker's, 40 of a count.
static struct str make_request_id(struct exchange *x)
{
    struct http_env *env = x->env;
    int64_t now_ms = clock_wall_ns() / 1000000;
    if (env->id_ms != now_ms) {
        env->id_ms = now_ms;
        put_base32(env->id, 10, (uint64_t)now_ms);
        put_base32(env->id + 10, 8, env->id_prefix);
    }
    put_base32(env->id + 18, 8, env->id_next++);
    return arena_dup(x->mem, str_from(env->id, sizeof env->id));
}

enum err forward_believe(struct exchange *x)
{
    struct headers *h = &x->req.headers;
    x->peer_is_trusted = forward_is_trusted(x->entry, &x->peer);
    x->client = x->peer;
    drop_reserved(x->entry, h); // of trusted proxies as well: who knows whether they look at them
    if (x->peer_is_trusted) {
        x->client = find_client(x);
        x->request_id = headers_get(h, FIELD_X_REQUEST_ID);
        struct str proto = headers_get(h, FIELD_X_FORWARDED_PROTO);
        if (str_ieq(proto, STR("https")))
            x->req.scheme = STR("https");
        else if (str_ieq(proto, STR("http")))
            x->req.scheme = STR("http");
    } else {
        drop_strangers_fields(h);
    }
    if (!is_request_id(x->request_id))
        x->request_id = make_request_id(x);
    return x->request_id.len > 0 ? ERR_OK : ERR_LIMIT;
}

// The values of all fields with this id, in one list with one more element.
static struct str joined(struct exchange *x, enum field_id id, struct str last)
{
    struct headers *h = &x->req.headers;
    struct str before = STR_NONE;
    for (const struct field *f = headers_find(h, id); f; f = headers_next(h, f)) {
        if (f->id != id || f->value.len == 0)
            continue;
        before = before.len > 0 ? arena_concat(x->mem, before, STR(", "), f->value) : f->value;
        if (!before.ptr)
            return STR_NONE;
    }
    return before.len > 0 ? arena_concat(x->mem, before, STR(", "), last) : last;
}

static enum err set_joined(struct exchange *x, enum field_id id, struct str last)
{
    struct str all = last.ptr ? joined(x, id, last) : STR_NONE;
    return all.ptr ? headers_set(&x->req.headers, id, all) : ERR_LIMIT;
}

// What a trusted peer said stays.
static enum err set_if_missing(struct exchange *x, enum field_id id, struct str value)
{
    if (!value.ptr)
        return ERR_LIMIT;
    if (value.len == 0 || headers_find(&x->req.headers, id))
        return ERR_OK;
    return headers_add(&x->req.headers, id, value);
}

static struct str port_text(struct arena *mem, unsigned port)
{
    if (port == 80)
        return STR("80");
    if (port == 443)
        return STR("443");
    struct writer w;
    char *text = ARENA_ARRAY(mem, char, 5);
    if (!text)
        return STR_NONE;
    writer_init(&w, text, 5);
    writer_dec(&w, port);
    return writer_str(&w);
}

static enum err announce_x(struct exchange *x, struct str peer)
{
    const struct request *r = &x->req;
    unsigned port = r->port ? r->port : url_usual_port(r->scheme);
    if (set_joined(x, FIELD_X_FORWARDED_FOR, peer) != ERR_OK ||
        set_if_missing(x, FIELD_X_FORWARDED_PROTO, r->scheme) != ERR_OK ||
        (r->authority.len > 0 && set_if_missing(x, FIELD_X_FORWARDED_HOST, r->authority) != ERR_OK))
        return ERR_LIMIT;
    return set_if_missing(x, FIELD_X_FORWARDED_PORT, port_text(x->mem, port));
}

// RFC 7239 4 and 6: for=192.0.2.1;host=example.com;proto=http, quoted where it is no token. The
// authority has been parsed: nothing in it needs an escape inside quotes.
static enum err announce_forwarded(struct exchange *x, struct str peer)
{
    const struct request *r = &x->req;
    struct str node = x->peer.family == 4   ? peer
                      : x->peer.family == 6 ? arena_concat(x->mem, STR("\"["), peer, STR("]\""))
                                            : STR("unknown");
    struct str host = r->authority;
    const char *quote = "";
    for (size_t i = 0; i < host.len && *quote == '\0'; i++)
        quote = ascii_is(host.ptr[i], ASCII_TOKEN) ? "" : "\"";
    struct str element =
        host.len > 0 ? arena_printf(x->mem, "for=" STR_FMT ";host=%s" STR_FMT "%s;proto=" STR_FMT,
                                    STR_ARG(node), quote, STR_ARG(host), quote, STR_ARG(r->scheme))
                     : arena_printf(x->mem, "for=" STR_FMT ";proto=" STR_FMT, STR_ARG(node),
                                    STR_ARG(r->scheme));
    return node.ptr ? set_joined(x, FIELD_FORWARDED, element) : ERR_LIMIT;
}

static struct str ip_dup(struct arena *mem, const struct ip *ip)
{
    char *text = ARENA_ARRAY(mem, char, 46);
    return !text ? STR_NONE : ip->family == 0 ? STR("unknown") : ip_text(ip, text);
}

enum err forward_announce(struct exchange *x)
{
    const struct http_entry *e = x->entry;
    struct headers *h = &x->req.headers;
    struct str peer = STR("-");
    if (e->x_forwarded || e->forwarded || e->x_real_ip)
        peer = ip_dup(x->mem, &x->peer);
    struct str client = peer;
    if (e->x_real_ip && !ip_eq(&x->client, &x->peer))
        client = ip_dup(x->mem, &x->client);
    if (!peer.ptr || !client.ptr)
        return ERR_LIMIT;

    if (e->x_forwarded && announce_x(x, peer) != ERR_OK)
        return ERR_LIMIT;
    if (e->x_real_ip && headers_set(h, FIELD_X_REAL_IP, client) != ERR_OK)
        return ERR_LIMIT;
    if (e->forwarded && announce_forwarded(x, peer) != ERR_OK)
        return ERR_LIMIT;
    if (e->via.len > 0) {
        struct str version = x->req.version == HTTP_1_0   ? STR("1.0 ")
                             : x->req.version == HTTP_1_1 ? STR("1.1 ")
                             : x->req.version == HTTP_2   ? STR("2 ")
                                                          : STR("3 ");
        struct str via = arena_concat(x->mem, version, e->via, STR_NONE);
        if (!via.ptr || headers_add(h, FIELD_VIA, via) != ERR_OK)
            return ERR_LIMIT;
    }
    return headers_set(h, FIELD_X_REQUEST_ID, x->request_id);
}
