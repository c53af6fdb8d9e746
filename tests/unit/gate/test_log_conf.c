// SPDX-License-Identifier: Apache-2.0
#include "gate/log_conf.h"

#include "unit/test.h"

static void places_for_logs_are_read(void)
{
    static const struct {
        const char *text;
        struct log_place expected;
    } cases[] = {
        {"-", {.kind = LOG_PLACE_STANDARD, .path = STR_INIT("-")}},
        {"/var/log/a.log", {.kind = LOG_PLACE_FILE, .path = STR_INIT("/var/log/a.log")}},
        {"here.log", {.kind = LOG_PLACE_FILE, .path = STR_INIT("here.log")}},
        {"syslog", {.kind = LOG_PLACE_UNIX, .path = STR_INIT("/dev/log")}},
        {"syslog:unix:/run/s", {.kind = LOG_PLACE_UNIX, .path = STR_INIT("/run/s")}},
        {"journald", {.kind = LOG_PLACE_JOURNAL, .path = STR_INIT("/run/systemd/journal/socket")}},
        {"journald:/run/j", {.kind = LOG_PLACE_JOURNAL, .path = STR_INIT("/run/j")}},
        {"syslog:udp://h", {.kind = LOG_PLACE_UDP, .host = STR_INIT("h"), .port = 514}},
        {"syslog:tcp://a.b:6514", {.kind = LOG_PLACE_TCP, .host = STR_INIT("a.b"), .port = 6514}},
        {"syslog:tcp://[::1]:1", {.kind = LOG_PLACE_TCP, .host = STR_INIT("::1"), .port = 1}},
        {"syslog:udp://[::1]", {.kind = LOG_PLACE_UDP, .host = STR_INIT("::1"), .port = 514}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_text text = {.text = str_of(cases[i].text)};
        struct log_place got;
        CHECK_INT(log_place_parse(&text, NULL, &got), ERR_OK);
        CHECK_INT(got.kind, cases[i].expected.kind);
        CHECK_STR(got.host, cases[i].expected.host);
        CHECK_INT(got.port, cases[i].expected.port);
        if (cases[i].expected.path.len > 0)
            CHECK_STR(got.path, cases[i].expected.path);
    }
}

static void what_is_no_place_for_a_log_is_refused(void)
{
    static const char *const cases[] = {
        "",
        "syslog:",
        "syslog:x",
        "syslog:unix:relative",
        "syslog:unix:",
        "journald:relative",
        "syslog:udp://",
        "syslog:udp://:514",
        "syslog:udp://h:",
        "syslog:udp://h:0",
        "syslog:udp://h:65536",
        "syslog:udp://h:x",
        "syslog:tcp://[::1",
        "syslog:tcp://[::1]x",
        "syslog:tcp://[]:1",
        "syslog:sctp://h:1",
        "syslog:unix:/" // longer than a socket's path may be
        "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901234567890",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_text text = {.text = str_of(cases[i])};
        struct log_place ignored;
        struct diags diags = {.n = 0};
        CHECK_INT(log_place_parse(&text, &diags, &ignored), ERR_SYNTAX);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
    }
}

TEST_MAIN(TEST(places_for_logs_are_read), TEST(what_is_no_place_for_a_log_is_refused))
