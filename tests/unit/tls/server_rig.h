// SPDX-License-Identifier: Apache-2.0
// A TLS server on a loop, and OpenSSL's own client on a blocking socket in a thread, as strangers
// are.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "tls/bundle.h"
#include "tls/server.h"
#include "tls/x509.h"
#include "unit/test.h"

#define SOON_MS 10000 // bounds what must happen; never waited for in a test that passes
#define MADE_FROM_S 1600000000
#define MADE_TO_S 2500000000

// --- certificates ---

struct rig_cert {
    EVP_PKEY *key; // owns
    X509 *cert;    // owns
    struct text chain_pem, key_pem;
};

// Signed by `by`, or by itself.
static inline void rig_cert_begin(struct rig_cert *c, enum tls_cert_role role,
                                  enum tls_key_kind kind, const char *name,
                                  const struct rig_cert *by)
{
    struct str names[] = {str_of(name)};
    struct tls_cert_wish wish = {
        .role = role,
        .common_name = str_of(role == TLS_CERT_LEAF ? "" : name),
        .names = names,
        .n_names = role == TLS_CERT_LEAF,
        .not_before_s = MADE_FROM_S,
        .not_after_s = MADE_TO_S,
    };
    *c = (struct rig_cert){.key = tls_key_new(kind)};
    c->cert = tls_cert_make(&wish, c->key, by ? by->cert : NULL, by ? by->key : NULL);
    if (!c->cert || !tls_cert_put_pem(c->cert, &c->chain_pem) ||
        !tls_key_put_pem(c->key, &c->key_pem))
        abort();
    if (by && role == TLS_CERT_LEAF)
        text_put(&c->chain_pem, text_str(&by->chain_pem));
}

// Makes c, which is for servers, one for anybody.
static inline void rig_cert_for_client(struct rig_cert *c, const struct rig_cert *by)
{
    int at = X509_get_ext_by_NID(c->cert, NID_ext_key_usage, -1);
    X509_EXTENSION_free(X509_delete_ext(c->cert, at));
    if (at < 0 || X509_sign(c->cert, by->key, EVP_sha256()) == 0)
        abort();
}

static inline void rig_cert_end(struct rig_cert *c)
{
    tls_key_free(c->key);
    tls_cert_free(c->cert);
    text_fini(&c->chain_pem);
    text_wipe(&c->key_pem);
}

static inline struct tls_bundle_item rig_item(const struct rig_cert *c, const char *id,
                                              const struct str *name)
{
    return (struct tls_bundle_item){.id = str_of(id),
                                    .names = name,
                                    .n_names = 1,
                                    .chain_pem = text_str(&c->chain_pem),
                                    .key_pem = text_str(&c->key_pem)};
}

static inline struct tls_store *rig_store(const struct tls_bundle_item *items, size_t n)
{
    struct text bundle = {.ptr = NULL};
    struct diags diags = {.n = 0};
    tls_bundle_pack(items, n, &bundle);
    struct tls_store *s = tls_store_build(text_str(&bundle), &diags);
    char buf[500];
    for (size_t i = 0; i < diags.n; i++)
        printf("# " STR_FMT "\n", STR_ARG(diag_text(&diags.items[i], buf, sizeof buf)));
    text_wipe(&bundle);
    diags_fini(&diags);
    return s;
}

// A key for each letter, newest first.
static inline struct tls_tickets *rig_tickets(const char *seeds)
{
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
    size_t n = strlen(seeds);
    for (size_t i = 0; i < n; i++)
        memset(&keys[i], seeds[i], sizeof keys[i]);
    return tls_tickets_new(str_from((const char *)keys, n * sizeof keys[0]));
}

// --- policies ---

static inline bool rig_read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                                 const char **ret_why)
{
    (void)path, (void)mem, (void)ret_why;
    *ret = *(const struct str *)arg;
    return true;
}

