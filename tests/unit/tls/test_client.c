// SPDX-License-Identifier: Apache-2.0
#include "tls/client.h"

#include "codec/base64.h"
#include "server_rig.h"

#define NAME "a.example"
#define BEFORE_ALL_S 1000000000 // long ago

static struct rig_cert ca, other_ca, good, expired, strange, lonely, of_client;

// A leaf for an address, or one that is out of date: what rig_cert_begin has not.
static void leaf_begin(struct rig_cert *c, const char *name, int64_t to_s,
                       const struct rig_cert *by)
{
    struct str names[] = {str_of(name)};
    struct tls_cert_wish wish = {
        .role = TLS_CERT_LEAF,
        .names = names,
        .n_names = 1,
        .not_before_s = BEFORE_ALL_S,
        .not_after_s = to_s,
    };
    *c = (struct rig_cert){.key = tls_key_new(TLS_KEY_P256)};
    c->cert = tls_cert_make(&wish, c->key, by ? by->cert : NULL, by ? by->key : NULL);
    if (!c->cert || !tls_cert_put_pem(c->cert, &c->chain_pem) ||
        !tls_key_put_pem(c->key, &c->key_pem))
        abort();
}

// For clients: those that the proxy makes are for servers.
static void client_begin(struct rig_cert *c, const struct rig_cert *by)
{
    *c = (struct rig_cert){.key = tls_key_new(TLS_KEY_P256), .cert = X509_new()};
    X509_set_version(c->cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c->cert), 7);
    X509_set1_notBefore(c->cert, X509_get0_notBefore(by->cert));
    X509_set1_notAfter(c->cert, X509_get0_notAfter(by->cert));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c->cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"client", -1, -1, 0);
    X509_set_issuer_name(c->cert, X509_get_subject_name(by->cert));
    X509_set_pubkey(c->cert, c->key);
    if (X509_sign(c->cert, by->key, EVP_sha256()) == 0 ||
        !tls_cert_put_pem(c->cert, &c->chain_pem) || !tls_key_put_pem(c->key, &c->key_pem))
        abort();
}

static struct conf_file file_of(const struct text *pem)
{
    return (struct conf_file){
        .path = STR("file.pem"), .content = text_str(pem), .is_set = pem->len > 0};
}

// --- both sides on one loop ---

struct talk {
    const struct rig_cert *shown; // by the server
    const char *policy;           // of the server
    struct text *client_ca;       // of the server
    struct tls_tickets *tickets;
    struct tls_client *client;
    struct str url_host;
    struct tls_session *session;
    struct str garbage; // the server says this instead
    bool is_silent;     // the server says nothing
    bool is_cut;        // the server closes at once
    bool is_late;       // the server sends another ticket when all has been said
    // Results.
    enum io io;
    struct tls_failure failure;
    struct tls_info info;
    char peer_pin[TLS_PIN_TEXT_BYTES];
    bool was_answered;
    enum io end; // after the answer
    struct stream near, far;
    struct tls_policy *built;
    struct tls_store *store;
};

// As tls_accept does, but that OpenSSL stays, as only it can write a ticket.
static enum err accept_and_keep_openssl(struct talk *t, const struct tls_accept_options *o,
                                        struct tls_failure *failure)
{
    SSL *ssl = SSL_new(tls_policy_ctx(o->policy));
    const struct tls_chain *c = o->entry->ecdsa;
    CHECK(SSL_use_cert_and_key(ssl, c->leaf, c->key, c->rest, 1) == 1);
    CHECK(SSL_set_session_id_context(ssl, (const unsigned char *)"late", 4) == 1);
    SSL_set_accept_state(ssl);
    SSL_set_app_data(ssl, (void *)(uintptr_t)o);
    tls_tickets_set(ssl, o->tickets);
    tls_conn_start(&t->far, ssl, STR_NONE);
    return tls_conn_handshake(&t->far, o->until, failure) == IO_DONE ? ERR_OK : ERR_PROTOCOL;
}

