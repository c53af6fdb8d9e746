// SPDX-License-Identifier: Apache-2.0
#include "rt/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit/test.h"

#define HEAD_BYTES                                                                                 \
    (sizeof "<134>1 2026-01-02T03:04:05.678Z host.example sallyport 42 access - " - 1)

static const struct log_entry hello[] = {
    {.line = STR_INIT("hello\n"), .level = LOG_INFO},
    {.line = STR_INIT("there\n"), .level = LOG_INFO},
};

static struct log_output *open_output(const struct log_target *target)
{
    struct log_output *o = MEM_NEW(struct log_output);
    *o = (struct log_output){
        .fd = -1, .sender = {.host = STR("host.example"), .kind = STR("access"), .pid = 42}};
    log_output_set(o, target);
    return o;
}

static void close_output(struct log_output *o)
{
    log_output_set(o, &(struct log_target){.kind = LOG_TO_NOTHING});
    mem_free(o);
}

// A socket at an address of its own; target leads there.
static int open_collector(enum log_target_kind kind, int type, struct log_target *target)
{
    *target = (struct log_target){.kind = kind, .facility = 16};
    bool is_local = kind == LOG_TO_SYSLOG_UNIX || kind == LOG_TO_JOURNAL;
    if (is_local) { // abstract, of a name that the kernel chooses
        target->addr.u.un.sun_family = AF_UNIX;
        target->addr.len = sizeof(sa_family_t);
    } else {
        struct ip ip;
        CHECK_INT(ip_parse(STR("127.0.0.1"), &ip), ERR_OK);
        addr_from_ip(&ip, 0, &target->addr);
    }
    int fd = socket(is_local ? AF_UNIX : AF_INET, type | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fd, &target->addr.u.any, target->addr.len), 0);
    target->addr.len = sizeof target->addr.u;
    CHECK_INT(getsockname(fd, &target->addr.u.any, &target->addr.len), 0);
    if (type == SOCK_STREAM)
        CHECK_INT(listen(fd, 5), 0);
    return fd;
}

static struct str receive(int fd, char *buf, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK_INT(poll(&p, 1, 10000), 1);
    ssize_t got = recv(fd, buf, n, 0);
    CHECK(got >= 0);
    return str_from(buf, got > 0 ? (size_t)got : 0);
}

// Gives entries again until they are taken; false when that takes too many tries.
static bool put_all(struct log_output *o, const struct log_entry *entries, size_t n)
{
    for (int i = 0; i < 100; i++) {
        size_t n_done = log_output_put(o, entries, n);
        entries += n_done;
        n -= n_done;
        if (n == 0)
            return true;
        log_output_wait(o, 1000);
    }
    return false;
}

static void datagrams_hold_a_message_each(void)
{
    static const enum log_target_kind kinds[] = {LOG_TO_SYSLOG_UDP, LOG_TO_SYSLOG_UNIX,
                                                 LOG_TO_JOURNAL};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct log_target target;
        char buf[4096];
        int fd = open_collector(kinds[i], SOCK_DGRAM, &target);
        struct log_output *o = open_output(&target);
        CHECK_INT(log_output_put(o, hello, 2), 2);
        for (size_t k = 0; k < 2; k++) {
            struct str got = receive(fd, buf, sizeof buf);
            if (kinds[i] == LOG_TO_JOURNAL) {
                CHECK(str_starts(got, STR("PRIORITY=6\nSYSLOG_FACILITY=16\n")));
                CHECK(str_ends(got, k == 0 ? STR("\nMESSAGE=hello\n") : STR("\nMESSAGE=there\n")));
            } else {
                CHECK(str_starts(got, STR("<134>1 ")));
                CHECK_STR(str_skip(got, HEAD_BYTES), str_first(hello[k].line, 5));
            }
        }
        close_output(o);
        close(fd);
    }
}

static void over_tcp_octets_are_counted(void)
{
    struct log_target target;
    char buf[4096];
    int listener = open_collector(LOG_TO_SYSLOG_TCP, SOCK_STREAM, &target);
    struct log_output *o = open_output(&target);
    CHECK_INT(log_output_put(o, hello, 2), 2);
    int fd = accept(listener, NULL, NULL);
    struct str got = receive(fd, buf, sizeof buf);
    for (size_t k = 0; k < 2; k++) {
        CHECK(str_starts(got, STR("72 <134>1 ")));
        CHECK_STR(str_first(str_skip(got, 3 + HEAD_BYTES), 5), str_first(hello[k].line, 5));
        got = str_skip(got, 3 + HEAD_BYTES + 5);
    }
    CHECK_INT(got.len, 0);
    close_output(o);
    close(fd);
    close(listener);
}

