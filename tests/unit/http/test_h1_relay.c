// SPDX-License-Identifier: Apache-2.0
// Both sides of HTTP/1.1 joined: a client's socket, h1_server, h1_client, and a small origin.
#include "http/h1_client.h"
#include "unit/http/server_rig.h"

#include "base/num.h"

#define HOST "Host: a.example\r\n"
#define LARGE_BYTES (1024 * 1024)

// --- the origin ---

struct origin {
    struct rt_sock sock;
    char buf[32 * 1024];
    size_t n;
    bool is_gone;
};

static struct {
    struct h1_client client;
    struct origin origin;
    struct http_client_options options;
    bool is_connected;
    unsigned n_connected, n_reusable, n_closed;
    enum http_client_end end;
} to_server;

static bool origin_more(struct origin *o)
{
    size_t n = 0;
    if (sock_read(&o->sock, o->buf + o->n, sizeof o->buf - o->n, deadline_at(INT64_MAX), &n) !=
        IO_DONE)
        return false;
    o->n += n;
    return true;
}

static bool origin_says(struct origin *o, const char *text, size_t len)
{
    struct iovec iov = {(void *)(uintptr_t)text, len};
    return sock_writev(&o->sock, &iov, 1, 5000, deadline_at(INT64_MAX)) == IO_DONE;
}

static bool origin_answers(struct origin *o, const char *text)
{
    return origin_says(o, text, strlen(text));
}

// Takes n bytes off what has come, and reads on until they were there.
static bool origin_takes(struct origin *o, uint64_t n)
{
    for (;;) {
        size_t take = MIN(n, o->n);
        memmove(o->buf, o->buf + take, o->n - take);
        o->n -= take;
        n -= take;
        if (n == 0)
            return true;
        if (!origin_more(o))
            return false;
    }
}

static bool origin_sinks(struct origin *o, uint64_t length)
{
    char answer[128];
    if (!origin_takes(o, length))
        return false;
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nX-Got: %ju\r\nContent-Length: 4\r\n\r\nsunk", (uintmax_t)length);
    return origin_answers(o, answer);
}

