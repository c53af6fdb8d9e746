// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"

static void fail_an_assertion(void)
{
    ASSERT(1 + 1 == 3);
}

static void panic_at_length(void)
{
    panic("%s %600d", "a reason", 1);
}

// What fn writes to stderr before it aborts, in a process of its own.
static struct str dying_words(void (*fn)(void), char *buf, size_t buf_bytes)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], buf + len, buf_bytes - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return str_from(buf, len);
}

static void a_failed_assertion_reports_and_aborts(void)
{
    char buf[8192];
    struct str words = dying_words(fail_an_assertion, buf, sizeof buf);
    CHECK(str_starts(words, STR("sallyport ")));
    CHECK(str_search(words, STR("test_assert.c:")) != STR_NPOS);
    CHECK(str_search(words, STR("in fail_an_assertion(): 1 + 1 == 3\n")) != STR_NPOS);
}

static void a_long_message_is_cut_and_ends_its_line(void)
{
    char buf[8192];
    struct str words = dying_words(panic_at_length, buf, sizeof buf), line;
    CHECK(str_cut(words, '\n', &line, NULL));
    CHECK_INT(line.len, 510);
    CHECK(str_search(line, STR(": panic: a reason ")) != STR_NPOS);
}

TEST_MAIN(TEST(a_failed_assertion_reports_and_aborts),
          TEST(a_long_message_is_cut_and_ends_its_line))