static void a_local_socket_may_be_a_stream(void)
{
    struct log_target target;
    char buf[4096];
    // Abstract names tell the two types of sockets apart; paths, which are what counts, don't.
    char path[] = "/tmp/sallyport-test-XXXXXX";
    int place = mkstemp(path);
    close(place);
    unlink(path);
    target = (struct log_target){.kind = LOG_TO_SYSLOG_UNIX, .facility = 16};
    CHECK(addr_from_path(str_of(path), &target.addr));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(listener, &target.addr.u.any, target.addr.len), 0);
    CHECK_INT(listen(listener, 1), 0);
    struct log_output *o = open_output(&target);
    CHECK_INT(log_output_put(o, hello, 1), 1);
    unlink(path);
    int fd = accept(listener, NULL, NULL);
    struct str got = receive(fd, buf, sizeof buf);
    CHECK_INT(str_find(got, '\0'), got.len - 1);
    CHECK_STR(str_skip(got, HEAD_BYTES), STR("hello\0"));
    close_output(o);
    close(fd);
    close(listener);
}

static void a_collector_that_comes_back_gets_every_line(void)
{
    struct log_target target;
    char buf[4096];
    int listener = open_collector(LOG_TO_SYSLOG_TCP, SOCK_STREAM, &target);
    struct log_output *o = open_output(&target);
    CHECK_INT(log_output_put(o, hello, 1), 1);
    int fd = accept(listener, NULL, NULL);
    CHECK(str_ends(receive(fd, buf, sizeof buf), STR("hello")));
    close(fd); // it is restarted
    CHECK(put_all(o, hello + 1, 1));
    fd = accept(listener, NULL, NULL);
    CHECK(str_ends(receive(fd, buf, sizeof buf), STR("there")));
    CHECK_INT(o->n_lost, 0);
    close_output(o);
    close(fd);
    close(listener);
}

static void who_does_not_answer_is_asked_again_later(void)
{
    struct log_target target;
    int listener = open_collector(LOG_TO_SYSLOG_TCP, SOCK_STREAM, &target);
    close(listener);
    struct log_output *o = open_output(&target);
    int64_t last = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(log_output_put(o, hello, 2), 0);
        CHECK_INT(o->error, ECONNREFUSED);
        CHECK(o->backoff_ms > last);
        last = o->backoff_ms;
        CHECK_INT(log_output_put(o, hello, 2), 0); // at once: isn't tried
        CHECK_INT(o->backoff_ms, last);
        log_output_hurry(o);
    }
    close_output(o);
}

static void over_udp_the_network_s_word_counts_a_line_as_lost(void)
{
    struct log_target target;
    int fd = open_collector(LOG_TO_SYSLOG_UDP, SOCK_DGRAM, &target);
    close(fd);
    struct log_output *o = open_output(&target);
    CHECK_INT(log_output_put(o, hello, 2), 1); // the first has gone into nowhere
    CHECK_INT(o->n_lost, 1);
    CHECK_INT(o->error, ECONNREFUSED);
    close_output(o);
}

static void a_long_line_is_cut_to_what_the_way_takes(void)
{
    static const struct {
        enum log_target_kind kind;
        size_t text_max;
    } cases[] = {{LOG_TO_SYSLOG_UDP, LOG_TEXT_MAX_UDP},
                 {LOG_TO_SYSLOG_UNIX, LOG_TEXT_MAX_SYSLOG},
                 {LOG_TO_JOURNAL, LOG_TEXT_MAX_JOURNAL}};
    char line[LOG_LINE_MAX_BYTES], buf[LOG_LINE_MAX_BYTES];
    memset(line, 'x', sizeof line);
    struct log_entry entry = {.line = {line, sizeof line}, .level = LOG_INFO};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct log_target target;
        int fd = open_collector(cases[i].kind, SOCK_DGRAM, &target);
        struct log_output *o = open_output(&target);
        CHECK_INT(log_output_put(o, &entry, 1), 1);
        struct str got = receive(fd, buf, sizeof buf);
        CHECK_INT(got.len - str_search(got, STR("xxxx")) -
                      (cases[i].kind == LOG_TO_JOURNAL ? 1 : 0),
                  cases[i].text_max);
        close_output(o);
        close(fd);
    }
}

