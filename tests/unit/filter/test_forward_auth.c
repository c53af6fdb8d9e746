// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/asking.h"
#include "unit/test.h"

#define SETTINGS                                                                                   \
    "{ address: \"http://auth:9091/verify?rd=1\", auth-response-headers: [X-User], user-header: "  \
    "X-User, add-auth-cookies-to-response: [sid], answer-max: 10 }"

static const char *const passes[] = {"X-User",     "ada",        "X-Other", "1", "Set-Cookie",
                                     "sid=1; a=b", "Set-Cookie", "no=2",    NULL};

static void an_answer_2xx_lets_the_request_pass_with_its_fields(void)
{
    static const char *const cookies[] = {"Set-Cookie", "sid=old", "Set-Cookie", "k=v", NULL};
    struct asking a;
    asking_start(&a, &filter_forward_auth, SETTINGS);
    a.auth.status = 204;
    a.auth.fields = passes;
    a.f.server.fields = cookies;
    fixture_field(&a.e, "X_User", "root");
    asking_serve(&a);
    CHECK_INT(a.err, ERR_OK);
    CHECK_INT(a.x->resp.status, 200);
    CHECK_STR(a.x->user, STR("ada"));
    CHECK_STR(headers_find_named(&a.f.server.headers, STR("X-User"))->value, STR("ada"));
    CHECK(headers_find_named(&a.f.server.headers, STR("X_User")) == NULL);
    CHECK(headers_find_named(&a.f.server.headers, STR("X-Other")) == NULL);
    CHECK_INT(headers_remove(&a.x->resp.headers, FIELD_SET_COOKIE), 2);
    CHECK_STR(str_of(a.x->trail.steps[0].what), STR("passed"));
    asking_end(&a);
}

static void any_other_answer_goes_to_the_client(void)
{
    static const char *const login[] = {"Location", "/login", "Set-Cookie", "a=1", "Content-Length",
                                        "5",        "X-User", "nobody",     NULL};
    static const unsigned statuses[] = {302, 401, 403, 404, 429, 500, 304, 199 + 101};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct asking a;
        asking_start(&a, &filter_forward_auth, SETTINGS);
        a.auth.status = statuses[i];
        a.auth.fields = login;
        a.auth.body = "login";
        asking_serve(&a);
        CHECK_INT(a.x->resp.status, statuses[i]);
        CHECK_INT(a.x->end, EXCHANGE_END_FILTERED);
        CHECK_INT(a.f.server.n_served, 0);
        CHECK_STR(headers_get(&a.x->resp.headers, FIELD_LOCATION), STR("/login"));
        CHECK(headers_find(&a.x->resp.headers, FIELD_CONTENT_LENGTH) == NULL);
        CHECK_INT(a.x->resp.body->length, 5);
        CHECK_INT(a.x->user.len, 0);
        asking_end(&a);
    }
}

