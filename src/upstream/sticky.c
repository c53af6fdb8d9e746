// SPDX-License-Identifier: Apache-2.0
#include "upstream/sticky.h"

#include <inttypes.h>
#include <string.h>

#include "base/ascii.h"
#include "base/hash.h"
#include "base/writer.h"
#include "codec/base64.h"
#include "tls/digest.h"

// --- settings ---

// A cookie's path or domain (RFC 6265 4.1.1).
static bool is_attribute(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || s.ptr[i] == ';')
            return false;
    return true;
}

static enum err check(const struct sticky_conf *c, struct diags *diags)
{
    if (c->cookie.text.len > 0 && !ascii_is_token(c->cookie.text))
        return diag_fail(diags, ERR_SYNTAX, c->cookie.place,
                         "'" STR_FMT "' is no name of a cookie: write letters, digits, '-' or '_'",
                         STR_ARG(c->cookie.text));
    if (!str_starts(c->path.text, STR("/")) || !is_attribute(c->path.text))
        return diag_fail(diags, ERR_SYNTAX, c->path.place,
                         "'" STR_FMT "' is no path of a cookie: write one like / or /app",
                         STR_ARG(c->path.text));
    if (!is_attribute(c->domain.text))
        return diag_fail(diags, ERR_SYNTAX, c->domain.place,
                         "'" STR_FMT "' is no domain of a cookie: write one like example.com",
                         STR_ARG(c->domain.text));
    if (c->same_site == STICKY_SAME_SITE_NONE && c->secure == STICKY_SECURE_NEVER)
        return diag_fail(
            diags, ERR_SYNTAX, c->place,
            "same-site: none needs secure: auto or always, or browsers drop the cookie");
    return ERR_OK;
}

// Two services of a host must not fight for one cookie.
static struct str name_for(const struct sticky_conf *c, struct str service, struct arena *mem)
{
    if (c->cookie.text.len > 0)
        return c->cookie.text;
    uint64_t hash = hash_sip13((struct hash_key){.k0 = 0}, service);
    return arena_printf(mem, "stick-%06" PRIx32, (uint32_t)(hash >> 40));
}

enum err sticky_build(const struct sticky_conf *c, struct str service, struct arena *mem,
                      struct diags *diags, struct sticky *ret)
{
    static const char *const same_site[] = {
        [STICKY_SAME_SITE_LAX] = "; SameSite=Lax",
        [STICKY_SAME_SITE_STRICT] = "; SameSite=Strict",
        [STICKY_SAME_SITE_NONE] = "; SameSite=None",
        [STICKY_SAME_SITE_UNSET] = "",
    };
    *ret = (struct sticky){.is_on = c->is_on, .service = service, .secure = c->secure};
    if (!c->is_on)
        return ERR_OK;
    enum err err = check(c, diags);
    if (err)
        return err;
    struct str age = STR(""), domain = STR("");
    if (c->max_age_ms > 0)
        age = arena_printf(mem, "; Max-Age=%" PRId64, c->max_age_ms / 1000);
    if (c->domain.text.len > 0)
        domain = arena_concat(mem, STR("; Domain="), c->domain.text, STR_NONE);
    ret->name = name_for(c, service, mem);
    ret->attributes = arena_printf(mem, "; Path=" STR_FMT STR_FMT STR_FMT "%s%s",
                                   STR_ARG(c->path.text), STR_ARG(domain), STR_ARG(age),
                                   c->http_only ? "; HttpOnly" : "", same_site[c->same_site]);
    if (ret->name.ptr && ret->attributes.ptr && age.ptr && domain.ptr)
        return ERR_OK;
    return diag_fail(diags, ERR_LIMIT, c->place, "memory limit of the settings");
}

// --- tokens ---

void sticky_token(const uint8_t key[static COOKIE_KEY_BYTES], struct str service, struct str member,
                  char ret[static STICKY_TOKEN_CHARS])
{
    uint8_t names[TLS_SHA256_BYTES], digest[TLS_SHA256_BYTES];
    char text[STICKY_TOKEN_CHARS + 2];
    // By itself first, so that no two pairs of names run together.
    tls_hmac_sha256(str_from((const char *)key, COOKIE_KEY_BYTES), service, names);
    tls_hmac_sha256(str_from((const char *)names, sizeof names), member, digest);
    size_t n = base64_encode(str_from((const char *)digest, 16), true, text);
    ASSERT(n >= STICKY_TOKEN_CHARS);
    memcpy(ret, text, STICKY_TOKEN_CHARS);
    explicit_bzero(names, sizeof names);
}

// --- cookies ---

// The next "name=value" of a Cookie field, trimmed; false at the end.
static bool next_pair(struct str *rest, struct str *ret)
{
    while (rest->len > 0) {
        if (!str_cut(*rest, ';', ret, rest))
            *rest = STR_NONE;
        *ret = str_trim(*ret);
        if (ret->len > 0)
            return true;
    }
    return false;
}

static bool is_ours(const struct sticky *s, struct str pair, struct str *ret_value)
{
    struct str name;
    return str_cut(pair, '=', &name, ret_value) && str_eq(str_trim(name), s->name);
}

// Of all fields: clients should send one (RFC 6265 5.4), and may have sent more.
static struct str all_cookies(const struct exchange *x)
{
    struct str all = STR_NONE;
    for (const struct field *f = headers_next(&x->req.headers, NULL); f;
         f = headers_next(&x->req.headers, f))
        if (f->id == FIELD_COOKIE)
            all = all.ptr
                      ? arena_printf(x->mem, STR_FMT "; " STR_FMT, STR_ARG(all), STR_ARG(f->value))
                      : f->value;
    return all;
}

struct str sticky_take(const struct sticky *s, struct exchange *x)
{
    if (!headers_find(&x->req.headers, FIELD_COOKIE))
        return STR_NONE;
    struct str all = all_cookies(x), rest = all, pair, value, shown = STR_NONE;
    bool is_found = false;
    if (str_search(all, s->name) == STR_NPOS)
        return STR_NONE;
    char *buf = arena_alloc(x->mem, all.len, 2, 1);
    if (!buf)
        return STR_NONE;
    struct writer w;
    writer_init(&w, buf, 2 * all.len);
    while (next_pair(&rest, &pair)) {
        if (is_ours(s, pair, &value)) {
            shown = is_found ? shown : str_trim(value);
            is_found = true;
            continue;
        }
        if (w.len > 0)
            writer_put(&w, STR("; "));
        writer_put(&w, pair);
    }
    if (!is_found)
        return STR_NONE;
    if (w.len == 0)
        (void)headers_remove(&x->req.headers, FIELD_COOKIE);
    else if (headers_set(&x->req.headers, FIELD_COOKIE, writer_str(&w)) != ERR_OK)
        return STR_NONE;
    return shown;
}

enum err sticky_give(const struct sticky *s, struct exchange *x,
                     const char token[static STICKY_TOKEN_CHARS])
{
    bool is_secure = s->secure == STICKY_SECURE_ALWAYS ||
                     (s->secure == STICKY_SECURE_AUTO && str_eq(x->req.scheme, STR("https")));
    struct str value =
        arena_printf(x->mem, STR_FMT "=%.*s" STR_FMT "%s", STR_ARG(s->name), STICKY_TOKEN_CHARS,
                     token, STR_ARG(s->attributes), is_secure ? "; Secure" : "");
    return value.ptr ? headers_add(&x->resp.headers, FIELD_SET_COOKIE, value) : ERR_LIMIT;
}