// client_ca: the content of any file that yaml names.
static inline struct tls_policy *rig_policy(const char *yaml, struct str client_ca)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct tls_conf conf;
    const struct conf_resolver files = {.read_file = rig_read_file, .arg = &client_ca};
    arena_init(&mem, 1 << 20, NULL, 0);
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "t.yaml", &mem, &diags);
    struct tls_policy *p = NULL;
    if (conf_resolve(&tls_section, root, &files, &mem, &diags) == ERR_OK &&
        conf_read(&tls_section, root, NULL, &mem, &diags, &conf) == ERR_OK)
        p = tls_policy_build(&conf, &diags);
    char buf[500];
    for (size_t i = 0; i < diags.n; i++)
        printf("# " STR_FMT "\n", STR_ARG(diag_text(&diags.items[i], buf, sizeof buf)));
    diags_fini(&diags);
    arena_fini(&mem);
    return p;
}

// --- one connection ---

struct rig {
    struct rt_loop *loop;
    struct tls_policy *policy; // borrows, as all of these
    struct tls_store *store;
    struct tls_tickets *tickets;
    struct tls_replay *replay;
    const char *name; // the server's; NULL: none is sent
    struct str alpn;
    int64_t handshake_ms;
    void (*server)(struct rig *r); // on a fiber, after the handshake; may be NULL
    void (*client)(struct rig *r); // in a thread; fd is blocking
    fiber_fn *fiber;               // instead of rig_serve
    void *arg;
    // Results.
    struct stream stream;
    enum err err;
    struct tls_failure failure;
    struct tls_info info;
    char cipher[64], protocol[32];
    char peer_name[64]; // the first one of the client's certificate
    int client_fd;
};

static inline void rig_serve(void *arg)
{
    struct rig *r = arg;
    struct str name = str_of(r->name);
    const struct tls_entry *entry = tls_store_find(r->store, name);
    if (!entry)
        abort();
    r->err = tls_accept(&r->stream,
                        &(struct tls_accept_options){
                            .policy = r->policy,
                            .entry = entry,
                            .tickets = r->tickets,
                            .replay = r->replay,
                            .server_name = name,
                            .alpn = r->alpn,
                            .until = deadline_in(r->handshake_ms > 0 ? r->handshake_ms : SOON_MS),
                        },
                        &r->failure);
    if (r->err == ERR_OK) {
        r->info = *tls_conn_info(&r->stream);
        struct arena mem;
        struct tls_cert_info cert;
        arena_init(&mem, 1 << 20, NULL, 0);
        if (r->info.peer_cert && tls_cert_info(r->info.peer_cert, &mem, &cert) && cert.n_names > 0)
            snprintf(r->peer_name, sizeof r->peer_name, STR_FMT, STR_ARG(cert.names[0]));
        arena_fini(&mem);
        snprintf(r->cipher, sizeof r->cipher, "%s", r->info.cipher);
        snprintf(r->protocol, sizeof r->protocol, STR_FMT, STR_ARG(r->info.protocol));
        if (r->server)
            r->server(r);
    }
    CHECK_INT(ERR_peek_error(), 0);
    stream_close(&r->stream);
}

static inline void *rig_client_thread(void *arg)
{
    struct rig *r = arg;
    r->client(r);
    close(r->client_fd);
    return NULL;
}

static inline void rig_tcp_pair(int ret_fds[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        abort();
    ret_fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ret_fds[0], (struct sockaddr *)&a, len) != 0)
        abort();
    ret_fds[1] = accept(fd, NULL, NULL);
    if (ret_fds[1] < 0 || fcntl(ret_fds[1], F_SETFL, O_NONBLOCK) != 0)
        abort();
    close(fd);
}

static inline void rig_run(struct rig *r)
{
    int fds[2];
    pthread_t thread;
    rig_tcp_pair(fds);
    r->loop = loop_new(&(struct loop_options){.fibers_max = 8});
    loop_enter(r->loop);
    r->client_fd = fds[0];
    r->stream = (struct stream){.ops = NULL};
    sock_init(&r->stream.sock, fds[1]);
    fiber_start(r->fiber ? r->fiber : rig_serve, r);
    if (pthread_create(&thread, NULL, rig_client_thread, r) != 0)
        abort();
    struct loop_stats stats;
    do {
        loop_turn(r->loop, 100);
        loop_stats(r->loop, &stats);
    } while (stats.n_fibers > 0);
    pthread_join(thread, NULL);
    loop_free(r->loop);
}

