// SPDX-License-Identifier: Apache-2.0
#include "rt/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "unit/test.h"

#define STREAM 1

// A file in memory as the output of a stream; what was written stays readable here.
static int open_sink(unsigned stream)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    CHECK(fd >= 0);
    log_set_output(stream, fcntl(fd, F_DUPFD_CLOEXEC, 3));
    return fd;
}

// All of a sink, which is closed. The caller frees ptr.
static struct str take(int fd)
{
    struct stat st = {.st_size = 0};
    CHECK_INT(fstat(fd, &st), 0);
    char *buf = mem_alloc_raw((size_t)st.st_size + 1);
    CHECK_INT(pread(fd, buf, (size_t)st.st_size, 0), st.st_size);
    close(fd);
    return str_from(buf, (size_t)st.st_size);
}

static void free_str(struct str s)
{
    mem_free((void *)(uintptr_t)s.ptr);
}

// One line of n bytes with its end, "WHO NUMBER ....". Waits for room.
static void put_numbered(unsigned who, unsigned number, size_t n)
{
    char *room;
    while (!(room = log_reserve(STREAM, n + 100))) // more than is used, as access logs do
        sched_yield();
    memset(room, '.', n);
    char head[32];
    int len = snprintf(head, sizeof head, "%u %u ", who, number);
    memcpy(room, head, (size_t)len);
    room[n - 1] = '\n';
    log_commit(STREAM, n);
}

// How many of n numbered lines of each writer are there, whole and in order.
static unsigned count_in_order(struct str all, unsigned n_writers)
{
    unsigned next[8] = {0}, n = 0;
    struct str line;
    while (all.len > 0 && str_cut(all, '\n', &line, &all)) {
        struct str who, number = STR_NONE, rest;
        uint64_t i = 8, got = UINT64_MAX;
        CHECK(str_cut(line, ' ', &who, &line) && str_cut(line, ' ', &number, &rest));
        CHECK_INT(num_dec(who, n_writers - 1, &i), ERR_OK);
        CHECK_INT(num_dec(number, UINT32_MAX, &got), ERR_OK);
        if (i >= 8 || got != next[i]++)
            return n;
        n++;
    }
    return n;
}

static void a_line_of_text_has_time_level_and_process(void)
{
    int sink = open_sink(LOG_STREAM_ERROR);
    log_start("test", LOG_INFO, LOG_TEXT);
    log_info("hello %d", 1);
    log_debug("unheard");
    log_warn("tab\there, line\nthere");
    log_stop();
    struct str all = take(sink), first, second;
    CHECK(str_cut(all, '\n', &first, &second));
    CHECK(first.len > 24 && first.ptr[10] == 'T' && first.ptr[23] == 'Z');
    CHECK_STR(str_skip(first, 24), STR(" info  test: hello 1"));
    CHECK_STR(str_skip(second, 24), STR(" warn  test: tab\\x09here, line\\x0athere\n"));
    free_str(all);
}

static void a_line_of_json_is_one_object(void)
{
    int sink = open_sink(LOG_STREAM_ERROR);
    log_start("test", LOG_DEBUG, LOG_JSON);
    log_debug("a \"quote\" and\na line");
    log_stop();
    struct str all = take(sink);
    CHECK(str_starts(all, STR("{\"time\":\"2")));
    CHECK(str_search(all,
                     STR("Z\",\"level\":\"debug\",\"process\":\"test\",\"text\":\"a \\\"quote\\\" "
                         "and\\na line\"}\n")) != STR_NPOS);
    CHECK_INT(str_find(all, '\n'), all.len - 1);
    free_str(all);
}

static void a_line_that_grows_too_long_is_shortened_and_stays_whole(void)
{
    char controls[2000];
    memset(controls, 1, sizeof controls - 1);
    controls[sizeof controls - 1] = '\0';
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        int sink = open_sink(LOG_STREAM_ERROR);
        log_start("test", LOG_INFO, formats[i]);
        log_error("%s", controls);
        log_stop();
        struct str all = take(sink);
        struct str end = formats[i] == LOG_JSON ? STR("\\u0001\"}\n") : STR("\\x01\n");
        CHECK(all.len > 1500 && all.len <= 4096);
        CHECK(all.len > end.len && str_eq(str_skip(all, all.len - end.len), end));
        free_str(all);
    }
}