static bool origin_is_large(struct origin *o)
{
    static char large[LARGE_BYTES];
    memset(large, 'l', sizeof large);
    return origin_answers(o, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n") &&
           origin_says(o, large, sizeof large);
}

static bool origin_echoes(struct origin *o)
{
    if (!origin_answers(o, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                           "Upgrade: echo\r\n\r\nwelcome;"))
        return false;
    do {
        if (o->n > 0 && !origin_says(o, o->buf, o->n))
            return false;
        o->n = 0;
    } while (origin_more(o));
    return false;
}

static bool origin_serves(struct origin *o, struct str head)
{
    uint64_t length = 0;
    size_t at = str_search(head, STR("Content-Length: "));
    struct str number = STR_NONE;
    if (at != STR_NPOS) {
        str_cut(str_skip(head, at + 16), '\r', &number, NULL);
        CHECK(num_dec(number, INT64_MAX, &length) == ERR_OK);
    }
    bool is_sink = str_search(head, STR(" /sink ")) != STR_NPOS;
    bool is_refusal = str_search(head, STR(" /refuse ")) != STR_NPOS;
    bool is_large = str_search(head, STR(" /large ")) != STR_NPOS;
    bool is_echo = str_search(head, STR(" /echo ")) != STR_NPOS;
    bool is_silent = str_search(head, STR(" /silent ")) != STR_NPOS;
    bool expects = str_search(head, STR("Expect: 100-continue")) != STR_NPOS;
    if (!origin_takes(o, head.len))
        return false;
    if (expects && !origin_answers(o, "HTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    if (is_sink)
        return origin_sinks(o, length);
    if (is_refusal)
        return origin_answers(o, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno") &&
               origin_takes(o, length);
    if (is_large)
        return origin_is_large(o);
    if (is_echo)
        return origin_echoes(o);
    if (is_silent)
        return origin_more(o);
    return origin_answers(o, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static void origin_run(void *arg)
{
    struct origin *o = arg;
    for (;;) {
        size_t end = str_search(str_from(o->buf, o->n), STR("\r\n\r\n"));
        if (end == STR_NPOS ? !origin_more(o) : !origin_serves(o, str_from(o->buf, end + 4)))
            break;
    }
    sock_close(&o->sock);
    o->is_gone = true;
}

// --- the application between ---

static void on_done(struct h1_client *c, bool is_reusable)
{
    to_server.n_reusable += is_reusable;
    to_server.n_closed += !is_reusable;
    if (is_reusable)
        return;
    h1_client_fini(c);
    to_server.is_connected = false;
}

static void connect_to_origin(void)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    to_server.client = (struct h1_client){.done = on_done};
    to_server.origin.n = 0;
    to_server.origin.is_gone = false;
    sock_init(&to_server.client.stream.sock, fds[0]);
    sock_init(&to_server.origin.sock, fds[1]);
    to_server.is_connected = true;
    to_server.n_connected++;
    CHECK(fiber_start(origin_run, &to_server.origin) != NULL);
}

static enum err relay(struct http_env *env, struct exchange *x)
{
    (void)env;
    if (!to_server.is_connected)
        connect_to_origin();
    bool sent_body;
    to_server.end = h1_client_serve(&to_server.client, x, &to_server.options, &sent_body);
    if (to_server.end == HTTP_CLIENT_OK)
        return ERR_OK;
    if (to_server.end == HTTP_CLIENT_CANCELLED || to_server.end == HTTP_CLIENT_BODY)
        return ERR_CANCELLED;
    exchange_fail(x, 502, EXCHANGE_END_SERVER_GONE, STR_FMT, STR_ARG(x->end_detail));
    return ERR_OK;
}

static const struct http_app relay_app = {
    .begin = rig_begin, .serve = relay, .finish = rig_finish, .entry = rig_entry};

static void relay_open(struct rig *r)
{
    memset(&to_server, 0, sizeof to_server);
    to_server.options = (struct http_client_options){
        .limits = H1_LIMITS_DEFAULT, .head_ms = 5000, .body_idle_ms = 5000};
    rig_open(r);
    r->env.app = &relay_app;
}

static void relay_close(struct rig *r)
{
    close(r->fd);
    r->fd = -1;
    RIG_UNTIL(r, list_is_empty(&r->env.conns));
    if (to_server.is_connected)
        h1_client_fini(&to_server.client);
    RIG_UNTIL(r, to_server.n_connected == 0 || to_server.origin.is_gone);
    rig_close(r);
}

static char large[LARGE_BYTES];

static void rig_send_large(struct rig *r, size_t n)
{
    memset(large, 'u', sizeof large);
    rig_send(r, str_from(large, n));
}

// --- tests ---

static void requests_share_a_connection_to_the_server(void)
{
    struct rig r;
    relay_open(&r);
    for (unsigned i = 1; i <= 3; i++) {
        rig_forget(&r);
        rig_send(&r, STR("GET /a HTTP/1.1\r\n" HOST "\r\n"));
        rig_expect_end(&r, "\r\n\r\nhello");
        RIG_UNTIL(&r, r.n_finished == i);
        CHECK_INT(to_server.n_reusable, i);
    }
    CHECK_INT(to_server.n_connected, 1);
    relay_close(&r);
}

static void uploads_of_all_sizes_arrive_and_the_next_request_is_understood(void)
{
    static const size_t sizes[] = {1, 1000, 16384, 40000, 65536, 200000, LARGE_BYTES};
    struct rig r;
    relay_open(&r);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char head[128], wanted[64];
        snprintf(head, sizeof head, "POST /sink HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                 sizes[i]);
        snprintf(wanted, sizeof wanted, "X-Got: %zu\r\n", sizes[i]);
        rig_forget(&r);
        rig_send(&r, str_of(head));
        rig_send_large(&r, sizes[i]);
        rig_expect_end(&r, "\r\n\r\nsunk");
        CHECK_HAS(&r, wanted);
        RIG_UNTIL(&r, r.n_finished == i + 1);
        CHECK_INT(r.request_bytes, sizes[i]);
    }
    CHECK_INT(to_server.n_connected, 1);
    relay_close(&r);
}

static void large_answers_arrive_whole(void)
{
    struct rig r;
    relay_open(&r);
    rig_send(&r, STR("GET /large HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.n_finished == 1);
    RIG_UNTIL(&r, str_search(rig_got(&r), STR("\r\n\r\n")) + 4 + LARGE_BYTES == r.n_got);
    CHECK_INT(r.response_bytes, LARGE_BYTES);
    CHECK_INT(to_server.n_reusable, 1);
    relay_close(&r);
}

static void an_expectation_goes_through(void)
{
    struct rig r;
    relay_open(&r);
    rig_send(&r, STR("POST /sink HTTP/1.1\r\n" HOST
                     "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
    rig_expect_end(&r, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_send(&r, STR("hello"));
    rig_expect_end(&r, "sunk");
    relay_close(&r);
}

// The server answers before the upload's end: the client reads that answer, and what it sends
// further isn't taken for a request.
static void an_early_answer_reaches_a_client_that_goes_on_sending(void)
{
    struct rig r;
    relay_open(&r);
    rig_send(&r, STR("POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n"));
    rig_send_large(&r, 100000);
    rig_expect_end(&r, "\r\n\r\nno");
    rig_send_large(&r, 100000);
    rig_send(&r, STR("GET /a HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.is_closed || rig_has(&r, "hello"));
    CHECK(!r.is_reset);
    CHECK_HAS(&r, "HTTP/1.1 413 ");
    CHECK(!rig_has(&r, "HTTP/1.1 400 "));
    relay_close(&r);
}

static void an_upgrade_becomes_a_tunnel(void)
{
    struct rig r;
    relay_open(&r);
    rig_send(&r, STR("GET /echo HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"
                     "early;"));
    rig_expect_end(&r, "welcome;early;");
    CHECK_HAS(&r, "Connection: Upgrade\r\nUpgrade: echo\r\n");
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_TUNNELS_OPEN), 1);
    for (int i = 0; i < 3; i++) {
        rig_forget(&r);
        rig_send(&r, STR("ping"));
        rig_expect_end(&r, "ping");
    }
    CHECK(shutdown(r.fd, SHUT_WR) == 0);
    rig_expect_close(&r);
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK(!r.is_reset);
    CHECK_INT(r.status, 101);
    CHECK(strcmp(r.detail, "client closed") == 0);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_TUNNELS_OPEN), 0);
    relay_close(&r);
}

static void a_client_that_resets_frees_the_server(void)
{
    struct rig r;
    relay_open(&r);
    rig_send(&r, STR("GET /silent HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, to_server.n_connected == 1);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(r.fd);
    r.fd = -1;
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK_INT(to_server.end, HTTP_CLIENT_CANCELLED);
    CHECK_INT(to_server.n_closed, 1);
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_GONE);
    r.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    relay_close(&r);
}

static void a_client_that_resets_in_its_upload_frees_the_server(void)
{
    struct rig r;
    relay_open(&r);
    rig_send(&r, STR("POST /sink HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n"));
    rig_send_large(&r, 100000);
    RIG_UNTIL(&r, to_server.n_connected == 1);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(r.fd);
    r.fd = -1;
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK(to_server.end == HTTP_CLIENT_BODY || to_server.end == HTTP_CLIENT_CANCELLED);
    CHECK_INT(to_server.n_closed, 1);
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_GONE);
    r.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    relay_close(&r);
}

static void a_stop_ends_exchanges_in_every_state(void)
{
    static const char *const requests[] = {
        "GET /silent HTTP/1.1\r\n" HOST "\r\n",
        "POST /sink HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\nabc",
        "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\nabc",
        "GET /echo HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        for (int n_turns = 0; n_turns < 8; n_turns++) {
            struct rig r;
            relay_open(&r);
            rig_send(&r, str_of(requests[i]));
            for (int n = 0; n < n_turns; n++)
                loop_turn(r.loop, 0);
            http_env_abort(&r.env);
            relay_close(&r);
        }
    }
}

TEST_MAIN(TEST(requests_share_a_connection_to_the_server),
          TEST(uploads_of_all_sizes_arrive_and_the_next_request_is_understood),
          TEST(large_answers_arrive_whole), TEST(an_expectation_goes_through),
          TEST(an_early_answer_reaches_a_client_that_goes_on_sending),
          TEST(an_upgrade_becomes_a_tunnel), TEST(a_client_that_resets_frees_the_server),
          TEST(a_client_that_resets_in_its_upload_frees_the_server),
          TEST(a_stop_ends_exchanges_in_every_state))
