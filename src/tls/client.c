// SPDX-License-Identifier: Apache-2.0
#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "rt/clock.h"
#include "tls/client_verify.h"
#include "tls/credential.h"
#include "tls/server.h"

#define BUCKETS 64
#define CREDENTIAL_MEM_BYTES ((size_t)4 << 20)

// Authorities, parsed once.
struct roots {
    struct list_node node;
    uint32_t n_refs;
    uint8_t digest[32];
    X509_STORE *store; // owns
};

struct tls_client {
    struct list_node node;
    struct tls_clients *set; // borrows
    uint32_t n_refs;         // under the set's lock
    uint8_t id[TLS_CLIENT_ID_BYTES];
    SSL_CTX *ctx;        // owns
    struct roots *roots; // shares; NULL: none are needed
    struct tls_demands demands;
};

struct tls_clients {
    pthread_mutex_t lock;
    struct list clients[BUCKETS]; // by the first byte of their id
    struct list roots;
};

static void lock(struct tls_clients *set)
{
    int failed = pthread_mutex_lock(&set->lock);
    ASSERT(failed == 0);
}

static void unlock(struct tls_clients *set)
{
    int failed = pthread_mutex_unlock(&set->lock);
    ASSERT(failed == 0);
}

struct tls_clients *tls_clients_new(void)
{
    tls_init();
    struct tls_clients *set = MEM_NEW(struct tls_clients);
    int failed = pthread_mutex_init(&set->lock, NULL);
    ASSERT(failed == 0);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&set->clients[i]);
    list_init(&set->roots);
    return set;
}

void tls_clients_free(struct tls_clients *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        ASSERT(list_is_empty(&set->clients[i]));
    ASSERT(list_is_empty(&set->roots));
    pthread_mutex_destroy(&set->lock);
    mem_free(set);
}

// --- what makes two clients the same ---

static void hash_part(EVP_MD_CTX *hash, const void *bytes, size_t n)
{
    uint64_t length = n; // so that no two lists of parts look the same
    EVP_DigestUpdate(hash, &length, sizeof length);
    EVP_DigestUpdate(hash, n > 0 ? bytes : "", n);
}

static void digest_of(struct str s, uint8_t ret[static 32])
{
    if (EVP_Digest(s.len > 0 ? s.ptr : "", s.len, ret, NULL, EVP_sha256(), NULL) != 1)
        panic("OpenSSL has no SHA-256");
}

static void make_id(struct tls_client *c, const struct tls_client_conf *conf,
                    const uint8_t roots[static 32])
{
    const unsigned numbers[] = {c->demands.is_verified, c->demands.checks_chain, c->demands.learns,
                                conf->min, conf->max};
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex2(hash, EVP_sha256(), NULL) != 1)
        panic("OpenSSL has no SHA-256");
    hash_part(hash, numbers, sizeof numbers);
    hash_part(hash, roots, c->demands.checks_chain ? 32 : 0);
    hash_part(hash, conf->cert.content.ptr, conf->cert.content.len);
    hash_part(hash, conf->key.content.ptr, conf->key.content.len);
    hash_part(hash, c->demands.pins, c->demands.n_pins * TLS_PIN_BYTES);
    EVP_DigestFinal_ex(hash, c->id, NULL);
    EVP_MD_CTX_free(hash);
}

static struct tls_client *find_client(struct tls_clients *set, const uint8_t id[static 32])
{
    LIST_FOR (n, &set->clients[id[0] % BUCKETS]) {
        struct tls_client *c = CONTAINER_OF(n, struct tls_client, node);
        if (memcmp(c->id, id, sizeof c->id) == 0)
            return c;
    }
    return NULL;
}

static struct roots *find_roots(struct tls_clients *set, const uint8_t digest[static 32])
{
    LIST_FOR (n, &set->roots) {
        struct roots *r = CONTAINER_OF(n, struct roots, node);
        if (memcmp(r->digest, digest, sizeof r->digest) == 0)
            return r;
    }
    return NULL;
}

// --- building ---

static struct roots *take_roots(struct tls_clients *set, const struct conf_file *file,
                                bool is_lenient, const uint8_t digest[static 32],
                                struct diags *diags)
{
    lock(set);
    struct roots *r = find_roots(set, digest);
    if (r)
        r->n_refs++;
    unlock(set);
    if (r)
        return r;
    const char *why = NULL;
    X509_STORE *store = tls_authorities_read(file->content, is_lenient, &why);
    if (!store) {
        (void)conf_fail_file(file, diags, why);
        return NULL;
    }
    r = MEM_NEW(struct roots);
    r->store = store;
    r->n_refs = 1;
    memcpy(r->digest, digest, sizeof r->digest);
    lock(set);
    list_push_back(&set->roots, &r->node);
    unlock(set);
    return r;
}

