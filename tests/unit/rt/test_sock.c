// SPDX-License-Identifier: Apache-2.0
#include <netinet/tcp.h>

#include "rt_test.h"

static struct rt_loop *loop;

#define ECHO_BYTES (3u * 1024 * 1024)

static void echo(void *arg)
{
    struct rt_sock *s = arg;
    char buf[8192];
    size_t n;
    enum io io;
    while ((io = sock_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n)) == IO_DONE) {
        struct iovec iov = {buf, n};
        CHECK_INT(sock_writev(s, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
        fiber_give_way((uint32_t)n);
    }
    CHECK_INT(io, IO_EOF);
    sock_close(s);
}

static char *make_bytes(size_t n)
{
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 + i / 256);
    return bytes;
}

static void send_all(void *arg)
{
    struct rt_sock *s = arg;
    char *bytes = make_bytes(ECHO_BYTES);
    struct iovec iov[] = {{bytes, 0}, {bytes, 1000}, {NULL, 0}, {bytes + 1000, ECHO_BYTES - 1000}};
    CHECK_INT(sock_writev(s, iov, 4, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    sock_shut_write(s);
    free(bytes);
}

static void check_all(void *arg)
{
    struct rt_sock *s = arg;
    char *wanted = make_bytes(ECHO_BYTES);
    char buf[7777];
    size_t n, at = 0;
    enum io io;
    while ((io = sock_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n)) == IO_DONE) {
        bool is_same = at + n <= ECHO_BYTES && memcmp(buf, wanted + at, n) == 0;
        CHECK(is_same);
        if (!is_same)
            break;
        at += n;
    }
    CHECK_INT(io, IO_EOF);
    CHECK_INT(at, ECHO_BYTES);
    free(wanted);
    sock_close(s);
}

static void check_echo(int fds[2])
{
    struct rt_sock a, b;
    loop = test_loop(0);
    sock_init(&a, fds[0]);
    sock_init(&b, fds[1]);
    fiber_start(check_all, &a);
    fiber_start(send_all, &a);
    fiber_start(echo, &b);
    CHECK(test_run_all(loop));
    loop_free(loop);
}

static void megabytes_pass_both_ways_through_a_unix_socket(void)
{
    int fds[2];
    test_socketpair(fds);
    check_echo(fds);
}

static void megabytes_pass_both_ways_through_tcp(void)
{
    int fds[2];
    test_tcp_pair(fds);
    check_echo(fds);
}

// A pair of connected sockets in a loop of their own: `s` is under test, `peer` a bare descriptor.
static struct rt_sock s;
static int peer;

static void set_up(void (*make_pair)(int ret_fds[2]))
{
    int fds[2];
    make_pair(fds);
    loop = test_loop(0);
    sock_init(&s, fds[0]);
    peer = fds[1];
}

static void tear_down(void)
{
    struct loop_stats stats;
    CHECK(test_run_all(loop));
    sock_close(&s);
    if (peer >= 0)
        close(peer);
    loop_stats(loop, &stats);
    CHECK_INT(stats.n_socks, 0);
    loop_free(loop);
}

// What one call on a fiber brought.
struct outcome {
    int64_t wait_ms;
    enum io io;
    int error;
    size_t n;
    char buf[16];
    bool is_done;
};

static void read_once(void *arg)
{
    struct outcome *o = arg;
    o->io = sock_read(&s, o->buf, sizeof o->buf, deadline_in(o->wait_ms), &o->n);
    o->error = s.error;
    o->is_done = true;
}

static void write_much(void *arg)
{
    struct outcome *o = arg;
    char *bytes = make_bytes(ECHO_BYTES * 4);
    struct iovec iov = {bytes, ECHO_BYTES * 4};
    o->io = sock_writev(&s, &iov, 1, o->wait_ms, deadline_in(SOON_MS));
    o->error = s.error;
    o->is_done = true;
    free(bytes);
}

static void peer_sends(const char *text)
{
    CHECK(write(peer, text, strlen(text)) == (ssize_t)strlen(text));
}

static void read_waits_for_data(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_socketpair);
    fiber_run(read_once, &o);
    loop_turn(loop, 0);
    CHECK(!o.is_done);
    peer_sends("hello");
    loop_turn(loop, SOON_MS);
    CHECK(o.is_done);
    CHECK_INT(o.io, IO_DONE);
    CHECK_STR(str_from(o.buf, o.n), STR("hello"));
    CHECK(s.reader == NULL);
    tear_down();
}

