// SPDX-License-Identifier: Apache-2.0
#include "acme/challenge.h"

#include <openssl/evp.h>

#include "base/ascii.h"
#include "codec/base64.h"

#define TOKEN_MIN_BYTES 22 // RFC 8555 8.1: 128 bits of entropy, in base64url
#define TOKEN_MAX_BYTES 512
#define DIGEST_TEXT_BYTES 44

static const char *const names[] = {
#define X(id, name) name,
    ACME_CHALLENGE_LIST(X)
#undef X
};

const char *acme_challenge_name(enum acme_challenge_kind kind)
{
    return names[kind];
}

enum acme_challenge_kind acme_challenge_parse(struct str name)
{
    for (size_t i = 1; i < ARRAY_LEN(names); i++) {
        if (str_eq(name, str_of(names[i])))
            return (enum acme_challenge_kind)i;
    }
    return ACME_CHALLENGE_NONE;
}

// It becomes part of a path and of a file's content: nothing but base64url.
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) && c != '-' && c != '_')
            return false;
    }
    return s.len >= TOKEN_MIN_BYTES && s.len <= TOKEN_MAX_BYTES;
}

bool acme_challenge_fill(struct acme_challenge *c, struct str thumbprint, struct arena *mem)
{
    char text[DIGEST_TEXT_BYTES];
    if (!is_token(c->token))
        return false;
    c->key_authorization = arena_concat(mem, c->token, STR("."), thumbprint);
    if (!c->key_authorization.ptr || EVP_Digest(c->key_authorization.ptr, c->key_authorization.len,
                                                c->digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    size_t n = base64_encode(str_from((const char *)c->digest, sizeof c->digest), true, text);
    c->txt_value = arena_dup(mem, str_from(text, n));
    c->txt_name = arena_concat(mem, STR("_acme-challenge."), c->name, STR_NONE);
    return c->txt_value.ptr && c->txt_name.ptr;
}
