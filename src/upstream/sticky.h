// SPDX-License-Identifier: Apache-2.0
// Clients that stay with the server they had first, by a cookie. Its value is a keyed digest of the
// service and the server: whoever has no key can neither make one nor learn anything from it, and
// the same server has the same one in each worker, after a reload and after a restart.
#pragma once

#include "http/exchange.h"
#include "upstream/registry.h"

#define STICKY_TOKEN_CHARS 22 // 128 bits in base64url

struct sticky {
    bool is_on;
    struct str service;    // whose members they are
    struct str name;       // of the cookie
    struct str attributes; // "; Path=/; HttpOnly; SameSite=Lax"
    unsigned secure;       // enum sticky_secure
};

// Texts of *ret are in mem or borrowed from c. On failure one error was added.
enum err sticky_build(const struct sticky_conf *c, struct str service, struct arena *mem,
                      struct diags *diags, struct sticky *ret) MUST_CHECK;

// What clients show who stick to that member ("10.0.0.1:80", "canary").
void sticky_token(const uint8_t key[static COOKIE_KEY_BYTES], struct str service, struct str member,
                  char ret[static STICKY_TOKEN_CHARS]);

// What the client shows, or an empty text; the servers don't see it.
struct str sticky_take(const struct sticky *s, struct exchange *x);

static inline bool sticky_is(struct str shown, const char token[static STICKY_TOKEN_CHARS])
{
    return shown.len == STICKY_TOKEN_CHARS && memcmp(shown.ptr, token, STICKY_TOKEN_CHARS) == 0;
}

// Gives the client this one from now on, with the answer that there is. ERR_LIMIT: no memory.
enum err sticky_give(const struct sticky *s, struct exchange *x,
                     const char token[static STICKY_TOKEN_CHARS]) MUST_CHECK;
