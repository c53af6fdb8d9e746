// SPDX-License-Identifier: Apache-2.0
// Forwarding fields, seen through a driver: the application answers with the fields that a server
// would get.
#include "http/forward.h"

#include "unit/http/server_rig.h"

#define CLOSE "Connection: close\r\n\r\n"

struct request_case {
    bool is_trusted;
    const char *request;
    const char *has[6];
    const char *lacks[4];
};

static void open_with_all_fields(struct rig *r, bool is_trusted)
{
    rig_open(r);
    r->entry.x_forwarded = r->entry.x_real_ip = r->entry.forwarded = true;
    r->entry.via = STR("gate");
    CHECK(ip_net_parse(STR("127.0.0.0/8"), &r->trusted[0]) == ERR_OK);
    r->entry.trusted = r->trusted;
    r->entry.n_trusted = is_trusted ? 1 : 0;
}

static void check_cases(const struct request_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct request_case *w = &cases[i];
        struct rig r;
        open_with_all_fields(&r, w->is_trusted);
        rig_ask(&r, w->request);
        CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 200 OK\r\n")));
        for (size_t j = 0; j < ARRAY_LEN(w->has) && w->has[j]; j++)
            CHECK_HAS(&r, w->has[j]);
        for (size_t j = 0; j < ARRAY_LEN(w->lacks) && w->lacks[j]; j++) {
            if (rig_has(&r, w->lacks[j]))
                printf("# case %zu: '%s' in '" STR_FMT "'\n", i, w->lacks[j], STR_ARG(rig_got(&r)));
            CHECK(!rig_has(&r, w->lacks[j]));
        }
        rig_close(&r);
    }
}

static void servers_are_told_who_asks(void)
{
    static const struct request_case cases[] = {
        {.request = "GET /fields HTTP/1.1\r\nHost: A.example:8080\r\n" CLOSE,
         .has = {"\nHost: A.example:8080\n", "X-Forwarded-For: 127.0.0.1\n",
                 "X-Forwarded-Proto: http\n",
                 "X-Forwarded-Host: A.example:8080\nX-Forwarded-Port: 8080\nX-Real-IP: 127.0.0.1\n",
                 "Forwarded: for=127.0.0.1;host=\"A.example:8080\";proto=http\n",
                 "Via: 1.1 gate\n"},
         .lacks = {"Connection: close\n"}},
        {.request = "GET /fields HTTP/1.0\r\n" CLOSE,
         .has = {"Forwarded: for=127.0.0.1;proto=http\n", "Via: 1.0 gate\n",
                 "X-Forwarded-Port: 80\n"},
         .lacks = {"X-Forwarded-Host"}},
        {.request = "GET http://b.example/fields HTTP/1.1\r\nHost: a.example\r\n" CLOSE,
         .has = {"\nHost: b.example\n", "X-Forwarded-Host: b.example\n", "host=b.example;"},
         .lacks = {"a.example"}},
    };
    check_cases(cases, ARRAY_LEN(cases));
}

static void strangers_may_not_say_who_they_are(void)
{
    static const struct request_case cases[] = {
        {.request =
             "GET /fields HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\n"
             "x-forwarded-proto: https\r\nX-Forwarded-Ssl: on\r\nX_Forwarded_For: 192.0.2.2\r\n"
             "X-Real-IP: 192.0.2.3\r\nForwarded: for=192.0.2.4\r\nX-Request-Id: mine\r\n"
             "X-Real_Ip: 192.0.2.5\r\n" CLOSE,
         .has = {"X-Forwarded-For: 127.0.0.1\n", "X-Forwarded-Proto: http\n",
                 "X-Real-IP: 127.0.0.1\n", "Forwarded: for=127.0.0.1;host=a.example;proto=http\n"},
         .lacks = {"192.0.2.", "https", "on\n", "mine"}},
        {.request = "GET /fields HTTP/1.1\r\nHost: a.example\r\nA: 1\r\nB: 2\r\n"
                    "Connection: close, X-Forwarded-For, a, host\r\n\r\n",
         .has = {"X-Forwarded-For: 127.0.0.1\n", "\nHost: a.example\n", "B: 2\n"},
         .lacks = {"A: 1"}},
    };
    check_cases(cases, ARRAY_LEN(cases));
}

