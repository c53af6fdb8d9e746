// SPDX-License-Identifier: Apache-2.0
#include "tls/probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "tls/x509.h"

#define ANSWER_PART_BYTES 4096

struct tls_probe {
    SSL *ssl; // owns
};

static bool trust(SSL_CTX *ctx, struct str pem, const char **ret_why)
{
    X509 *certs[TLS_CHAIN_MAX];
    size_t n = 0;
    SSL_CTX_set_default_verify_paths(ctx); // none at all is no error: then nothing is trusted
    if (pem.len == 0)
        return true;
    if (!tls_certs_read(pem, certs, &n, ret_why))
        return false;
    for (size_t i = 0; i < n; i++)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certs[i]);
    tls_certs_free(certs, n);
    return true;
}

// A client that speaks whatever OpenSSL can, however weak.
static SSL *new_client(const struct tls_probe_wish *wish, const char **ret_why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    *ret_why = "OpenSSL can't make a client";
    if (!ctx)
        return NULL;
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(ctx, (int)wish->max_version) == 1 &&
        SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL") == 1 &&
        trust(ctx, wish->authorities_pem, ret_why))
        ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    return ssl;
}

static bool set_name(SSL *ssl, struct str name)
{
    char text[256];
    if (name.len == 0)
        return true;
    if (name.len >= sizeof text)
        return false;
    *str_copy(text, name) = '\0';
    return SSL_set_tlsext_host_name(ssl, text) == 1;
}

static const char *failure_text(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "the server closed the connection or didn't answer in time";
}

struct tls_probe *tls_probe_open(int fd, const struct tls_probe_wish *wish, const char **ret_why)
{
    ERR_clear_error();
    SSL *ssl = new_client(wish, ret_why);
    if (!ssl)
        return NULL;
    SSL_SESSION *session = wish->resume ? SSL_get1_session(wish->resume->ssl) : NULL;
    bool is_ready = set_name(ssl, wish->name) && SSL_set_fd(ssl, fd) == 1 &&
                    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1 &&
                    (!session || SSL_set_session(ssl, session) == 1);
    SSL_SESSION_free(session);
    *ret_why = "the name can't be sent";
    if (!is_ready || SSL_connect(ssl) != 1) {
        if (is_ready)
            *ret_why = failure_text();
        SSL_free(ssl);
        return NULL;
    }
    struct tls_probe *p = MEM_NEW(struct tls_probe);
    p->ssl = ssl;
    return p;
}

// Once: the descriptor may be another's afterwards. Without it the session counts as broken.
static void hang_up(struct tls_probe *p)
{
    if ((SSL_get_shutdown(p->ssl) & SSL_SENT_SHUTDOWN) == 0)
        SSL_shutdown(p->ssl);
    ERR_clear_error();
}

void tls_probe_close(struct tls_probe *p)
{
    if (!p)
        return;
    hang_up(p);
    SSL_free(p->ssl);
    mem_free(p);
}

// --- what is seen ---

static void put_group(const SSL *ssl, char *buf, size_t n)
{
    buf[0] = '\0';
    // WHY: the functions take a pointer that isn't const, and only look.
    SSL *looked_at = (SSL *)(uintptr_t)ssl;
#if OPENSSL_VERSION_NUMBER >= 0x30200000L // which knows groups that are no curves, such as ML-KEM
    const char *name = SSL_get0_group_name(looked_at);
    snprintf(buf, n, "%s", name ? name : "");
#else
    EVP_PKEY *key = NULL;
    size_t len = 0;
    if (SSL_get_peer_tmp_key(looked_at, &key) != 1)
        return;
    if (EVP_PKEY_get_group_name(key, buf, n, &len) != 1)
        snprintf(buf, n, "%s", EVP_PKEY_get0_type_name(key));
    EVP_PKEY_free(key);
#endif
}

// The last one may be a root, whose signature nobody checks.
static const char *weak_hash_of(STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        int hash = NID_undef;
        bool is_root = X509_check_issued(cert, cert) == X509_V_OK;
        X509_get_signature_info(cert, &hash, NULL, NULL, NULL);
        if ((hash == NID_sha1 || hash == NID_md5) && !(is_root && i > 0))
            return OBJ_nid2sn(hash);
    }
    return NULL;
}

static bool is_in_order(STACK_OF(X509) * chain)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        if (X509_check_issued(sk_X509_value(chain, i + 1), sk_X509_value(chain, i)) != X509_V_OK)
            return false;
    }
    return true;
}

void tls_probe_info(const struct tls_probe *p, struct tls_probe_info *ret)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(p->ssl);
    X509 *leaf = SSL_get0_peer_certificate(p->ssl);
    const unsigned char *ocsp = NULL;
    long verified = SSL_get_verify_result(p->ssl);
    *ret = (struct tls_probe_info){
        .version = SSL_get_version(p->ssl),
        .cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(p->ssl)),
        .is_resumed = SSL_session_reused(p->ssl) == 1,
        .is_compressed = SSL_get_current_compression(p->ssl) != NULL,
        .has_ocsp = SSL_get_tlsext_status_ocsp_resp(p->ssl, &ocsp) > 0,
        .wants_ocsp = leaf && X509_get_ext_by_NID(leaf, NID_tlsfeature, -1) >= 0,
        .is_in_order = is_in_order(chain),
        .weak_hash = weak_hash_of(chain),
        .why = verified == X509_V_OK ? NULL : X509_verify_cert_error_string(verified),
        .n_certs = chain ? (size_t)sk_X509_num(chain) : 0,
    };
    put_group(p->ssl, ret->group, sizeof ret->group);
    ERR_clear_error();
}

bool tls_probe_cert(const struct tls_probe *p, struct arena *mem, struct tls_cert_info *ret)
{
    X509 *leaf = SSL_get0_peer_certificate(p->ssl);
    return leaf && tls_cert_info(leaf, mem, ret);
}

void tls_probe_ask(struct tls_probe *p, struct str request, size_t max_bytes, struct text *to)
{
    char part[ANSWER_PART_BYTES];
    size_t n, from = to->len;
    if (SSL_write_ex(p->ssl, request.ptr, request.len, &n) != 1)
        return;
    while (to->len - from < max_bytes && SSL_read_ex(p->ssl, part, sizeof part, &n) == 1)
        text_put(to, str_from(part, MIN(n, max_bytes - (to->len - from))));
    hang_up(p);
}

bool tls_probe_renegotiates(struct tls_probe *p)
{
    bool is_done = SSL_version(p->ssl) <= TLS1_2_VERSION && SSL_renegotiate(p->ssl) == 1 &&
                   SSL_do_handshake(p->ssl) == 1;
    ERR_clear_error();
    return is_done;
}

const char *tls_probe_suite_name(unsigned suite)
{
    const unsigned char wire[] = {(unsigned char)(suite >> 8 & 0xff),
                                  (unsigned char)(suite & 0xff)};
    const char *why;
    SSL *ssl = new_client(&(struct tls_probe_wish){.max_version = 0}, &why);
    const SSL_CIPHER *found = ssl ? SSL_CIPHER_find(ssl, wire) : NULL;
    const char *name = found ? SSL_CIPHER_standard_name(found) : NULL; // of a static table
    SSL_free(ssl);
    ERR_clear_error();
    return name;
}