static void read_tries_before_it_looks_at_the_deadline(void)
{
    struct outcome o = {.wait_ms = -5};
    set_up(test_socketpair);
    peer_sends("hello");
    fiber_run(read_once, &o);
    CHECK_INT(o.io, IO_DONE);
    o = (struct outcome){.wait_ms = -5};
    fiber_run(read_once, &o);
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ETIMEDOUT);
    tear_down();
}

static void read_ends_at_its_deadline(void)
{
    struct outcome o = {.wait_ms = 5};
    set_up(test_socketpair);
    fiber_run(read_once, &o);
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ETIMEDOUT);
    CHECK(s.reader == NULL);
    // The socket is as good as before.
    peer_sends("late");
    o = (struct outcome){.wait_ms = SOON_MS};
    fiber_run(read_once, &o);
    CHECK(test_run_all(loop));
    CHECK_STR(str_from(o.buf, o.n), STR("late"));
    tear_down();
}

static void cancelled_read_fails_and_leaves_no_waiter(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_socketpair);
    struct fiber *f = fiber_run(read_once, &o);
    fiber_cancel(f);
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ECANCELED);
    CHECK(s.reader == NULL);
    tear_down();
}

static void close_wakes_the_reader_with_a_failure(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_socketpair);
    fiber_run(read_once, &o);
    sock_close(&s);
    CHECK(!o.is_done); // never inside the call
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ECANCELED);
    sock_close(&s);
    tear_down();
}

static void close_wakes_the_writer_with_a_failure(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_tcp_pair);
    fiber_run(write_much, &o);
    loop_turn(loop, 0);
    CHECK(s.writer != NULL);
    sock_reset(&s);
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ECANCELED);
    tear_down();
}

static void write_without_progress_fails_after_each_ms(void)
{
    struct outcome o = {.wait_ms = 10};
    set_up(test_tcp_pair);
    fiber_run(write_much, &o);
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ETIMEDOUT);
    CHECK(s.writer == NULL);
    tear_down();
}

static void end_is_seen_after_the_data_before_it(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_tcp_pair);
    fiber_run(read_once, &o); // registers, and waits
    peer_sends("last words, longer than the buffer");
    shutdown(peer, SHUT_WR);
    CHECK(test_run_all(loop));
    CHECK_INT(o.n, sizeof o.buf);
    size_t n_bytes = o.n;
    while (o.io == IO_DONE) {
        o = (struct outcome){.wait_ms = SOON_MS};
        fiber_run(read_once, &o);
        CHECK(test_run_all(loop));
        n_bytes += o.io == IO_DONE ? o.n : 0;
    }
    CHECK_INT(o.io, IO_EOF);
    CHECK_INT(n_bytes, 34);
    CHECK(s.has_hangup);
    tear_down();
}

static void half_closed_peer_still_gets_our_bytes(void)
{
    char buf[8] = "answer";
    struct iovec iov = {buf, 6};
    size_t n;
    set_up(test_tcp_pair);
    shutdown(peer, SHUT_WR);
    sock_watch(&s);
    loop_turn(loop, SOON_MS);
    CHECK(s.has_hangup);
    CHECK(!s.has_error);
    CHECK_INT(sock_try_read(&s, buf, sizeof buf, &n), IO_EOF);
    CHECK_INT(sock_try_writev(&s, &iov, 1, &n), IO_DONE);
    CHECK_INT(n, 6);
    CHECK_INT(read(peer, buf, sizeof buf), 6);
    tear_down();
}

static void shut_write_is_the_peers_end(void)
{
    char c;
    set_up(test_tcp_pair);
    sock_shut_write(&s);
    CHECK(fcntl(peer, F_SETFL, 0) == 0);
    CHECK_INT(read(peer, &c, 1), 0);
    tear_down();
}

static void reset_of_the_peer_fails_the_waiting_read(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    struct linger at_once = {1, 0};
    set_up(test_tcp_pair);
    fiber_run(read_once, &o);
    CHECK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(peer);
    peer = -1;
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_FAIL);
    CHECK_INT(o.error, ECONNRESET);
    CHECK(s.has_error);
    tear_down();
}

static void our_reset_reaches_the_peer(void)
{
    char c;
    set_up(test_tcp_pair);
    sock_reset(&s);
    CHECK(fcntl(peer, F_SETFL, 0) == 0);
    CHECK_INT(read(peer, &c, 1), -1);
    CHECK_INT(errno, ECONNRESET);
    tear_down();
}

