// SPDX-License-Identifier: Apache-2.0
#include "tls/policy.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "tls/peer.h"
#include "tls/pem.h"
#include "tls/server.h"
#include "tls/x509.h"

#define SESSION_S (12 * 3600)
#define NAME_MAX_BYTES 64
#define CLIENT_CAS_MAX 1000u
#define CLIENT_CRLS_MAX 1000u
#define CLIENT_DEPTH_MAX 10 // intermediates between a client and an authority

// Mozilla, "intermediate" 5.8: all with forward secrecy and authenticated encryption.
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define GROUP_HYBRID "X25519MLKEM768"
// All that may be named in settings: none without authentication or encryption.
#define ALL_CIPHERS "ALL:!aNULL:!eNULL:!PSK:!SRP"
#define ALL_SUITES SUITES ":TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"

struct tls_policy {
    SSL_CTX *ctx; // owns
    bool asks_client;
    bool takes_early_data;
    uint8_t id[TLS_POLICY_ID_BYTES];
};

static SSL_CTX *new_ctx(void)
{
    tls_init();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        panic("OpenSSL has no memory");
    return ctx;
}

// --- names ---

static bool find_cipher(struct str name, bool is_suite)
{
    SSL_CTX *ctx = new_ctx();
    (void)SSL_CTX_set_cipher_list(ctx, ALL_CIPHERS);
    (void)SSL_CTX_set_ciphersuites(ctx, ALL_SUITES);
    const STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    bool is_found = false;
    for (int i = 0; i < sk_SSL_CIPHER_num(all) && !is_found; i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        bool is_of_13 = SSL_CIPHER_get_auth_nid(c) == NID_auth_any;
        is_found = is_of_13 == is_suite && str_eq(name, str_of(SSL_CIPHER_get_name(c)));
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return is_found;
}

enum err tls_check_cipher(const struct conf_text *name, struct diags *diags)
{
    if (find_cipher(name->text, false))
        return ERR_OK;
    if (find_cipher(name->text, true))
        return diag_fail(diags, ERR_RANGE, name->place,
                         "'" STR_FMT "' is a suite of TLS 1.3: it belongs in 'suites'",
                         STR_ARG(name->text));
    return diag_fail(diags, ERR_RANGE, name->place,
                     "'" STR_FMT "' is no cipher of TLS 1.2 that can be used here; 'openssl "
                     "ciphers -s -v' lists them",
                     STR_ARG(name->text));
}

enum err tls_check_suite(const struct conf_text *name, struct diags *diags)
{
    if (find_cipher(name->text, true))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, name->place,
                     "'" STR_FMT "' is no suite of TLS 1.3; there are "
                     "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, "
                     "TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_CCM_SHA256 and "
                     "TLS_AES_128_CCM_8_SHA256",
                     STR_ARG(name->text));
}

bool tls_has_group(const char *name)
{
    char text[NAME_MAX_BYTES]; // OpenSSL's macro takes no const
    SSL_CTX *ctx = new_ctx();
    (void)snprintf(text, sizeof text, "%s", name);
    bool has = SSL_CTX_set1_groups_list(ctx, text) == 1;
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return has;
}

enum err tls_check_group(const struct conf_text *name, struct diags *diags)
{
    char text[NAME_MAX_BYTES];
    bool is_name = name->text.len > 0 && name->text.len < sizeof text;
    for (size_t i = 0; i < name->text.len && is_name; i++) {
        char c = name->text.ptr[i]; // OpenSSL's lists have operators
        is_name = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_';
        text[i] = c;
    }
    if (is_name)
        text[name->text.len] = '\0';
    if (is_name && tls_has_group(text))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, name->place,
                     "'" STR_FMT "' is no group that the installed OpenSSL (%s) has",
                     STR_ARG(name->text), OpenSSL_version(OPENSSL_VERSION_STRING));
}

// --- building ---

struct build {
    const struct tls_conf *conf;
    struct diags *diags;
    SSL_CTX *ctx;
    struct text all; // what the policy's id is made of
};

// "a:b:c", NUL-terminated; the preset's where the setting is empty.
static struct text joined(const struct conf_texts *list, const char *preset)
{
    struct text t = {.ptr = NULL};
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            text_byte(&t, ':');
        text_put(&t, list->items[i].text);
    }
    if (list->n == 0)
        text_put(&t, str_of(preset));
    return t;
}