static bool use_credential(SSL_CTX *ctx, const struct tls_credential *credential,
                           const char **ret_why)
{
    X509 *certs[TLS_CHAIN_MAX];
    size_t n = 0;
    if (!tls_certs_read(credential->chain_pem, certs, &n, ret_why))
        return false;
    EVP_PKEY *key = tls_key_read(credential->key_pem, ret_why);
    STACK_OF(X509) *rest = sk_X509_new_null();
    bool is_good = key && rest;
    for (size_t i = 1; i < n && is_good; i++)
        is_good = sk_X509_push(rest, certs[i]) > 0;
    if (is_good && SSL_CTX_use_cert_and_key(ctx, certs[0], key, rest, 1) != 1) {
        *ret_why = "OpenSSL refuses it";
        is_good = false;
    }
    sk_X509_free(rest);
    tls_key_free(key);
    tls_certs_free(certs, n);
    ERR_clear_error();
    return is_good;
}

static bool set_credential(SSL_CTX *ctx, const struct tls_client_conf *conf, struct diags *diags)
{
    if (!conf->cert.is_set)
        return true;
    if (conf->key.is_lost)
        return false;
    struct arena mem;
    struct tls_credential credential;
    const char *why = NULL;
    arena_init(&mem, CREDENTIAL_MEM_BYTES, NULL, 0);
    bool is_good = tls_credential_read(conf->cert.content, conf->key.content, clock_wall_s(), &mem,
                                       &credential, &why) == ERR_OK &&
                   use_credential(ctx, &credential, &why);
    if (!is_good)
        (void)conf_fail_file(&conf->cert, diags, why);
    else if (credential.flaws & (TLS_FLAW_EXPIRED | TLS_FLAW_NOT_YET))
        diag_warn(diags, conf->cert.place, STR_FMT ": %s", STR_ARG(conf->cert.path),
                  tls_flaw_text(credential.flaws & (TLS_FLAW_EXPIRED | TLS_FLAW_NOT_YET)));
    arena_wipe(&mem);
    return is_good;
}

// OpenSSL has a session for later: at the end of a handshake, or with a ticket after it.
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session *keep = SSL_get_app_data(ssl);
    if (!keep)
        return 0;
    SSL_SESSION_free(keep->newest);
    keep->newest = session;
    return 1; // it is ours now
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

static SSL_CTX *new_ctx(const struct tls_client_conf *conf)
{
    tls_init();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        panic("OpenSSL has no memory");
    SSL_CTX_set_min_proto_version(ctx, wire_version(conf->min));
    SSL_CTX_set_max_proto_version(ctx, wire_version(conf->max));
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); // a record costs one read, not two
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    return ctx;
}

static void read_demands(const struct tls_client_conf *conf, struct tls_demands *ret)
{
    ret->is_verified = conf->verify;
    ret->checks_chain = conf->verify && (conf->pins.n == 0 || conf->ca.is_set);
    ret->learns = tls_pins_are_first_use(conf);
    ret->n_pins = ret->learns ? 0 : conf->pins.n;
    ret->pins = mem_alloc(MAX(conf->pins.n, 1), sizeof *ret->pins);
    for (size_t i = 0; i < ret->n_pins; i++)
        if (tls_pin_parse(conf->pins.items[i].text, ret->pins[i]) != ERR_OK)
            ret->n_pins = i; // an error that was told when the settings were read
}

static bool fill(struct tls_client *c, struct tls_clients *set, const struct tls_client_conf *conf,
                 const struct conf_file *roots, const uint8_t digest[static 32],
                 struct diags *diags)
{
    c->ctx = new_ctx(conf);
    if (c->demands.checks_chain) {
        c->roots = take_roots(set, roots, !conf->ca.is_set, digest, diags);
        if (c->roots)
            SSL_CTX_set1_cert_store(c->ctx, c->roots->store);
    }
    tls_demands_set(c->ctx, &c->demands);
    bool is_credential_good = set_credential(c->ctx, conf, diags);
    return is_credential_good && (c->roots || !c->demands.checks_chain);
}

// Nobody has it any more, and nobody finds it.
static void client_free(struct tls_client *c)
{
    struct tls_clients *set = c->set;
    struct roots *r = c->roots;
    lock(set);
    bool is_last = r && --r->n_refs == 0;
    if (is_last)
        list_remove(&r->node);
    unlock(set);
    SSL_CTX_free(c->ctx);
    if (is_last) {
        X509_STORE_free(r->store);
        mem_free(r);
    }
    mem_free(c->demands.pins);
    mem_free(c);
}

static struct tls_client *join(struct tls_clients *set, struct tls_client *c)
{
    lock(set);
    list_push_back(&set->clients[c->id[0] % BUCKETS], &c->node);
    unlock(set);
    return c;
}

