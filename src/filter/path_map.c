// SPDX-License-Identifier: Apache-2.0
#include "filter/path_map.h"

#include "base/writer.h"
#include "codec/url.h"
#include "http/env.h"

static const struct url_path_policy strict;

const char *path_map_prefix(struct str text, struct arena *mem, struct str *ret)
{
    if (text.len == 0 || text.ptr[0] != '/')
        return "doesn't begin with '/'";
    if (str_find(text, '?') != STR_NPOS || str_find(text, '#') != STR_NPOS)
        return "is more than a path";
    if (url_path_canon(text, &strict, mem, ret) != ERR_OK)
        return "has a malformed escape, or climbs above the root";
    while (str_ends(*ret, STR("/")))
        ret->len--;
    return NULL;
}

bool path_map_is_below(struct str path, struct str prefix)
{
    return str_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

struct str path_map_swap(struct str path, struct str from, struct str to, const struct exchange *x)
{
    struct str rest = str_skip(path, from.len);
    // WHY: "/app//host/" without "/app" must not become "//host/", which names a host.
    while (str_starts(rest, STR("//")))
        rest = str_skip(rest, 1);
    if (rest.len == 0 && to.len == 0)
        return STR("/");
    struct str raw = arena_concat(x->mem, to, rest, STR_NONE);
    struct str canon;
    const struct url_path_policy *policy = x->entry ? &x->entry->paths : &strict;
    if (!raw.ptr || url_path_canon(raw, policy, x->mem, &canon) != ERR_OK)
        return STR_NONE;
    return canon;
}

// --- the way back ---

// How a path of the server's is called by clients: from in the place of to. False: it stays.
static bool is_mapped(const struct path_map *m, struct str path)
{
    if (!path_map_is_below(path, m->to))
        return false;
    // A server that knows of its prefix (by X-Forwarded-Prefix) has put it there already.
    return !(path_map_is_below(m->from, m->to) && path_map_is_below(path, m->from));
}

static uint16_t port_of(uint16_t port, struct str scheme)
{
    return port != 0 ? port : url_usual_port(scheme);
}

enum origin {
    ORIGIN_OTHER,
    ORIGIN_OWN,    // the site that the client asked
    ORIGIN_SERVER, // the server behind, which clients must not see
};

static enum origin origin_of(struct str scheme, struct str authority, const struct exchange *x)
{
    struct url_authority a, server;
    if (url_authority_parse(authority, &a) != ERR_OK)
        return ORIGIN_OTHER;
    uint16_t port = port_of(a.port, scheme);
    struct str host = a.host;
    while (str_ends(host, STR(".")))
        host.len--;
    // Without a port: the change between http and https of one site.
    if (x->req.host.len > 0 && str_ieq(host, x->req.host) &&
        (a.port == 0 || port == port_of(x->req.port, x->req.scheme)))
        return ORIGIN_OWN;
    if (url_authority_parse(x->server_name, &server) == ERR_OK && str_ieq(host, server.host) &&
        port == port_of(server.port, STR("http")))
        return ORIGIN_SERVER;
    return ORIGIN_OTHER;
}

// Splits "http://authority/path?query" or "//authority/path" off *rest, which then begins with the
// path. False: url isn't of that form.
static bool cut_origin(struct str *rest, struct str *ret_scheme, struct str *ret_authority,
                       const struct exchange *x)
{
    static const struct str starts[] = {STR_INIT("http://"), STR_INIT("https://"), STR_INIT("//")};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (!str_istarts(*rest, starts[i]))
            continue;
        struct str url = str_skip(*rest, starts[i].len);
        size_t n = 0;
        while (n < url.len && url.ptr[n] != '/' && url.ptr[n] != '?' && url.ptr[n] != '#')
            n++;
        *ret_scheme = starts[i].len > 2 ? str_first(starts[i], starts[i].len - 3) : x->req.scheme;
        *ret_authority = str_first(url, n);
        *rest = str_skip(url, n);
        return true;
    }
    return false;
}

static struct str join(struct arena *mem, struct str origin, struct str prefix, struct str path,
                       struct str behind)
{
    // WHY: without an origin a path that begins with "//" would name another host.
    while (prefix.len == 0 && str_starts(path, STR("//")))
        path = str_skip(path, 1);
    if (prefix.len == 0 && path.len == 0)
        path = STR("/");
    struct str front = arena_concat(mem, origin, prefix, path);
    return front.ptr ? arena_concat(mem, front, behind, STR_NONE) : STR_NONE;
}