static void serve(void *arg)
{
    struct talk *t = arg;
    struct stream *s = &t->far;
    char buf[4096]; // a whole ClientHello, or closing would reset
    size_t n;
    if (t->garbage.len > 0 || t->is_silent || t->is_cut) {
        enum io io = stream_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n); // the hello
        struct iovec iov = {(void *)(uintptr_t)t->garbage.ptr, t->garbage.len};
        if (t->garbage.len > 0)
            io = stream_writev(s, &iov, 1, SOON_MS, deadline_in(SOON_MS));
        while (io == IO_DONE && !t->is_cut)
            io = stream_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n);
        stream_close(s);
        return;
    }
    struct tls_failure failure;
    const struct tls_accept_options o = {
        .policy = t->built,
        .entry = tls_store_find(t->store, STR(NAME)),
        .tickets = t->tickets,
        .server_name = STR(NAME),
        .alpn = TLS_ALPN_HTTP1,
        .until = deadline_in(SOON_MS),
    };
    enum err err =
        t->is_late ? accept_and_keep_openssl(t, &o, &failure) : tls_accept(s, &o, &failure);
    if (err == ERR_OK && stream_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n) == IO_DONE) {
        struct iovec iov = {buf, n};
        CHECK_INT(stream_writev(s, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
        if (t->is_late) {
            fiber_sleep(1); // the answer has gone alone
            SSL *ssl = tls_conn_ssl(s);
            CHECK(SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1);
            CHECK_INT(stream_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n), IO_EOF);
        }
    }
    stream_close(s);
}

// A ticket on a connection at rest is nothing to read.
static void hear_ticket(struct talk *t)
{
    char byte;
    size_t n;
    const struct ssl_session_st *before = t->session->newest;
    while (t->session->newest == before) {
        CHECK_INT(sock_wait_readable(&t->near.sock, deadline_in(SOON_MS)), IO_DONE);
        CHECK_INT(stream_try_read(&t->near, &byte, 1, &n), IO_AGAIN);
        if (test_failed)
            break;
    }
    CHECK(!stream_is_readable(&t->near));
}

static void ask(void *arg)
{
    struct talk *t = arg;
    char scratch[1024];
    struct arena mem;
    struct tls_peer peer;
    const char *why;
    arena_init(&mem, sizeof scratch * 2, scratch, sizeof scratch);
    CHECK_INT(tls_peer_parse(t->url_host, &mem, &peer, &why), ERR_OK);
    t->io = tls_connect(&t->near, t->client, &peer, t->session, TLS_OFFER_HTTP_1,
                        deadline_in(t->is_silent ? 20 : SOON_MS), &t->failure);
    if (t->io == IO_DONE) {
        uint8_t key[TLS_PIN_BYTES] = {0};
        t->info = *tls_conn_info(&t->near);
        CHECK(tls_client_peer_key(&t->near, key));
        tls_pin_text(key, t->peer_pin);
        CHECK_STR(t->info.protocol, STR("http/1.1"));
        char buf[16];
        size_t n = 0;
        struct iovec iov = {(void *)(uintptr_t) "ping", 4};
        t->was_answered =
            stream_writev(&t->near, &iov, 1, SOON_MS, deadline_in(SOON_MS)) == IO_DONE &&
            stream_read(&t->near, buf, sizeof buf, deadline_in(SOON_MS), &n) == IO_DONE && n == 4;
        if (t->is_late) {
            hear_ticket(t);
            stream_shut_write(&t->near);
        }
        t->end = stream_read(&t->near, buf, sizeof buf, deadline_in(SOON_MS), &n);
    }
    stream_close(&t->near);
    arena_fini(&mem);
    CHECK_INT(ERR_peek_error(), 0);
}

