// SPDX-License-Identifier: Apache-2.0
#include "rt_test.h"

static struct rt_loop *loop;
static struct rt_sock from, to;
static int source, sink; // the far ends, bare

struct moved {
    int64_t each_ms;
    size_t limit; // of each call
    size_t n;
    int n_calls;
    enum io io;
    bool has_from_failed;
};

static void set_up(void)
{
    int in[2], out[2];
    test_tcp_pair(in);
    test_tcp_pair(out);
    loop = test_loop(0);
    source = in[0];
    sock_init(&from, in[1]);
    sock_init(&to, out[0]);
    sink = out[1];
}

static void tear_down(void)
{
    CHECK(test_run_all(loop));
    sock_close(&from);
    sock_close(&to);
    loop_free(loop);
    if (source >= 0)
        close(source);
    if (sink >= 0)
        close(sink);
}

static void splice_all(void *arg)
{
    struct moved *m = arg;
    do {
        size_t n = 0;
        m->io = sock_splice(&from, &to, m->limit, m->each_ms, deadline_in(SOON_MS), &n,
                            &m->has_from_failed);
        m->n += n;
        m->n_calls++;
        if (m->io == IO_AGAIN) {
            m->has_from_failed = true;
            m->io = sock_wait_readable(&from, deadline_in(m->each_ms));
        }
    } while (m->io == IO_DONE);
}

#define MOVED_BYTES (5u * 1024 * 1024)

static void feed(void *arg)
{
    struct rt_sock *s = arg;
    static char piece[65536];
    for (size_t i = 0; i < MOVED_BYTES / sizeof piece; i++) {
        memset(piece, (int)i, sizeof piece);
        struct iovec iov = {piece, sizeof piece};
        CHECK_INT(sock_writev(s, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    }
    sock_close(s);
}

static size_t n_arrived;

static void swallow(void *arg)
{
    struct rt_sock *s = arg;
    char buf[10000];
    size_t n;
    while (n_arrived < MOVED_BYTES &&
           sock_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n) == IO_DONE) {
        for (size_t i = 0; i < n; i++) {
            bool is_right = buf[i] == (char)((n_arrived + i) / 65536);
            if (!is_right)
                CHECK(is_right);
        }
        n_arrived += n;
    }
    sock_close(s);
}

static void megabytes_arrive_whole_and_in_order(void)
{
    struct moved m = {.each_ms = SOON_MS, .limit = 300000};
    struct rt_sock in, out;
    set_up();
    sock_init(&in, source);
    sock_init(&out, sink);
    source = sink = -1;
    n_arrived = 0;
    fiber_start(splice_all, &m);
    fiber_start(feed, &in);
    fiber_start(swallow, &out);
    CHECK(test_run_all(loop));
    CHECK_INT(m.io, IO_EOF);
    CHECK_INT(m.n, MOVED_BYTES);
    CHECK_INT(n_arrived, MOVED_BYTES);
    tear_down();
}

static void limit_of_bytes_is_kept(void)
{
    struct moved m = {.each_ms = 5, .limit = 3};
    char buf[16];
    set_up();
    CHECK(write(source, "abcdefgh", 8) == 8);
    fiber_run(splice_all, &m);
    CHECK(test_run_all(loop));
    CHECK_INT(m.n, 8);
    CHECK_INT(m.n_calls, 4); // 3, 3, 2, and the one that finds nothing
    CHECK_INT(m.io, IO_FAIL);
    CHECK(m.has_from_failed);
    CHECK_INT(from.error, ETIMEDOUT);
    CHECK_INT(read(sink, buf, sizeof buf), 8);
    tear_down();
}

static void reset_of_the_source_is_told(void)
{
    struct moved m = {.each_ms = SOON_MS, .limit = 1000};
    struct linger at_once = {1, 0};
    set_up();
    fiber_run(splice_all, &m);
    CHECK(setsockopt(source, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(source);
    source = -1;
    CHECK(test_run_all(loop));
    CHECK_INT(m.io, IO_FAIL);
    CHECK(m.has_from_failed);
    CHECK_INT(from.error, ECONNRESET);
    tear_down();
}

static void reset_of_the_sink_is_told(void)
{
    struct moved m = {.each_ms = SOON_MS, .limit = 1000};
    struct linger at_once = {1, 0};
    set_up();
    CHECK(setsockopt(sink, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(sink);
    sink = -1;
    CHECK(write(source, "abc", 3) == 3);
    fiber_run(splice_all, &m);
    CHECK(test_run_all(loop));
    CHECK_INT(m.io, IO_FAIL);
    CHECK(!m.has_from_failed);
    CHECK(to.error == ECONNRESET || to.error == EPIPE);
    tear_down();
}

static void fill_source(void)
{
    static char piece[65536];
    while (write(source, piece, sizeof piece) > 0)
        ;
}

// Afterwards, what was in its pipe must not come out of another one's.
static void stuck_sink_expires_and_its_pipe_is_not_used_again(void)
{
    struct moved m = {.each_ms = 10, .limit = 1000000};
    set_up();
    fcntl(source, F_SETFL, O_NONBLOCK);
    fiber_run(splice_all, &m);
    for (int i = 0; i < 200 && test_n_fibers(loop) > 0; i++) {
        fill_source();
        loop_turn(loop, 5);
    }
    CHECK(test_run_all(loop));
    CHECK_INT(m.io, IO_FAIL);
    CHECK(!m.has_from_failed);
    CHECK_INT(to.error, ETIMEDOUT);
    sock_close(&from);
    sock_close(&to);
    close(source);
    close(sink);

    int in[2], out[2];
    char buf[16];
    test_tcp_pair(in);
    test_tcp_pair(out);
    source = in[0];
    sock_init(&from, in[1]);
    sock_init(&to, out[0]);
    sink = out[1];
    m = (struct moved){.each_ms = SOON_MS, .limit = 1000000};
    CHECK(write(source, "fresh", 5) == 5);
    shutdown(source, SHUT_WR);
    fiber_run(splice_all, &m);
    CHECK(test_run_all(loop));
    CHECK_INT(m.n, 5);
    CHECK_INT(read(sink, buf, sizeof buf), 5);
    CHECK(memcmp(buf, "fresh", 5) == 0);
    tear_down();
}

static void cancel_ends_the_wait_for_either_side(void)
{
    struct moved m = {.each_ms = SOON_MS, .limit = 1000000};
    set_up();
    struct fiber *f = fiber_run(splice_all, &m);
    loop_turn(loop, 0);
    fiber_cancel(f);
    CHECK(test_run_all(loop));
    CHECK_INT(m.io, IO_FAIL);
    CHECK(m.has_from_failed);
    CHECK_INT(from.error, ECANCELED);
    tear_down();
}

TEST_MAIN(TEST(megabytes_arrive_whole_and_in_order), TEST(limit_of_bytes_is_kept),
          TEST(reset_of_the_source_is_told), TEST(reset_of_the_sink_is_told),
          TEST(stuck_sink_expires_and_its_pipe_is_not_used_again),
          TEST(cancel_ends_the_wait_for_either_side))