static enum err set_lists(struct build *b)
{
    const struct tls_conf *c = b->conf;
    enum err err = ERR_OK;
    for (size_t i = 0; i < c->ciphers.n; i++)
        err = tls_check_cipher(&c->ciphers.items[i], b->diags) != ERR_OK ? ERR_RANGE : err;
    for (size_t i = 0; i < c->suites.n; i++)
        err = tls_check_suite(&c->suites.items[i], b->diags) != ERR_OK ? ERR_RANGE : err;
    for (size_t i = 0; i < c->groups.n; i++)
        err = tls_check_group(&c->groups.items[i], b->diags) != ERR_OK ? ERR_RANGE : err;
    if (err != ERR_OK)
        return err;
    struct text ciphers = joined(&c->ciphers, CIPHERS);
    struct text suites = joined(&c->suites, SUITES);
    struct text groups =
        joined(&c->groups, tls_has_group(GROUP_HYBRID) ? GROUP_HYBRID ":" GROUPS : GROUPS);
    if (SSL_CTX_set_cipher_list(b->ctx, ciphers.ptr) != 1 ||
        SSL_CTX_set_ciphersuites(b->ctx, suites.ptr) != 1 ||
        SSL_CTX_set1_groups_list(b->ctx, groups.ptr) != 1)
        err = diag_fail(b->diags, ERR_RANGE, c->place,
                        "OpenSSL takes these ciphers, suites or groups one by one, but not all "
                        "together");
    text_printf(&b->all, "%s\n%s\n%s\n", ciphers.ptr, suites.ptr, groups.ptr);
    text_fini(&ciphers);
    text_fini(&suites);
    text_fini(&groups);
    return err;
}

static int wire_version(unsigned version)
{
    static const int wire[] = {
#define X(id, text, number) number,
        TLS_VERSION_LIST(X)
#undef X
    };
    return wire[version];
}

static enum err set_versions(struct build *b)
{
    const struct tls_conf *c = b->conf;
    unsigned min = c->preset == TLS_PRESET_MODERN ? (unsigned)TLS_VERSION_1_3 : c->min;
    if (min > c->max)
        return diag_fail(b->diags, ERR_RANGE, c->place, "no version of TLS is left");
    text_printf(&b->all, "%u %u\n", min, c->max);
    SSL_CTX_set_min_proto_version(b->ctx, wire_version(min));
    SSL_CTX_set_max_proto_version(b->ctx, wire_version(c->max));
    return ERR_OK;
}

// The next certificate of a file. NULL: none is left, or *ret_why.
static X509 *next_authority(struct str *rest, struct arena *mem, const char **ret_why)
{
    for (;;) {
        struct tls_pem_block block;
        *ret_why = NULL;
        if (tls_pem_next(rest, mem, &block, ret_why) != IO_DONE)
            return NULL;
        if (block.kind == TLS_PEM_CERTIFICATE)
            return tls_cert_read(block.text, ret_why);
    }
}

static enum err trust_file(struct build *b, struct arena *mem)
{
    const struct conf_file *file = &b->conf->client_ca;
    X509_STORE *store = SSL_CTX_get_cert_store(b->ctx);
    struct str rest = file->content;
    const char *why = NULL;
    unsigned n = 0;
    for (X509 *cert; n < CLIENT_CAS_MAX && (cert = next_authority(&rest, mem, &why)); n++) {
        if (X509_STORE_add_cert(store, cert) != 1 || SSL_CTX_add_client_CA(b->ctx, cert) != 1)
            why = "OpenSSL refuses a certificate";
        tls_cert_free(cert);
    }
    ERR_clear_error();
    if (n > 0 && !why)
        return ERR_OK;
    return conf_fail_file(file, b->diags, why ? why : "no certificate is in it");
}

static bool is_over(const X509_CRL *crl)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    return next && X509_cmp_time(next, NULL) <= 0;
}

