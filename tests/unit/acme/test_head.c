// SPDX-License-Identifier: Apache-2.0
#include "acme/head.h"

#include "base/attr.h"
#include "unit/test.h"

#define NOW_S 784111777 // Sun, 06 Nov 1994 08:49:37 GMT

static void retry_after_is_seconds_or_a_date(void)
{
    static const struct {
        const char *value;
        enum err err;
        int64_t wait_s;
    } cases[] = {
        {"120", ERR_OK, 120},
        {"0", ERR_OK, 1},
        {"Sun, 06 Nov 1994 08:50:37 GMT", ERR_OK, 60},
        {"Sun, 06 Nov 1994 08:00:00 GMT", ERR_OK, 1},
        {"99999999999", ERR_OK, ACME_RETRY_AFTER_MAX_S},
        {"99999999999999999999999999", ERR_OK, ACME_RETRY_AFTER_MAX_S},
        {"-1", ERR_SYNTAX, 0},
        {"1.5", ERR_SYNTAX, 0},
        {"soon", ERR_SYNTAX, 0},
        {"", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t wait_s = 0;
        CHECK_INT(acme_retry_after(str_of(cases[i].value), NOW_S, &wait_s), cases[i].err);
        CHECK_INT(wait_s, cases[i].wait_s);
    }
}

static void times_are_read_with_their_zone(void)
{
    static const struct {
        const char *text;
        enum err err;
        int64_t at_s;
    } cases[] = {
        {"1994-11-06T08:49:37Z", ERR_OK, NOW_S},
        {"1994-11-06T09:49:37+01:00", ERR_OK, NOW_S},
        {"1994-11-06t04:19:37.123456789-04:30", ERR_OK, NOW_S},
        {"2024-02-29T00:00:00Z", ERR_OK, 1709164800},
        {"2023-02-29T00:00:00Z", ERR_SYNTAX, 0},
        {"1994-11-31T08:49:37Z", ERR_SYNTAX, 0},
        {"1994-13-06T08:49:37Z", ERR_SYNTAX, 0},
        {"1994-00-06T08:49:37Z", ERR_SYNTAX, 0},
        {"1994-11-06T24:00:00Z", ERR_SYNTAX, 0},
        {"1994-11-06T08:49:37", ERR_SYNTAX, 0},
        {"1994-11-06T08:49:37Zx", ERR_SYNTAX, 0},
        {"1994-11-06T08:49:37.Z", ERR_SYNTAX, 0},
        {"1994-11-06", ERR_SYNTAX, 0},
        {"+994-11-06T08:49:37Z", ERR_SYNTAX, 0},
        {"", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t at_s = 0;
        CHECK_INT(acme_time_parse(str_of(cases[i].text), &at_s), cases[i].err);
        CHECK_INT(at_s, cases[i].at_s);
    }
}

static void links_are_taken_with_their_relations(void)
{
    static const struct {
        const char *value;
        size_t n;
        const char *url, *rel; // of the last one
    } cases[] = {
        {"<https://a.example/1>;rel=\"alternate\"", 1, "https://a.example/1", "alternate"},
        {"<https://a.example/1>; rel=up, <https://a.example/2> ; title=\"a, b;\" ; rel=\"x y\"", 2,
         "https://a.example/2", "x y"},
        {"<https://a.example/1>;rel=\"a\";rel=\"b\"", 1, "https://a.example/1", "a"},
        {",, <u>;REL=up", 1, "u", "up"},
        {"<u>", 1, "u", ""},
        {"<u>;flag;rel=up", 1, "u", "up"},
        {"<u", 0, "", ""},
        {"u;rel=up", 0, "", ""},
        {"<u>;rel=\"up", 0, "", ""},
        {"<u>;rel=\"u\\\"p\"", 0, "", ""},
        {"<u> rel=up", 0, "", ""},
        {"", 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str rest = str_of(cases[i].value), url = STR_NONE, rel = STR_NONE, u, r;
        size_t n = 0;
        for (; acme_link_next(&rest, &u, &r); n++)
            url = u, rel = r;
        CHECK_INT(n, cases[i].n);
        CHECK_STR(url, str_of(cases[i].url));
        CHECK_STR(rel, str_of(cases[i].rel));
    }
}

static void a_head_gives_what_is_used_of_it(void)
{
    struct acme_head h;
    acme_head_parse(STR("HTTP/1.1 201 Created\r\n"
                        "Replay-Nonce: abc-_9\r\n"
                        "location:\thttps://ca.example/order/1 \r\n"
                        "Content-Type: application/json; charset=utf-8\r\n"
                        "Link: <https://ca.example/a>;rel=\"alternate\"\r\n"
                        "Link: <https://ca.example/b>;rel=\"alternate\", <t>;rel=index\r\n"
                        "Link: <https://ca.example/t>;rel=\"terms-of-service\"\r\n"
                        "Retry-After: 7\r\n"
                        "\r\n"),
                    NOW_S, &h);
    CHECK_STR(h.nonce, STR("abc-_9"));
    CHECK_STR(h.location, STR("https://ca.example/order/1"));
    CHECK_STR(h.content_type, STR("application/json"));
    CHECK_INT(h.n_alternates, 2);
    CHECK_STR(h.alternates[1], STR("https://ca.example/b"));
    CHECK_STR(h.terms, STR("https://ca.example/t"));
    CHECK_INT(h.retry_after_s, 7);
}

static void a_hostile_head_gives_nothing(void)
{
    struct acme_head h;
    acme_head_parse(STR("Replay-Nonce: a b\r\n"
                        "Replay-Nonce: a\"},{\"\r\n"
                        "Location: https://ca.example/\x01/\r\n"
                        "Retry-After: -5\r\n"
                        "Link: <<<<>;;;rel\r\n"
                        "no colon at all"),
                    NOW_S, &h);
    CHECK_INT(h.nonce.len, 0);
    CHECK_INT(h.location.len, 0);
    CHECK_INT(h.retry_after_s, 0);
    CHECK_INT(h.n_alternates, 0);
}

static void more_links_than_the_limit_are_left_out(void)
{
    char text[2048];
    size_t n = 0;
    struct acme_head h;
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "Link: <u%d>;rel=alternate\r\n", i);
    acme_head_parse(str_from(text, n), NOW_S, &h);
    CHECK_INT(h.n_alternates, ACME_LINKS_MAX);
}

TEST_MAIN(TEST(retry_after_is_seconds_or_a_date), TEST(times_are_read_with_their_zone),
          TEST(links_are_taken_with_their_relations), TEST(a_head_gives_what_is_used_of_it),
          TEST(a_hostile_head_gives_nothing), TEST(more_links_than_the_limit_are_left_out))