struct tls_client *tls_clients_take(struct tls_clients *set, const struct tls_client_conf *conf,
                                    const struct tls_authorities *system, struct diags *diags)
{
    struct tls_client *c = MEM_NEW(struct tls_client);
    c->set = set;
    c->n_refs = 1;
    read_demands(conf, &c->demands);
    const struct conf_file *roots = conf->ca.is_set ? &conf->ca : system ? &system->file : NULL;
    uint8_t digest[32] = {0};
    if (c->demands.checks_chain && (!roots || !roots->is_set)) {
        (void)diag_fail(diags, ERR_NOT_FOUND, conf->place,
                        "servers can't be verified: this system has no file with authorities "
                        "(ca-certificates); set 'authorities', or 'ca' or 'pin' of the service");
        client_free(c);
        return NULL;
    }
    if (conf->ca.is_set)
        digest_of(roots->content, digest);
    else if (c->demands.checks_chain)
        memcpy(digest, system->digest, sizeof digest);
    make_id(c, conf, digest);
    lock(set);
    struct tls_client *found = find_client(set, c->id);
    if (found)
        found->n_refs++;
    unlock(set);
    if (!found && fill(c, set, conf, roots, digest, diags))
        return join(set, c);
    client_free(c);
    return found;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
    lock(c->set);
    c->n_refs++;
    unlock(c->set);
    return c;
}

void tls_client_unref(struct tls_client *c)
{
    if (!c)
        return;
    lock(c->set);
    ASSERT(c->n_refs > 0);
    bool is_last = --c->n_refs == 0;
    if (is_last)
        list_remove(&c->node);
    unlock(c->set);
    if (is_last)
        client_free(c);
}

const uint8_t *tls_client_id(const struct tls_client *c)
{
    return c->id;
}

bool tls_client_learns(const struct tls_client *c)
{
    return c->demands.learns;
}

bool tls_client_peer_key(const struct stream *s, uint8_t ret[static TLS_PIN_BYTES])
{
    X509 *leaf = SSL_get0_peer_certificate(tls_conn_ssl(s));
    bool is_hashed = leaf && tls_key_hash(leaf, ret);
    ERR_clear_error();
    return is_hashed;
}

// --- connecting ---

void tls_session_forget(struct tls_session *s)
{
    SSL_SESSION_free(s->newest);
    s->newest = NULL;
}

// A session carries on what was verified when it began: not beyond its certificate's time.
static bool is_fresh(SSL_SESSION *session)
{
    X509 *cert = SSL_SESSION_get0_peer(session);
    return SSL_SESSION_is_resumable(session) && cert &&
           X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

// As ALPN has it (RFC 7301): each with its length.
static const struct str offers[] = {
    [TLS_OFFER_HTTP_1] = STR_INIT("\x08http/1.1"),
    [TLS_OFFER_HTTP_2] = STR_INIT("\x02h2"),
    [TLS_OFFER_BOTH] = STR_INIT("\x02h2\x08http/1.1"),
};

static SSL *new_ssl(const struct tls_client *c, const struct tls_peer *peer,
                    struct tls_session *session, enum tls_offer offer)
{
    SSL *ssl = SSL_new(c->ctx);
    if (!ssl)
        panic("OpenSSL has no memory");
    SSL_set_connect_state(ssl);
    if (SSL_set_alpn_protos(ssl, (const unsigned char *)offers[offer].ptr,
                            (unsigned)offers[offer].len) != 0)
        panic("OpenSSL has no memory");
    if (!tls_demand_peer(ssl, &c->demands, peer)) {
        SSL_free(ssl);
        return NULL;
    }
    if (session->newest && !is_fresh(session->newest))
        tls_session_forget(session);
    if (session->newest && SSL_set_session(ssl, session->newest) != 1)
        tls_session_forget(session);
    SSL_set_app_data(ssl, session);
    return ssl;
}

// What is wrong with the server's choice; NULL: nothing.
static const char *dislike(struct str chosen, enum tls_offer offer)
{
    if (str_eq(chosen, STR("h2")))
        return offer != TLS_OFFER_HTTP_1 ? NULL : "it chose a protocol that wasn't offered";
    if (chosen.len > 0 && !str_eq(chosen, STR("http/1.1")))
        return "it chose a protocol that wasn't offered";
    return offer != TLS_OFFER_HTTP_2 ? NULL : "it doesn't speak HTTP/2 (ALPN)";
}

enum io tls_connect(struct stream *s, const struct tls_client *c, const struct tls_peer *peer,
                    struct tls_session *session, enum tls_offer offer, struct deadline until,
                    struct tls_failure *reterr)
{
    ERR_clear_error();
    SSL *ssl = new_ssl(c, peer, session, offer);
    ERR_clear_error();
    if (!ssl) {
        tls_failure_tell(reterr, TLS_FAILURE_INTERNAL, "the server's name can't be asked for");
        return IO_FAIL;
    }
    struct tls_verdict verdict = {.demands = &c->demands, .peer = peer};
    tls_verdict_attach(ssl, &verdict);
    tls_conn_start(s, ssl, STR_NONE);
    enum io io = tls_conn_handshake(s, until, reterr);
    tls_verdict_attach(ssl, NULL);
    if (io == IO_DONE) {
        const char *why = dislike(tls_conn_info(s)->protocol, offer);
        if (!why)
            return IO_DONE;
        tls_failure_tell(reterr, TLS_FAILURE_PROTOCOL, why);
    } else if (reterr->kind == TLS_FAILURE_PEER_CERTIFICATE && verdict.why[0] != '\0') {
        tls_failure_tell(reterr, TLS_FAILURE_PEER_CERTIFICATE, verdict.why);
    }
    tls_session_forget(session); // maybe it was what the server disliked
    return IO_FAIL;
}