// Corrects a Location or Content-Location in place. ERR_LIMIT: the arena is full.
static enum err map_url(const struct path_map *m, struct exchange *x, struct str *url)
{
    struct str rest = *url, scheme, authority;
    struct str origin = STR_NONE;
    bool is_server = false;
    if (cut_origin(&rest, &scheme, &authority, x)) {
        enum origin o = origin_of(scheme, authority, x);
        if (o == ORIGIN_OTHER)
            return ERR_OK;
        is_server = o == ORIGIN_SERVER;
        if (!is_server)
            origin = str_first(*url, url->len - rest.len);
    } else if (!str_starts(rest, STR("/"))) {
        return ERR_OK; // relative to the request's path: right on both sides
    }
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '?' && rest.ptr[n] != '#')
        n++;
    struct str path = n > 0 ? str_first(rest, n) : STR("/");
    struct str prefix = STR_NONE;
    if (is_mapped(m, path)) {
        path = str_skip(path, m->to.len);
        prefix = m->from;
    } else if (!is_server) {
        return ERR_OK;
    }
    struct str mapped = join(x->mem, origin, prefix, path, str_skip(rest, n));
    if (!mapped.ptr)
        return ERR_LIMIT;
    *url = mapped;
    return ERR_OK;
}

// True when a cookie's Domain names the server behind: no client would keep such a cookie.
static bool is_server_domain(struct str domain, const struct exchange *x)
{
    struct url_authority server;
    if (str_starts(domain, STR(".")))
        domain = str_skip(domain, 1);
    return url_authority_parse(x->server_name, &server) == ERR_OK && str_ieq(domain, server.host);
}

static void write_attribute(const struct path_map *m, const struct exchange *x, struct str whole,
                            struct writer *w)
{
    struct str name, value;
    bool has_value = str_cut(whole, '=', &name, &value);
    name = str_trim(name);
    value = str_trim(value);
    if (has_value && str_ieq(name, STR("Domain")) && is_server_domain(value, x))
        return;
    writer_byte(w, ';');
    if (!has_value || !str_ieq(name, STR("Path")) || !is_mapped(m, value)) {
        writer_put(w, whole);
        return;
    }
    // "/" alone would not cover the prefix itself as "/app" does.
    struct str rest = str_skip(value, m->to.len);
    if (m->from.len > 0 && str_eq(rest, STR("/")))
        rest = STR_NONE;
    writer_put(w, STR(" Path="));
    writer_put(w, m->from);
    writer_put(w, rest.len == 0 && m->from.len == 0 ? STR("/") : rest);
}

// Corrects Path, and drops a Domain that names the server (RFC 6265 5.2.3, 5.2.4).
static enum err map_cookie(const struct path_map *m, struct exchange *x, struct str *cookie)
{
    // A __Host- cookie must have the path "/".
    if (str_istarts(*cookie, STR("__Host-")))
        return ERR_OK;
    struct str pair, rest;
    if (!str_cut(*cookie, ';', &pair, &rest))
        return ERR_OK;
    size_t n_attributes = 1;
    for (size_t i = 0; i < rest.len; i++)
        n_attributes += rest.ptr[i] == ';';
    size_t cap = cookie->len + n_attributes * (m->from.len + sizeof " Path=");
    char *buf = ARENA_ARRAY(x->mem, char, cap);
    if (!buf)
        return ERR_LIMIT;
    struct writer w;
    writer_init(&w, buf, cap);
    writer_put(&w, pair);
    for (bool is_more = true; is_more;) {
        struct str attribute;
        is_more = str_cut(rest, ';', &attribute, &rest);
        write_attribute(m, x, attribute, &w);
    }
    if (w.overflowed)
        return ERR_LIMIT;
    *cookie = writer_str(&w);
    return ERR_OK;
}

enum err path_map_back(const struct path_map *m, struct exchange *x)
{
    struct headers *h = &x->resp.headers;
    for (uint32_t i = 0; i < h->n; i++) {
        struct field *f = &h->items[i];
        enum err err = ERR_OK;
        if (f->id == FIELD_LOCATION || f->id == FIELD_CONTENT_LOCATION)
            err = map_url(m, x, &f->value);
        else if (f->id == FIELD_SET_COOKIE)
            err = map_cookie(m, x, &f->value);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}