static void a_local_collector_that_reads_nothing_is_waited_for(void)
{
    struct log_target target;
    char buf[4096];
    int fd = open_collector(LOG_TO_SYSLOG_UNIX, SOCK_DGRAM, &target);
    struct log_output *o = open_output(&target);
    size_t n = 0;
    while (n < 100000 && log_output_put(o, hello, 1) == 1)
        n++;
    CHECK(n < 100000 && o->is_blocked && o->error == 0);
    for (size_t i = 0; i < n; i++)
        receive(fd, buf, sizeof buf);
    CHECK(put_all(o, hello, 1));
    CHECK(str_ends(receive(fd, buf, sizeof buf), STR("hello")));
    close_output(o);
    close(fd);
}

// Both kinds of pipe: one that is ours alone, and one that others use, too.
static void a_full_pipe_gets_the_rest_of_a_line_when_it_is_read(void)
{
    static const int flags[] = {O_NONBLOCK, 0};
    enum { N_BYTES = 10000 };
    char *line = mem_alloc_raw(N_BYTES), buf[65536];
    memset(line, 'x', N_BYTES);
    line[N_BYTES - 1] = '\n';
    struct log_entry entry = {.line = {line, N_BYTES}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        int ends[2];
        CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
        CHECK_INT(fcntl(ends[1], F_SETFL, flags[i]), 0);
        CHECK_INT(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        struct log_output *o = open_output(&(struct log_target){.kind = LOG_TO_FD, .fd = ends[1]});
        size_t n_lines = 0, n_bytes = 0;
        while (n_lines < 100 && log_output_put(o, &entry, 1) == 1)
            n_lines++;
        CHECK(n_lines < 100 && o->is_blocked && o->error == 0);
        ssize_t n;
        for (int round = 0; round < 20; round++) {
            while ((n = read(ends[0], buf, sizeof buf)) > 0)
                n_bytes += (size_t)n;
            if (n_bytes % N_BYTES == 0)
                break;
            n_lines += log_output_put(o, &entry, 1);
        }
        CHECK_INT(n_bytes, n_lines * N_BYTES);
        close_output(o);
        close(ends[0]);
    }
    mem_free(line);
}

static void a_full_disk_is_tried_again(void)
{
    struct log_output *o = open_output(
        &(struct log_target){.kind = LOG_TO_FD, .fd = open("/dev/full", O_WRONLY | O_CLOEXEC)});
    CHECK_INT(log_output_put(o, hello, 2), 0);
    CHECK_INT(o->error, ENOSPC);
    CHECK(o->retry_at_ms > 0);
    int fd = memfd_create("log", MFD_CLOEXEC), copy = dup(fd);
    log_output_set(o, &(struct log_target){.kind = LOG_TO_FD, .fd = copy});
    CHECK_INT(log_output_put(o, hello, 2), 2);
    CHECK_INT(o->error, 0);
    char buf[64];
    CHECK_STR(str_from(buf, (size_t)pread(fd, buf, sizeof buf, 0)), STR("hello\nthere\n"));
    close_output(o);
    close(fd);
}

static void a_target_has_a_text_for_people(void)
{
    char buf[256];
    struct log_target target;
    int fd = open_collector(LOG_TO_SYSLOG_TCP, SOCK_STREAM, &target);
    CHECK(str_starts(log_target_text(&target, buf, sizeof buf), STR("syslog at tcp 127.0.0.1:")));
    close(fd);
    target = (struct log_target){.kind = LOG_TO_FD};
    CHECK_STR(log_target_text(&target, buf, sizeof buf), STR("its file"));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(datagrams_hold_a_message_each),
        TEST(over_tcp_octets_are_counted),
        TEST(a_local_socket_may_be_a_stream),
        TEST(a_collector_that_comes_back_gets_every_line),
        TEST(who_does_not_answer_is_asked_again_later),
        TEST(over_udp_the_network_s_word_counts_a_line_as_lost),
        TEST(a_long_line_is_cut_to_what_the_way_takes),
        TEST(a_local_collector_that_reads_nothing_is_waited_for),
        TEST(a_full_pipe_gets_the_rest_of_a_line_when_it_is_read),
        TEST(a_full_disk_is_tried_again),
        TEST(a_target_has_a_text_for_people),
    };
    signal(SIGPIPE, SIG_IGN);
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
