// SPDX-License-Identifier: Apache-2.0
#include "tls/store.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "tls/bundle.h"
#include "tls/x509.h"

#define STORE_MAX_BYTES ((size_t)1 << 30)

struct tls_store {
    _Atomic uint32_t refs;
    struct arena mem;        // texts, chains, entries
    struct tls_chain **list; // in mem
    size_t n;
    struct map exact;     // names to entries
    struct map wildcards; // what stands behind "*." to entries
    struct tls_entry fallback;
};

// --- building ---

struct build {
    struct tls_store *store;
    struct diags *diags;
    struct arena scratch;
    struct map known; // digests to chains of the store before
};

static bool is_rsa(const EVP_PKEY *key)
{
    int id = EVP_PKEY_get_base_id(key);
    return id == EVP_PKEY_RSA || id == EVP_PKEY_RSA_PSS;
}

// Of two certificates for one name: a public one before one of our own, then the one that lasts
// longer.
static bool is_better(const struct tls_chain *a, const struct tls_chain *b)
{
    if (!b || a->is_local_ca != b->is_local_ca)
        return !b || !a->is_local_ca;
    return a->not_after_s > b->not_after_s;
}

static void offer(struct tls_entry *e, const struct tls_chain *c)
{
    const struct tls_chain **slot = is_rsa(c->key) ? &e->rsa : &e->ecdsa;
    if (is_better(c, *slot))
        *slot = c;
}

static void free_chain(struct tls_chain *c)
{
    tls_cert_free(c->leaf);
    sk_X509_pop_free(c->rest, X509_free);
    tls_key_free(c->key);
}

// What stands in an entry before it is complete: a public certificate of one kind takes the place
// of our own of both kinds.
static void drop_local(struct tls_entry *e)
{
    if (!e->ecdsa || !e->rsa || e->ecdsa->is_local_ca == e->rsa->is_local_ca)
        return;
    if (e->ecdsa->is_local_ca)
        e->ecdsa = NULL;
    else
        e->rsa = NULL;
}

static bool read_chain(const struct tls_bundle_item *item, struct tls_chain *c,
                       const char **ret_why)
{
    X509 *certs[TLS_CHAIN_MAX];
    size_t n;
    if (!tls_certs_read(item->chain_pem, certs, &n, ret_why))
        return false;
    c->leaf = certs[0];
    c->rest = sk_X509_new_null();
    for (size_t i = 1; i < n; i++) {
        if (!c->rest || sk_X509_push(c->rest, certs[i]) == 0)
            panic("OpenSSL has no memory");
    }
    c->key = tls_key_read(item->key_pem, ret_why);
    if (!c->key)
        return false;
    *ret_why = "the key is not the certificate's";
    return tls_cert_has_key(c->leaf, c->key);
}

// Whether OpenSSL will use it in a handshake; better to hear of it now than with each client.
static bool is_usable(const struct tls_chain *c, SSL_CTX *probe, const char **ret_why)
{
    ERR_clear_error();
    if (SSL_CTX_use_cert_and_key(probe, c->leaf, c->key, c->rest, 1) == 1)
        return true;
    const char *why = ERR_reason_error_string(ERR_peek_error());
    *ret_why = why ? why : "OpenSSL doesn't take it";
    ERR_clear_error();
    return false;
}

static void add_name(struct build *b, struct str name, const struct tls_chain *c)
{
    struct tls_store *s = b->store;
    bool is_wild = str_starts(name, STR("*."));
    struct map *map = is_wild ? &s->wildcards : &s->exact;
    struct str key = is_wild ? str_skip(name, 2) : name;
    struct tls_entry *e = map_get(map, key);
    if (!e) {
        key = arena_dup(&s->mem, key);
        e = ARENA_NEW(&s->mem, struct tls_entry);
        if (!key.ptr || !e)
            return; // beyond 1 GiB of names
        (void)map_set(map, key, e);
    }
    offer(e, c);
}

static void take_digest(const struct tls_bundle_item *item, uint8_t ret[TLS_CHAIN_DIGEST_BYTES])
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex2(hash, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(hash, item->chain_pem.ptr, item->chain_pem.len) != 1 ||
        EVP_DigestUpdate(hash, item->key_pem.ptr, item->key_pem.len) != 1 ||
        EVP_DigestFinal_ex(hash, ret, NULL) != 1)
        panic("OpenSSL has no memory");
    EVP_MD_CTX_free(hash);
}

static struct str digest_text(const struct tls_chain *c)
{
    return str_from((const char *)c->digest, sizeof c->digest);
}

// False: it has to be read.
static bool take_known(const struct build *b, struct tls_chain *c)
{
    const struct tls_chain *same = map_get(&b->known, digest_text(c));
    if (!same)
        return false;
    c->leaf = same->leaf;
    c->key = same->key;
    c->rest = X509_chain_up_ref(same->rest);
    c->not_after_s = same->not_after_s;
    if (!c->rest || X509_up_ref(c->leaf) != 1 || EVP_PKEY_up_ref(c->key) != 1)
        panic("OpenSSL has no memory");
    return true;
}

