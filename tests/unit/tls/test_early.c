// SPDX-License-Identifier: Apache-2.0
// Early data (0-RTT) of clients: tls_conn_take_early_data and what follows, with OpenSSL's client.
#include "server_rig.h"

#define NAME "a.example"

static struct rig_cert cert;

static struct tls_replay *replay_at_work(void)
{
    return tls_replay_new(clock_now_ms() - TLS_REPLAY_WINDOW_MS);
}

// A visit at a server that knows replays by `replay`.
static enum err visit(struct rig_client *c, const char *policy, struct tls_replay *replay,
                      void (*server)(struct rig *r), void (*client)(struct rig *r))
{
    struct str name = STR(NAME);
    struct tls_bundle_item item = rig_item(&cert, "e", &name);
    struct rig r = {
        .policy = rig_policy(policy, STR_NONE),
        .store = rig_store(&item, 1),
        .tickets = rig_tickets("a"),
        .replay = replay,
        .name = NAME,
        .server = server,
        .client = client,
        .arg = c,
    };
    rig_run(&r);
    tls_policy_free(r.policy);
    tls_store_unref(r.store);
    tls_tickets_unref(r.tickets);
    return r.err;
}

// --- clients ---

static void expect(SSL *ssl, const char *wanted)
{
    char buf[64];
    size_t at = 0, n = 0, len = strlen(wanted);
    while (at < len && SSL_read_ex(ssl, buf + at, sizeof buf - at, &n) == 1)
        at += n;
    CHECK_STR(str_from(buf, at), str_of(wanted));
}

