// SPDX-License-Identifier: Apache-2.0
#include "tls/probe_hello.h"

#include "codec/client_hello.h"
#include "unit/test.h"

#define BYTES(lit) STR(lit)
#define RANDOM_32 "0123456789abcdef0123456789abcdef"

static void hellos_are_what_a_strict_reader_expects(void)
{
    for (unsigned version = 0x0300; version <= 0x0304; version++) {
        char room[4096];
        struct client_hello_reader reader;
        struct client_hello hello;
        enum client_hello_error error;
        struct text t = {.ptr = NULL};
        tls_probe_hello(&t, version, STR("a.example"), (struct tls_probe_suites){.n = 0});
        client_hello_begin(&reader, room, sizeof room);
        enum io io = client_hello_feed(&reader, text_str(&t), &hello, &error);
        CHECK_INT(io, IO_DONE);
        if (io == IO_DONE) {
            CHECK_STR(hello.server_name, STR("a.example"));
            CHECK_INT(hello.version_max, version);
        }
        text_fini(&t);
    }
}

static void exactly_the_wanted_suites_are_offered(void)
{
    struct text t = {.ptr = NULL};
    struct tls_probe_suites rc4 = tls_probe_weak_suites(TLS_PROBE_WEAK_RC4);
    tls_probe_hello(&t, 0x0303, STR_NONE, rc4);
    struct str list = str_skip(text_str(&t), 5 + 4 + 2 + 32 + 1);
    CHECK_STR(str_first(list, 6), BYTES("\x00\x0c\x00\x04\x00\x05"));
    CHECK_INT(rc4.n, 6);
    text_fini(&t);
}

static void answers_are_read(void)
{
    static const struct {
        struct str bytes;
        enum tls_probe_outcome outcome;
        struct tls_probe_answer answer;
    } cases[] = {
        {STR_INIT("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" RANDOM_32 "\x00\x00\x05\x01"),
         TLS_PROBE_ACCEPTED,
         {.version = 0x0301, .suite = 0x0005, .is_compressed = true}},
        {STR_INIT("\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03" RANDOM_32
                  "\x00\xc0\x2b\x00\x00\x05\xff\x01\x00\x01\x00"),
         TLS_PROBE_ACCEPTED,
         {.version = 0x0303, .suite = 0xc02b, .renegotiates_securely = true}},
        {STR_INIT("\x16\x03\x03\x00\x32\x02\x00\x00\x2e\x03\x03" RANDOM_32
                  "\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04"),
         TLS_PROBE_ACCEPTED,
         {.version = 0x0304, .suite = 0x1301}},
        {STR_INIT("\x15\x03\x01\x00\x02\x02\x46"), TLS_PROBE_REFUSED, {.alert = 70}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_probe_answer a;
        struct str bytes = cases[i].bytes;
        CHECK_INT(tls_probe_answer(bytes, &a), cases[i].outcome);
        CHECK_INT(a.version, cases[i].answer.version);
        CHECK_INT(a.suite, cases[i].answer.suite);
        CHECK_INT(a.alert, cases[i].answer.alert);
        CHECK_INT(a.is_compressed, cases[i].answer.is_compressed);
        CHECK_INT(a.renegotiates_securely, cases[i].answer.renegotiates_securely);
        for (size_t n = 0; n < bytes.len; n++)
            CHECK_INT(tls_probe_answer(str_first(bytes, n), &a), TLS_PROBE_MORE);
    }
}

static void what_is_no_answer_is_told(void)
{
    static const struct str cases[] = {
        STR_INIT("HTTP/1.1 400 Bad Request\r\n"),
        STR_INIT("\x17\x03\x03\x00\x01\x00"),                 // application data
        STR_INIT("\x15\x03\x01\x00\x01\x02"),                 // half an alert
        STR_INIT("\x16\x03\x03\x00\x00"),                     // an empty record
        STR_INIT("\x16\x03\x03\x00\x04\x0b\x00\x00\x00"),     // another message
        STR_INIT("\x16\x03\x03\xff\xff\x02\xff\xff\xff\x03"), // a length out of reason
        STR_INIT("\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03"),
        // Lengths of session, list and extension that lead beyond the message.
        STR_INIT("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" RANDOM_32 "\xff\x00\x05\x01"),
        STR_INIT("\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03" RANDOM_32
                 "\x00\xc0\x2b\x00\x00\x09"),
        STR_INIT("\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03" RANDOM_32
                 "\x00\xc0\x2b\x00\x00\x04\x00\x2b\x00\x02"),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_probe_answer a;
        CHECK_INT(tls_probe_answer(cases[i], &a), TLS_PROBE_OTHER);
    }
}

TEST_MAIN(TEST(hellos_are_what_a_strict_reader_expects),
          TEST(exactly_the_wanted_suites_are_offered), TEST(answers_are_read),
          TEST(what_is_no_answer_is_told))
