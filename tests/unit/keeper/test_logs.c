// SPDX-License-Identifier: Apache-2.0
#include "keeper/logs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"

static struct settings settings_of(const char *error_log, const char *access_log)
{
    struct settings s = {.log = {.path = {.text = str_of(error_log)}, .facility = 3, .repeats = 7},
                         .access_log = {.is_on = access_log != NULL,
                                        .path = {.text = str_of(access_log)},
                                        .facility = 16}};
    return s;
}

static void each_log_has_its_target(void)
{
    struct settings s = settings_of("syslog:tcp://127.0.0.1:9", "journald:/run/j");
    struct logs logs;
    struct gate_log m;
    CHECK(logs_open(&s, NULL, &logs));
    CHECK_INT(logs.repeats, 7);
    CHECK_INT(logs_message(&logs, LOG_STREAM_ERROR, &m), -1);
    CHECK(m.type == GATE_LOG && m.stream == LOG_STREAM_ERROR);
    CHECK(m.target.kind == LOG_TO_SYSLOG_TCP && m.target.facility == 3);
    char buf[128];
    CHECK_STR(addr_text(&m.target.addr, buf, sizeof buf), STR("127.0.0.1:9"));
    CHECK_INT(logs_message(&logs, LOG_STREAM_ACCESS, &m), -1);
    CHECK(m.target.kind == LOG_TO_JOURNAL && m.target.facility == 16);
    logs_close(&logs);
}

static void a_log_that_is_off_goes_to_nothing(void)
{
    struct settings s = settings_of("-", NULL);
    struct logs logs;
    struct gate_log m;
    CHECK(logs_open(&s, NULL, &logs));
    int fd = logs_message(&logs, LOG_STREAM_ERROR, &m);
    CHECK(fd > STDERR_FILENO && m.target.kind == LOG_TO_FD && m.target.fd == -1);
    CHECK_INT(logs_message(&logs, LOG_STREAM_ACCESS, &m), -1);
    CHECK_INT(m.target.kind, LOG_TO_NOTHING);
    logs_close(&logs);
    CHECK_INT(fcntl(fd, F_GETFD), -1);
    logs_close(&logs); // once more does nothing
}

static void what_cannot_be_opened_leaves_nothing_open(void)
{
    static const char *const cases[] = {"/nowhere/at/all", "syslog:udp://no-such-host.invalid",
                                        "syslog:what"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings s = settings_of("-", cases[i]);
        struct logs logs = {.repeats = 99};
        struct diags diags = {.n = 0};
        int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        close(before);
        CHECK(!logs_open(&s, &diags, &logs));
        CHECK_INT(diags.n_errors, 1);
        CHECK_INT(logs.repeats, 99); // untouched
        int after = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        close(after);
        CHECK_INT(after, before);
        diags_fini(&diags);
    }
}

static void a_file_is_opened_anew_by_its_path(void)
{
    char folder[] = "/tmp/sallyport-test-XXXXXX", path[64], moved[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
    struct settings s = settings_of("-", path);
    struct logs logs;
    struct gate_log m;
    struct stat before, after;
    CHECK(logs_open(&s, NULL, &logs));
    CHECK_INT(fstat(logs_message(&logs, LOG_STREAM_ACCESS, &m), &before), 0);
    CHECK_INT(rename(path, moved), 0);
    CHECK(logs_reopen(&logs));
    CHECK_INT(fstat(logs_message(&logs, LOG_STREAM_ACCESS, &m), &after), 0);
    CHECK(before.st_ino != after.st_ino);
    unlink(path);
    unlink(moved);
    rmdir(folder);
    log_set_output(LOG_STREAM_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    CHECK(!logs_reopen(&logs)); // the old one stays
    CHECK_INT(fstat(logs_message(&logs, LOG_STREAM_ACCESS, &m), &before), 0);
    CHECK(before.st_ino == after.st_ino);
    logs_close(&logs);
}

TEST_MAIN(TEST(each_log_has_its_target), TEST(a_log_that_is_off_goes_to_nothing),
          TEST(what_cannot_be_opened_leaves_nothing_open), TEST(a_file_is_opened_anew_by_its_path))
