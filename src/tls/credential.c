// SPDX-License-Identifier: Apache-2.0
#include "tls/credential.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/pem.h"

// What was found in the texts.
struct found {
    X509 *certs[TLS_CHAIN_MAX]; // owns
    size_t n_certs;
    X509 *chain[TLS_CHAIN_MAX]; // borrows: the ordered ones
    size_t n_chain;
    EVP_PKEY *key; // owns
};

const char *tls_flaw_text(unsigned flaws)
{
    return (flaws & TLS_FLAW_EXPIRED) != 0      ? "it has expired"
           : (flaws & TLS_FLAW_NOT_YET) != 0    ? "it is not valid yet"
           : (flaws & TLS_FLAW_NO_NAMES) != 0   ? "it has no names (subjectAltName)"
           : (flaws & TLS_FLAW_INCOMPLETE) != 0 ? "its chain lacks the intermediate certificate"
                                                : "";
}

static bool collect_key(struct found *f, struct str der, const char **ret_why)
{
    EVP_PKEY *key = tls_key_read_der(der, ret_why);
    if (!key)
        return false;
    if (!f->key) {
        f->key = key;
        return true;
    }
    // The same key twice is no harm: a combined file and its NAME.key beside it.
    bool is_same = EVP_PKEY_eq(f->key, key) == 1;
    tls_key_free(key);
    *ret_why = "it holds two private keys";
    return is_same;
}

static bool collect(struct found *f, struct str pem, struct arena *mem, const char **ret_why)
{
    struct tls_pem_block block;
    enum io io;
    while ((io = tls_pem_next(&pem, mem, &block, ret_why)) == IO_DONE) {
        switch (block.kind) {
        case TLS_PEM_CERTIFICATE:
            *ret_why = "it holds too many certificates";
            if (f->n_certs == TLS_CHAIN_MAX)
                return false;
            f->certs[f->n_certs] = tls_cert_read_der(block.der, ret_why);
            if (!f->certs[f->n_certs])
                return false;
            f->n_certs++;
            break;
        case TLS_PEM_KEY:
            if (!collect_key(f, block.der, ret_why))
                return false;
            break;
        case TLS_PEM_ENCRYPTED_KEY:
            *ret_why = "its private key is encrypted: remove the password";
            return false;
        case TLS_PEM_OTHER:
            break;
        }
    }
    return io == IO_EOF;
}

// The one with this key that is valid longest: files are appended to.
static X509 *find_leaf(const struct found *f)
{
    X509 *leaf = NULL;
    for (size_t i = 0; i < f->n_certs; i++) {
        X509 *cert = f->certs[i];
        if (tls_cert_has_key(cert, f->key) &&
            (!leaf || ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(leaf)) > 0))
            leaf = cert;
    }
    return leaf;
}

static bool has_signed(X509 *issuer, X509 *cert)
{
    return X509_check_issued(issuer, cert) == X509_V_OK &&
           X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
}

static bool is_in_chain(const struct found *f, const X509 *cert)
{
    for (size_t i = 0; i < f->n_chain; i++) {
        if (f->chain[i] == cert || X509_cmp(f->chain[i], cert) == 0)
            return true;
    }
    return false;
}

static void order_chain(struct found *f, X509 *leaf)
{
    f->chain[f->n_chain++] = leaf;
    for (X509 *last = leaf, *next; last; last = next) {
        next = NULL;
        for (size_t i = 0; i < f->n_certs && !next; i++) {
            if (!is_in_chain(f, f->certs[i]) && has_signed(f->certs[i], last))
                next = f->certs[i];
        }
        if (next)
            f->chain[f->n_chain++] = next;
    }
    ERR_clear_error();
}

static unsigned flaws_of(const struct found *f, const struct tls_cert_info *leaf, int64_t now_s)
{
    return (now_s > leaf->not_after_s ? (unsigned)TLS_FLAW_EXPIRED : 0u) |
           (now_s < leaf->not_before_s ? (unsigned)TLS_FLAW_NOT_YET : 0u) |
           (f->n_chain == 1 && !leaf->is_self_signed ? (unsigned)TLS_FLAW_INCOMPLETE : 0u) |
           (leaf->n_names == 0 ? (unsigned)TLS_FLAW_NO_NAMES : 0u);
}

static bool write_pem(const struct found *f, struct arena *mem, struct tls_credential *ret)
{
    struct text chain = {0}, key = {0};
    bool is_fine = tls_key_put_pem(f->key, &key);
    for (size_t i = 0; i < f->n_chain && is_fine; i++)
        is_fine = tls_cert_put_pem(f->chain[i], &chain);
    if (is_fine) {
        ret->chain_pem = arena_dup(mem, text_str(&chain));
        ret->key_pem = arena_dup(mem, text_str(&key));
        is_fine = ret->chain_pem.ptr && ret->key_pem.ptr;
    }
    text_fini(&chain);
    text_wipe(&key);
    return is_fine;
}

static enum err judge(struct found *f, int64_t now_s, struct arena *mem, struct tls_credential *ret,
                      const char **ret_why)
{
    *ret_why = "it holds no certificate";
    if (f->n_certs == 0)
        return ERR_SYNTAX;
    *ret_why = "it holds no private key";
    if (!f->key)
        return ERR_SYNTAX;
    X509 *leaf = find_leaf(f);
    *ret_why = "its certificate and private key don't belong together";
    if (!leaf)
        return ERR_SYNTAX;
    order_chain(f, leaf);
    *ret_why = "its certificate makes no sense";
    if (!tls_cert_info(leaf, mem, &ret->leaf) || !write_pem(f, mem, ret))
        return ERR_SYNTAX;
    ret->n_chain = f->n_chain;
    ret->flaws = flaws_of(f, &ret->leaf, now_s);
    return ERR_OK;
}

bool tls_credential_make(X509 *leaf, EVP_PKEY *key, struct str rest_pem, size_t n_rest,
                         int64_t now_s, struct arena *mem, struct tls_credential *ret)
{
    struct found f = {.certs = {leaf}, .n_certs = 1, .chain = {leaf}, .n_chain = 1, .key = key};
    *ret = (struct tls_credential){.n_chain = 0};
    if (!tls_cert_info(leaf, mem, &ret->leaf) || !write_pem(&f, mem, ret))
        return false;
    ret->chain_pem = arena_concat(mem, ret->chain_pem, rest_pem, STR_NONE);
    f.n_chain += n_rest;
    ret->n_chain = f.n_chain;
    ret->flaws = flaws_of(&f, &ret->leaf, now_s);
    return ret->chain_pem.ptr != NULL;
}

enum err tls_credential_read(struct str pem, struct str more_pem, int64_t now_s, struct arena *mem,
                             struct tls_credential *ret, const char **ret_why)
{
    struct found f = {.n_certs = 0};
    enum err err = ERR_SYNTAX;
    *ret = (struct tls_credential){.n_chain = 0};
    if (collect(&f, pem, mem, ret_why) && collect(&f, more_pem, mem, ret_why))
        err = judge(&f, now_s, mem, ret, ret_why);
    tls_certs_free(f.certs, f.n_certs);
    tls_key_free(f.key);
    if (err != ERR_OK) // half of one would look like a whole one
        *ret = (struct tls_credential){.n_chain = 0};
    return err;
}