static void talk(struct talk *t)
{
    int fds[2];
    struct str name = STR(NAME);
    struct tls_session none = {.newest = NULL};
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 8});
    loop_enter(loop);
    if (t->shown) {
        struct tls_bundle_item item = rig_item(t->shown, "s", &name);
        t->built = rig_policy(t->policy ? t->policy : "{}",
                              t->client_ca ? text_str(t->client_ca) : STR_NONE);
        t->store = rig_store(&item, 1);
    }
    if (!t->session)
        t->session = &none;
    rig_tcp_pair(fds);
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0)
        abort();
    t->near = t->far = (struct stream){.ops = NULL};
    sock_init(&t->near.sock, fds[0]);
    sock_init(&t->far.sock, fds[1]);
    CHECK(fiber_start(serve, t) != NULL && fiber_start(ask, t) != NULL);
    struct loop_stats stats;
    do {
        loop_turn(loop, 100);
        loop_stats(loop, &stats);
    } while (stats.n_fibers > 0);
    loop_turn(loop, 0);
    tls_session_forget(&none);
    if (t->session == &none)
        t->session = NULL;
    tls_policy_free(t->built);
    tls_store_unref(t->store);
    t->built = NULL;
    t->store = NULL;
    loop_free(loop);
}

// --- clients ---

static struct tls_client_conf defaults(void)
{
    return (struct tls_client_conf){.verify = true, .min = TLS_VERSION_1_2, .max = TLS_VERSION_1_3};
}

static struct tls_client *take(struct tls_clients *set, const struct tls_client_conf *conf)
{
    struct diags diags = {.n = 0};
    struct tls_client *c = tls_clients_take(set, conf, NULL, &diags);
    char buf[500];
    for (size_t i = 0; i < diags.n; i++)
        printf("# " STR_FMT "\n", STR_ARG(diag_text(&diags.items[i], buf, sizeof buf)));
    diags_fini(&diags);
    return c;
}

static void pin_of(const struct rig_cert *c, char ret[static 45])
{
    struct arena mem;
    struct tls_cert_info info;
    arena_init(&mem, 1 << 16, NULL, 0);
    CHECK(tls_cert_info(c->cert, &mem, &info));
    size_t n = base64_encode(str_from((const char *)info.spki_sha256, 32), false, ret);
    ret[n] = '\0';
    arena_fini(&mem);
}

static bool says(const struct tls_failure *f, const char *part)
{
    bool has = strstr(f->text, part) != NULL;
    if (!has)
        printf("# '%s' doesn't say '%s'\n", f->text, part);
    return has;
}

static void a_server_is_verified_by_authority_name_and_dates(void)
{
    static const struct {
        const struct rig_cert *shown, *ca;
        const char *host, *says; // NULL: it is accepted
    } cases[] = {
        {&good, &ca, NAME, NULL},
        {&good, &good, NAME, NULL}, // a server's own certificate may be the authority
        {&lonely, &lonely, NAME, NULL},
        {&strange, &ca, "127.0.0.1", NULL},
        {&good, &ca, "b.example", "it has a.example; wanted b.example"},
        {&good, &ca, "127.0.0.1", "it has a.example; wanted 127.0.0.1"},
        {&strange, &ca, NAME, "it has 127.0.0.1; wanted a.example"},
        {&expired, &ca, NAME, "expired on 2020-09-13T12:26:40Z"},
        {&good, &other_ca, NAME, "unknown authority"},
        {&lonely, &ca, NAME, "it is self-signed"},
    };
    struct tls_clients *set = tls_clients_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_client_conf conf = defaults();
        conf.ca = file_of(&cases[i].ca->chain_pem);
        struct talk t = {.shown = cases[i].shown, .url_host = str_of(cases[i].host)};
        t.client = take(set, &conf);
        talk(&t);
        printf("# %s\n", t.io == IO_DONE ? "accepted" : t.failure.text);
        CHECK_INT(t.io, cases[i].says ? IO_FAIL : IO_DONE);
        if (t.io == IO_DONE) {
            CHECK(t.was_answered && t.info.has_peer_cert);
            CHECK_INT(t.end, IO_EOF);
        } else {
            CHECK_INT(t.failure.kind, TLS_FAILURE_PEER_CERTIFICATE);
            CHECK(says(&t.failure, cases[i].says) && says(&t.failure, "the pin of its key is "));
        }
        tls_client_unref(t.client);
    }
    tls_clients_free(set);
}

