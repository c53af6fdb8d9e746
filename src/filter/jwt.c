// SPDX-License-Identifier: Apache-2.0
// jwt: lets only requests with a signed token pass (RFC 7519, RFC 6750), and tells servers what it
// says.
#include "filter/jwt.h"

#include "filter/auth_cache.h"
#include "rt/clock.h"

#define KEY_TRIES_MAX 8 // keys that a token's signature is held against, where it names none

// --- refusing ---

static enum err refuse(const struct handler *h, struct exchange *x, unsigned status,
                       struct str challenge, const char *why)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    filter_note(h, x, "denied", str_of(why));
    exchange_fail(x, status, EXCHANGE_END_FILTERED, STR_FMT ": %s", STR_ARG(f->base.who), why);
    if (!challenge.ptr ||
        headers_set(&x->resp.headers, FIELD_WWW_AUTHENTICATE, challenge) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

// RFC 6750 3: without a token, nothing is said of an error.
static enum err ask_for_token(const struct handler *h, struct exchange *x)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    struct str challenge = arena_printf(x->mem, "Bearer realm=\"" STR_FMT "\"", STR_ARG(f->realm));
    return refuse(h, x, 401, challenge, "no token");
}

// error: of RFC 6750 3.1. why: for the log; client_text: for everybody.
static enum err refuse_token(const struct handler *h, struct exchange *x, unsigned status,
                             const char *error, const char *client_text, const char *why)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    struct str challenge =
        arena_printf(x->mem, "Bearer realm=\"" STR_FMT "\", error=\"%s\", error_description=\"%s\"",
                     STR_ARG(f->realm), error, client_text);
    return refuse(h, x, status, challenge, why);
}

static enum err refuse_invalid(const struct handler *h, struct exchange *x, const char *why)
{
    return refuse_token(h, x, 401, "invalid_token", "The token is invalid", why);
}

static enum err refuse_by_claims(const struct handler *h, struct exchange *x, enum jwt_verdict v)
{
    static const char *const logs[] = {
#define X(id, log, client) [JWT_##id] = log,
        JWT_VERDICT_LIST(X)
#undef X
    };
    static const char *const clients[] = {
#define X(id, log, client) [JWT_##id] = client,
        JWT_VERDICT_LIST(X)
#undef X
    };
    if (v == JWT_REQUIRED)
        return refuse_token(h, x, 403, "insufficient_scope", clients[v], logs[v]);
    return refuse_token(h, x, 401, "invalid_token", clients[v], logs[v]);
}