// --- OpenSSL's client ---

struct rig_client {
    int min, max;        // versions; 0: any
    const char *ciphers; // of TLS 1.2
    const char *groups;
    const char *sigalgs;
    struct str alpn;
    const struct rig_cert *cert; // the client's
    X509 *extra[8];              // its intermediates
    SSL_SESSION *session;        // to resume; replaced by the newest one
    const char *early;           // early data, where the session allows it; NULL: none
    bool records;                // keeps what it sends in `sent`
    // Results.
    int rc; // of SSL_connect
    int alert;
    bool is_resumed;
    int key_type; // of the server's certificate
    char common_name[64];
    int early_status; // SSL_EARLY_DATA_ACCEPTED, …
    char sent[8192];
    size_t n_sent;
};

// Of the BIO under a client: keeps the bytes as they go out.
static inline long rig_on_bio(BIO *b, int what, const char *bytes, size_t n, int argi, long argl,
                              int rc, size_t *processed)
{
    (void)argi, (void)argl, (void)processed;
    struct rig_client *c = (struct rig_client *)(void *)BIO_get_callback_arg(b);
    if (what == BIO_CB_WRITE && n <= sizeof c->sent - c->n_sent) {
        memcpy(c->sent + c->n_sent, bytes, n);
        c->n_sent += n;
    }
    return rc;
}

static inline void rig_send_early(SSL *ssl, struct rig_client *c)
{
    size_t n;
    if (c->records) {
        c->n_sent = 0;
        BIO_set_callback_arg(SSL_get_wbio(ssl), (char *)c);
        BIO_set_callback_ex(SSL_get_wbio(ssl), rig_on_bio);
    }
    if (!c->early || !c->session || SSL_SESSION_get_max_early_data(c->session) == 0)
        return;
    if (SSL_write_early_data(ssl, c->early, strlen(c->early), &n) != 1)
        abort();
    c->records = false; // a replay has no more than this
    BIO_set_callback_ex(SSL_get_wbio(ssl), NULL);
}

static inline int rig_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct rig_client *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->session);
    c->session = session;
    return 1;
}

// A client connected to r's server, or NULL: c->alert tells. ret_ctx is freed with it.
static inline SSL *rig_connect(struct rig *r, struct rig_client *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, c->min);
    SSL_CTX_set_max_proto_version(ctx, c->max);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, rig_on_session);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    if (c->ciphers)
        SSL_CTX_set_cipher_list(ctx, c->ciphers);
    if (c->groups)
        SSL_CTX_set1_groups_list(ctx, (char *)(uintptr_t)c->groups);
    if (c->sigalgs)
        SSL_CTX_set1_sigalgs_list(ctx, (char *)(uintptr_t)c->sigalgs);
    if (c->alpn.len > 0)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)c->alpn.ptr, (unsigned)c->alpn.len);
    if (c->cert)
        SSL_CTX_use_cert_and_key(ctx, c->cert->cert, c->cert->key, NULL, 1);
    for (size_t i = 0; i < ARRAY_LEN(c->extra) && c->extra[i]; i++)
        SSL_CTX_add1_chain_cert(ctx, c->extra[i]);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_app_data(ssl, c);
    SSL_set_fd(ssl, r->client_fd);
    if (r->name)
        SSL_set_tlsext_host_name(ssl, (void *)(uintptr_t)r->name);
    if (c->session)
        SSL_set_session(ssl, c->session);
    ERR_clear_error();
    rig_send_early(ssl, c);
    c->rc = SSL_connect(ssl);
    c->early_status = SSL_get_early_data_status(ssl);
    if (c->rc != 1) {
        int reason = ERR_GET_REASON(ERR_peek_error());
        c->alert = reason > SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : -1;
        ERR_clear_error();
        SSL_free(ssl);
        return NULL;
    }
    c->is_resumed = SSL_session_reused(ssl);
    X509 *cert = SSL_get0_peer_certificate(ssl);
    c->key_type = cert ? EVP_PKEY_get_base_id(X509_get0_pubkey(cert)) : 0;
    return ssl;
}
