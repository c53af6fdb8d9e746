// SPDX-License-Identifier: Apache-2.0
#include "rt/log_message.h"

#include "rt/log.h"
#include "unit/test.h"

#define NOW_NS 1700000000123456789 // 2023-11-14T22:13:20.123Z
#define OWN "2026-01-02T03:04:05.678Z warn  gate: "

static const struct log_sender sender = {
    .host = STR_INIT("host.example"), .kind = STR_INIT("gate"), .pid = 42, .facility = 3};

static struct log_entry entry_of(struct str line, enum log_level level, size_t own_bytes)
{
    return (struct log_entry){
        .line = line, .level = (uint16_t)level, .own_bytes = (uint16_t)own_bytes};
}

static void syslog_messages_have_the_form_of_rfc_5424(void)
{
    static const struct {
        struct str line;
        enum log_level level;
        size_t own_bytes;
        uint32_t facility;
        struct str expected;
    } cases[] = {
        {STR_INIT(OWN "what happened\n"), LOG_WARN, sizeof OWN - 1, 3,
         STR_INIT("<28>1 2026-01-02T03:04:05.678Z host.example sallyport 42 gate - "
                  "what happened")},
        {STR_INIT("{\"text\":\"x\"}\n"), LOG_ERROR, 0, 3,
         STR_INIT("<27>1 2023-11-14T22:13:20.123Z host.example sallyport 42 gate - "
                  "{\"text\":\"x\"}")},
        {STR_INIT("GET / 200\n"), LOG_INFO, 0, 16,
         STR_INIT("<134>1 2023-11-14T22:13:20.123Z host.example sallyport 42 gate - GET / 200")},
        {STR_INIT("two\nlines\x1b[0m\n"), LOG_DEBUG, 0, 0,
         STR_INIT("<7>1 2023-11-14T22:13:20.123Z host.example sallyport 42 gate - "
                  "two lines [0m")},
        {STR_INIT("\n"), LOG_INFO, 0, 23,
         STR_INIT("<190>1 2023-11-14T22:13:20.123Z host.example sallyport 42 gate - ")},
        {STR_INIT("without an end"), LOG_INFO, 0, 1,
         STR_INIT("<14>1 2023-11-14T22:13:20.123Z host.example sallyport 42 gate - "
                  "without an end")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[512];
        struct writer w;
        struct log_sender from = sender;
        from.facility = cases[i].facility;
        struct log_entry e = entry_of(cases[i].line, cases[i].level, cases[i].own_bytes);
        writer_init(&w, buf, sizeof buf);
        log_message_syslog(&w, &from, &e, 100, NOW_NS);
        CHECK_STR(writer_str(&w), cases[i].expected);
        CHECK(!w.overflowed);
    }
}

static void a_host_name_keeps_the_header_whole(void)
{
    static const struct {
        struct str host, expected;
    } cases[] = {
        {STR_INIT(""), STR_INIT(" - sallyport ")},
        {STR_INIT("my host\xc3\xa4"), STR_INIT(" my_host__ sallyport ")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[512];
        struct writer w;
        struct log_sender from = sender;
        from.host = cases[i].host;
        struct log_entry e = entry_of(STR("x\n"), LOG_INFO, 0);
        writer_init(&w, buf, sizeof buf);
        log_message_syslog(&w, &from, &e, 100, NOW_NS);
        CHECK(str_search(writer_str(&w), cases[i].expected) != STR_NPOS);
    }
}

static void the_longest_header_fits_in_what_is_left_for_it(void)
{
    char host[300], buf[LOG_MESSAGE_HEAD_BYTES];
    memset(host, 'h', sizeof host);
    struct log_sender from = {
        .host = {host, sizeof host}, .kind = STR("keeper"), .pid = UINT32_MAX, .facility = 23};
    struct log_entry e = entry_of(STR("x\n"), LOG_DEBUG, 0);
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    log_message_syslog(&w, &from, &e, 100, NOW_NS);
    CHECK(!w.overflowed && w.len < sizeof buf - 100);
    writer_init(&w, buf, sizeof buf);
    log_message_journal(&w, &from, &e, 100);
    CHECK(!w.overflowed);
}

static void a_long_text_is_cut_between_characters(void)
{
    // 2-, 3- and 4-byte characters behind each other.
    static const struct str text = STR_INIT("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z\n");
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max = 0; max < ARRAY_LEN(kept); max++) {
        char buf[512];
        struct writer w;
        struct log_entry e = entry_of(text, LOG_INFO, 0);
        writer_init(&w, buf, sizeof buf);
        log_message_syslog(&w, &sender, &e, max, NOW_NS);
        struct str got = writer_str(&w);
        size_t at = str_search(got, STR(" gate - ")) + 8;
        CHECK_STR(str_skip(got, at), str_first(text, kept[max]));
    }
}

static void the_journal_gets_one_field_per_line(void)
{
    char buf[512];
    struct writer w;
    struct log_entry e = entry_of(STR(OWN "a\tb\n"), LOG_WARN, sizeof OWN - 1);
    writer_init(&w, buf, sizeof buf);
    log_message_journal(&w, &sender, &e, 100);
    CHECK_STR(writer_str(&w),
              STR("PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=sallyport\nSYSLOG_PID=42\n"
                  "SALLYPORT_KIND=gate\nMESSAGE=a b\n"));
}

TEST_MAIN(TEST(syslog_messages_have_the_form_of_rfc_5424), TEST(a_host_name_keeps_the_header_whole),
          TEST(the_longest_header_fits_in_what_is_left_for_it),
          TEST(a_long_text_is_cut_between_characters), TEST(the_journal_gets_one_field_per_line))