static void without_an_answer_nobody_passes(void)
{
    static const struct {
        unsigned status;
        const char *body, *why;
    } cases[] = {{0, NULL, "server 10.0.0.9:80: refused"},
                 {401, "longer than ten", "the auth server's answer is longer than 'answer-max'"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asking a;
        asking_start(&a, &filter_forward_auth, SETTINGS);
        a.auth.status = cases[i].status;
        a.auth.body = cases[i].body;
        asking_serve(&a);
        CHECK_INT(a.x->resp.status, 503);
        CHECK_INT(a.x->end, EXCHANGE_END_NO_SERVER);
        CHECK_INT(a.f.server.n_served, 0);
        CHECK_STR(a.x->trail.steps[0].detail, str_of(cases[i].why));
        asking_end(&a);
    }
}

static void a_silent_auth_server_is_waited_for_until_the_time_out(void)
{
    struct asking a;
    asking_start(&a, &filter_forward_auth, "{ address: auth, timeout: 20ms }");
    a.auth.is_silent = true;
    asking_serve(&a);
    CHECK_INT(a.x->resp.status, 503);
    CHECK_STR(a.x->trail.steps[0].detail, STR("no answer in time"));
    asking_end(&a);
}

static void the_auth_server_is_asked_about_the_request_as_it_is(void)
{
    struct asking a;
    asking_start(&a, &filter_forward_auth, SETTINGS);
    fixture_field(&a.e, "Cookie", "k=v");
    fixture_field(&a.e, "X-Original-URL", "/public");
    fixture_field(&a.e, "X_Original-Host", "open.example");
    fixture_field(&a.e, "X_Forwarded_Method", "OPTIONS");
    fixture_field(&a.e, "If-None-Match", "*");
    fixture_field(&a.e, "Content-Type", "application/grpc");
    asking_serve(&a);
    CHECK_STR(str_of(a.auth.text),
              STR("GET auth:9091/verify?rd=1\nCookie: k=v\r\nX-Forwarded-Method: GET\r\n"
                  "X-Forwarded-Uri: /a?b=c\r\nX-Forwarded-Proto: http\r\n"
                  "X-Forwarded-Host: a.example\r\nX-Forwarded-For: 192.0.2.7\r\n"
                  "X-Real-IP: 192.0.2.7\r\n"));
    asking_end(&a);
}

static void only_the_chosen_fields_are_shown(void)
{
    struct asking a;
    asking_start(
        &a, &filter_forward_auth,
        "{ address: auth, path: \"/x?y\", auth-request-headers: [X-KEY, x-forwarded-for] }");
    fixture_field(&a.e, "Cookie", "k=v");
    fixture_field(&a.e, "x-key", "1");
    fixture_field(&a.e, "X-Forwarded-For", "10.0.0.1, 10.0.0.2");
    asking_serve(&a);
    CHECK_STR(a.f.services.asked, STR("auth"));
    CHECK_STR(str_of(a.auth.text),
              STR("GET a.example/x?y\nx-key: 1\r\nX-Forwarded-Method: GET\r\n"
                  "X-Forwarded-Uri: /a?b=c\r\nX-Forwarded-Proto: http\r\n"
                  "X-Forwarded-Host: a.example\r\nX-Forwarded-For: 192.0.2.7\r\n"
                  "X-Real-IP: 192.0.2.7\r\n"));
    asking_end(&a);
}

static void
the_auth_server_decides_about_the_host_that_is_served_and_the_client_that_is_counted(void)
{
    struct asking a;
    asking_start(&a, &filter_forward_auth, SETTINGS);
    a.x->peer_is_trusted = true; // so that these have come so far
    fixture_field(&a.e, "X-Forwarded-Host", "public.example");
    fixture_field(&a.e, "X-Forwarded-For", "10.0.0.1, 192.0.2.7");
    fixture_field(&a.e, "X-Real-IP", "10.0.0.1");
    fixture_field(&a.e, "Forwarded", "for=10.0.0.1;host=public.example");
    asking_serve(&a);
    CHECK_STR(str_of(a.auth.text),
              STR("GET auth:9091/verify?rd=1\nX-Forwarded-Method: GET\r\n"
                  "X-Forwarded-Uri: /a?b=c\r\nX-Forwarded-Proto: http\r\n"
                  "X-Forwarded-Host: a.example\r\nX-Forwarded-For: 192.0.2.7\r\n"
                  "X-Real-IP: 192.0.2.7\r\n"));
    CHECK_INT(headers_remove(&a.x->req.headers, FIELD_FORWARDED), 1); // the server's, as they were
    asking_end(&a);
}

// A request whose body is what is given, and a filter with more settings.
static struct body_bytes *asking_with_body(struct asking *a, const char *more, struct str bytes)
{
    static struct body_bytes upload;
    char yaml[128];
    snprintf(yaml, sizeof yaml, "{ address: auth, auth-request-headers: Content-Type, %s }", more);
    asking_start(a, &filter_forward_auth, yaml);
    a->x->req.method = STR("PUT");
    a->x->req.method_id = METHOD_PUT;
    a->x->req.body = body_bytes_init(&upload, bytes);
    return &upload;
}

static void the_auth_server_gets_the_body_if_it_is_to_and_so_does_the_server(void)
{
    static const struct {
        const char *settings, *asked;
        bool is_upgrade;
    } cases[] = {
        {"timeout: 5s", "GET ", false},
        {"preserve-method: yes", "PUT ", false},
        {"forward-body: yes, body-max: 5", "GET hello", false},
        {"forward-body: yes, preserve-method: yes", "PUT hello", false},
        {"forward-body: yes, preserve-method: yes", "GET ", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asking a;
        asking_with_body(&a, cases[i].settings, STR("hello"));
        a.x->req.is_upgrade = cases[i].is_upgrade;
        asking_serve(&a);
        CHECK_INT(a.x->resp.status, 200);
        struct str asked = str_of(a.auth.text), wanted = str_of(cases[i].asked), method, body;
        str_cut(wanted, ' ', &method, &body);
        CHECK(str_starts(asked, method));
        CHECK(str_ends(asked, body) && (body.len > 0 || str_ends(asked, STR("\r\n"))));
        struct str piece;
        CHECK_INT(body_read(a.x->req.body, &piece, deadline_at(INT64_MAX)), IO_DONE);
        CHECK_STR(piece, STR("hello"));
        asking_end(&a);
    }
}

static void nobody_is_asked_about_a_body_that_is_too_long(void)
{
    for (int64_t length = -1; length <= 5; length += 6) {
        struct asking a;
        asking_with_body(&a, "forward-body: yes, body-max: 4", STR("hello"))->body.length = length;
        asking_serve(&a);
        CHECK_INT(a.x->resp.status, 413);
        CHECK(a.x->resp.must_close);
        CHECK_INT(a.auth.n_asked + a.f.server.n_served, 0);
        CHECK_STR(str_of(a.x->trail.steps[0].what), STR("denied"));
        asking_end(&a);
    }
}

TEST_MAIN(
    TEST(an_answer_2xx_lets_the_request_pass_with_its_fields),
    TEST(any_other_answer_goes_to_the_client), TEST(without_an_answer_nobody_passes),
    TEST(a_silent_auth_server_is_waited_for_until_the_time_out),
    TEST(the_auth_server_is_asked_about_the_request_as_it_is),
    TEST(only_the_chosen_fields_are_shown),
    TEST(the_auth_server_gets_the_body_if_it_is_to_and_so_does_the_server),
    TEST(nobody_is_asked_about_a_body_that_is_too_long),
    TEST(the_auth_server_decides_about_the_host_that_is_served_and_the_client_that_is_counted))