static enum err add_crls(struct build *b)
{
    const struct conf_file *file = &b->conf->client_crl;
    X509_STORE *store = SSL_CTX_get_cert_store(b->ctx);
    BIO *in = BIO_new_mem_buf(file->content.ptr, (int)MIN(file->content.len, (size_t)INT_MAX));
    unsigned n = 0, n_added = 0;
    for (X509_CRL *crl;
         in && n < CLIENT_CRLS_MAX && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)); n++) {
        n_added += X509_STORE_add_crl(store, crl) == 1;
        if (is_over(crl))
            diag_warn(b->diags, file->place,
                      STR_FMT ": list %u has expired: all clients of its authority are refused",
                      STR_ARG(file->path), n + 1);
        X509_CRL_free(crl);
    }
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(in);
    ERR_clear_error();
    if (n > 0 && n_added == n && is_end)
        return ERR_OK;
    return conf_fail_file(file, b->diags,
                          n == 0         ? "no list of revoked certificates is in it"
                          : n_added != n ? "OpenSSL refuses a list"
                                         : "a list can't be read, or there are too many");
}

// Authorities in the file are trusted as they stand there, roots or not. That a certificate is one
// for clients is OpenSSL's own check of a server's peers.
static enum err trust(struct build *b)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(b->ctx);
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    struct arena mem;
    arena_init(&mem, (size_t)64 << 20, NULL, 0);
    enum err err = trust_file(b, &mem);
    arena_fini(&mem);
    if (b->conf->client_crl.is_set) {
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
        if (add_crls(b) != ERR_OK)
            err = ERR_SYNTAX;
    }
    X509_VERIFY_PARAM_set_flags(param, flags);
    X509_VERIFY_PARAM_set_depth(param, CLIENT_DEPTH_MAX);
    return err;
}

static enum err set_clients(struct build *b)
{
    const struct tls_conf *c = b->conf;
    text_printf(&b->all, "%u\n", c->client_auth);
    if (c->client_auth == TLS_CLIENT_AUTH_NONE)
        return ERR_OK;
    text_printf(&b->all, "%zu\n", c->client_ca.content.len);
    text_put(&b->all, c->client_ca.content);
    text_put(&b->all, c->client_crl.content);
    int mode = SSL_VERIFY_PEER;
    if (c->client_auth == TLS_CLIENT_AUTH_REQUIRE)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(b->ctx, mode, NULL);
    tls_peer_keep(b->ctx);
    return trust(b);
}

static void set_modes(struct build *b)
{
    SSL_CTX *ctx = b->ctx;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, SESSION_S);
    SSL_CTX_set_max_early_data(ctx, b->conf->early_data ? TLS_EARLY_MAX_BYTES : 0);
    SSL_CTX_set_recv_max_early_data(ctx, TLS_EARLY_MAX_BYTES);
    // WHY: OpenSSL's own protection is a cache of sessions in one process; tls/replay.h is ours.
    SSL_CTX_set_options(ctx, SSL_OP_NO_ANTI_REPLAY);
    SSL_CTX_set_quiet_shutdown(ctx, 0);
    SSL_CTX_set_num_tickets(ctx, b->conf->tickets ? 1 : 0);
    if (!b->conf->tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    text_printf(&b->all, "%d %d\n", b->conf->tickets, b->conf->early_data);
    tls_server_prepare(ctx);
}

struct tls_policy *tls_policy_build(const struct tls_conf *conf, struct diags *diags)
{
    struct tls_policy *p = MEM_NEW(struct tls_policy);
    struct build b = {.conf = conf, .diags = diags, .ctx = new_ctx()};
    p->ctx = b.ctx;
    p->asks_client = conf->client_auth != TLS_CLIENT_AUTH_NONE;
    p->takes_early_data = conf->early_data;
    enum err versions = set_versions(&b), lists = set_lists(&b), clients = set_clients(&b);
    set_modes(&b);
    bool has_id = EVP_Digest(b.all.ptr, b.all.len, p->id, NULL, EVP_sha256(), NULL) == 1;
    text_fini(&b.all);
    ERR_clear_error();
    if (versions == ERR_OK && lists == ERR_OK && clients == ERR_OK && has_id)
        return p;
    tls_policy_free(p);
    return NULL;
}

void tls_policy_free(struct tls_policy *p)
{
    if (!p)
        return;
    SSL_CTX_free(p->ctx);
    mem_free(p);
}

SSL_CTX *tls_policy_ctx(const struct tls_policy *p)
{
    return p->ctx;
}

const uint8_t *tls_policy_id(const struct tls_policy *p)
{
    return p->id;
}

bool tls_policy_asks_client(const struct tls_policy *p)
{
    return p->asks_client;
}

bool tls_policy_takes_early_data(const struct tls_policy *p)
{
    return p->takes_early_data;
}