static void the_last_acknowledgement_is_known_of_tcp_alone(void)
{
    set_up(test_tcp_pair);
    int64_t began_ms = clock_now_ms();
    char hello[] = "hello";
    struct iovec iov = {hello, 5};
    size_t n;
    CHECK(sock_try_writev(&s, &iov, 1, &n) == IO_DONE);
    CHECK(sock_last_ack_ms(&s) >= began_ms);
    tear_down();
    set_up(test_socketpair);
    CHECK_INT(sock_last_ack_ms(&s), INT64_MIN);
    tear_down();
}

static void write_to_a_peer_that_is_gone_is_an_error_value(void)
{
    char x = 'x';
    struct iovec iov = {&x, 1};
    size_t n;
    enum io io = IO_DONE;
    set_up(test_socketpair);
    close(peer);
    peer = -1;
    for (int i = 0; i < 3 && io == IO_DONE; i++)
        io = sock_try_writev(&s, &iov, 1, &n);
    CHECK_INT(io, IO_FAIL);
    CHECK_INT(s.error, EPIPE);
    tear_down();
}

static int n_called;

static void count_event(struct rt_sock *of)
{
    CHECK(fiber_self() == NULL);
    CHECK(of->is_readable);
    n_called++;
}

static void event_without_a_waiting_fiber_calls_on_event(void)
{
    char buf[8];
    size_t n;
    n_called = 0;
    set_up(test_socketpair);
    s.on_event = count_event;
    CHECK_INT(sock_try_read(&s, buf, sizeof buf, &n), IO_AGAIN);
    CHECK(!s.is_readable);
    peer_sends("a");
    sock_watch(&s);
    loop_turn(loop, SOON_MS);
    CHECK_INT(n_called, 1);
    loop_turn(loop, 0); // an edge comes once
    CHECK_INT(n_called, 1);
    CHECK_INT(sock_try_read(&s, buf, sizeof buf, &n), IO_DONE);
    CHECK_INT(sock_try_read(&s, buf, sizeof buf, &n), IO_AGAIN);
    tear_down();
}

static void event_with_a_waiting_fiber_does_not_call_on_event(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    n_called = 0;
    set_up(test_socketpair);
    s.on_event = count_event;
    fiber_run(read_once, &o);
    peer_sends("a");
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_DONE);
    CHECK_INT(n_called, 0);
    tear_down();
}

// Two ends that both send before they read would wait for each other otherwise.
static void what_is_there_to_read_is_told_while_a_fiber_waits_to_write(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    char buf[8];
    size_t n;
    n_called = 0;
    set_up(test_socketpair);
    CHECK_INT(sock_try_read(&s, buf, sizeof buf, &n), IO_AGAIN);
    struct fiber *f = fiber_run(write_much, &o);
    loop_turn(loop, 0);
    s.on_event = count_event;
    peer_sends("a");
    loop_turn(loop, SOON_MS);
    CHECK_INT(n_called, 1);
    fiber_cancel(f);
    tear_down();
    CHECK_INT(o.io, IO_FAIL);
}

static int n_switches(void)
{
    struct loop_stats stats;
    loop_stats(loop, &stats);
    return (int)stats.n_switches;
}

static void room_to_write_does_not_wake_the_reader(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_socketpair);
    fiber_run(read_once, &o);
    int n_before = n_switches();
    loop_turn(loop, 0); // the registration reports room to write
    CHECK(s.is_writable);
    CHECK(s.reader != NULL);
    CHECK_INT(n_switches(), n_before);
    peer_sends("a");
    tear_down();
}

struct owner {
    struct rt_sock sock;
    struct owner *other;
    int n_events;
};

static int n_owners_freed;

static void free_owner(void *arg)
{
    free(arg);
    n_owners_freed++;
}

// Closes both, though an event of this turn waits for the other one.
static void close_both(struct rt_sock *sock)
{
    struct owner *o = (struct owner *)sock;
    o->n_events++;
    sock_close(&o->other->sock);
    loop_defer(free_owner, o->other);
    sock_close(&o->sock);
    loop_defer(free_owner, o);
    n_called++;
}

