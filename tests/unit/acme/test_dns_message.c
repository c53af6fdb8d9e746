// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_message.h"

#include "unit/test.h"

static const unsigned one_answer[DNS_SECTIONS] = {1, 1, 0, 0};

static void what_was_written_is_read_back(void)
{
    char buf[512];
    struct writer w;
    struct dns_message m;
    struct dns_record r;
    writer_init(&w, buf, sizeof buf);
    dns_put_head(&w, 0xbeef, DNS_FLAG_ANSWER, one_answer);
    CHECK(dns_put_question(&w, STR("Www.Example.com."), DNS_TYPE_TXT));
    CHECK(dns_put_txt(&w, STR("_acme-challenge.www.example.com"), DNS_CLASS_IN, 60, STR("value")));
    CHECK(dns_message_open(writer_str(&w), &m));
    CHECK_INT(m.id, 0xbeef);
    CHECK_INT(dns_message_next(&m, &r), IO_DONE);
    CHECK_STR(str_of(r.name), STR("www.example.com"));
    CHECK_INT(r.type, DNS_TYPE_TXT);
    CHECK_INT(dns_message_next(&m, &r), IO_DONE);
    CHECK_INT(r.section, DNS_ANSWER);
    CHECK_INT(r.ttl_s, 60);
    CHECK_STR(str_of(r.name), STR("_acme-challenge.www.example.com"));
    CHECK(dns_txt_is(r.data, STR("value")));
    CHECK_INT(dns_message_next(&m, &r), IO_EOF);
    // Cut anywhere, it is malformed, never read beyond.
    for (size_t n = 0; n < w.len; n++) {
        char *piece = malloc(n + 1);
        enum io io = IO_FAIL;
        memcpy(piece, buf, n);
        if (dns_message_open(str_from(piece, n), &m)) {
            while ((io = dns_message_next(&m, &r)) == IO_DONE)
                ;
        }
        CHECK_INT(io, IO_FAIL);
        free(piece);
    }
}

static void what_is_no_name_is_not_written(void)
{
    static const char *const bad[] = {
        ".a",
        "a..b",
        "a..",
        "0123456789012345678901234567890123456789012345678901234567890123.example",
    };
    char buf[512];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!dns_put_name(&w, str_of(bad[i])));
    w.len = 0;
    CHECK(dns_put_name(&w, STR(".")));
    CHECK_INT(w.len, 1);
}

static void names_may_point_back_but_not_in_circles(void)
{
    static const struct {
        struct str bytes;
        size_t at;
        const char *name; // NULL: malformed
        size_t end;
    } cases[] = {
        {STR_INIT("\1a\0\1b\xc0\0"), 3, "b.a", 7},
        {STR_INIT("\1a\0\xc0\0\xc0\3"), 5, "a", 7},
        {STR_INIT("\xc0\0"), 0, NULL, 0},
        {STR_INIT("\1a\xc0\0"), 0, NULL, 0},
        {STR_INIT("\xc0\4\1a\0"), 0, NULL, 0},
        {STR_INIT("\1a\0\x40\0"), 3, NULL, 0},
        {STR_INIT("\1a"), 0, NULL, 0},
        {STR_INIT("\5a"), 0, NULL, 0},
        {STR_INIT("\xc0"), 0, NULL, 0},
        {STR_INIT(""), 0, NULL, 0},
        {STR_INIT("\3A.\n\0"), 0, "a??", 5},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[DNS_NAME_MAX_BYTES];
        size_t end = 0;
        bool is_fine = dns_message_name(cases[i].bytes, cases[i].at, name, &end);
        CHECK(is_fine == (cases[i].name != NULL));
        if (is_fine)
            CHECK_STR(str_of(name), str_of(cases[i].name));
        if (is_fine)
            CHECK_INT(end, cases[i].end);
    }
}

static void a_record_of_several_strings_is_their_sum(void)
{
    CHECK(dns_txt_is(STR("\2ab\1c"), STR("abc")));
    CHECK(!dns_txt_is(STR("\2ab\1c"), STR("ab")));
    CHECK(!dns_txt_is(STR("\2ab"), STR("abc")));
    CHECK(!dns_txt_is(STR("\5ab"), STR("ab")));
    CHECK(dns_txt_is(STR("\0"), STR("")));
}

TEST_MAIN(TEST(what_was_written_is_read_back), TEST(what_is_no_name_is_not_written),
          TEST(names_may_point_back_but_not_in_circles),
          TEST(a_record_of_several_strings_is_their_sum))