static void a_pinned_key_is_enough_and_another_one_is_refused(void)
{
    struct tls_clients *set = tls_clients_new();
    char pin[45], wrong[45];
    pin_of(&lonely, pin);
    pin_of(&good, wrong);
    struct conf_text texts[] = {{.text = str_of(wrong)}, {.text = str_of(pin)}};
    struct tls_client_conf conf = defaults();
    conf.pins = (struct conf_texts){texts, 2};
    struct talk t = {.shown = &lonely, .url_host = STR("10.0.0.1"), .client = take(set, &conf)};
    talk(&t);
    CHECK(t.io == IO_DONE && t.was_answered);
    tls_client_unref(t.client);

    conf.pins.n = 1;
    t = (struct talk){.shown = &lonely, .url_host = STR(NAME), .client = take(set, &conf)};
    talk(&t);
    CHECK_INT(t.io, IO_FAIL);
    CHECK_INT(t.failure.kind, TLS_FAILURE_PEER_CERTIFICATE);
    CHECK(says(&t.failure, "not one of those in 'pin'") && says(&t.failure, pin));
    tls_client_unref(t.client);

    conf.ca = file_of(&ca.chain_pem); // both must be right
    t = (struct talk){.shown = &good, .url_host = STR("b.example"), .client = take(set, &conf)};
    talk(&t);
    CHECK(t.io == IO_FAIL && says(&t.failure, "wanted b.example"));
    tls_client_unref(t.client);
    tls_clients_free(set);
}

static void a_key_that_is_learnt_is_told_also_of_resumed_sessions(void)
{
    struct tls_clients *set = tls_clients_new();
    struct conf_text text = {.text = STR(TLS_PIN_FIRST_USE)};
    struct tls_client_conf conf = defaults(), other = defaults();
    struct tls_session session = {.newest = NULL};
    char pin[45];
    pin_of(&lonely, pin);
    conf.pins = (struct conf_texts){&text, 1};
    other.verify = false;
    struct tls_client *learns = take(set, &conf), *without = take(set, &other);
    CHECK(tls_client_learns(learns) && !tls_client_learns(without));
    CHECK(memcmp(tls_client_id(learns), tls_client_id(without), TLS_CLIENT_ID_BYTES) != 0);
    char keys[80];
    memset(keys, 7, sizeof keys);
    struct tls_tickets *tickets = tls_tickets_new(str_from(keys, sizeof keys));
    for (int i = 0; i < 2; i++) {
        struct talk t = {.shown = &lonely,
                         .url_host = STR("10.0.0.1"),
                         .client = learns,
                         .tickets = tickets,
                         .session = &session};
        talk(&t);
        CHECK(t.io == IO_DONE && t.was_answered);
        CHECK(t.info.is_resumed == (i == 1));
        CHECK_STR(str_from(t.peer_pin, sizeof t.peer_pin), str_of(pin));
    }
    tls_session_forget(&session);
    tls_tickets_unref(tickets);
    tls_client_unref(learns);
    tls_client_unref(without);
    tls_clients_free(set);
}

static void without_verification_everything_is_accepted(void)
{
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf conf = defaults();
    conf.verify = false;
    struct talk t = {.shown = &expired, .url_host = STR("b.example"), .client = take(set, &conf)};
    talk(&t);
    CHECK(t.io == IO_DONE && t.was_answered && !t.info.has_peer_cert);
    tls_client_unref(t.client);
    tls_clients_free(set);
}

