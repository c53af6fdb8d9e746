// SPDX-License-Identifier: Apache-2.0
// What the files of the filter jwt share: jwt.c (an exchange), jwt_conf.c (settings, building),
// jwt_claims.c (what a token has to say), jwt_keys.c (keys from a URL), jwt_find.c (where a token
// is in a request).
#pragma once

#include "filter/common.h"
#include "filter/jwk_set.h"
#include "filter/jwt_keys.h"
#include "filter/jwt_token.h"

struct jwt_claim_conf {
    struct conf_text claim;
};

struct jwt_values_conf {
    struct conf_texts values;
};

struct jwt_conf {
    struct conf_file keys;     // PEM or a JWK set
    struct conf_text secret;   // for HS…
    struct conf_text jwks_url; // of a JWK set
    int64_t refresh_ms;        // of jwks_url
    struct conf_texts algorithms, types, issuers, audiences, from;
    struct conf_map required; // claims to jwt_values_conf
    struct conf_map headers;  // names of fields to jwt_claim_conf
    struct conf_text user, realm;
    int64_t leeway_ms;
    bool needs_expiry, strip;
    struct place place;
};

// Where a token may be, kind and whether ":NAME" follows.
#define JWT_PLACE_LIST(X)                                                                          \
    X(AUTHORIZATION, "authorization", false)                                                       \
    X(HEADER, "header", true)                                                                      \
    X(COOKIE, "cookie", true)                                                                      \
    X(QUERY, "query", true)

enum jwt_place_kind {
#define X(id, name, has_name) JWT_PLACE_##id,
    JWT_PLACE_LIST(X)
#undef X
};

#define JWT_PLACES_MAX 8
struct jwt_place {
    enum jwt_place_kind kind;
    struct str name; // of the field, cookie or argument; borrows
};

struct jwt {
    struct filter_base base;
    const struct jwt_conf *conf; // borrows: the snapshot's
    struct jwt_place places[JWT_PLACES_MAX];
    size_t n_places;
    uint32_t algs;            // bits of those that are taken
    struct jwk_set *sets[2];  // shares: of the file, of the secret; NULL: none
    struct jwt_source source; // of keys from a URL; handler is NULL: none
    struct jwt_keys *fetched; // shares; NULL: none, or only checked
    struct str realm;         // quoted, for WWW-Authenticate
};

enum err jwt_serve(const struct handler *h, struct exchange *x) MUST_CHECK;

// --- jwt_find.c ---

enum jwt_found {
    JWT_FOUND,
    JWT_NOT_THERE,
    JWT_AMBIGUOUS, // more than one in the same place (RFC 6750 2)
};

// The first that is there, in the order of the places. *ret borrows from the request.
enum jwt_found jwt_find(const struct jwt *f, const struct exchange *x, struct str *ret,
                        const struct jwt_place **ret_place);
// Takes tokens out of the request, at all places but keep, which may be NULL: servers are not to
// believe what nobody has looked at. ERR_LIMIT: the arena is full.
enum err jwt_strip(const struct jwt *f, const struct jwt_place *keep, struct exchange *x)
    MUST_CHECK;

// --- jwt_claims.c ---

// id, what the log says, what clients are told
#define JWT_VERDICT_LIST(X)                                                                        \
    X(GOOD, "good", "")                                                                            \
    X(TIMES, "a time in it is no number", "The token is invalid")                                  \
    X(NO_EXPIRY, "it never expires", "The token is invalid")                                       \
    X(EXPIRED, "it has expired", "The token has expired")                                          \
    X(NOT_YET, "it is not valid yet", "The token is not valid yet")                                \
    X(ISSUED_LATER, "it was issued in the future", "The token is not valid yet")                   \
    X(ISSUER, "another issuer", "The token is invalid")                                            \
    X(AUDIENCE, "it is for another audience", "The token is invalid")                              \
    X(REQUIRED, "a required claim is missing", "The token does not allow this")

enum jwt_verdict {
#define X(id, log, client) JWT_##id,
    JWT_VERDICT_LIST(X)
#undef X
};

// now_s: since 1970.
enum jwt_verdict jwt_check_claims(const struct jwt_conf *c, const struct json *claims,
                                  int64_t now_s);
// Whether typ of a token's header is one of those that are asked for.
bool jwt_type_fits(const struct jwt_conf *c, struct str typ);
// A claim by its name, or by the names that lead to it: "realm_access.roles". NULL: it isn't there.
const struct json *jwt_claim(const struct json *claims, struct str path);
// As the value of a header field: what is in an array, with commas between. False: it isn't there,
// is an object, holds what fields can't hold, or (*ret_why) there is no memory.
bool jwt_claim_text(const struct json *claim, struct arena *mem, struct str *ret);
