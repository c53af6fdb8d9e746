// SPDX-License-Identifier: Apache-2.0
#include "http/tunnel.h"

#include <errno.h>
#include <fcntl.h>

#include "client_rig.h"

#define IDLE_MS 5000

// A tunnel between two socket pairs; the test holds their outer ends.
struct joint {
    struct rt_loop *loop;
    struct http_env env;
    struct stream streams[2];
    struct tunnel_side sides[2];
    int outer[2];
    int64_t idle_ms;
    unsigned n_released;
    bool is_started, is_done;
    struct tunnel_totals totals;
};

static struct joint *the_joint;

static void on_release(struct tunnel_side *s)
{
    stream_close(s->stream);
    the_joint->n_released++;
}

static void on_done(void *arg, const struct tunnel_totals *totals)
{
    struct joint *j = arg;
    CHECK(!j->is_done);
    CHECK_INT(j->n_released, 2);
    j->is_done = true;
    j->totals = *totals;
}

static void join(void *arg)
{
    struct joint *j = arg;
    tunnel_start(&j->env, &j->sides[0], &j->sides[1], j->idle_ms, on_done, j);
    j->is_started = true;
}

static struct joint *joint_new(void)
{
    static const struct http_app app;
    struct joint *j = calloc(1, sizeof *j);
    the_joint = j;
    j->loop = loop_new(&(struct loop_options){.fibers_max = 0});
    loop_enter(j->loop);
    http_env_init(&j->env, &app, NULL, 100);
    j->idle_ms = IDLE_MS;
    for (int i = 0; i < 2; i++) {
        int fds[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        sock_init(&j->streams[i].sock, fds[0]);
        j->outer[i] = fds[1];
        j->sides[i] = (struct tunnel_side){.stream = &j->streams[i], .release = on_release};
    }
    return j;
}

static void turns(struct joint *j)
{
    for (int i = 0; i < 10; i++)
        loop_turn(j->loop, 0);
}

static struct joint *joint_start(struct joint *j)
{
    CHECK(fiber_start(join, j) != NULL);
    turns(j);
    CHECK(j->is_started);
    return j;
}

static void turn_until_done(struct joint *j)
{
    for (int i = 0; i < TURNS_MAX && !j->is_done; i++)
        loop_turn(j->loop, 1000);
    CHECK(j->is_done);
}

static void say(struct joint *j, int side, const char *text)
{
    CHECK(write(j->outer[side], text, strlen(text)) == (ssize_t)strlen(text));
    turns(j);
}

// What has come out at a side: "" nothing, "EOF" its end, "ERR" a failure.
static struct str heard(struct joint *j, int side)
{
    static char buf[4096];
    ssize_t n = read(j->outer[side], buf, sizeof buf);
    if (n > 0)
        return str_from(buf, (size_t)n);
    return n == 0 ? STR("EOF") : errno == EAGAIN ? STR("") : STR("ERR");
}

static void check_holds_nothing(struct joint *j)
{
    struct loop_stats stats;
    loop_stats(j->loop, &stats);
    CHECK_INT(stats.n_fibers, 0);
    CHECK_INT(j->env.buffers.n_out, 0);
}

static void joint_free(struct joint *j)
{
    if (!j->is_done) {
        tunnel_abort_all(&j->env);
        turn_until_done(j);
    }
    check_holds_nothing(j);
    CHECK_INT(j->env.stats.counters[HTTP_COUNTER_TUNNELS_OPEN], 0);
    for (int i = 0; i < 2; i++)
        close(j->outer[i]);
    http_env_fini(&j->env);
    loop_free(j->loop);
    free(j);
}

static void bytes_pass_both_ways_and_nothing_is_held_meanwhile(void)
{
    struct joint *j = joint_start(joint_new());
    check_holds_nothing(j);
    CHECK_INT(j->env.stats.counters[HTTP_COUNTER_TUNNELS_OPEN], 1);
    for (int i = 0; i < 3; i++) {
        say(j, 0, "ping");
        CHECK_STR(heard(j, 1), STR("ping"));
        say(j, 1, "pong!");
        CHECK_STR(heard(j, 0), STR("pong!"));
        check_holds_nothing(j);
    }
    CHECK_INT(j->env.stats.counters[HTTP_COUNTER_BYTES_IN], 12);
    CHECK_INT(j->env.stats.counters[HTTP_COUNTER_BYTES_OUT], 15);
    joint_free(j);
}

static void early_bytes_go_first(void)
{
    struct joint *j = joint_new();
    j->sides[0].early = STR("early a ");
    j->sides[1].early = STR("early b ");
    CHECK(write(j->outer[0], "late a", 6) == 6);
    joint_start(j);
    CHECK_STR(heard(j, 0), STR("early b "));
    CHECK_STR(heard(j, 1), STR("early a late a"));
    joint_free(j);
}

static void an_end_is_passed_on_and_the_other_way_stays_open(void)
{
    for (int side = 0; side < 2; side++) {
        struct joint *j = joint_start(joint_new());
        CHECK(write(j->outer[side], "last", 4) == 4);
        CHECK(shutdown(j->outer[side], SHUT_WR) == 0);
        turns(j);
        CHECK_STR(heard(j, !side), STR("last"));
        CHECK_STR(heard(j, !side), STR("EOF"));
        CHECK(!j->is_done);
        check_holds_nothing(j);
        say(j, !side, "answer");
        CHECK_STR(heard(j, side), STR("answer"));
        CHECK(shutdown(j->outer[!side], SHUT_WR) == 0);
        turns(j);
        CHECK(j->is_done);
        CHECK_STR(heard(j, side), STR("EOF"));
        CHECK_STR(str_of(j->totals.ended_by),
                  side == 0 ? STR("client closed") : STR("server closed"));
        CHECK_INT(side == 0 ? j->totals.a_to_b : j->totals.b_to_a, 4);
        CHECK_INT(side == 0 ? j->totals.b_to_a : j->totals.a_to_b, 6);
        joint_free(j);
    }
}

static void a_side_that_is_gone_ends_both(void)
{
    for (int side = 0; side < 2; side++) {
        struct joint *j = joint_start(joint_new());
        CHECK(close(j->outer[side]) == 0);
        turns(j);
        j->outer[side] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CHECK(write(j->outer[!side], "nobody hears", 12) != 0);
        turn_until_done(j);
        joint_free(j);
    }
}

static void an_idle_tunnel_ends_and_a_busy_one_does_not(void)
{
    struct joint *j = joint_new();
    j->idle_ms = 60;
    int64_t began = clock_exact_ns();
    joint_start(j);
    for (int i = 0; i < 3; i++) {
        for (int64_t until = clock_exact_ns() + 30 * 1000000; clock_exact_ns() < until;)
            loop_turn(j->loop, 5);
        if (!j->is_done)
            say(j, 0, "x");
    }
    turn_until_done(j);
    CHECK(clock_exact_ns() - began >= 60 * 1000000);
    CHECK_STR(str_of(j->totals.ended_by), STR("idle"));
    joint_free(j);
}

static void all_tunnels_end_at_a_shutdown(void)
{
    struct joint *j = joint_start(joint_new());
    tunnel_abort_all(&j->env);
    tunnel_abort_all(&j->env);
    turn_until_done(j);
    CHECK_STR(str_of(j->totals.ended_by), STR("shutdown"));
    joint_free(j);
}

static void a_shutdown_ends_a_tunnel_that_is_stuck_in_writing(void)
{
    struct joint *j = joint_start(joint_new());
    static char block[64 * 1024];
    while (write(j->outer[0], block, sizeof block) > 0)
        turns(j);
    struct loop_stats stats;
    loop_stats(j->loop, &stats);
    CHECK_INT(stats.n_fibers, 1);
    tunnel_abort_all(&j->env);
    turn_until_done(j);
    CHECK_STR(str_of(j->totals.ended_by), STR("shutdown"));
    joint_free(j);
}

static void a_side_that_takes_nothing_is_idle(void)
{
    struct joint *j = joint_new();
    j->idle_ms = 30;
    joint_start(j);
    static char block[64 * 1024];
    while (!j->is_done && write(j->outer[0], block, sizeof block) > 0)
        loop_turn(j->loop, 0);
    turn_until_done(j);
    CHECK_STR(str_of(j->totals.ended_by), STR("idle"));
    joint_free(j);
}

// A stream whose end is bytes, as TLS's is, and waits for room in the socket.

#define FAREWELL "bye"

static enum io farewell_read(struct stream *s, void *buf, size_t n, size_t *ret_n)
{
    return sock_try_read(&s->sock, buf, n, ret_n);
}

static enum io farewell_writev(struct stream *s, struct iovec *iov, int n_iov, int64_t each_ms,
                               struct deadline until)
{
    return sock_writev(&s->sock, iov, n_iov, each_ms, until);
}

static bool farewell_has_pending(const struct stream *s)
{
    (void)s;
    return false;
}

static enum io farewell_flush(struct stream *s)
{
    bool *is_left = s->tls;
    struct iovec iov = {(void *)(uintptr_t)FAREWELL, strlen(FAREWELL)};
    size_t n = 0;
    enum io io = *is_left ? sock_try_writev(&s->sock, &iov, 1, &n) : IO_DONE;
    if (io == IO_DONE)
        *is_left = false;
    return io;
}

static void farewell_shut(struct stream *s)
{
    bool *is_left = s->tls;
    *is_left = true;
    (void)farewell_flush(s);
}

static void farewell_close(struct stream *s)
{
    sock_close(&s->sock);
}

static const struct stream_ops farewell_ops = {
    .name = "farewell",
    .try_read = farewell_read,
    .writev = farewell_writev,
    .try_flush = farewell_flush,
    .has_pending = farewell_has_pending,
    .shut_write = farewell_shut,
    .close = farewell_close,
};

// Both sides end, b first, while b's socket takes nothing.
static struct joint *joint_with_a_farewell_that_waits(bool *is_left, int64_t idle_ms)
{
    struct joint *j = joint_new();
    j->idle_ms = idle_ms;
    j->streams[1].ops = &farewell_ops;
    j->streams[1].tls = is_left;
    joint_start(j);
    char block[4096] = {0};
    while (write(j->streams[1].sock.fd, block, sizeof block) > 0) {
    }
    CHECK_INT(errno, EAGAIN);
    CHECK(shutdown(j->outer[1], SHUT_WR) == 0);
    turns(j);
    CHECK_STR(heard(j, 0), STR("EOF"));
    CHECK(shutdown(j->outer[0], SHUT_WR) == 0);
    turns(j);
    CHECK(*is_left);
    CHECK(!j->is_done);
    return j;
}

static void the_last_end_leaves_before_the_tunnel_is_over(void)
{
    bool is_left = false;
    struct joint *j = joint_with_a_farewell_that_waits(&is_left, IDLE_MS);
    struct str got;
    struct str last = STR("");
    while (!str_eq(got = heard(j, 1), STR("EOF")) && !str_eq(got, STR("ERR"))) {
        if (got.len > 0)
            last = got;
        turns(j);
    }
    CHECK_STR(got, STR("EOF"));
    CHECK(str_ends(last, STR(FAREWELL)));
    turn_until_done(j);
    CHECK_STR(str_of(j->totals.ended_by), STR("server closed"));
    joint_free(j);
}

static void an_end_that_cannot_leave_is_idle(void)
{
    bool is_left = false;
    struct joint *j = joint_with_a_farewell_that_waits(&is_left, 30);
    turn_until_done(j);
    CHECK(is_left);
    CHECK_STR(str_of(j->totals.ended_by), STR("idle"));
    joint_free(j);
}

static void an_end_that_cannot_leave_ends_with_a_shutdown(void)
{
    bool is_left = false;
    joint_free(joint_with_a_farewell_that_waits(&is_left, 0));
}

static void large_transfers_arrive_whole(void)
{
    enum { TOTAL = 4 * 1024 * 1024, BLOCK = 100 * 1000 };
    struct joint *j = joint_start(joint_new());
    static char in[BLOCK], out[BLOCK];
    size_t n_in = 0, n_out = 0;
    while (n_out < TOTAL && !j->is_done) {
        size_t n = MIN((size_t)TOTAL - n_in, sizeof in);
        for (size_t i = 0; i < n; i++)
            in[i] = (char)((n_in + i) % 251);
        ssize_t put = n > 0 ? write(j->outer[0], in, n) : 0;
        n_in += put > 0 ? (size_t)put : 0;
        loop_turn(j->loop, 0);
        ssize_t got = read(j->outer[1], out, sizeof out);
        for (ssize_t i = 0; i < got; i++)
            CHECK(out[i] == (char)((n_out + (size_t)i) % 251));
        n_out += got > 0 ? (size_t)got : 0;
    }
    CHECK_INT(n_out, TOTAL);
    CHECK(!j->is_done);
    joint_free(j);
}

// --- upgrades ---

static void an_upgrade_makes_a_tunnel_side(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->x.req.is_upgrade = true;
    r->x.req.upgrade = STR("websocket");
    RIG_RUN(r, {SERVER_READS, "\r\n\r\n"},
            {SERVER_SENDS, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello"});
    CHECK_STR(rig_wire(r), STR("GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
                               "Upgrade: websocket\r\n\r\n"));
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->x.resp.status, 101);
    CHECK_STR(headers_get(&r->x.resp.headers, FIELD_UPGRADE), STR("websocket"));
    CHECK(!headers_find(&r->x.resp.headers, FIELD_CONNECTION));
    struct tunnel_side *side = r->x.resp.tunnel;
    CHECK(side && side->stream == &r->c.stream);
    CHECK_STR(side->early, STR("hello"));
    CHECK_INT(r->env.buffers.n_out, 0);
    CHECK_INT(r->n_done, 0);
    side->release(side);
    CHECK_INT(r->n_done, 1);
    CHECK_INT(r->n_reusable, 0);
    rig_free(r);
}

static void an_upgrade_that_nobody_asked_for_is_refused(void)
{
    static const char *const wires[] = {
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
        struct rig *r = rig_new(METHOD_GET);
        r->x.req.is_upgrade = i > 0;
        r->x.req.upgrade = STR("x");
        RIG_RUN(r, {SERVER_READS, "\r\n\r\n"}, {SERVER_SENDS, wires[i]});
        CHECK_INT(r->end, HTTP_CLIENT_PROTOCOL);
        CHECK(r->x.resp.tunnel == NULL);
        CHECK_INT(r->n_done, 1);
        rig_free(r);
    }
}

static void a_server_may_decline_an_upgrade(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->x.req.is_upgrade = true;
    r->x.req.upgrade = STR("h2c");
    RIG_RUN(r, {SERVER_READS, "\r\n\r\n"},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_STR(rig_body(r), STR("no"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

TEST_MAIN(TEST(bytes_pass_both_ways_and_nothing_is_held_meanwhile), TEST(early_bytes_go_first),
          TEST(an_end_is_passed_on_and_the_other_way_stays_open),
          TEST(a_side_that_is_gone_ends_both), TEST(an_idle_tunnel_ends_and_a_busy_one_does_not),
          TEST(all_tunnels_end_at_a_shutdown),
          TEST(a_shutdown_ends_a_tunnel_that_is_stuck_in_writing),
          TEST(a_side_that_takes_nothing_is_idle),
          TEST(the_last_end_leaves_before_the_tunnel_is_over),
          TEST(an_end_that_cannot_leave_is_idle),
          TEST(an_end_that_cannot_leave_ends_with_a_shutdown), TEST(large_transfers_arrive_whole),
          TEST(an_upgrade_makes_a_tunnel_side), TEST(an_upgrade_that_nobody_asked_for_is_refused),
          TEST(a_server_may_decline_an_upgrade))