static void expect_end(SSL *ssl)
{
    char byte;
    CHECK_INT(SSL_read(ssl, &byte, 1), 0);
    CHECK_INT(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
    CHECK_INT(SSL_shutdown(ssl), 1); // or OpenSSL would forget the session
}

// Says "early", with early data or without, and "late", and hears both answers and the end.
static void greet(struct rig *r)
{
    struct rig_client *c = r->arg;
    SSL *ssl = rig_connect(r, c);
    CHECK(ssl != NULL);
    if (!ssl)
        return;
    if (c->early_status != SSL_EARLY_DATA_ACCEPTED)
        CHECK_INT(SSL_write(ssl, c->early, (int)strlen(c->early)), (int)strlen(c->early));
    expect(ssl, "you said early");
    CHECK_INT(SSL_write(ssl, "late", 4), 4);
    expect(ssl, "you said late");
    expect_end(ssl);
    SSL_free(ssl);
}

static void hear_one_answer(struct rig *r)
{
    SSL *ssl = rig_connect(r, r->arg);
    CHECK(ssl != NULL);
    if (!ssl)
        return;
    expect(ssl, "you said early");
    expect_end(ssl);
    SSL_free(ssl);
}

// Sends what c has sent, as somebody on the way would, who can't go on with it.
static void send_again(struct rig *r)
{
    struct rig_client *c = r->arg;
    char buf[4096];
    CHECK(c->n_sent > 0);
    CHECK_INT(write(r->client_fd, c->sent, c->n_sent), (ssize_t)c->n_sent);
    shutdown(r->client_fd, SHUT_WR);
    while (read(r->client_fd, buf, sizeof buf) > 0)
        continue;
}

// --- servers ---

static struct str read_some(struct rig *r, char *buf, size_t cap)
{
    size_t n = 0;
    CHECK_INT(stream_read(&r->stream, buf, cap, deadline_in(SOON_MS), &n), IO_DONE);
    return str_from(buf, n);
}

static void say(struct rig *r, struct str what)
{
    char buf[64];
    int n = snprintf(buf, sizeof buf, "you said " STR_FMT, STR_ARG(what));
    struct iovec iov = {buf, (size_t)n};
    CHECK_INT(stream_writev(&r->stream, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
}

static bool is_early(const struct rig *r)
{
    return tls_conn_info(&r->stream)->is_early;
}

// Says its end, and hears the client's.
static enum io end(struct rig *r)
{
    char byte;
    size_t n;
    enum io io;
    stream_shut_write(&r->stream);
    do {
        io = stream_read(&r->stream, &byte, 1, deadline_in(SOON_MS), &n);
    } while (io == IO_DONE);
    return io;
}

static void answer(struct rig *r)
{
    char buf[64];
    bool was_early = is_early(r);
    CHECK(stream_is_readable(&r->stream) || !was_early);
    struct str said = read_some(r, buf, sizeof buf);
    CHECK_STR(said, STR("early"));
    CHECK(is_early(r) == was_early);
    say(r, said);
    CHECK(is_early(r) == was_early); // the answer went out before the end of the handshake
    said = read_some(r, buf, sizeof buf);
    CHECK_STR(said, STR("late"));
    CHECK(!is_early(r));
    say(r, said);
    end(r);
}

static void confirm_and_answer(struct rig *r)
{
    char buf[64];
    CHECK(is_early(r));
    CHECK_INT(tls_conn_confirm(&r->stream, deadline_in(SOON_MS)), IO_DONE);
    CHECK(!is_early(r));
    CHECK(stream_is_readable(&r->stream));
    struct str said = read_some(r, buf, 3); // what came early was kept
    CHECK_STR(said, STR("ear"));
    said.len += read_some(r, buf + 3, 2).len;
    say(r, said);
    said = read_some(r, buf, sizeof buf);
    CHECK_STR(said, STR("late"));
    say(r, said);
    end(r);
}

static void answer_and_end(struct rig *r)
{
    char buf[64];
    CHECK(is_early(r));
    say(r, read_some(r, buf, sizeof buf));
    stream_shut_write(&r->stream);
    CHECK(is_early(r));
    end(r);
    CHECK(!is_early(r));
}

static bool took_it;

static void note_what_is_early(struct rig *r)
{
    char buf[64];
    took_it = is_early(r);
    if (!took_it)
        return;
    CHECK_STR(read_some(r, buf, sizeof buf), STR("early"));
    CHECK_INT(end(r), IO_FAIL); // it can't end the handshake
    CHECK(is_early(r));
}

static void wait_in_vain(struct rig *r)
{
    CHECK(is_early(r));
    CHECK_INT(tls_conn_confirm(&r->stream, deadline_in(SOON_MS)), IO_FAIL);
    CHECK(is_early(r));
}

// --- tests ---

static void early_data_is_answered_before_the_handshake_is_over(void)
{
    struct rig_client c = {.early = "early"};
    struct tls_replay *replay = replay_at_work();
    CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
    CHECK_INT(c.early_status, SSL_EARLY_DATA_NOT_SENT);
    for (int i = 0; i < 3; i++) { // each visit's ticket is the next one's
        CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
        CHECK_INT(c.early_status, SSL_EARLY_DATA_ACCEPTED);
    }
    SSL_SESSION_free(c.session);
    tls_replay_unref(replay);
}

static void waiting_for_the_end_of_the_handshake_loses_nothing(void)
{
    struct rig_client c = {.early = "early"};
    struct tls_replay *replay = replay_at_work();
    CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
    CHECK_INT(visit(&c, "{early-data: on}", replay, confirm_and_answer, greet), ERR_OK);
    CHECK_INT(c.early_status, SSL_EARLY_DATA_ACCEPTED);
    SSL_SESSION_free(c.session);
    tls_replay_unref(replay);
}

static void an_end_waits_for_the_handshake_so_that_it_is_no_cut(void)
{
    struct rig_client c = {.early = "early"};
    struct tls_replay *replay = replay_at_work();
    CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
    CHECK_INT(visit(&c, "{early-data: on}", replay, answer_and_end, hear_one_answer), ERR_OK);
    SSL_SESSION_free(c.session);
    tls_replay_unref(replay);
}

// The control is a server that doesn't know of the first one.
static void a_replay_is_not_read(void)
{
    struct rig_client c = {.early = "early"};
    struct tls_replay *replay = replay_at_work(), *other = replay_at_work();
    CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
    c.records = true;
    CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
    CHECK_INT(c.early_status, SSL_EARLY_DATA_ACCEPTED);
    took_it = false;
    CHECK_INT(visit(&c, "{early-data: on}", other, note_what_is_early, send_again), ERR_OK);
    CHECK(took_it);
    took_it = false;
    CHECK(visit(&c, "{early-data: on}", replay, note_what_is_early, send_again) != ERR_OK);
    CHECK(!took_it);
    tls_replay_unref(other);
    other = replay_at_work();
    CHECK_INT(visit(&c, "{early-data: on}", other, wait_in_vain, send_again), ERR_OK);
    SSL_SESSION_free(c.session);
    tls_replay_unref(replay);
    tls_replay_unref(other);
}

static void early_data_is_taken_where_all_speaks_for_it(void)
{
    static const struct {
        const char *policy; // of the second visit
        bool has_replay, is_ready, is_taken;
    } cases[] = {
        {"{early-data: on}", true, true, true},
        {"{early-data: on}", false, true, false},
        {"{early-data: on}", true, false, false},
        {"{}", true, true, false},
        {"{early-data: on, groups: [P-256]}", true, true, false}, // another policy
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_client c = {.early = "early"};
        struct tls_replay *replay = replay_at_work(), *fresh = tls_replay_new(clock_now_ms());
        struct tls_replay *known = cases[i].is_ready ? replay : fresh;
        CHECK_INT(visit(&c, "{early-data: on}", replay, answer, greet), ERR_OK);
        CHECK_INT(visit(&c, cases[i].policy, cases[i].has_replay ? known : NULL, answer, greet),
                  ERR_OK);
        CHECK_INT(c.early_status,
                  cases[i].is_taken ? SSL_EARLY_DATA_ACCEPTED : SSL_EARLY_DATA_REJECTED);
        SSL_SESSION_free(c.session);
        tls_replay_unref(replay);
        tls_replay_unref(fresh);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(early_data_is_answered_before_the_handshake_is_over),
        TEST(waiting_for_the_end_of_the_handshake_loses_nothing),
        TEST(an_end_waits_for_the_handshake_so_that_it_is_no_cut),
        TEST(a_replay_is_not_read),
        TEST(early_data_is_taken_where_all_speaks_for_it),
    };
    tls_init();
    rig_cert_begin(&cert, TLS_CERT_LEAF, TLS_KEY_P256, NAME, NULL);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    rig_cert_end(&cert);
    return rc;
}
