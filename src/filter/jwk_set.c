// SPDX-License-Identifier: Apache-2.0
#include "filter/jwk_set.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json_read.h"

#define PARSE_MEM_BYTES ((size_t)4 << 20)
#define KID_MAX_BYTES 256
#define MEMBER_MAX_BYTES 2048 // of a number in base64url: RSA 8192 has 1366

struct entry {
    struct jws_key *key; // owns
    struct str kid;      // owns; empty: none
    bool has_alg;        // it is for this one alone
    enum jws_alg alg;
};

struct jwk_set {
    _Atomic uint32_t n_refs;
    size_t n;
    struct entry entries[JWK_SET_MAX];
};

static struct jwk_set *new_set(void)
{
    struct jwk_set *set = MEM_NEW(struct jwk_set);
    atomic_init(&set->n_refs, 1);
    return set;
}

struct jwk_set *jwk_set_ref(struct jwk_set *set)
{
    atomic_fetch_add_explicit(&set->n_refs, 1, memory_order_relaxed);
    return set;
}

void jwk_set_unref(struct jwk_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->n_refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < set->n; i++) {
        jws_key_free(set->entries[i].key);
        mem_free((void *)(uintptr_t)set->entries[i].kid.ptr);
    }
    mem_free(set);
}

struct jwk_set *jwk_set_of(struct jws_key *key)
{
    struct jwk_set *set = new_set();
    set->entries[set->n++].key = key;
    return set;
}

size_t jwk_set_n(const struct jwk_set *set)
{
    return set->n;
}

// --- reading ---

// A member in base64url, decoded; empty: it isn't there, or isn't that.
static struct str number(const struct json *jwk, const char *name, struct arena *mem)
{
    struct str text = json_get_text(jwk, str_of(name));
    char *buf = text.len <= MEMBER_MAX_BYTES ? ARENA_ARRAY(mem, char, text.len / 4 * 3 + 3) : NULL;
    size_t len = 0;
    return buf && base64_decode(text, true, buf, &len) == ERR_OK ? str_from(buf, len) : STR_NONE;
}

// NULL: of no kind that is known, or malformed.
static struct jws_key *read_key(const struct json *jwk, bool takes_secrets, struct arena *mem)
{
    const char *why = NULL;
    struct str kind = json_get_text(jwk, STR("kty"));
    struct str curve = json_get_text(jwk, STR("crv"));
    if (str_eq(kind, STR("RSA")))
        return jws_key_of_rsa(number(jwk, "n", mem), number(jwk, "e", mem), &why);
    if (str_eq(kind, STR("EC")))
        return jws_key_of_ec(curve, number(jwk, "x", mem), number(jwk, "y", mem), &why);
    if (str_eq(kind, STR("OKP")))
        return jws_key_of_okp(curve, number(jwk, "x", mem), &why);
    if (str_eq(kind, STR("oct")) && takes_secrets)
        return jws_key_of_secret(number(jwk, "k", mem), &why);
    return NULL;
}

// RFC 7517 4.2, 4.3: what it says that it is for.
static bool is_for_signatures(const struct json *jwk)
{
    const struct json *use = json_get(jwk, STR("use")), *ops = json_get(jwk, STR("key_ops"));
    if (use && (use->kind != JSON_STRING || !str_eq(use->text, STR("sig"))))
        return false;
    if (!ops)
        return true;
    for (const struct json *op = ops->first; op; op = op->next)
        if (op->kind == JSON_STRING && str_eq(op->text, STR("verify")))
            return true;
    return false;
}

static void add(struct jwk_set *set, const struct json *jwk, bool takes_secrets, struct arena *mem)
{
    struct entry *e = &set->entries[set->n];
    const struct json *alg = json_get(jwk, STR("alg"));
    struct str kid = json_get_text(jwk, STR("kid"));
    *e = (struct entry){.has_alg = alg != NULL};
    if (!is_for_signatures(jwk) || kid.len > KID_MAX_BYTES ||
        (alg && (alg->kind != JSON_STRING || !jws_alg_parse(alg->text, &e->alg))))
        return;
    e->key = read_key(jwk, takes_secrets, mem);
    if (!e->key)
        return;
    if (kid.len > 0)
        e->kid = (struct str){mem_copy(kid.ptr, kid.len), kid.len};
    set->n++;
}

// Those with a name come first: a token that names one doesn't try those that could be anybody's
// before it.
static void add_all(struct jwk_set *set, const struct json *keys, bool takes_secrets,
                    struct arena *mem)
{
    for (int pass = 0; pass < 2; pass++) {
        for (const struct json *k = keys->first; k && set->n < JWK_SET_MAX; k = k->next) {
            bool has_name = json_get_text(k, STR("kid")).len > 0;
            if (has_name == (pass == 0))
                add(set, k, takes_secrets, mem);
        }
    }
}

struct jwk_set *jwk_set_parse(struct str text, bool takes_secrets, const char **ret_why)
{
    struct arena mem;
    arena_init(&mem, PARSE_MEM_BYTES, NULL, 0);
    struct jwk_set *set = new_set();
    const struct json *root = json_parse(text, &mem, ret_why);
    const struct json *keys = json_get(root, STR("keys"));
    if (keys && keys->kind == JSON_ARRAY) {
        add_all(set, keys, takes_secrets, &mem);
    } else if (json_get(root, STR("kty"))) {
        add(set, root, takes_secrets, &mem);
    } else if (root) {
        *ret_why = "it has no keys";
    }
    arena_wipe(&mem);
    if (set->n > 0)
        return set;
    if (!*ret_why)
        *ret_why = "no key in it is of a kind that is taken: RSA from 2048 bits, P-256, P-384, "
                   "P-521, Ed25519";
    jwk_set_unref(set);
    return NULL;
}

// --- finding ---

const struct jws_key *jwk_set_next(const struct jwk_set *set, enum jws_alg alg, struct str kid,
                                   size_t *at)
{
    while (*at < set->n) {
        const struct entry *e = &set->entries[(*at)++];
        bool is_named = kid.len == 0 || e->kid.len == 0 || str_eq(e->kid, kid);
        if (is_named && (!e->has_alg || e->alg == alg) && jws_key_fits(e->key, alg))
            return e->key;
    }
    return NULL;
}