static void the_client_shows_its_certificate_where_one_is_required(void)
{
    struct tls_clients *set = tls_clients_new();
    for (int with = 0; with < 2; with++) {
        struct tls_client_conf conf = defaults();
        conf.ca = file_of(&ca.chain_pem);
        if (with) {
            conf.cert = file_of(&of_client.chain_pem);
            conf.key = file_of(&of_client.key_pem);
        }
        struct talk t = {.shown = &good,
                         .policy = "{client-auth: require, client-ca: x}",
                         .client_ca = &ca.chain_pem,
                         .url_host = STR(NAME),
                         .client = take(set, &conf)};
        talk(&t);
        CHECK(t.was_answered == (with == 1)); // with TLS 1.3 the refusal comes behind the handshake
        if (with)
            CHECK_INT(t.end, IO_EOF);
        tls_client_unref(t.client);
    }
    tls_clients_free(set);
}

static void versions_have_bounds(void)
{
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf conf = defaults();
    conf.ca = file_of(&ca.chain_pem);
    struct talk t = {.shown = &good,
                     .policy = "{max: \"1.2\"}",
                     .url_host = STR(NAME),
                     .client = take(set, &conf)};
    talk(&t);
    CHECK(t.io == IO_DONE && t.was_answered);
    CHECK_INT(t.info.version, 0x0303);
    tls_client_unref(t.client);
    conf.min = TLS_VERSION_1_3;
    t.client = take(set, &conf);
    talk(&t);
    CHECK_INT(t.io, IO_FAIL);
    CHECK_INT(t.failure.kind, TLS_FAILURE_ALERT);
    tls_client_unref(t.client);
    tls_clients_free(set);
}

static void sessions_are_resumed_and_forgotten(void)
{
    static const char *const policies[] = {"{max: \"1.2\"}", "{}"};
    char keys[80];
    memset(keys, 7, sizeof keys);
    struct tls_tickets *tickets = tls_tickets_new(str_from(keys, sizeof keys));
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf conf = defaults();
    conf.ca = file_of(&ca.chain_pem);
    struct tls_client *c = take(set, &conf);
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct tls_session session = {.newest = NULL};
        struct talk t = {.shown = &good,
                         .policy = policies[i],
                         .tickets = tickets,
                         .url_host = STR(NAME),
                         .client = c,
                         .session = &session};
        for (int round = 0; round < 3; round++) {
            talk(&t);
            CHECK(t.io == IO_DONE && t.was_answered && session.newest);
            CHECK(t.info.is_resumed == (round > 0));
        }
        t.is_cut = true; // what failed is not tried again
        talk(&t);
        CHECK_INT(t.io, IO_FAIL);
        CHECK(!session.newest);
        t.is_cut = false;
        talk(&t);
        CHECK(t.io == IO_DONE && !t.info.is_resumed);
        tls_session_forget(&session);
    }
    tls_client_unref(c);
    tls_clients_free(set);
    tls_tickets_unref(tickets);
}

static void a_ticket_for_a_connection_at_rest_is_kept_and_is_nothing_to_read(void)
{
    char keys[80];
    memset(keys, 7, sizeof keys);
    struct tls_tickets *tickets = tls_tickets_new(str_from(keys, sizeof keys));
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf conf = defaults();
    struct tls_session session = {.newest = NULL};
    conf.ca = file_of(&ca.chain_pem);
    struct talk t = {.shown = &good,
                     .tickets = tickets,
                     .url_host = STR(NAME),
                     .client = take(set, &conf),
                     .session = &session,
                     .is_late = true};
    talk(&t);
    CHECK(t.io == IO_DONE && t.was_answered);
    CHECK_INT(t.end, IO_EOF);
    talk(&t);
    CHECK(t.io == IO_DONE && t.info.is_resumed);
    tls_session_forget(&session);
    tls_client_unref(t.client);
    tls_clients_free(set);
    tls_tickets_unref(tickets);
}