static bool read_item(struct build *b, const struct tls_bundle_item *item, SSL_CTX *probe,
                      struct tls_chain *c, const char **ret_why)
{
    struct tls_cert_info info;
    if (!read_chain(item, c, ret_why) || !is_usable(c, probe, ret_why) ||
        !tls_cert_info(c->leaf, &b->scratch, &info))
        return false;
    c->not_after_s = info.not_after_s;
    return true;
}

static void add_item(struct build *b, const struct tls_bundle_item *item, SSL_CTX *probe)
{
    struct tls_store *s = b->store;
    const char *why = "no memory";
    struct tls_chain *c = ARENA_NEW(&s->mem, struct tls_chain);
    if (c)
        take_digest(item, c->digest);
    if (c && (take_known(b, c) || read_item(b, item, probe, c, &why))) {
        c->id = arena_dup(&s->mem, item->id);
        c->is_local_ca = item->is_local_ca;
        s->list[s->n++] = c;
        for (size_t i = 0; i < item->n_names; i++)
            add_name(b, item->names[i], c);
        if (item->is_default)
            offer(&s->fallback, c);
        return;
    }
    diag_warn(b->diags, (struct place){.source = NULL},
              "the certificate " STR_FMT " can't be used: %s", STR_ARG(item->id), why);
    if (c)
        free_chain(c);
}

static void drop_local_of_all(const struct map *map)
{
    MAP_FOR(e, map)
    drop_local(e->value);
}

struct tls_store *tls_store_new(void)
{
    struct tls_store *s = MEM_NEW(struct tls_store);
    atomic_init(&s->refs, 1);
    arena_init(&s->mem, STORE_MAX_BYTES, NULL, 0);
    return s;
}

struct tls_store *tls_store_build(struct str bundle, struct diags *diags)
{
    return tls_store_rebuild(bundle, NULL, diags);
}

struct tls_store *tls_store_rebuild(struct str bundle, const struct tls_store *before,
                                    struct diags *diags)
{
    struct build b = {.store = tls_store_new(), .diags = diags};
    struct tls_bundle_item *items;
    size_t n = 0;
    arena_init(&b.scratch, STORE_MAX_BYTES, NULL, 0);
    bool is_bundle = tls_bundle_unpack(bundle, &b.scratch, &items, &n);
    b.store->list = ARENA_ARRAY(&b.store->mem, struct tls_chain *, n + 1);
    SSL_CTX *probe = SSL_CTX_new(TLS_server_method());
    for (size_t i = 0; before && i < before->n; i++)
        map_set(&b.known, digest_text(before->list[i]), before->list[i]);
    if (is_bundle && b.store->list && probe) {
        for (size_t i = 0; i < n; i++)
            add_item(&b, &items[i], probe);
        drop_local_of_all(&b.store->exact);
        drop_local_of_all(&b.store->wildcards);
    }
    SSL_CTX_free(probe);
    map_fini(&b.known);
    arena_fini(&b.scratch);
    ERR_clear_error();
    if (is_bundle)
        return b.store;
    tls_store_unref(b.store);
    (void)diag_fail(diags, ERR_SYNTAX, (struct place){.source = NULL},
                    "the certificates arrived damaged");
    return NULL;
}

struct tls_store *tls_store_ref(struct tls_store *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void tls_store_unref(struct tls_store *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        free_chain(s->list[i]);
    map_fini(&s->exact);
    map_fini(&s->wildcards);
    arena_fini(&s->mem);
    mem_free(s);
}

// --- looking up ---

const struct tls_entry *tls_store_find_own(const struct tls_store *s, struct str server_name)
{
    return server_name.len > 0 ? map_get(&s->exact, server_name) : NULL;
}

const struct tls_entry *tls_store_find_exact(const struct tls_store *s, struct str server_name)
{
    const struct tls_entry *e = tls_store_find_own(s, server_name);
    if (e)
        return e;
    size_t dot = str_find(server_name, '.');
    return dot == STR_NPOS || dot == 0 ? NULL
                                       : map_get(&s->wildcards, str_skip(server_name, dot + 1));
}

const struct tls_entry *tls_store_default(const struct tls_store *s)
{
    return s->fallback.ecdsa || s->fallback.rsa ? &s->fallback : NULL;
}

const struct tls_entry *tls_store_find(const struct tls_store *s, struct str server_name)
{
    const struct tls_entry *e = tls_store_find_exact(s, server_name);
    return e ? e : tls_store_default(s);
}

const struct tls_chain *tls_store_chain(const struct tls_store *s, size_t i)
{
    ASSERT(i < s->n);
    return s->list[i];
}

size_t tls_store_n_chains(const struct tls_store *s)
{
    return s->n;
}
