// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include "server_rig.h"

#define NAME "a.example"
#define MUCH (3u * 1024 * 1024)

static struct rig_cert cert;
static struct tls_policy *policy;
static struct tls_store *store;

static struct rig rig_of(void (*server)(struct rig *r), void (*client)(struct rig *r))
{
    return (struct rig){
        .policy = policy, .store = store, .name = NAME, .server = server, .client = client};
}

static uint32_t random_of(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static char byte_at(size_t i)
{
    return (char)(i * 31 + i / 256);
}

static char *make_bytes(size_t n)
{
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(i);
    return bytes;
}

// --- much, both ways at once, in random pieces ---

struct duplex {
    struct rig *r;
    size_t n_sent;
    bool has_sent;
};

static void send_much(void *arg)
{
    struct duplex *d = arg;
    char *bytes = make_bytes(MUCH);
    uint32_t state = 7;
    while (d->n_sent < MUCH) {
        struct iovec iov[5];
        size_t n = 0;
        for (size_t i = 0; i < ARRAY_LEN(iov); i++) {
            // Empty, tiny, about a record, several records.
            static const size_t sizes[] = {1, 300, 17000, 70000};
            size_t take = random_of(&state) % sizes[random_of(&state) % 4];
            take = MIN(take, MUCH - d->n_sent - n);
            iov[i] = (struct iovec){bytes + d->n_sent + n, take};
            n += take;
        }
        if (stream_writev(&d->r->stream, iov, 5, SOON_MS, deadline_in(SOON_MS)) != IO_DONE)
            break;
        d->n_sent += n;
        fiber_give_way((uint32_t)n);
    }
    CHECK_INT(d->n_sent, MUCH);
    free(bytes);
    d->has_sent = true;
}

static void exchange_much(struct rig *r)
{
    struct duplex d = {.r = r};
    char buf[9000];
    size_t at = 0, n;
    uint32_t state = 9;
    CHECK(fiber_start(send_much, &d) != NULL);
    while (at < MUCH) {
        size_t most = 1 + random_of(&state) % sizeof buf;
        if (stream_read(&r->stream, buf, most, deadline_in(SOON_MS), &n) != IO_DONE)
            break;
        bool is_same = true;
        for (size_t i = 0; i < n; i++)
            is_same &= buf[i] == byte_at(at + i);
        CHECK(is_same);
        at += n;
        fiber_give_way((uint32_t)n);
    }
    CHECK_INT(at, MUCH);
    while (!d.has_sent)
        fiber_yield();
}

// Reads and writes as the socket allows, so that neither side can hold up the other.
static void exchange_much_too(struct rig *r)
{
    struct rig_client c = {.max = *(int *)r->arg};
    SSL *ssl = rig_connect(r, &c);
    char *bytes = make_bytes(MUCH), buf[20000];
    size_t put = 0, at = 0, most = 0, n;
    uint32_t state = 11;
    bool is_same = true;
    fcntl(r->client_fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    while ((put < MUCH || at < MUCH) && is_same) {
        if (most == 0) { // else it is tried again, and must be the same
            most = 1 + random_of(&state) % 40000;
            most = MIN(most, MUCH - put);
        }
        if (put < MUCH && SSL_write_ex(ssl, bytes + put, most, &n) == 1) {
            put += n;
            most = 0;
        }
        while (at < MUCH && SSL_read_ex(ssl, buf, 1 + random_of(&state) % sizeof buf, &n) == 1) {
            is_same &= memcmp(buf, bytes + at, n) == 0;
            at += n;
        }
        ERR_clear_error();
        struct pollfd p = {r->client_fd, (short)(POLLIN | (put < MUCH ? POLLOUT : 0)), 0};
        if (at < MUCH && poll(&p, 1, SOON_MS) <= 0)
            break;
    }
    CHECK_INT(put, MUCH);
    CHECK_INT(at, MUCH);
    CHECK(is_same);
    free(bytes);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void megabytes_pass_both_ways_at_once(void)
{
    int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct rig r = rig_of(exchange_much, exchange_much_too);
        r.arg = &versions[i];
        rig_run(&r);
        CHECK_INT(r.err, ERR_OK);
    }
}

// --- ends ---

static enum io read_some(struct rig *r, struct str *ret)
{
    static char buf[100];
    size_t n = 0;
    enum io io = stream_read(&r->stream, buf, sizeof buf, deadline_in(SOON_MS), &n);
    *ret = str_from(buf, n);
    return io;
}

// Hears the client's end and answers all the same.
static void answer_after_the_end(struct rig *r)
{
    struct str got;
    CHECK_INT(read_some(r, &got), IO_DONE);
    CHECK_STR(got, STR("last words"));
    CHECK_INT(read_some(r, &got), IO_EOF);
    CHECK_INT(read_some(r, &got), IO_EOF);
    struct iovec iov = {(char[]){"answer"}, 6};
    CHECK_INT(stream_writev(&r->stream, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    stream_shut_write(&r->stream);
}

static void end_and_listen(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    CHECK_INT(SSL_write(ssl, "last words", 10), 10);
    CHECK_INT(SSL_shutdown(ssl), 0); // close_notify; the other direction goes on
    char buf[100];
    CHECK_INT(SSL_read(ssl, buf, sizeof buf), 6);
    CHECK_INT(SSL_read(ssl, buf, sizeof buf), 0);
    CHECK_INT(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void a_client_that_has_ended_its_side_still_gets_its_answer(void)
{
    struct rig r = rig_of(answer_after_the_end, end_and_listen);
    rig_run(&r);
}

// Our end first; what the client says afterwards is still heard.
static void end_first(struct rig *r)
{
    struct str got;
    stream_shut_write(&r->stream);
    CHECK_INT(read_some(r, &got), IO_DONE);
    CHECK_STR(got, STR("after"));
    CHECK_INT(read_some(r, &got), IO_EOF);
}

static void talk_after_the_end(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    char buf[100];
    CHECK_INT(SSL_read(ssl, buf, sizeof buf), 0);
    CHECK_INT(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
    CHECK_INT(SSL_write(ssl, "after", 5), 5);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void our_end_leaves_the_other_direction_open(void)
{
    struct rig r = rig_of(end_first, talk_after_the_end);
    rig_run(&r);
}

static void hear_the_cut(struct rig *r)
{
    struct str got;
    CHECK_INT(read_some(r, &got), IO_DONE);
    CHECK_INT(read_some(r, &got), IO_FAIL);
    CHECK_INT(r->stream.sock.error, ECONNRESET);
    CHECK_INT(read_some(r, &got), IO_FAIL);
    struct iovec iov = {(char[]){"x"}, 1};
    CHECK_INT(stream_writev(&r->stream, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_FAIL);
}

static void cut(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    CHECK_INT(SSL_write(ssl, "half a me", 9), 9);
    shutdown(r->client_fd, SHUT_WR); // no close_notify
    char buf[100];
    CHECK(SSL_read(ssl, buf, sizeof buf) <= 0);
    ERR_clear_error();
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void an_end_without_close_notify_is_a_cut(void)
{
    struct rig r = rig_of(hear_the_cut, cut);
    rig_run(&r);
}

static void reset(struct rig *r)
{
    struct iovec iov = {(char[]){"half"}, 4};
    CHECK_INT(stream_writev(&r->stream, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    stream_reset(&r->stream);
    CHECK(stream_is_plain(&r->stream) && r->stream.sock.fd < 0);
    sock_init(&r->stream.sock, dup(0)); // for rig_serve to close
}

static void hear_the_reset(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    char buf[100];
    int n;
    while ((n = SSL_read(ssl, buf, sizeof buf)) > 0)
        ;
    CHECK(SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN);
    ERR_clear_error();
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void a_reset_stream_never_looks_like_an_orderly_end(void)
{
    struct rig r = rig_of(reset, hear_the_reset);
    rig_run(&r);
}

static void send_garbage(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    // A record that nobody sealed.
    CHECK_INT(write(r->client_fd, "\x17\x03\x03\x00\x18garbage garbage garbage!", 29), 29);
    char buf[100];
    CHECK(SSL_read(ssl, buf, sizeof buf) <= 0);
    c.alert = ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET;
    CHECK_INT(c.alert, SSL_AD_BAD_RECORD_MAC);
    ERR_clear_error();
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void hear_garbage(struct rig *r)
{
    struct str got;
    CHECK_INT(read_some(r, &got), IO_FAIL);
    CHECK_INT(r->stream.sock.error, EPROTO);
}

static void a_record_that_wasnt_sealed_ends_the_connection_with_an_alert(void)
{
    struct rig r = rig_of(hear_garbage, send_garbage);
    rig_run(&r);
}

// --- waiting ---

static void write_to_nobody(struct rig *r)
{
    char *bytes = make_bytes(8 * MUCH);
    struct iovec iov = {bytes, 8 * MUCH};
    CHECK_INT(stream_writev(&r->stream, &iov, 1, 30, deadline_in(SOON_MS)), IO_FAIL);
    CHECK_INT(r->stream.sock.error, ETIMEDOUT);
    free(bytes);
    shutdown(r->client_fd, SHUT_RDWR); // wakes the client
}

static void read_nothing(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    struct pollfd p = {r->client_fd, 0, 0};
    poll(&p, 1, SOON_MS);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void a_client_that_takes_nothing_runs_into_the_limit(void)
{
    struct rig r = rig_of(write_to_nobody, read_nothing);
    rig_run(&r);
}

static void fill_the_socket(struct rig *r)
{
    char *bytes = make_bytes(MUCH);
    struct iovec iov = {bytes, MUCH};
    size_t n;
    enum io io;
    do {
        io = stream_try_writev(&r->stream, &iov, 1, &n);
    } while (io == IO_DONE);
    CHECK_INT(io, IO_AGAIN);
    CHECK_INT(stream_try_flush(&r->stream), IO_AGAIN);
    free(bytes);
    shutdown(r->client_fd, SHUT_RDWR); // wakes the client
}

static void what_the_socket_did_not_take_is_told(void)
{
    struct rig r = rig_of(fill_the_socket, read_nothing);
    rig_run(&r);
}

// Two records that came together: the second lies in OpenSSL, and no event tells of it.
static void read_by_asking(struct rig *r)
{
    char byte;
    size_t n;
    CHECK_INT(stream_read(&r->stream, &byte, 1, deadline_in(SOON_MS), &n), IO_DONE);
    for (unsigned i = 1; i < 6; i++) {
        CHECK(stream_is_readable(&r->stream));
        CHECK_INT(stream_try_read(&r->stream, &byte, 1, &n), IO_DONE);
        CHECK_INT(byte, "abcdef"[i]);
    }
    while (stream_is_readable(&r->stream))
        CHECK_INT(stream_try_read(&r->stream, &byte, 1, &n), IO_AGAIN);
    struct iovec iov = {&byte, 1};
    CHECK_INT(stream_try_writev(&r->stream, &iov, 1, &n), IO_DONE);
    CHECK_INT(n, 1);
    CHECK_INT(stream_try_flush(&r->stream), IO_DONE);
}

static void write_two_records_at_once(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    char records[200];
    BIO *out = BIO_new(BIO_s_mem());
    BIO_up_ref(out);
    SSL_set0_wbio(ssl, out);
    SSL_write(ssl, "abc", 3);
    SSL_write(ssl, "def", 3);
    int n = BIO_read(out, records, sizeof records);
    BIO_free(out);
    CHECK_INT(write(r->client_fd, records, (size_t)n), n);
    CHECK_INT(SSL_read(ssl, records, sizeof records), 1);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void what_lies_in_openssl_counts_as_readable(void)
{
    struct rig r = rig_of(read_by_asking, write_two_records_at_once);
    rig_run(&r);
}

// A change of keys asked for by the client, in the middle of things.
static void change_keys(struct rig *r)
{
    struct rig_client c = {.max = 0};
    SSL *ssl = rig_connect(r, &c);
    char buf[10];
    for (unsigned i = 0; i < 20; i++) {
        CHECK_INT(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        CHECK_INT(SSL_write(ssl, "k", 1), 1);
        CHECK_INT(SSL_read(ssl, buf, sizeof buf), 1);
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void echo(struct rig *r)
{
    struct str got;
    while (read_some(r, &got) == IO_DONE) {
        struct iovec iov = {(void *)(uintptr_t)got.ptr, got.len};
        CHECK_INT(stream_writev(&r->stream, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    }
}

static void keys_change_while_bytes_flow(void)
{
    struct rig r = rig_of(echo, change_keys);
    rig_run(&r);
}

// --- who has the records ---

static bool has_openssl;

static void tell_who_has_them(struct rig *r)
{
    has_openssl = tls_conn_ssl(&r->stream) != NULL;
    echo(r);
}

static void talk(struct rig *r)
{
    int version = *(int *)r->arg;
    struct rig_client c = {.max = version, .alpn = STR("\x08http/1.1")};
    SSL *ssl = rig_connect(r, &c);
    char buf[10];
    for (unsigned i = 0; i < 20; i++) {
        CHECK_INT(SSL_write(ssl, "some text", 9), 9);
        CHECK_INT(SSL_read(ssl, buf, sizeof buf), 9);
        CHECK(memcmp(buf, "some text", 9) == 0);
    }
    SSL_shutdown(ssl);
    CHECK_INT(SSL_read(ssl, buf, sizeof buf), 0);
    CHECK_INT(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
    SSL_free(ssl);
    SSL_SESSION_free(c.session);
}

static void openssl_goes_when_a_handshake_of_tls_1_3_is_done(void)
{
    static int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct rig r = rig_of(tell_who_has_them, talk);
        r.arg = &versions[i];
        r.alpn = TLS_ALPN_HTTP1;
        rig_run(&r);
        CHECK_INT(has_openssl, versions[i] == TLS1_2_VERSION);
        CHECK_STR(str_of(r.protocol), STR("http/1.1"));
        CHECK_INT(r.info.version, versions[i]);
    }
}

static void records_can_be_left_to_openssl(void)
{
    static int version = TLS1_3_VERSION;
    struct rig r = rig_of(tell_who_has_them, talk);
    r.arg = &version;
    r.alpn = TLS_ALPN_HTTP1;
    tls_conn_set_take_over(false);
    rig_run(&r);
    tls_conn_set_take_over(true);
    CHECK(has_openssl);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(megabytes_pass_both_ways_at_once),
        TEST(a_client_that_has_ended_its_side_still_gets_its_answer),
        TEST(our_end_leaves_the_other_direction_open),
        TEST(an_end_without_close_notify_is_a_cut),
        TEST(a_reset_stream_never_looks_like_an_orderly_end),
        TEST(a_record_that_wasnt_sealed_ends_the_connection_with_an_alert),
        TEST(a_client_that_takes_nothing_runs_into_the_limit),
        TEST(what_the_socket_did_not_take_is_told),
        TEST(what_lies_in_openssl_counts_as_readable),
        TEST(keys_change_while_bytes_flow),
        TEST(openssl_goes_when_a_handshake_of_tls_1_3_is_done),
        TEST(records_can_be_left_to_openssl),
    };
    struct str name = STR(NAME);
    tls_init();
    rig_cert_begin(&cert, TLS_CERT_LEAF, TLS_KEY_P256, NAME, NULL);
    struct tls_bundle_item item = rig_item(&cert, "c", &name);
    policy = rig_policy("{}", STR_NONE);
    store = rig_store(&item, 1);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    tls_policy_free(policy);
    tls_store_unref(store);
    rig_cert_end(&cert);
    return rc;
}