static void socket_closed_in_a_turn_gets_no_event_of_it(void)
{
    struct owner *owners[2];
    int peers[2];
    loop = test_loop(0);
    n_called = n_owners_freed = 0;
    for (int i = 0; i < 2; i++) {
        int fds[2];
        test_socketpair(fds);
        owners[i] = calloc(1, sizeof *owners[i]);
        sock_init(&owners[i]->sock, fds[0]);
        peers[i] = fds[1];
        owners[i]->sock.on_event = close_both;
        sock_watch(&owners[i]->sock);
        CHECK(write(peers[i], "x", 1) == 1);
    }
    owners[0]->other = owners[1];
    owners[1]->other = owners[0];
    loop_turn(loop, 0);
    CHECK_INT(n_called, 1);
    CHECK_INT(n_owners_freed, 2);
    loop_turn(loop, 0);
    loop_free(loop);
    close(peers[0]);
    close(peers[1]);
}

// A fiber that another one of its turn has closed the socket of, and whose owner is freed.
static void read_and_note(void *arg)
{
    struct owner *o = arg;
    char c;
    size_t n;
    CHECK_INT(sock_read(&o->sock, &c, 1, deadline_in(SOON_MS), &n), IO_FAIL);
    CHECK_INT(o->sock.error, ECANCELED);
    o->n_events++;
    n_called++;
}

static void owner_freed_at_the_turns_end_outlives_its_waiters(void)
{
    int fds[2];
    struct owner *o = calloc(1, sizeof *o);
    loop = test_loop(0);
    n_called = 0;
    test_socketpair(fds);
    sock_init(&o->sock, fds[0]);
    fiber_run(read_and_note, o);
    sock_close(&o->sock);
    loop_defer(free_owner, o);
    loop_turn(loop, 0);
    CHECK_INT(n_called, 1);
    loop_free(loop);
    close(fds[1]);
}

// One byte of urgent data makes the read before it short although more is there.
static void data_after_urgent_data_is_not_forgotten(void)
{
    struct outcome o = {.wait_ms = SOON_MS};
    set_up(test_tcp_pair);
    fiber_run(read_once, &o);
    peer_sends("ab");
    CHECK(send(peer, "!", 1, MSG_OOB) == 1);
    peer_sends("cd");
    CHECK(test_run_all(loop));
    CHECK_INT(o.io, IO_DONE);
    size_t n_bytes = o.n;
    while (o.io == IO_DONE && n_bytes < 4) {
        o = (struct outcome){.wait_ms = 2000};
        fiber_run(read_once, &o);
        CHECK(test_run_all(loop));
        n_bytes += o.n;
    }
    CHECK_INT(n_bytes, 4);
    tear_down();
}

struct connecting {
    struct rt_addr to;
    int64_t wait_ms;
    enum err err;
    struct rt_sock sock;
};

static void connect_once(void *arg)
{
    struct connecting *c = arg;
    c->err = sock_connect(&c->sock, &c->to, deadline_in(c->wait_ms));
}

static void connect_reaches_a_tcp_listener(void)
{
    struct connecting c = {.wait_ms = SOON_MS};
    int on = 0;
    socklen_t len = sizeof on;
    int listener = test_listen(&c.to);
    loop = test_loop(0);
    fiber_run(connect_once, &c);
    CHECK(test_run_all(loop));
    CHECK_INT(c.err, ERR_OK);
    CHECK(getsockopt(c.sock.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0);
    CHECK(on != 0);
    sock_close(&c.sock);
    loop_free(loop);
    close(listener);
}

static void connect_to_a_closed_port_is_refused(void)
{
    struct connecting c = {.wait_ms = SOON_MS};
    close(test_listen(&c.to));
    loop = test_loop(0);
    fiber_run(connect_once, &c);
    CHECK(test_run_all(loop));
    CHECK_INT(c.err, ERR_SYSTEM);
    CHECK_INT(c.sock.error, ECONNREFUSED);
    CHECK_INT(c.sock.fd, -1);
    loop_free(loop);
}

// A full backlog drops SYNs: the connection neither stands nor fails.
static void connect_without_an_answer_ends_at_its_deadline(void)
{
    struct connecting c[4] = {0};
    struct rt_addr to;
    int listener = test_listen(&to), n_waiting = 0;
    CHECK(listen(listener, 0) == 0);
    loop = test_loop(0);
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        c[i] = (struct connecting){.to = to, .wait_ms = 30};
        struct fiber *f = fiber_run(connect_once, &c[i]);
        if (i == 3)
            fiber_cancel(f);
    }
    CHECK(test_run_all(loop));
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        n_waiting += c[i].err == ERR_TIMEOUT;
        CHECK_INT(c[i].err == ERR_OK, c[i].sock.fd >= 0);
        sock_close(&c[i].sock);
    }
    CHECK(n_waiting >= 1);
    CHECK_INT(c[3].err, ERR_CANCELLED);
    loop_free(loop);
    close(listener);
}