static void trusted_proxies_are_believed(void)
{
    static const struct request_case cases[] = {
        {.is_trusted = true,
         .request =
             "GET /fields HTTP/1.1\r\nHost: a.example\r\n"
             "X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.3\r\nX-Forwarded-Proto: https\r\n"
             "X-Forwarded-Host: other\r\nX-Request-Id: kept-1\r\n" CLOSE,
         .has = {"X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.3, 127.0.0.1\n",
                 "X-Real-IP: 192.0.2.2\n", "X-Forwarded-Proto: https\n",
                 "X-Forwarded-Host: other\n", "X-Request-Id: kept-1\n", "X-Forwarded-Port: 443\n"}},
        {.is_trusted = true,
         .request = "GET /fields HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\n"
                    "X-Forwarded-For: nonsense\r\nX-Forwarded-For: 127.0.0.9, 127.0.0.8\r\n" CLOSE,
         .has = {"X-Real-IP: 127.0.0.9\n",
                 "X-Forwarded-For: 192.0.2.1, nonsense, 127.0.0.9, 127.0.0.8, 127.0.0.1\n"}},
        {.is_trusted = true,
         .request = "GET /fields HTTP/1.1\r\nHost: a.example\r\n"
                    "Forwarded: for=192.0.2.1;proto=\"a,b\", for=\"[2001:db8::1]:1234\"\r\n" CLOSE,
         .has = {"X-Real-IP: 2001:db8::1\n", "Forwarded: for=192.0.2.1;proto=\"a,b\", "
                                             "for=\"[2001:db8::1]:1234\", for=127.0.0.1;"}},
        {.is_trusted = true,
         .request = "GET /fields HTTP/1.1\r\nHost: a.example\r\nForwarded: for=unknown\r\n" CLOSE,
         .has = {"X-Real-IP: 127.0.0.1\n"}},
        {.is_trusted = true,
         .request = "GET /fields HTTP/1.1\r\nHost: a.example\r\nForwarded: for=\"1.2.3.4\r\n"
                    "X-Request-Id: not one\r\n" CLOSE,
         .has = {"X-Real-IP: 127.0.0.1\n", "X-Request-Id: 0"},
         .lacks = {"not one"}},
        {.is_trusted = true,
         .request =
             "GET /fields HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.7:4711\r\n" CLOSE,
         .has = {"X-Real-IP: 192.0.2.7\n"}},
    };
    check_cases(cases, ARRAY_LEN(cases));
}

// The client's own part of the list, in front, has a quote that it leaves open.
static void an_open_quote_hides_no_client(void)
{
    static const struct request_case cases[] = {
        {.is_trusted = true,
         .request =
             "GET /fields HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: \", 192.0.2.7\r\n" CLOSE,
         .has = {"X-Real-IP: 192.0.2.7\n"}},
        {.is_trusted = true,
         .request = "GET /fields HTTP/1.1\r\nHost: a.example\r\n"
                    "Forwarded: for=\"\\, for=192.0.2.7;proto=http\r\n" CLOSE,
         .has = {"X-Real-IP: 192.0.2.7\n"}},
        {.is_trusted = true,
         .request = "GET /fields HTTP/1.1\r\nHost: a.example\r\n"
                    "Forwarded: for=\"x, for=\"[2001:db8::1]\"\r\n" CLOSE,
         .has = {"X-Real-IP: 2001:db8::1\n"}},
    };
    check_cases(cases, ARRAY_LEN(cases));
}

static void ids_are_26_characters_and_differ(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.request_id_to_client = true;
    rig_send(&r, STR("GET /hello HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_send(&r, STR("GET /hello HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    RIG_UNTIL(&r, r.n_finished == 2);
    rig_turn(&r);
    struct str ids[2], rest = rig_got(&r);
    for (size_t i = 0; i < 2; i++) {
        size_t at = str_search(rest, STR("X-Request-Id: "));
        CHECK(at != STR_NPOS);
        rest = str_skip(rest, at + 14);
        ids[i] = str_first(rest, 26);
        CHECK(rest.ptr[26] == '\r');
    }
    CHECK(str_cmp(ids[0], ids[1]) < 0);
    rig_close(&r);
}

static void nobody_says_what_is_ours_to_say(void)
{
    static const struct str names[] = {STR_INIT("Client-Cert"), STR_INIT("X-User")};
    static const struct http_reserved reserved = {
        .names = names, .n = ARRAY_LEN(names), .lengths = 1u << 11 | 1u << 6};
    for (int is_trusted = 0; is_trusted < 2; is_trusted++) {
        struct rig r;
        open_with_all_fields(&r, is_trusted);
        r.entry.reserved = &reserved;
        rig_ask(&r, "GET /fields HTTP/1.1\r\nHost: a.example\r\nClient-Cert: forged\r\n"
                    "client_cert: forged\r\nX-USER: forged\r\nX_User: forged\r\n"
                    "X-Users: kept\r\nXXUser: kept\r\n" CLOSE);
        CHECK(!rig_has(&r, "forged"));
        CHECK_HAS(&r, "X-Users: kept\n");
        CHECK_HAS(&r, "XXUser: kept\n");
        rig_close(&r);
    }
}

TEST_MAIN(TEST(nobody_says_what_is_ours_to_say), TEST(servers_are_told_who_asks),
          TEST(strangers_may_not_say_who_they_are), TEST(trusted_proxies_are_believed),
          TEST(an_open_quote_hides_no_client), TEST(ids_are_26_characters_and_differ))
