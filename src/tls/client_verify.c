// SPDX-License-Identifier: Apache-2.0
#include "tls/client_verify.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/writer.h"
#include "codec/date.h"
#include "tls/x509.h"

#define INFO_MEM_BYTES ((size_t)256 * 1024)
#define NAME_BYTES 254 // of a DNS name with a NUL
#define NAMES_TOLD_MAX 4
#define NAME_TOLD_MAX_BYTES 64

static int verdict_index; // where an SSL has its verdict; set once

static void make_index(void)
{
    verdict_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (verdict_index < 0)
        panic("OpenSSL has no memory");
}

static int index_of_verdict(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_index);
    return verdict_index;
}

void tls_verdict_attach(SSL *ssl, struct tls_verdict *v)
{
    if (SSL_set_ex_data(ssl, index_of_verdict(), v) != 1)
        panic("OpenSSL has no memory");
}

// --- telling; what certificates hold is a stranger's ---

static void put_visible(struct writer *w, struct str s)
{
    for (size_t i = 0; i < MIN(s.len, (size_t)NAME_TOLD_MAX_BYTES); i++) {
        char c = s.ptr[i];
        writer_put(w, c >= ' ' && c < 0x7f ? str_from(&c, 1) : STR("?"));
    }
    if (s.len > NAME_TOLD_MAX_BYTES)
        writer_put(w, STR("..."));
}

static void put_date(struct writer *w, int64_t s)
{
    char buf[DATE_ISO_BYTES];
    date_iso_s(s, buf);
    writer_put(w, str_first(str_from(buf, sizeof buf), STR("2026-01-01T00:00:00").len));
    writer_put(w, STR("Z"));
}

static void put_names(struct writer *w, const struct tls_cert_info *info)
{
    if (info->n_names == 0)
        writer_put(w, STR("no name (a common name alone doesn't count)"));
    for (size_t i = 0; i < MIN(info->n_names, (size_t)NAMES_TOLD_MAX); i++) {
        writer_put(w, i > 0 ? STR(", ") : STR_NONE);
        put_visible(w, info->names[i]);
    }
    if (info->n_names > NAMES_TOLD_MAX)
        writer_put(w, STR(", ..."));
}

static void put_wanted(struct writer *w, const struct tls_peer *peer)
{
    char buf[46];
    writer_put(w, peer->name.len > 0 ? peer->name : ip_text(&peer->ip, buf));
}

static void put_pin(struct writer *w, const struct tls_cert_info *info)
{
    char buf[TLS_PIN_TEXT_BYTES];
    writer_put(w, STR("; the pin of its key is "));
    writer_put(w, tls_pin_text(info->spki_sha256, buf));
}

static void put_error(struct writer *w, int error, const struct tls_cert_info *at, bool is_leaf,
                      const struct tls_cert_info *leaf, const struct tls_peer *peer)
{
    struct str whose = is_leaf ? STR_NONE : STR("a certificate of its chain ");
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        writer_put(w, whose);
        writer_put(w, STR("expired on "));
        put_date(w, at->not_after_s);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        writer_put(w, whose);
        writer_put(w, STR("is not valid before "));
        put_date(w, at->not_before_s);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        writer_put(w, STR("it has "));
        put_names(w, leaf);
        writer_put(w, STR("; wanted "));
        put_wanted(w, peer);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        writer_put(w, STR("it is self-signed"));
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        writer_put(w, STR("signed by an unknown authority, "));
        put_visible(w, at->issuer_name);
        break;
    default: // of OpenSSL's hundred reasons
        writer_put(w, str_of(X509_verify_cert_error_string(error)));
        break;
    }
}

// error: OpenSSL's, of the certificate `at`, depth steps above the leaf.
static void tell(struct tls_verdict *v, int error, X509 *at, int depth, X509 *leaf)
{
    struct arena mem;
    struct tls_cert_info at_info, leaf_info;
    struct writer w;
    arena_init(&mem, INFO_MEM_BYTES, NULL, 0);
    writer_init(&w, v->why, sizeof v->why - 1);
    if (!at || !leaf || !tls_cert_info(at, &mem, &at_info) ||
        !tls_cert_info(leaf, &mem, &leaf_info)) {
        writer_put(&w, str_of(X509_verify_cert_error_string(error)));
    } else {
        if (error == X509_V_ERR_APPLICATION_VERIFICATION)
            writer_put(&w, STR("its key is not one of those in 'pin'"));
        else
            put_error(&w, error, &at_info, depth == 0, &leaf_info, v->peer);
        put_pin(&w, &leaf_info);
    }
    v->why[writer_str(&w).len] = '\0';
    arena_fini(&mem);
}

// --- verifying ---

bool tls_key_hash(X509 *cert, uint8_t ret[static TLS_PIN_BYTES])
{
    unsigned char *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    bool is_hashed = n > 0 && EVP_Digest(spki, (size_t)n, ret, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
    return is_hashed;
}

static bool has_pin(const struct tls_demands *d, X509 *leaf)
{
    uint8_t hash[TLS_PIN_BYTES];
    bool is_hashed = tls_key_hash(leaf, hash);
    for (size_t i = 0; i < d->n_pins && is_hashed; i++)
        if (memcmp(d->pins[i], hash, sizeof hash) == 0)
            return true;
    return false;
}

// Instead of OpenSSL's own verification, which it calls.
static int verify(X509_STORE_CTX *chain, void *arg)
{
    const struct tls_demands *d = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_verdict *v = SSL_get_ex_data(ssl, index_of_verdict());
    X509 *leaf = X509_STORE_CTX_get0_cert(chain);
    ASSERT(v && v->demands == d);
    if (d->n_pins > 0 && !has_pin(d, leaf)) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
        tell(v, X509_V_ERR_APPLICATION_VERIFICATION, leaf, 0, leaf);
        return 0;
    }
    if (!d->checks_chain) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return 1;
    }
    if (X509_verify_cert(chain) == 1)
        return 1;
    tell(v, X509_STORE_CTX_get_error(chain), X509_STORE_CTX_get_current_cert(chain),
         X509_STORE_CTX_get_error_depth(chain), leaf);
    return 0;
}

void tls_demands_set(SSL_CTX *ctx, const struct tls_demands *demands)
{
    SSL_CTX_set_verify(ctx, demands->is_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!demands->is_verified)
        return;
    // WHY: OpenSSL wants the argument without const, and only hands it on.
    SSL_CTX_set_cert_verify_callback(ctx, verify, (void *)(uintptr_t)demands);
    // What `ca` has is trusted, whether it is a root or not.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
}

static bool demand_name(SSL *ssl, const struct tls_peer *peer)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    // RFC 9110 4.3.4, RFC 6125 6.4: names are in the SAN, and a wildcard stands for a whole label.
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (peer->name.len > 0)
        return X509_VERIFY_PARAM_set1_host(param, peer->name.ptr, peer->name.len) == 1;
    return X509_VERIFY_PARAM_set1_ip(param, peer->ip.bytes, peer->ip.family == 4 ? 4 : 16) == 1;
}

bool tls_demand_peer(SSL *ssl, const struct tls_demands *demands, const struct tls_peer *peer)
{
    char name[NAME_BYTES];
    if (peer->name.len >= sizeof name || (demands->checks_chain && !demand_name(ssl, peer)))
        return false;
    if (peer->name.len == 0) // no address is sent (RFC 6066 3)
        return true;
    memcpy(name, peer->name.ptr, peer->name.len);
    name[peer->name.len] = '\0';
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}