static void what_is_no_tls_is_told(void)
{
    static const struct {
        struct talk talk;
        enum tls_failure_kind kind;
    } cases[] = {
        {{.garbage = STR_INIT("HTTP/1.1 400 Bad Request\r\n\r\n")}, TLS_FAILURE_PROTOCOL},
        {{.garbage = STR_INIT("\x15\x03\x03\x00\x02\x02\x28")}, TLS_FAILURE_ALERT},
        {{.garbage = STR_INIT("\x16\x03\x03\xff\xff")}, TLS_FAILURE_PROTOCOL},
        {{.is_cut = true}, TLS_FAILURE_CLOSED},
        {{.is_silent = true}, TLS_FAILURE_TIMEOUT},
    };
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf conf = defaults();
    conf.ca = file_of(&ca.chain_pem);
    struct tls_client *c = take(set, &conf);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct talk t = cases[i].talk;
        t.client = c;
        t.url_host = STR(NAME);
        talk(&t);
        printf("# %s\n", t.failure.text);
        CHECK_INT(t.io, IO_FAIL);
        CHECK_INT(t.failure.kind, cases[i].kind);
    }
    tls_client_unref(c);
    tls_clients_free(set);
}

static void the_same_settings_are_the_same_client(void)
{
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf conf = defaults();
    conf.ca = file_of(&ca.chain_pem);
    struct tls_client *a = take(set, &conf), *b = take(set, &conf);
    CHECK(a == b);
    conf.max = TLS_VERSION_1_2; // shares the authorities
    struct tls_client *c = take(set, &conf);
    CHECK(c != a && memcmp(tls_client_id(a), tls_client_id(c), TLS_CLIENT_ID_BYTES) != 0);
    conf.ca = file_of(&other_ca.chain_pem);
    struct tls_client *d = take(set, &conf);
    CHECK(d != c && memcmp(tls_client_id(c), tls_client_id(d), TLS_CLIENT_ID_BYTES) != 0);
    CHECK(tls_client_ref(a) == a);
    tls_client_unref(a);
    tls_client_unref(a);
    tls_client_unref(b);
    tls_client_unref(c);
    tls_client_unref(d);
    tls_client_unref(NULL);
    tls_clients_free(set);
    tls_clients_free(NULL);
}

static void files_that_cant_be_used_are_errors(void)
{
    struct text junk = {.ptr = NULL};
    text_put(&junk, STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    struct tls_clients *set = tls_clients_new();
    struct tls_client_conf none = defaults(), no_ca = defaults(), no_key = defaults(),
                           other_key = defaults();
    no_ca.ca = file_of(&junk);
    no_key.ca = other_key.ca = file_of(&ca.chain_pem);
    no_key.cert = other_key.cert = file_of(&of_client.chain_pem);
    other_key.key = file_of(&good.key_pem);
    const struct tls_client_conf *const confs[] = {&none, &no_ca, &no_key, &other_key};
    for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
        struct diags diags = {.n = 0};
        CHECK(tls_clients_take(set, confs[i], NULL, &diags) == NULL);
        CHECK_INT(diags.n_errors, 1);
        printf("# %s\n", diags.n > 0 ? diags.items[0].text : "");
        diags_fini(&diags);
    }
    // The system's file is read as far as it can be.
    text_put(&junk, text_str(&ca.chain_pem));
    struct conf_file file = file_of(&junk);
    struct tls_authorities system;
    struct diags diags = {.n = 0};
    tls_authorities_init(&system, &file);
    struct talk t = {.shown = &good,
                     .url_host = STR(NAME),
                     .client = tls_clients_take(set, &none, &system, &diags)};
    CHECK(t.client != NULL && diags.n == 0);
    talk(&t);
    CHECK(t.io == IO_DONE && t.was_answered);
    tls_client_unref(t.client);
    tls_clients_free(set);
    text_fini(&junk);
}