static void the_ring_wraps_without_losing_a_byte(void)
{
    enum { N = 5000, LINE_BYTES = 997 }; // five times the ring
    int sink = open_sink(STREAM);
    log_start("test", LOG_INFO, LOG_TEXT);
    for (unsigned i = 0; i < N; i++)
        put_numbered(0, i, LINE_BYTES - i % 7);
    log_stop();
    struct str all = take(sink);
    CHECK_INT(count_in_order(all, 1), N);
    free_str(all);
}

#define N_THREADS 4
#define LINES_OF_THREAD 3000

static void *write_lines(void *arg)
{
    for (unsigned i = 0; i < LINES_OF_THREAD; i++)
        put_numbered((unsigned)(uintptr_t)arg, i, 40 + i % 50);
    return NULL;
}

static void lines_of_several_threads_are_whole_and_in_order(void)
{
    pthread_t threads[N_THREADS];
    int sink = open_sink(STREAM);
    log_start("test", LOG_INFO, LOG_TEXT);
    for (uintptr_t i = 0; i < N_THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    log_stop();
    struct str all = take(sink);
    CHECK_INT(count_in_order(all, N_THREADS), N_THREADS * LINES_OF_THREAD);
    free_str(all);
}

static void a_new_output_takes_over_between_two_lines(void)
{
    pthread_t thread;
    int sinks[3] = {open_sink(STREAM)};
    log_start("test", LOG_INFO, LOG_TEXT);
    CHECK_INT(pthread_create(&thread, NULL, write_lines, NULL), 0);
    sinks[1] = open_sink(STREAM);
    sinks[2] = open_sink(STREAM);
    pthread_join(thread, NULL);
    log_stop();
    struct str parts[3] = {take(sinks[0]), take(sinks[1]), take(sinks[2])};
    struct str whole = str_from(mem_alloc_raw(parts[0].len + parts[1].len + parts[2].len + 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        memcpy((char *)(uintptr_t)whole.ptr + whole.len, parts[i].ptr, parts[i].len);
        whole.len += parts[i].len;
        free_str(parts[i]);
    }
    CHECK_INT(count_in_order(whole, 1), LINES_OF_THREAD);
    free_str(whole);
}

static _Atomic bool must_end;

static void *log_until_told(void *arg)
{
    (void)arg;
    while (!must_end)
        log_info("still here");
    return NULL;
}

static void threads_may_log_while_the_log_stops_and_starts(void)
{
    pthread_t thread;
    int sink = open_sink(LOG_STREAM_ERROR);
    must_end = false;
    CHECK_INT(pthread_create(&thread, NULL, log_until_told, NULL), 0);
    for (int i = 0; i < 20; i++) {
        log_start("test", LOG_INFO, LOG_TEXT);
        log_info("started");
        log_stop();
    }
    must_end = true;
    pthread_join(thread, NULL);
    struct str all = take(sink), line, rest = all;
    while (str_cut(rest, '\n', &line, &rest))
        CHECK(str_search(line, STR(" info  test: ")) == 24 ||
              str_search(line, STR(" warn  ")) == 24);
    CHECK_INT(rest.len, 0);
    free_str(all);
}

// A pipe that is full and that nobody reads: the log thread waits in its write.
static int open_stuck_pipe(unsigned stream)
{
    int ends[2];
    CHECK_INT(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    char junk[4096] = {0};
    while (write(ends[1], junk, sizeof junk) > 0)
        ;
    CHECK_INT(fcntl(ends[1], F_SETFL, 0), 0);
    log_set_output(stream, ends[1]);
    return ends[0];
}

static void what_finds_no_room_is_counted_and_told(void)
{
    int sink = open_sink(LOG_STREAM_ERROR);
    int reader = open_stuck_pipe(STREAM);
    log_start("test", LOG_INFO, LOG_TEXT);
    uint64_t before = log_dropped(), others = before - log_lost(STREAM);
    unsigned n = 0;
    char *room;
    while ((room = log_reserve(STREAM, 1000))) {
        memset(room, 'x', 1000);
        log_commit(STREAM, 1000);
        n++;
    }
    CHECK(n >= 1000 && n < 1048);
    CHECK_INT(log_dropped() - before, 1);
    CHECK(log_reserve(STREAM, 1 << 20) == NULL); // larger than any line
    CHECK_INT(log_dropped() - before, 2);
    close(reader); // the output fails: the lines are lost, the thread goes on
    log_stop();
    CHECK_INT(log_dropped() - before, n + 2);
    CHECK_INT(log_lost(STREAM), log_dropped() - others);
    struct str all = take(sink);
    CHECK(str_search(all, STR(" log lines were lost (access log)\n")) != STR_NPOS);
    free_str(all);
}

static void a_stuck_access_log_does_not_hold_up_the_error_log(void)
{
    int sink = open_sink(LOG_STREAM_ERROR);
    int reader = open_stuck_pipe(STREAM);
    log_start("test", LOG_INFO, LOG_TEXT);
    put_numbered(0, 0, 100);
    log_info("heard");
    struct stat st = {.st_size = 0};
    for (int i = 0; st.st_size == 0 && i < 10000; i++) { // 10 s
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        CHECK_INT(fstat(sink, &st), 0);
    }
    CHECK(st.st_size > 0);
    close(reader);
    log_stop();
    struct str all = take(sink);
    CHECK(str_search(all, STR(" info  test: heard\n")) != STR_NPOS);
    CHECK(str_search(all, STR(" error test: the access log can't be written to its file: Broken "
                              "pipe; lines wait")) != STR_NPOS);
    CHECK(str_search(all, STR(" 1 log lines were lost (access log)\n")) != STR_NPOS);
    free_str(all);
}

static void a_storm_of_one_kind_is_cut_and_told(void)
{
    int sink = open_sink(LOG_STREAM_ERROR);
    log_set_repeats(5);
    log_start("test", LOG_DEBUG, LOG_TEXT);
    for (int i = 0; i < 20; i++) {
        log_warn("server %d is gone", i);
        log_debug("free %d", i);
        log_info(STR_FMT, STR_ARG(STR("a text alone")));
    }
    log_stop();
    log_set_repeats(0);
    struct str all = take(sink), line, rest = all;
    unsigned n_warnings = 0, n_others = 0;
    while (str_cut(rest, '\n', &line, &rest)) {
        n_warnings += str_search(line, STR(" warn  test: server ")) != STR_NPOS;
        n_others += str_search(line, STR(": free ")) != STR_NPOS || str_ends(line, STR("alone"));
    }
    CHECK(n_warnings == 5 && n_others == 40);
    CHECK(str_search(all, STR(" warn  test: 15 more lines like 'server * is gone' were left out "
                              "within 10 s\n")) != STR_NPOS);
    free_str(all);
}

static void a_stuck_output_does_not_keep_the_process_from_ending(void)
{
    struct timespec began, ended;
    int reader = open_stuck_pipe(STREAM);
    log_start("test", LOG_INFO, LOG_TEXT);
    put_numbered(0, 0, 100);
    clock_gettime(CLOCK_MONOTONIC, &began);
    log_stop();
    clock_gettime(CLOCK_MONOTONIC, &ended);
    CHECK(ended.tv_sec - began.tv_sec < 30);
    close(reader);
}

static void lines_go_out_at_once_when_no_log_runs(void)
{
    int sink = open_sink(LOG_STREAM_ERROR);
    log_set_level(LOG_WARN, LOG_TEXT);
    log_info("unheard");
    log_warn("heard");
    struct str all = take(sink);
    CHECK(str_search(all, STR(": heard\n")) != STR_NPOS);
    CHECK(str_search(all, STR("unheard")) == STR_NPOS);
    free_str(all);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(a_line_of_text_has_time_level_and_process),
        TEST(a_line_of_json_is_one_object),
        TEST(a_line_that_grows_too_long_is_shortened_and_stays_whole),
        TEST(the_ring_wraps_without_losing_a_byte),
        TEST(lines_of_several_threads_are_whole_and_in_order),
        TEST(a_new_output_takes_over_between_two_lines),
        TEST(threads_may_log_while_the_log_stops_and_starts),
        TEST(what_finds_no_room_is_counted_and_told),
        TEST(a_stuck_access_log_does_not_hold_up_the_error_log),
        TEST(a_storm_of_one_kind_is_cut_and_told),
        TEST(lines_go_out_at_once_when_no_log_runs),
        TEST(a_stuck_output_does_not_keep_the_process_from_ending),
    };
    signal(SIGPIPE, SIG_IGN);
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
