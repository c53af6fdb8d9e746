// SPDX-License-Identifier: Apache-2.0
// As bytes: the length of the tokens' text in decimal and a line's end; that text, a line each of
// token, space, answer; then the bundle of certificates.
#include "gate/challenges.h"

#include <stdatomic.h>

#include "base/ascii.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "http/exchange.h"

#define FOLDER STR("/.well-known/acme-challenge/")
#define MEM_MAX_BYTES ((size_t)64 << 20)

struct challenges {
    _Atomic uint32_t refs;
    struct arena mem;        // of the tokens
    struct map answers;      // token to struct str
    struct tls_store *store; // owns; NULL: none
};

void challenges_pack(const struct challenge_token *tokens, size_t n_tokens,
                     const struct tls_bundle_item *certs, size_t n_certs, struct text *to)
{
    struct text lines = {.ptr = NULL};
    for (size_t i = 0; i < n_tokens; i++)
        text_printf(&lines, STR_FMT " " STR_FMT "\n", STR_ARG(tokens[i].token),
                    STR_ARG(tokens[i].key_authorization));
    text_printf(to, "%zu\n", lines.len);
    text_put(to, text_str(&lines));
    text_fini(&lines);
    tls_bundle_pack(certs, n_certs, to);
}

// base64url, and for an answer the dot between its halves.
static bool is_plain(struct str s, bool has_dot)
{
    if (s.len == 0 || s.len > CHALLENGE_TOKEN_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) && c != '-' && c != '_' &&
            !(has_dot && c == '.'))
            return false;
    }
    return true;
}

static bool read_tokens(struct challenges *c, struct str text)
{
    struct str own = arena_dup(&c->mem, text), line;
    while (own.len > 0) {
        struct str *answer = ARENA_NEW(&c->mem, struct str);
        struct str token;
        if (!answer || c->answers.n == CHALLENGE_TOKENS_MAX || !str_cut(own, '\n', &line, &own) ||
            !str_cut(line, ' ', &token, answer) || !is_plain(token, false) ||
            !is_plain(*answer, true))
            return false;
        map_set(&c->answers, token, answer);
    }
    return true;
}

static bool read_certs(struct challenges *c, struct str bundle, struct diags *diags)
{
    struct tls_bundle_item *items;
    size_t n;
    if (!tls_bundle_unpack(bundle, &c->mem, &items, &n))
        return false;
    c->store = n > 0 ? tls_store_build(bundle, diags) : NULL;
    return n == 0 || c->store;
}

struct challenges *challenges_unpack(struct str bytes, struct diags *diags)
{
    struct challenges *c = MEM_NEW(struct challenges);
    struct str number, rest;
    uint64_t n;
    atomic_init(&c->refs, 1);
    arena_init(&c->mem, MEM_MAX_BYTES, NULL, 0);
    if (str_cut(bytes, '\n', &number, &rest) && num_dec(number, rest.len, &n) == ERR_OK &&
        read_tokens(c, str_first(rest, n)) && read_certs(c, str_skip(rest, n), diags))
        return c;
    challenges_unref(c);
    return NULL;
}

struct challenges *challenges_ref(struct challenges *c)
{
    if (c)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void challenges_unref(struct challenges *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (c->store)
        tls_store_unref(c->store);
    map_fini(&c->answers);
    arena_fini(&c->mem);
    mem_free(c);
}

struct tls_store *challenges_store(const struct challenges *c)
{
    return c->store;
}

bool challenges_answer(const struct challenges *c, struct exchange *x)
{
    if (!c || c->answers.n == 0 || !str_starts(x->req.path, FOLDER) ||
        (x->req.method_id != METHOD_GET && x->req.method_id != METHOD_HEAD))
        return false;
    const struct str *answer = map_get(&c->answers, str_skip(x->req.path, FOLDER.len));
    if (!answer)
        return false;
    // The set may go while the answer is being written.
    struct str body = arena_dup(x->mem, *answer);
    if (body.len == 0 || exchange_respond(x, 200, STR("application/octet-stream"), body) != ERR_OK)
        return false;
    trail_add(&x->trail, STR("acme"), "answered", STR("http-01"));
    exchange_end_filtered(x);
    return true;
}