static void settings_that_contradict_each_other_are_errors(void)
{
    static const struct {
        const char *yaml;
        size_t n_errors, n;
    } cases[] = {
        {"{}", 0, 0},
        {"{server-name: App.Example, min: \"1.3\"}", 0, 0},
        {"{server-name: \"[2001:db8::1]\"}", 0, 0},
        {"{server-name: a_b.internal}", 0, 0},
        {"{pin: YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=}", 0, 0},
        {"{verify: off}", 0, 1},
        {"{verify: off, ca: x.pem}", 0, 2},
        {"{verify: off, pin: YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=}", 1, 1},
        {"{pin: abcd}", 1, 1},
        {"{pin: first-use}", 0, 0},
        {"{pin: First-Use}", 1, 1},
        {"{pin: [first-use, YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=]}", 1, 1},
        {"{verify: off, pin: first-use}", 1, 1},
        {"{pin: [YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=, sha256]}", 1, 1},
        {"{min: \"1.3\", max: \"1.2\"}", 1, 1},
        {"{min: \"1.1\"}", 1, 1},
        {"{key: x.pem}", 1, 1},
        {"{server-name: \"a b\"}", 1, 1},
        {"{server-name: \"a.example:443\"}", 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct tls_client_conf conf;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct conf_node *root = conf_yaml_parse(str_of(cases[i].yaml), "t.yaml", &mem, &diags);
        enum err err = conf_read(&tls_client_section, root, NULL, &mem, &diags, &conf);
        CHECK((err == ERR_OK) == (cases[i].n_errors == 0));
        if (diags.n_errors != cases[i].n_errors || diags.n != cases[i].n)
            printf("# %s\n", cases[i].yaml);
        CHECK_INT(diags.n_errors, cases[i].n_errors);
        CHECK_INT(diags.n, cases[i].n);
        for (size_t k = 0; k < diags.n; k++)
            CHECK_INT(diags.items[k].place.line, 1);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void rows_are_complete(void)
{
    struct diags diags = {.n = 0};
    CHECK_INT(conf_check_tables(&tls_client_section, &diags), ERR_OK);
    for (size_t i = 0; i < diags.n; i++)
        printf("# %s\n", diags.items[i].text);
    diags_fini(&diags);
}

static const struct test_case cases[] = {
    TEST(a_server_is_verified_by_authority_name_and_dates),
    TEST(a_pinned_key_is_enough_and_another_one_is_refused),
    TEST(without_verification_everything_is_accepted),
    TEST(the_client_shows_its_certificate_where_one_is_required),
    TEST(versions_have_bounds),
    TEST(sessions_are_resumed_and_forgotten),
    TEST(a_ticket_for_a_connection_at_rest_is_kept_and_is_nothing_to_read),
    TEST(what_is_no_tls_is_told),
    TEST(the_same_settings_are_the_same_client),
    TEST(files_that_cant_be_used_are_errors),
    TEST(a_key_that_is_learnt_is_told_also_of_resumed_sessions),
    TEST(settings_that_contradict_each_other_are_errors),
    TEST(rows_are_complete),
};

int main(int argc, char **argv)
{
    tls_init();
    rig_cert_begin(&ca, TLS_CERT_ROOT, TLS_KEY_P256, "Test root", NULL);
    rig_cert_begin(&other_ca, TLS_CERT_ROOT, TLS_KEY_P256, "Another root", NULL);
    leaf_begin(&good, NAME, MADE_TO_S, &ca);
    leaf_begin(&expired, NAME, 1600000000, &ca);
    leaf_begin(&strange, "127.0.0.1", MADE_TO_S, &ca);
    leaf_begin(&lonely, NAME, MADE_TO_S, NULL);
    client_begin(&of_client, &ca);
    int failed = test_main(argc, argv, cases, ARRAY_LEN(cases));
    struct rig_cert *const certs[] = {&ca,      &other_ca, &good,     &expired,
                                      &strange, &lonely,   &of_client};
    for (size_t i = 0; i < ARRAY_LEN(certs); i++)
        rig_cert_end(certs[i]);
    return failed;
}
