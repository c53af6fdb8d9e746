// SPDX-License-Identifier: Apache-2.0
#include "gate/door.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>

#include "http/exchange.h"
#include "unit/tls/server_rig.h"

#define NAME "a.example"
#define CLIENTS_MAX 4

// A worker's part of the gate, as far as the door needs it.
struct world {
    struct rt_loop *loop;
    struct http_env env;
    struct http_listener listener;
    struct http_entry entry;
    struct door *door;
    struct door_conf conf;
    unsigned n_begun, n_ended, n_exchanges;
    bool takes; // the hook takes every connection
    struct door_guest taken;
};

static struct world w;
static struct rig_cert ca, cert, other;
static struct tls_policy *policy;

static void begin_exchange(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    (void)env, (void)l;
    x->entry = &w.entry;
    x->snapshot = &w;
}

static enum err serve(struct http_env *env, struct exchange *x)
{
    (void)env;
    w.n_exchanges++;
    const struct tls_info *tls = x->tls;
    struct str text = arena_printf(x->mem, STR_FMT " " STR_FMT " %s", STR_ARG(x->req.scheme),
                                   STR_ARG(tls->server_name), tls->version_text);
    return exchange_respond(x, 200, STR("text/plain"), text);
}

static void finish(struct http_env *env, struct exchange *x)
{
    (void)env, (void)x;
}

static const struct http_app app = {.begin = begin_exchange, .serve = serve, .finish = finish};

static const struct door_conf *begin(struct http_listener *l, void **ret_snapshot)
{
    (void)l;
    w.n_begun++;
    *ret_snapshot = &w;
    return &w.conf;
}

static void end(struct http_listener *l, void *snapshot)
{
    CHECK(l == &w.listener && snapshot == &w);
    w.n_ended++;
}