static enum err unavailable(const struct handler *h, struct exchange *x)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    filter_note(h, x, "failed", STR("no keys could be fetched"));
    exchange_fail(x, 503, EXCHANGE_END_NO_SERVER, STR_FMT ": no keys could be fetched",
                  STR_ARG(f->base.who));
    if (headers_set(&x->resp.headers, FIELD_RETRY_AFTER, STR("1")) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

// --- the signature ---

// What was right stays right for this key, so that it needn't be computed with each request.
static bool verify(const struct jws_key *key, const struct jwt_token *t)
{
    struct auth_tag tag;
    const struct str parts[] = {STR("jwt"), str_of(jws_alg_name(t->alg)),
                                str_from((const char *)jws_key_id(key), JWS_KEY_ID_BYTES),
                                t->signed_text, t->signature};
    bool is_cacheable = !jws_alg_is_secret(t->alg) && auth_tag_of(parts, ARRAY_LEN(parts), &tag);
    if (is_cacheable && auth_cache_has(&tag, clock_now_ms()))
        return true;
    if (!jws_verify(key, t->alg, t->signed_text, t->signature))
        return false;
    if (is_cacheable)
        auth_cache_put(&tag, clock_now_ms());
    return true;
}

enum signature {
    SIGNATURE_GOOD,
    SIGNATURE_BAD,
    SIGNATURE_NO_KEY,  // none that could have signed it
    SIGNATURE_NO_KEYS, // none at all: they couldn't be fetched
    SIGNATURE_CANCELLED,
};

static enum signature check_by(const struct jwk_set *set, const struct jwt_token *t)
{
    size_t at = 0;
    const struct jws_key *key;
    enum signature found = SIGNATURE_NO_KEY;
    for (unsigned i = 0; i < KEY_TRIES_MAX && (key = jwk_set_next(set, t->alg, t->kid, &at)); i++) {
        if (verify(key, t))
            return SIGNATURE_GOOD;
        found = SIGNATURE_BAD;
    }
    return found;
}

static enum signature check_by_fetched(const struct jwt *f, struct exchange *x,
                                       const struct jwt_token *t)
{
    uint32_t generation = 0, newer_than = 0;
    enum signature found;
    do {
        struct jwk_set *set;
        newer_than = generation;
        enum jwt_keys_got got = jwt_keys_get(&f->source, x, newer_than, &set, &generation);
        if (got == JWT_KEYS_CANCELLED)
            return SIGNATURE_CANCELLED;
        if (got == JWT_KEYS_NONE)
            return SIGNATURE_NO_KEYS;
        found = check_by(set, t);
        jwk_set_unref(set);
        // A key that isn't there may be newer than the set: once more, should there be another.
    } while (found == SIGNATURE_NO_KEY && newer_than == 0);
    return found;
}

static enum signature check_signature(const struct jwt *f, struct exchange *x,
                                      const struct jwt_token *t)
{
    enum signature found = SIGNATURE_NO_KEY;
    for (size_t i = 0; i < ARRAY_LEN(f->sets) && found != SIGNATURE_GOOD; i++) {
        enum signature one = f->sets[i] ? check_by(f->sets[i], t) : SIGNATURE_NO_KEY;
        if (one != SIGNATURE_NO_KEY)
            found = one;
    }
    if (found == SIGNATURE_GOOD || !f->fetched || jws_alg_is_secret(t->alg))
        return found;
    enum signature fetched = check_by_fetched(f, x, t);
    return fetched == SIGNATURE_NO_KEY ? found : fetched;
}

// --- passing ---

static enum err tell_server(const struct jwt *f, struct exchange *x, const struct json *claims)
{
    const struct conf_map *map = &f->conf->headers;
    struct headers *h = &x->req.headers;
    for (size_t i = 0; i < map->n; i++)
        headers_remove_twins(h, map->items[i].name);
    for (size_t i = 0; i < map->n; i++) {
        const struct jwt_claim_conf *c = map->items[i].value;
        struct str text;
        if (jwt_claim_text(jwt_claim(claims, c->claim.text), x->mem, &text) &&
            headers_add_named(h, map->items[i].name, text) != ERR_OK)
            return ERR_LIMIT;
    }
    return ERR_OK;
}

static enum err let_pass(const struct handler *h, struct exchange *x, const struct jwt_token *t,
                         const struct jwt_place *place)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    struct str user;
    if (jwt_strip(f, f->conf->strip ? NULL : place, x) != ERR_OK)
        return filter_exhausted(x);
    if (tell_server(f, x, t->claims) != ERR_OK)
        return filter_exhausted(x);
    if (jwt_claim_text(jwt_claim(t->claims, f->conf->user.text), x->mem, &user))
        x->user = user;
    filter_note(h, x, "passed", str_of(jws_alg_name(t->alg)));
    return handler_serve(h->next, x);
}

enum err jwt_serve(const struct handler *h, struct exchange *x)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    const struct jwt_place *place = NULL;
    struct str text = STR_NONE;
    struct jwt_token t;
    switch (jwt_find(f, x, &text, &place)) {
    case JWT_FOUND:
        break;
    case JWT_NOT_THERE:
        return ask_for_token(h, x);
    case JWT_AMBIGUOUS:
        return refuse_token(h, x, 400, "invalid_request", "There is more than one token",
                            "more than one token");
    }
    const char *why = jwt_token_parse(text, x->mem, &t);
    if (why)
        return refuse_invalid(h, x, why);
    if ((f->algs >> t.alg & 1) == 0)
        return refuse_invalid(h, x, "its algorithm is not one that is taken");
    if (!jwt_type_fits(f->conf, t.typ))
        return refuse_invalid(h, x, "its type is not one that is taken");
    switch (check_signature(f, x, &t)) {
    case SIGNATURE_GOOD:
        break;
    case SIGNATURE_BAD:
        return refuse_invalid(h, x, "its signature is wrong");
    case SIGNATURE_NO_KEY:
        return refuse_invalid(h, x, "no key is known that could have signed it");
    case SIGNATURE_NO_KEYS:
        return unavailable(h, x);
    case SIGNATURE_CANCELLED:
        return ERR_CANCELLED;
    }
    enum jwt_verdict verdict = jwt_check_claims(f->conf, t.claims, clock_wall_s());
    return verdict == JWT_GOOD ? let_pass(h, x, &t, place) : refuse_by_claims(h, x, verdict);
}
