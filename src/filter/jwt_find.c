// SPDX-License-Identifier: Apache-2.0
// Where the token is in a request, and how it is taken out.
#include "codec/url.h"
#include "filter/jwt.h"

// --- cookies: "a=b; c=d" in one field or several (RFC 6265 5.4, RFC 9113 8.2.3) ---

// The next one; *ret_whole is all of it.
static bool next_cookie(struct str *rest, struct str *ret_name, struct str *ret_value,
                        struct str *ret_whole)
{
    if (!str_next_item(rest, ';', ret_whole))
        return false;
    if (!str_cut(*ret_whole, '=', ret_name, ret_value))
        *ret_name = *ret_value = STR_NONE;
    *ret_name = str_trim(*ret_name);
    *ret_value = str_trim(*ret_value);
    return true;
}

static enum jwt_found find_cookie(const struct headers *h, struct str wanted, struct str *ret)
{
    unsigned n = 0;
    for (const struct field *f = headers_find(h, FIELD_COOKIE); f; f = headers_next(h, f)) {
        struct str rest = f->value, name, value, whole;
        while (f->id == FIELD_COOKIE && next_cookie(&rest, &name, &value, &whole)) {
            if (!str_eq(name, wanted))
                continue;
            n++;
            *ret = value;
        }
    }
    return n == 0 ? JWT_NOT_THERE : n == 1 ? JWT_FOUND : JWT_AMBIGUOUS;
}

static enum err strip_cookie(struct exchange *x, struct str wanted)
{
    struct headers *h = &x->req.headers;
    struct str left = STR_NONE;
    for (const struct field *f = headers_find(h, FIELD_COOKIE); f; f = headers_next(h, f)) {
        struct str rest = f->value, name, value, whole;
        while (f->id == FIELD_COOKIE && next_cookie(&rest, &name, &value, &whole)) {
            if (str_eq(name, wanted))
                continue;
            left = left.len > 0 ? arena_concat(x->mem, left, STR("; "), whole) : whole;
            if (!left.ptr)
                return ERR_LIMIT;
        }
    }
    if (left.len > 0)
        return headers_set(h, FIELD_COOKIE, left);
    headers_remove(h, FIELD_COOKIE);
    return ERR_OK;
}

// --- arguments ---

// Servers see names decoded: a token under another spelling would be one to them. Without memory it
// counts as one.
static bool is_argument(struct str name, struct str wanted, struct arena *mem)
{
    struct str decoded = url_decode(name, true, mem);
    return name.len > 0 && (!decoded.ptr || str_eq(decoded, wanted));
}

static enum jwt_found find_argument(const struct exchange *x, struct str wanted, struct str *ret)
{
    struct str rest = x->req.query, name, value;
    unsigned n = 0;
    while (url_query_next(&rest, &name, &value)) {
        if (!is_argument(name, wanted, x->mem))
            continue;
        n++;
        *ret = value; // base64url and dots: nothing in it is ever encoded
    }
    return n == 0 ? JWT_NOT_THERE : n == 1 ? JWT_FOUND : JWT_AMBIGUOUS;
}

static enum err strip_argument(struct exchange *x, struct str wanted)
{
    struct request *r = &x->req;
    struct str rest = r->query, pair, name, value, left = STR_NONE;
    while (str_cut(rest, '&', &pair, &rest), pair.len > 0 || rest.len > 0) {
        if (!str_cut(pair, '=', &name, &value))
            name = pair;
        if (is_argument(name, wanted, x->mem))
            continue;
        left = left.ptr ? arena_concat(x->mem, left, STR("&"), pair) : pair;
        if (!left.ptr)
            return ERR_LIMIT;
    }
    r->query = left;
    r->has_query = left.len > 0;
    return ERR_OK;
}

// --- fields ---

// With '_' in the place of '-' as well: many servers can't tell these apart.
static enum jwt_found find_field(const struct headers *h, struct str wanted, struct str *ret)
{
    unsigned n = 0;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if (!field_is_twin(f->name, wanted))
            continue;
        n++;
        *ret = f->value;
    }
    return n == 0 ? JWT_NOT_THERE : n == 1 ? JWT_FOUND : JWT_AMBIGUOUS;
}

// Another scheme is another filter's or the server's.
static bool is_bearer(struct str value, struct str *ret_token)
{
    struct str scheme = str_next_word(&value);
    *ret_token = str_trim(value);
    return str_ieq(scheme, STR("Bearer"));
}

static enum jwt_found find_bearer(const struct headers *h, struct str *ret)
{
    struct str value, token;
    enum jwt_found found = find_field(h, STR("Authorization"), &value);
    if (found != JWT_FOUND)
        return found;
    if (!is_bearer(value, &token))
        return JWT_NOT_THERE;
    *ret = token;
    return JWT_FOUND;
}

static void strip_bearer(struct headers *h)
{
    struct str token;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        if (f->id == FIELD_AUTHORIZATION && is_bearer(f->value, &token))
            headers_drop(h, f);
}

// --- all of them ---

static enum jwt_found find_in(const struct jwt_place *place, const struct exchange *x,
                              struct str *ret)
{
    const struct headers *h = &x->req.headers;
    switch (place->kind) {
    case JWT_PLACE_AUTHORIZATION:
        return find_bearer(h, ret);
    case JWT_PLACE_HEADER:
        return find_field(h, place->name, ret);
    case JWT_PLACE_COOKIE:
        return find_cookie(h, place->name, ret);
    case JWT_PLACE_QUERY:
        return find_argument(x, place->name, ret);
    }
    return JWT_NOT_THERE;
}

enum jwt_found jwt_find(const struct jwt *f, const struct exchange *x, struct str *ret,
                        const struct jwt_place **ret_place)
{
    for (size_t i = 0; i < f->n_places; i++) {
        enum jwt_found found = find_in(&f->places[i], x, ret);
        if (found == JWT_NOT_THERE)
            continue;
        *ret_place = &f->places[i];
        return found;
    }
    return JWT_NOT_THERE;
}

static enum err strip_from(const struct jwt_place *place, struct exchange *x)
{
    switch (place->kind) {
    case JWT_PLACE_AUTHORIZATION:
        strip_bearer(&x->req.headers);
        return ERR_OK;
    case JWT_PLACE_HEADER:
        headers_remove_twins(&x->req.headers, place->name);
        return ERR_OK;
    case JWT_PLACE_COOKIE:
        return strip_cookie(x, place->name);
    case JWT_PLACE_QUERY:
        return strip_argument(x, place->name);
    }
    return ERR_OK;
}

enum err jwt_strip(const struct jwt *f, const struct jwt_place *keep, struct exchange *x)
{
    for (size_t i = 0; i < f->n_places; i++)
        if (&f->places[i] != keep && strip_from(&f->places[i], x) != ERR_OK)
            return ERR_LIMIT;
    return ERR_OK;
}