static bool take(struct door_guest *g)
{
    if (!w.takes)
        return false;
    CHECK_INT((int64_t)w.env.stats.counters[HTTP_COUNTER_CONNS_OPEN], 1);
    door_hand_over(g); // it isn't counted twice
    CHECK_INT((int64_t)w.env.stats.counters[HTTP_COUNTER_CONNS_OPEN], 0);
    CHECK_INT(w.listener.n_conns, 0);
    w.taken = *g;
    stream_move(&g->stream, &w.taken.stream);
    CHECK_STR(g->server_name, STR(NAME));
    CHECK(g->early.len > 100 && g->early.ptr[0] == 22);
    struct iovec iov = {(char[]){"taken"}, 5};
    CHECK_INT(stream_writev(&w.taken.stream, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    stream_close(&w.taken.stream);
    return true;
}

static const struct door_app door_app = {.begin = begin, .end = end, .take = take};

static void open_world(uint32_t handshakes_max)
{
    w = (struct world){.loop = loop_new(&(struct loop_options){.fibers_max = 64})};
    loop_enter(w.loop);
    http_env_init(&w.env, &app, &w, 100);
    w.listener = (struct http_listener){.env = &w.env, .first_ms = SOON_MS};
    w.entry = (struct http_entry){
        .limits = {.line_max_bytes = 8000, .head_max_bytes = 16000, .fields_max = 100},
        .exchange_mem_bytes = 1 << 20,
        .idle_ms = SOON_MS,
        .head_ms = SOON_MS,
        .body_idle_ms = SOON_MS,
        .tunnel_idle_ms = SOON_MS,
    };
    w.conf = (struct door_conf){.policy = policy, .handshake_ms = SOON_MS};
    w.door = door_new(&w.env, &door_app, handshakes_max);
    struct str name = STR(NAME);
    struct tls_bundle_item item = rig_item(&cert, "c", &name);
    struct tls_store *store = rig_store(&item, 1);
    door_set_store(w.door, store);
    tls_store_unref(store);
}

static uint32_t n_fibers(void)
{
    struct loop_stats stats;
    loop_stats(w.loop, &stats);
    return stats.n_fibers;
}

static uint64_t count_of(enum door_counter c)
{
    return door_stats(w.door)->counters[c];
}

static uint64_t n_open(void)
{
    return w.env.stats.counters[HTTP_COUNTER_CONNS_OPEN];
}

// Every connection has ended, and nothing is left of any.
static void close_world(void)
{
    int64_t until_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    while ((n_open() > 0 || n_fibers() > 0) && clock_exact_ns() < until_ns)
        loop_turn(w.loop, 20);
    CHECK_INT(n_open(), 0);
    CHECK_INT(w.env.stats.counters[HTTP_COUNTER_CONNS_IDLE], 0);
    CHECK_INT(w.listener.n_conns, 0);
    CHECK_INT(w.env.buffers.n_out, 0);
    CHECK_INT(w.env.blocks.n_out, 0);
    CHECK_INT(w.n_begun, w.n_ended);
    CHECK_INT(count_of(DOOR_COUNTER_OPEN), 0);
    door_free(w.door);
    http_env_fini(&w.env);
    loop_free(w.loop);
}

// A connection at the door; the client's end.
static int knock(int64_t handshake_ms)
{
    int fds[2];
    rig_tcp_pair(fds);
    struct rt_addr peer = {.len = sizeof peer.u};
    if (getpeername(fds[1], &peer.u.any, &peer.len) != 0)
        abort();
    door_accept(w.door, &w.listener, handshake_ms, fds[1], &peer);
    return fds[0];
}

struct visit {
    struct rig rig; // for rig_connect
    struct rig_client client;
    void (*fn)(struct visit *v);
    pthread_t thread;
    atomic_bool is_over, is_resting;
    char got[2000];
    size_t n_got;
};

static void *visit_in_thread(void *arg)
{
    struct visit *v = arg;
    v->fn(v);
    close(v->rig.client_fd);
    atomic_store(&v->is_over, true);
    return NULL;
}

// One client from its connection to its end.
static void run_visit(struct visit *v, int64_t handshake_ms)
{
    v->rig.client_fd = knock(handshake_ms);
    if (pthread_create(&v->thread, NULL, visit_in_thread, v) != 0)
        abort();
    while (!atomic_load(&v->is_over))
        loop_turn(w.loop, 20);
    pthread_join(v->thread, NULL);
    SSL_SESSION_free(v->client.session);
}

// Until the other side closes.
static void read_all(struct visit *v)
{
    ssize_t n;
    while (v->n_got < sizeof v->got &&
           (n = read(v->rig.client_fd, v->got + v->n_got, sizeof v->got - v->n_got)) > 0)
        v->n_got += (size_t)n;
}

static void send_text(struct visit *v, const char *text, size_t n)
{
    if (write(v->rig.client_fd, text, n) != (ssize_t)n)
        abort();
}

static struct str got(const struct visit *v)
{
    return str_from(v->got, v->n_got);
}

static const char request[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

// Reads answers until n of them are there.
static void read_answers(struct visit *v, SSL *ssl, unsigned n_wanted)
{
    for (unsigned n = 0; n < n_wanted && v->n_got < sizeof v->got;) {
        size_t got_n = 0;
        if (SSL_read_ex(ssl, v->got + v->n_got, sizeof v->got - v->n_got, &got_n) != 1)
            break;
        v->n_got += got_n;
        n = 0;
        for (struct str rest = got(v); str_search(rest, STR("TLSv1.")) != STR_NPOS; n++)
            rest = str_skip(rest, str_search(rest, STR("TLSv1.")) + 1);
    }
}

static void ask_once(struct visit *v)
{
    SSL *ssl = rig_connect(&v->rig, &v->client);
    if (!ssl)
        return;
    SSL_write(ssl, request, sizeof request - 1);
    read_answers(v, ssl, 1);
    SSL_shutdown(ssl);
    SSL_free(ssl);
}

static void a_request_over_tls_knows_its_name_and_version(void)
{
    static const struct {
        int max;
        const char *wanted;
    } cases[] = {{TLS1_2_VERSION, "https a.example TLSv1.2"}, {0, "https a.example TLSv1.3"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        open_world(10);
        struct visit v = {.rig = {.name = NAME}, .client = {.max = cases[i].max}, .fn = ask_once};
        run_visit(&v, SOON_MS);
        CHECK(str_search(got(&v), str_of(cases[i].wanted)) != STR_NPOS);
        CHECK_INT(count_of(DOOR_COUNTER_DONE), 1);
        close_world();
    }
}

// Two requests in records of their own that arrive together, and then one more.
static void ask_thrice(struct visit *v)
{
    SSL *ssl = rig_connect(&v->rig, &v->client);
    int on = 1, off = 0;
    setsockopt(v->rig.client_fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    SSL_write(ssl, request, sizeof request - 1);
    SSL_write(ssl, request, sizeof request - 1);
    setsockopt(v->rig.client_fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    read_answers(v, ssl, 2);
    SSL_write(ssl, request, sizeof request - 1);
    read_answers(v, ssl, 3);
    SSL_shutdown(ssl);
    SSL_free(ssl);
}

static void requests_in_records_that_arrive_together_are_all_answered(void)
{
    open_world(10);
    struct visit v = {.rig = {.name = NAME}, .fn = ask_thrice};
    run_visit(&v, SOON_MS);
    CHECK_INT(w.n_exchanges, 3);
    close_world();
}

// The ClientHello byte by byte.
static void ask_slowly(struct visit *v)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_tlsext_host_name(ssl, (void *)(uintptr_t)v->rig.name);
    SSL_connect(ssl);
    ERR_clear_error();
    char *hello;
    long n = BIO_get_mem_data(out, &hello);
    int on = 1;
    setsockopt(v->rig.client_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (long i = 0; i < n; i++)
        send_text(v, hello + i, 1);
    SSL_set_fd(ssl, v->rig.client_fd);
    CHECK_INT(SSL_connect(ssl), 1);
    SSL_write(ssl, request, sizeof request - 1);
    read_answers(v, ssl, 1);
    SSL_shutdown(ssl);
    SSL_free(ssl);
}

static void a_client_hello_in_single_bytes_is_understood(void)
{
    open_world(10);
    struct visit v = {.rig = {.name = NAME}, .fn = ask_slowly};
    run_visit(&v, SOON_MS);
    CHECK_INT(w.n_exchanges, 1);
    close_world();
}

static void ask_and_stay(struct visit *v)
{
    SSL *ssl = rig_connect(&v->rig, &v->client);
    SSL_write(ssl, request, sizeof request - 1);
    read_answers(v, ssl, 1);
    atomic_store(&v->is_resting, true);
    char buf[100];
    while (read(v->rig.client_fd, buf, sizeof buf) > 0)
        ;
    SSL_free(ssl);
}

// A record that comes byte by byte is no request: it doesn't keep an idle connection alive.
static void bytes_of_tls_alone_dont_lengthen_the_life_of_an_idle_connection(void)
{
    open_world(10);
    w.entry.idle_ms = 600;
    struct visit v = {.rig = {.name = NAME}, .fn = ask_and_stay};
    v.rig.client_fd = knock(SOON_MS);
    if (pthread_create(&v.thread, NULL, visit_in_thread, &v) != 0)
        abort();
    while (!atomic_load(&v.is_resting) || w.env.stats.counters[HTTP_COUNTER_CONNS_IDLE] == 0)
        loop_turn(w.loop, 5);
    CHECK_INT(w.env.buffers.n_out, 0);
    CHECK_INT(n_fibers(), 0);
    send_text(&v, "\x17\x03\x03\x40", 4);
    size_t n_bytes = 0;
    for (; n_open() > 0 && n_bytes < 2000; n_bytes++) {
        if (send(v.rig.client_fd, "", 1, MSG_NOSIGNAL) != 1)
            break;
        loop_turn(w.loop, 5); // takes the byte
        loop_turn(w.loop, 5); // waits
    }
    CHECK(n_bytes < 2000);
    close_world();
    pthread_join(v.thread, NULL);
    SSL_SESSION_free(v.client.session);
}

static void speak_plainly(struct visit *v)
{
    send_text(v, request, sizeof request - 1);
    read_all(v);
}

static void plain_http_is_told_that_this_port_speaks_https(void)
{
    open_world(10);
    struct visit v = {.fn = speak_plainly};
    run_visit(&v, SOON_MS);
    struct str head, body, answer = got(&v);
    CHECK(str_starts(answer, STR("HTTP/1.1 400 ")));
    size_t at = str_search(answer, STR("\r\n\r\n"));
    CHECK(at != STR_NPOS);
    head = str_first(answer, at);
    body = str_skip(answer, at + 4);
    char length[40];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", body.len);
    CHECK(str_search(head, str_of(length)) != STR_NPOS);
    CHECK(str_search(body, STR("HTTPS")) != STR_NPOS);
    CHECK_INT(count_of(DOOR_COUNTER_PLAIN_HTTP), 1);
    close_world();
}

static void speak_nonsense(struct visit *v)
{
    send_text(v, "\x01\x02\x03 nonsense", 12);
    read_all(v);
}

static void speak_broken_tls(struct visit *v)
{
    send_text(v, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff", 10);
    read_all(v);
}

static void what_is_no_client_hello_is_refused(void)
{
    open_world(10);
    struct visit nonsense = {.fn = speak_nonsense}, broken = {.fn = speak_broken_tls};
    run_visit(&nonsense, SOON_MS);
    run_visit(&broken, SOON_MS);
    CHECK_INT(nonsense.n_got, 0);
    CHECK_STR(got(&broken), str_from("\x15\x03\x03\x00\x02\x02\x32", 7)); // decode_error
    CHECK_INT(count_of(DOOR_COUNTER_BAD_HELLO), 2);
    close_world();
}

static void unknown_names_get_the_default_certificate_or_an_alert(void)
{
    open_world(10);
    struct visit first = {.rig = {.name = "b.example"}, .fn = ask_once};
    run_visit(&first, SOON_MS);
    CHECK_INT(first.client.alert, TLS_ALERT_UNRECOGNIZED_NAME); // there is no default

    struct str name = STR(NAME);
    struct tls_bundle_item item = rig_item(&cert, "c", &name);
    item.is_default = true;
    struct tls_store *store = rig_store(&item, 1);
    door_set_store(w.door, store);
    tls_store_unref(store);
    struct visit second = {.rig = {.name = "b.example"}, .fn = ask_once};
    run_visit(&second, SOON_MS);
    CHECK(str_search(got(&second), STR("https b.example")) != STR_NPOS);

    w.conf.strict_sni = true;
    struct visit third = {.rig = {.name = NULL}, .fn = ask_once};
    run_visit(&third, SOON_MS);
    CHECK_INT(third.client.alert, TLS_ALERT_UNRECOGNIZED_NAME);
    CHECK_INT(count_of(DOOR_COUNTER_UNKNOWN_NAME), 2);
    close_world();
}

static void a_silent_connection_holds_no_fiber_and_no_buffer_and_ends(void)
{
    open_world(10);
    int fd = knock(30);
    loop_turn(w.loop, 0);
    CHECK_INT(n_fibers(), 0);
    CHECK_INT(w.env.buffers.n_out, 0);
    CHECK_INT(n_open(), 1);
    struct visit v = {.rig = {.client_fd = fd}};
    close_world(); // by its deadline
    read_all(&v);
    CHECK_INT(v.n_got, 0);
    close(fd);
}

static void a_client_hello_that_stalls_ends_with_the_time_for_handshakes(void)
{
    open_world(10);
    int fd = knock(30);
    CHECK_INT(write(fd, "\x16\x03", 2), 2);
    while (n_open() > 0)
        loop_turn(w.loop, 20);
    CHECK_INT(count_of(DOOR_COUNTER_SLOW), 1);
    close_world();
    close(fd);
}

static void beyond_the_limit_the_oldest_handshake_ends(void)
{
    int fds[CLIENTS_MAX];
    open_world(2);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        fds[i] = knock(SOON_MS);
        CHECK_INT(write(fds[i], "\x16", 1), 1);
        while (count_of(DOOR_COUNTER_OPEN) < MIN(i + 1, 2u) ||
               count_of(DOOR_COUNTER_CROWDED) < (i < 2 ? 0 : i - 1))
            loop_turn(w.loop, 20);
        loop_turn(w.loop, 0);
    }
    CHECK_INT(count_of(DOOR_COUNTER_CROWDED), 2);
    CHECK_INT(n_open(), 2);
    char byte;
    CHECK_INT(read(fds[0], &byte, 1), 0);
    CHECK_INT(read(fds[1], &byte, 1), 0);
    http_env_abort(&w.env);
    close_world();
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        close(fds[i]);
}

static void a_drain_and_an_abort_end_those_at_the_door(void)
{
    open_world(10);
    int silent = knock(SOON_MS), stalled = knock(SOON_MS);
    CHECK_INT(write(stalled, "\x16", 1), 1);
    while (count_of(DOOR_COUNTER_OPEN) < 1)
        loop_turn(w.loop, 20);
    http_env_drain(&w.env, 10);
    while (n_open() > 1) // the silent one
        loop_turn(w.loop, 20);
    http_env_abort(&w.env);
    close_world();
    close(silent);
    close(stalled);
}

static void prove_challenge(struct visit *v)
{
    SSL *ssl = rig_connect(&v->rig, &v->client);
    if (!ssl)
        return;
    char byte;
    v->n_got = SSL_read(ssl, &byte, 1) == 0 ? 1 : 0; // an orderly end, and no byte before it
    SSL_free(ssl);
}

static void a_challenge_is_answered_with_its_own_certificate_and_nothing_else(void)
{
    open_world(10);
    struct str name = STR(NAME);
    struct tls_bundle_item item = rig_item(&other, "challenge", &name);
    struct tls_store *store = rig_store(&item, 1);
    door_set_challenges(w.door, store);
    tls_store_unref(store);
    struct visit v = {
        .rig = {.name = NAME}, .client = {.alpn = TLS_ALPN_ACME}, .fn = prove_challenge};
    run_visit(&v, SOON_MS);
    CHECK_INT(v.client.key_type, EVP_PKEY_RSA); // only the challenge's is
    CHECK_INT(v.n_got, 1);
    struct visit usual = {.rig = {.name = NAME}, .fn = ask_once};
    run_visit(&usual, SOON_MS);
    CHECK_INT(usual.client.key_type, EVP_PKEY_EC);
    struct visit unknown = {
        .rig = {.name = "b.example"}, .client = {.alpn = TLS_ALPN_ACME}, .fn = prove_challenge};
    run_visit(&unknown, SOON_MS);
    CHECK_INT(unknown.client.alert, TLS_ALERT_UNRECOGNIZED_NAME);
    CHECK_INT(w.n_exchanges, 1);
    close_world();
}

static void say_hello(struct visit *v)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_tlsext_host_name(ssl, (void *)(uintptr_t)v->rig.name);
    SSL_connect(ssl);
    ERR_clear_error();
    char *hello;
    long n = BIO_get_mem_data(out, &hello);
    send_text(v, hello, (size_t)n);
    read_all(v);
    SSL_free(ssl);
}

static void a_route_may_take_the_connection_before_any_tls(void)
{
    open_world(10);
    w.takes = true;
    struct visit v = {.rig = {.name = NAME}, .fn = say_hello};
    run_visit(&v, SOON_MS);
    CHECK_STR(got(&v), STR("taken"));
    CHECK_INT(count_of(DOOR_COUNTER_TAKEN), 1);
    close_world();
}

static void a_name_may_have_a_policy_of_its_own(void)
{
    open_world(10);
    struct tls_policy *modern = rig_policy("{preset: modern}", STR_NONE);
    (void)map_set(&w.conf.policies, STR(NAME), modern);
    struct visit old = {.rig = {.name = NAME}, .client = {.max = TLS1_2_VERSION}, .fn = ask_once};
    run_visit(&old, SOON_MS);
    CHECK_INT(old.client.rc, -1);
    CHECK_INT(door_stats(w.door)->failures[TLS_FAILURE_NOTHING_SHARED], 1);
    struct visit v = {.rig = {.name = NAME}, .fn = ask_once};
    run_visit(&v, SOON_MS);
    CHECK_INT(w.n_exchanges, 1);
    map_fini(&w.conf.policies);
    tls_policy_free(modern);
    close_world();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(a_request_over_tls_knows_its_name_and_version),
        TEST(requests_in_records_that_arrive_together_are_all_answered),
        TEST(a_client_hello_in_single_bytes_is_understood),
        TEST(bytes_of_tls_alone_dont_lengthen_the_life_of_an_idle_connection),
        TEST(plain_http_is_told_that_this_port_speaks_https),
        TEST(what_is_no_client_hello_is_refused),
        TEST(unknown_names_get_the_default_certificate_or_an_alert),
        TEST(a_silent_connection_holds_no_fiber_and_no_buffer_and_ends),
        TEST(a_client_hello_that_stalls_ends_with_the_time_for_handshakes),
        TEST(beyond_the_limit_the_oldest_handshake_ends),
        TEST(a_drain_and_an_abort_end_those_at_the_door),
        TEST(a_challenge_is_answered_with_its_own_certificate_and_nothing_else),
        TEST(a_route_may_take_the_connection_before_any_tls),
        TEST(a_name_may_have_a_policy_of_its_own),
    };
    tls_init();
    rig_cert_begin(&ca, TLS_CERT_ROOT, TLS_KEY_P256, "Test root", NULL);
    rig_cert_begin(&cert, TLS_CERT_LEAF, TLS_KEY_P256, NAME, &ca);
    rig_cert_begin(&other, TLS_CERT_LEAF, TLS_KEY_RSA_2048, NAME, &ca);
    policy = rig_policy("{}", STR_NONE);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    tls_policy_free(policy);
    rig_cert_end(&ca);
    rig_cert_end(&cert);
    rig_cert_end(&other);
    return rc;
}