static int unix_listener(struct rt_addr *ret_addr, int backlog)
{
    char name[32];
    int n = snprintf(name, sizeof name, "@rt-test-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(addr_from_path(str_from(name, (size_t)n), ret_addr));
    CHECK(bind(fd, &ret_addr->u.any, ret_addr->len) == 0);
    CHECK(listen(fd, backlog) == 0);
    return fd;
}

static void unix_connect_waits_while_the_backlog_is_full(void)
{
    struct connecting c[3] = {0};
    struct rt_addr to;
    int listener = unix_listener(&to, 0), accepted[3];
    loop = test_loop(0);
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        c[i] = (struct connecting){.to = to, .wait_ms = i == 2 ? 30 : SOON_MS};
        fiber_run(connect_once, &c[i]);
    }
    CHECK_INT(c[0].err, ERR_OK);
    while (test_n_fibers(loop) == 2)
        loop_turn(loop, 10);
    CHECK_INT(c[2].err, ERR_TIMEOUT);
    accepted[0] = accept(listener, NULL, NULL);
    CHECK(test_run_all(loop));
    CHECK_INT(c[1].err, ERR_OK);
    accepted[1] = accept(listener, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        sock_close(&c[i].sock);
    close(accepted[0]);
    close(accepted[1]);
    loop_free(loop);
    close(listener);
}

static void connect_to_a_path_without_a_server_fails(void)
{
    struct connecting c = {.wait_ms = SOON_MS};
    CHECK(addr_from_path(STR("/nonexistent/socket"), &c.to));
    loop = test_loop(0);
    fiber_run(connect_once, &c);
    CHECK_INT(c.err, ERR_SYSTEM);
    CHECK_INT(c.sock.error, ENOENT);
    loop_free(loop);
}

static void the_address_that_a_peer_connected_to_is_known(void)
{
    int fds[2];
    struct rt_sock accepted;
    struct rt_addr addr;
    struct ip ip;
    uint16_t port = 0;
    loop = test_loop(0);
    test_tcp_pair(fds);
    sock_init(&accepted, fds[1]);
    CHECK(sock_local_addr(&accepted, &addr) && addr_to_ip(&addr, &ip, &port));
    CHECK(ip.family == 4 && ip.bytes[0] == 127 && port > 0);
    sock_close(&accepted);
    CHECK(!sock_local_addr(&accepted, &addr));
    close(fds[0]);
    loop_free(loop);
}

TEST_MAIN(TEST(megabytes_pass_both_ways_through_a_unix_socket),
          TEST(megabytes_pass_both_ways_through_tcp), TEST(read_waits_for_data),
          TEST(read_tries_before_it_looks_at_the_deadline), TEST(read_ends_at_its_deadline),
          TEST(cancelled_read_fails_and_leaves_no_waiter),
          TEST(close_wakes_the_reader_with_a_failure), TEST(close_wakes_the_writer_with_a_failure),
          TEST(write_without_progress_fails_after_each_ms),
          TEST(end_is_seen_after_the_data_before_it), TEST(half_closed_peer_still_gets_our_bytes),
          TEST(shut_write_is_the_peers_end), TEST(reset_of_the_peer_fails_the_waiting_read),
          TEST(our_reset_reaches_the_peer), TEST(the_last_acknowledgement_is_known_of_tcp_alone),
          TEST(write_to_a_peer_that_is_gone_is_an_error_value),
          TEST(event_without_a_waiting_fiber_calls_on_event),
          TEST(event_with_a_waiting_fiber_does_not_call_on_event),
          TEST(what_is_there_to_read_is_told_while_a_fiber_waits_to_write),
          TEST(room_to_write_does_not_wake_the_reader),
          TEST(socket_closed_in_a_turn_gets_no_event_of_it),
          TEST(owner_freed_at_the_turns_end_outlives_its_waiters),
          TEST(data_after_urgent_data_is_not_forgotten), TEST(connect_reaches_a_tcp_listener),
          TEST(connect_to_a_closed_port_is_refused),
          TEST(connect_without_an_answer_ends_at_its_deadline),
          TEST(unix_connect_waits_while_the_backlog_is_full),
          TEST(connect_to_a_path_without_a_server_fails),
          TEST(the_address_that_a_peer_connected_to_is_known))
