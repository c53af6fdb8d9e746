// SPDX-License-Identifier: Apache-2.0
#include "rt/notes.h"
#include "server_rig.h"

#define NAME "a.example"

static struct rig_cert ca, ecdsa, rsa;

// Both kinds for one name.
static struct tls_store *both(void)
{
    struct str name = STR(NAME);
    struct tls_bundle_item items[] = {rig_item(&ecdsa, "e", &name), rig_item(&rsa, "r", &name)};
    return rig_store(items, 2);
}

static void echo(struct rig *r)
{
    char buf[20000];
    size_t n;
    enum io io;
    while ((io = stream_read(&r->stream, buf, sizeof buf, deadline_in(SOON_MS), &n)) == IO_DONE) {
        struct iovec iov[] = {{buf, n / 2}, {buf + n / 2, n - n / 2}};
        CHECK_INT(stream_writev(&r->stream, iov, 2, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
        fiber_give_way((uint32_t)n);
    }
    CHECK_INT(io, IO_EOF);
}

// Says "ping", hears it again, closes in order.
static void ping(struct rig *r)
{
    struct rig_client *c = r->arg;
    char buf[16];
    size_t n = 0;
    SSL *ssl = rig_connect(r, c);
    if (!ssl)
        return;
    CHECK_INT(SSL_write(ssl, "ping", 4), 4);
    size_t at = 0;
    while (at < 4 && SSL_read_ex(ssl, buf + at, sizeof buf - at, &n) == 1)
        at += n;
    CHECK(at == 4 && memcmp(buf, "ping", 4) == 0);
    if (SSL_version(ssl) == TLS1_2_VERSION) // a renewed ticket of TLS 1.2 isn't told
        rig_on_session(ssl, SSL_get1_session(ssl));
    CHECK_INT(SSL_shutdown(ssl), 0);
    CHECK_INT(SSL_shutdown(ssl), 1); // the server's close_notify came
    SSL_free(ssl);
}

static struct rig rig_for(const char *policy, struct rig_client *c)
{
    return (struct rig){
        .policy = rig_policy(policy, STR_NONE),
        .store = both(),
        .name = NAME,
        .server = echo,
        .client = ping,
        .arg = c,
    };
}

static void rig_done(struct rig *r)
{
    tls_policy_free(r->policy);
    tls_store_unref(r->store);
    tls_tickets_unref(r->tickets);
}

static void handshakes_of_every_kind_succeed(void)
{
    static const struct {
        struct rig_client client;
        const char *policy, *version, *cipher;
        int key_type;
    } cases[] = {
        {{.max = 0}, "{}", "TLSv1.3", "TLS_AES_256_GCM_SHA384", EVP_PKEY_EC},
        {{.max = TLS1_2_VERSION}, "{}", "TLSv1.2", NULL, EVP_PKEY_EC},
        {{.max = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
         "{}",
         "TLSv1.2",
         "ECDHE-RSA-AES128-GCM-SHA256",
         EVP_PKEY_RSA},
        {{.max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"},
         "{}",
         "TLSv1.2",
         "ECDHE-ECDSA-CHACHA20-POLY1305",
         EVP_PKEY_EC},
        {{.sigalgs = "RSA-PSS+SHA256"}, "{}", "TLSv1.3", NULL, EVP_PKEY_RSA},
        {{.groups = "P-384"}, "{}", "TLSv1.3", NULL, EVP_PKEY_EC}, // a HelloRetryRequest at least
        {{.groups = "P-521:P-256"}, "{}", "TLSv1.3", NULL, EVP_PKEY_EC},
        {{.max = 0}, "{preset: modern}", "TLSv1.3", NULL, EVP_PKEY_EC},
        {{.max = 0}, "{max: \"1.2\"}", "TLSv1.2", NULL, EVP_PKEY_EC},
        {{.max = 0},
         "{suites: TLS_CHACHA20_POLY1305_SHA256}",
         "TLSv1.3",
         "TLS_CHACHA20_POLY1305_SHA256",
         EVP_PKEY_EC},
        {{.max = 0}, "{groups: [P-384]}", "TLSv1.3", NULL, EVP_PKEY_EC},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_client c = cases[i].client;
        struct rig r = rig_for(cases[i].policy, &c);
        rig_run(&r);
        CHECK_INT(r.err, ERR_OK);
        if (r.err != ERR_OK)
            printf("# case %zu: %s\n", i, r.failure.text);
        else
            CHECK_STR(str_of(r.info.version_text), str_of(cases[i].version));
        if (cases[i].cipher)
            CHECK_STR(str_of(r.cipher), str_of(cases[i].cipher));
        CHECK_INT(c.key_type, cases[i].key_type);
        CHECK(!r.info.is_resumed && !r.info.has_peer_cert);
        SSL_SESSION_free(c.session);
        rig_done(&r);
    }
}

// --- who isn't let in ---

static void try_handshake(struct rig *r)
{
    struct rig_client *c = r->arg;
    SSL *ssl = rig_connect(r, c);
    if (!ssl)
        return;
    char byte; // of TLS 1.3, a refusal comes after the client's part
    if (SSL_read(ssl, &byte, 1) <= 0 && SSL_get_error(ssl, 0) != SSL_ERROR_ZERO_RETURN) {
        c->rc = 0;
        c->alert = ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET;
    }
    ERR_clear_error();
    SSL_free(ssl);
}

static void what_isnt_shared_is_refused_with_a_reason(void)
{
    static const struct {
        struct rig_client client;
        const char *policy;
        struct str alpn;
        int alert;
        enum tls_failure_kind kind;
    } cases[] = {
        {{.max = TLS1_1_VERSION},
         "{}",
         STR_INIT(""),
         SSL_AD_PROTOCOL_VERSION,
         TLS_FAILURE_NOTHING_SHARED},
        {{.max = TLS1_2_VERSION},
         "{preset: modern}",
         STR_INIT(""),
         SSL_AD_PROTOCOL_VERSION,
         TLS_FAILURE_NOTHING_SHARED},
        {{.max = TLS1_2_VERSION, .ciphers = "AES128-SHA"},
         "{}",
         STR_INIT(""),
         SSL_AD_HANDSHAKE_FAILURE,
         TLS_FAILURE_NOTHING_SHARED},
        {{.max = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES256-SHA384"},
         "{}",
         STR_INIT(""),
         SSL_AD_HANDSHAKE_FAILURE,
         TLS_FAILURE_NOTHING_SHARED},
        {{.groups = "P-521"},
         "{}",
         STR_INIT(""),
         SSL_AD_HANDSHAKE_FAILURE,
         TLS_FAILURE_NOTHING_SHARED},
        {{.alpn = STR_INIT("\x02h2")},
         "{}",
         STR_INIT("\x08http/1.1"),
         SSL_AD_NO_APPLICATION_PROTOCOL,
         TLS_FAILURE_NOTHING_SHARED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_client c = cases[i].client;
        struct rig r = rig_for(cases[i].policy, &c);
        r.client = try_handshake;
        r.alpn = cases[i].alpn;
        rig_run(&r);
        CHECK_INT(r.err, ERR_PROTOCOL);
        CHECK_INT(r.failure.kind, cases[i].kind);
        if (r.failure.kind != cases[i].kind)
            printf("# case %zu: %s\n", i, r.failure.text);
        CHECK(strlen(r.failure.text) > 10);
        CHECK_INT(c.alert, cases[i].alert);
        rig_done(&r);
    }
}

static void the_servers_order_of_protocols_counts(void)
{
    static const struct {
        struct str ours, theirs;
        const char *chosen;
    } cases[] = {
        {STR_INIT("\x02h2\x08http/1.1"), STR_INIT("\x08http/1.1\x02h2"), "h2"},
        {STR_INIT("\x08http/1.1"), STR_INIT("\x02h2\x08http/1.1"), "http/1.1"},
        {STR_INIT("\x08http/1.1"), STR_INIT(""), ""},
        {STR_INIT(""), STR_INIT("\x02h2"), ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_client c = {.alpn = cases[i].theirs};
        struct rig r = rig_for("{}", &c);
        r.alpn = cases[i].ours;
        rig_run(&r);
        CHECK_INT(r.err, ERR_OK);
        CHECK_STR(str_of(r.protocol), str_of(cases[i].chosen));
        SSL_SESSION_free(c.session);
        rig_done(&r);
    }
}

// --- clients with certificates ---

static void clients_are_asked_for_certificates_as_the_policy_says(void)
{
    struct rig_cert client_ca, stranger_ca, good, bad;
    rig_cert_begin(&client_ca, TLS_CERT_ROOT, TLS_KEY_P256, "Clients", NULL);
    rig_cert_begin(&stranger_ca, TLS_CERT_ROOT, TLS_KEY_P256, "Strangers", NULL);
    rig_cert_begin(&good, TLS_CERT_LEAF, TLS_KEY_P256, "me.example", &client_ca);
    rig_cert_for_client(&good, &client_ca);
    rig_cert_begin(&bad, TLS_CERT_LEAF, TLS_KEY_P256, "me.example", &stranger_ca);
    struct {
        const char *policy;
        const struct rig_cert *cert;
        int max;
        enum err err;
        bool has_cert;
        int alert;
    } cases[] = {
        {"{client-auth: require, client-ca: ca.pem}", &good, 0, ERR_OK, true, 0},
        {"{client-auth: require, client-ca: ca.pem}", &good, TLS1_2_VERSION, ERR_OK, true, 0},
        {"{client-auth: require, client-ca: ca.pem}", NULL, 0, ERR_PROTOCOL, false,
         SSL_AD_CERTIFICATE_REQUIRED},
        {"{client-auth: require, client-ca: ca.pem}", NULL, TLS1_2_VERSION, ERR_PROTOCOL, false,
         SSL_AD_HANDSHAKE_FAILURE},
        {"{client-auth: require, client-ca: ca.pem}", &bad, 0, ERR_PROTOCOL, false,
         SSL_AD_UNKNOWN_CA},
        {"{client-auth: request, client-ca: ca.pem}", NULL, 0, ERR_OK, false, 0},
        {"{client-auth: request, client-ca: ca.pem}", &good, 0, ERR_OK, true, 0},
        {"{client-auth: request, client-ca: ca.pem}", &bad, 0, ERR_PROTOCOL, false,
         SSL_AD_UNKNOWN_CA},
        {"{}", &good, 0, ERR_OK, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_client c = {.cert = cases[i].cert, .max = cases[i].max};
        struct rig r = rig_for("{}", &c);
        tls_policy_free(r.policy);
        bool is_asked = !strstr(cases[i].policy, "{}");
        r.policy =
            rig_policy(cases[i].policy, is_asked ? text_str(&client_ca.chain_pem) : STR_NONE);
        r.client = cases[i].err == ERR_OK ? ping : try_handshake;
        rig_run(&r);
        CHECK_INT(r.err, cases[i].err);
        if (r.err != cases[i].err)
            printf("# case %zu: %s\n", i, r.failure.text);
        CHECK_INT(r.info.has_peer_cert, cases[i].has_cert);
        CHECK_STR(str_of(r.peer_name), str_of(cases[i].has_cert ? "me.example" : ""));
        CHECK_INT(c.alert, cases[i].alert);
        if (cases[i].err != ERR_OK)
            CHECK_INT(r.failure.kind, TLS_FAILURE_PEER_CERTIFICATE);
        SSL_SESSION_free(c.session);
        rig_done(&r);
    }
    rig_cert_end(&client_ca);
    rig_cert_end(&stranger_ca);
    rig_cert_end(&good);
    rig_cert_end(&bad);
}

// --- sessions ---

// A visit of c at a server of its own; true: the session was resumed.
static bool visit(struct rig_client *c, const char *policy, const char *name, const char *keys)
{
    struct rig r = rig_for(policy, c);
    r.name = name;
    r.tickets = keys ? rig_tickets(keys) : NULL;
    struct str names[] = {STR_INIT(NAME), STR_INIT("b.example")};
    struct tls_bundle_item item = rig_item(&ecdsa, "e", names);
    item.n_names = 2;
    tls_store_unref(r.store);
    r.store = rig_store(&item, 1);
    rig_run(&r);
    CHECK_INT(r.err, ERR_OK);
    CHECK_INT(r.info.is_resumed, c->is_resumed);
    rig_done(&r);
    return r.info.is_resumed;
}

static void sessions_are_resumed_by_others_with_the_same_keys_and_nobody_else(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct rig_client c = {.max = versions[i]};
        CHECK(!visit(&c, "{}", NAME, "a"));
        CHECK(c.session != NULL);
        CHECK(visit(&c, "{}", NAME, "a"));
        CHECK(visit(&c, "{}", NAME, "ba")); // new keys: sealed anew by the newest
        CHECK(visit(&c, "{}", NAME, "cb")); // so the first one may go
        CHECK(!visit(&c, "{}", NAME, "d")); // none of the keys
        CHECK(visit(&c, "{}", NAME, "d"));
        CHECK(!visit(&c, "{}", "b.example", "d")); // another name, the same certificate
        CHECK(!visit(&c, "{}", NAME, "d"));        // and back: that session was the other's
        CHECK(!visit(&c, "{suites: [TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]}", NAME,
                     "d")); // another policy
        SSL_SESSION_free(c.session);
    }
}

static void a_resumed_session_keeps_the_clients_certificate(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct rig_cert client_ca, client;
    rig_cert_begin(&client_ca, TLS_CERT_ROOT, TLS_KEY_P256, "Clients", NULL);
    rig_cert_begin(&client, TLS_CERT_LEAF, TLS_KEY_P256, "me.example", &client_ca);
    rig_cert_for_client(&client, &client_ca);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct rig_client c = {.cert = &client, .max = versions[i]};
        for (size_t k = 0; k < 2; k++) {
            struct rig r = rig_for("{}", &c);
            tls_policy_free(r.policy);
            r.policy = rig_policy("{client-auth: require, client-ca: ca.pem}",
                                  text_str(&client_ca.chain_pem));
            r.tickets = rig_tickets("a");
            rig_run(&r);
            CHECK_INT(r.info.is_resumed, k == 1);
            CHECK_STR(str_of(r.peer_name), STR("me.example"));
            rig_done(&r);
        }
        c.cert = NULL; // a session that began with a certificate opens nothing without that policy
        CHECK(!visit(&c, "{}", NAME, "a"));
        SSL_SESSION_free(c.session);
    }
    rig_cert_end(&client_ca);
    rig_cert_end(&client);
}

static void without_keys_or_with_tickets_off_no_session_is_given(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct rig_client c = {.max = versions[i]};
        CHECK(!visit(&c, "{}", NAME, NULL));
        CHECK(!c.session || !SSL_SESSION_has_ticket(c.session));
        CHECK(!visit(&c, "{}", NAME, NULL));
        CHECK(!visit(&c, "{tickets: off}", NAME, "a"));
        CHECK(!c.session || !SSL_SESSION_has_ticket(c.session));
        CHECK(!visit(&c, "{tickets: off}", NAME, "a"));
        SSL_SESSION_free(c.session);
    }
}

// --- peers that don't play along ---

static void say_nothing(struct rig *r)
{
    char buf[100];
    while (read(r->client_fd, buf, sizeof buf) > 0)
        ;
}

static void a_silent_handshake_ends_at_its_deadline(void)
{
    struct rig r = rig_for("{}", NULL);
    r.client = say_nothing;
    r.handshake_ms = 20;
    rig_run(&r);
    CHECK_INT(r.err, ERR_TIMEOUT);
    CHECK_INT(r.failure.kind, TLS_FAILURE_TIMEOUT);
    rig_done(&r);
}

static void leave_at_once(struct rig *r)
{
    CHECK_INT(write(r->client_fd, "\x16\x03\x01\x02", 4), 4);
}

static void a_client_that_leaves_in_the_handshake_is_told_apart(void)
{
    struct rig r = rig_for("{}", NULL);
    r.client = leave_at_once;
    rig_run(&r);
    CHECK_INT(r.err, ERR_CLOSED);
    CHECK_INT(r.failure.kind, TLS_FAILURE_CLOSED);
    rig_done(&r);
}

static void refuse_certificate(struct rig *r)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL); // trusts nobody
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, r->client_fd);
    CHECK_INT(SSL_connect(ssl), -1);
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void an_alert_of_the_client_is_named(void)
{
    struct rig r = rig_for("{}", NULL);
    r.client = refuse_certificate;
    rig_run(&r);
    CHECK_INT(r.failure.kind, TLS_FAILURE_ALERT);
    CHECK(strstr(r.failure.text, "unknown ca") != NULL);
    rig_done(&r);
}

static uint32_t random_state;

static unsigned next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

// A ClientHello of which one byte was changed, or that was cut.
static void send_damaged_hello(struct rig *r)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_connect(ssl);
    ERR_clear_error();
    char *hello, buf[4096];
    size_t n = (size_t)BIO_get_mem_data(out, &hello);
    n = MIN(n, sizeof buf);
    memcpy(buf, hello, n);
    buf[next_random() % n] ^= (char)(1 + next_random() % 255);
    size_t sent = next_random() % 2 ? n : next_random() % n;
    if (sent > 0 && write(r->client_fd, buf, sent) < 0)
        abort();
    shutdown(r->client_fd, SHUT_WR);
    say_nothing(r);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void damaged_and_cut_hellos_end_in_an_error_and_never_in_more(void)
{
    for (random_state = 1; random_state < 60; random_state++) {
        uint32_t seed = random_state;
        struct rig r = rig_for("{}", NULL);
        r.client = send_damaged_hello;
        rig_run(&r);
        CHECK(r.err == ERR_PROTOCOL || r.err == ERR_CLOSED);
        rig_done(&r);
        random_state = seed;
    }
}

// TLS 1.2: asks for another handshake.
static void renegotiate(struct rig *r)
{
    struct rig_client c = {.max = TLS1_2_VERSION};
    SSL *ssl = rig_connect(r, &c);
    SSL_renegotiate(ssl);
    CHECK(SSL_do_handshake(ssl) != 1);
    ERR_clear_error();
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void read_until_end(struct rig *r)
{
    char buf[100];
    size_t n;
    while (stream_read(&r->stream, buf, sizeof buf, deadline_in(SOON_MS), &n) == IO_DONE)
        ;
}

static void renegotiation_is_refused(void)
{
    struct rig r = rig_for("{}", NULL);
    r.client = renegotiate;
    r.server = read_until_end;
    rig_run(&r);
    CHECK_INT(r.err, ERR_OK);
    rig_done(&r);
}

// --- the stack ---

#define PATTERN 0x5a
#define PROBE_BYTES (FIBER_STACK_BYTES - 8 * 1024)

// Where a fiber's stack was touched below here.
__attribute__((noinline)) static size_t paint_and_measure(bool is_painting, const char *top)
{
    volatile char *low = (volatile char *)(uintptr_t)top - PROBE_BYTES;
    if (is_painting) {
        for (volatile char *p = low; p < (volatile char *)__builtin_frame_address(0) - 512; p++)
            *p = PATTERN;
        return 0;
    }
    size_t n = 0;
    while (n < PROBE_BYTES && low[n] == PATTERN)
        n++;
    return PROBE_BYTES - n;
}

static size_t stack_used;

static void serve_painted(void *arg)
{
    const char *top = __builtin_frame_address(0);
    paint_and_measure(true, top);
    rig_serve(arg);
    stack_used = MAX(stack_used, paint_and_measure(false, top));
}

static void handshakes_leave_room_on_a_fibers_stack(void)
{
#if NOTES_ASAN || NOTES_TSAN
    return; // other frames, other stacks
#endif
    struct rig_cert root, mid[6], client, server;
    struct str name = STR(NAME);
    rig_cert_begin(&root, TLS_CERT_ROOT, TLS_KEY_RSA_4096, "Clients", NULL);
    for (size_t i = 0; i < ARRAY_LEN(mid); i++)
        rig_cert_begin(&mid[i], TLS_CERT_ROOT, i % 2 ? TLS_KEY_P384 : TLS_KEY_RSA_2048, "Between",
                       i == 0 ? &root : &mid[i - 1]);
    rig_cert_begin(&client, TLS_CERT_LEAF, TLS_KEY_RSA_4096, "me.example", &mid[5]);
    rig_cert_for_client(&client, &mid[5]);
    rig_cert_begin(&server, TLS_CERT_LEAF, TLS_KEY_RSA_4096, NAME, &ca);
    struct {
        const struct rig_cert *cert;
        const char *policy;
        int max;
    } cases[] = {
        {&server, "{client-auth: require, client-ca: ca.pem}", 0},
        {&server, "{client-auth: require, client-ca: ca.pem}", TLS1_2_VERSION},
        {&ecdsa, "{groups: [P-384]}", 0},
        {&ecdsa, "{}", TLS1_2_VERSION},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool is_asked = strstr(cases[i].policy, "require") != NULL;
        struct rig_client c = {.cert = is_asked ? &client : NULL, .max = cases[i].max};
        for (size_t k = 0; k < ARRAY_LEN(mid); k++)
            c.extra[k] = mid[k].cert;
        struct rig r = rig_for("{}", &c);
        tls_policy_free(r.policy);
        r.policy = rig_policy(cases[i].policy, is_asked ? text_str(&root.chain_pem) : STR_NONE);
        tls_store_unref(r.store);
        struct tls_bundle_item item = rig_item(cases[i].cert, "s", &name);
        r.store = rig_store(&item, 1);
        r.tickets = rig_tickets("a");
        r.fiber = serve_painted;
        rig_run(&r);
        CHECK_INT(r.err, ERR_OK);
        if (r.err != ERR_OK)
            printf("# case %zu: %s\n", i, r.failure.text);
        SSL_SESSION_free(c.session);
        rig_done(&r);
    }
    printf("# handshakes use %zu bytes of a stack of %d\n", stack_used, FIBER_STACK_BYTES);
    CHECK(stack_used < FIBER_STACK_BYTES / 2);
    rig_cert_end(&root);
    for (size_t i = 0; i < ARRAY_LEN(mid); i++)
        rig_cert_end(&mid[i]);
    rig_cert_end(&client);
    rig_cert_end(&server);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(handshakes_of_every_kind_succeed),
        TEST(what_isnt_shared_is_refused_with_a_reason),
        TEST(the_servers_order_of_protocols_counts),
        TEST(clients_are_asked_for_certificates_as_the_policy_says),
        TEST(sessions_are_resumed_by_others_with_the_same_keys_and_nobody_else),
        TEST(a_resumed_session_keeps_the_clients_certificate),
        TEST(without_keys_or_with_tickets_off_no_session_is_given),
        TEST(a_silent_handshake_ends_at_its_deadline),
        TEST(a_client_that_leaves_in_the_handshake_is_told_apart),
        TEST(an_alert_of_the_client_is_named),
        TEST(damaged_and_cut_hellos_end_in_an_error_and_never_in_more),
        TEST(renegotiation_is_refused),
        TEST(handshakes_leave_room_on_a_fibers_stack),
    };
    tls_init();
    rig_cert_begin(&ca, TLS_CERT_ROOT, TLS_KEY_P256, "Test root", NULL);
    rig_cert_begin(&ecdsa, TLS_CERT_LEAF, TLS_KEY_P256, NAME, &ca);
    rig_cert_begin(&rsa, TLS_CERT_LEAF, TLS_KEY_RSA_2048, NAME, &ca);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    rig_cert_end(&ca);
    rig_cert_end(&ecdsa);
    rig_cert_end(&rsa);
    return rc;
}
