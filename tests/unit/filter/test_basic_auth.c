// SPDX-License-Identifier: Apache-2.0
#include "rt/fiber.h"
#include "rt/loop.h"
#include "rt/offload.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

#define ALICE "\"alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\"" // secret
#define BOB "'bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='"                                  // secret

#define ALICE_SECRET "YWxpY2U6c2VjcmV0"
#define BOB_SECRET "Ym9iOnNlY3JldA=="

struct auth_case {
    const char *authorization; // NULL: none
    unsigned status;
    const char *user;
};

static void only_right_credentials_pass(void)
{
    static const struct auth_case cases[] = {
        {NULL, 401, ""},
        {"Basic " ALICE_SECRET, 200, "alice"},
        {"basic  " BOB_SECRET, 200, "bob"},
        {"Basic Ym9iOnNlY3JldA", 200, "bob"},
        {"Basic YWxpY2U6d3Jvbmc=", 401, ""}, // alice:wrong
        {"Basic YWxpY2U6", 401, ""},         // alice:
        {"Basic Y2Fyb2w6c2VjcmV0", 401, ""}, // carol:secret
        {"Basic YWxpY2U=", 401, ""},         // alice
        {"Basic YWxpY2U6c2VjAHJldA==", 401, ""},
        {"Basic Og==", 401, ""},
        {"Basic", 401, ""},
        {"Basic ???", 401, ""},
        {"Bearer " ALICE_SECRET, 401, ""},
        {"Basic" ALICE_SECRET, 401, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_basic_auth, "{ users: [" ALICE ", " BOB "], realm: Lab }", NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        if (cases[i].authorization)
            fixture_field(&e, "Authorization", cases[i].authorization);
        CHECK(f.filter != NULL);
        if (f.filter) {
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
            CHECK_INT(x->resp.status, cases[i].status);
            CHECK_INT(f.server.n_served, cases[i].status == 200);
            CHECK_STR(x->user, str_of(cases[i].user));
            CHECK_STR(headers_get(&x->resp.headers, FIELD_WWW_AUTHENTICATE),
                      cases[i].status == 200 ? STR_NONE
                                             : STR("Basic realm=\"Lab\", charset=\"UTF-8\""));
            CHECK_INT(x->trail.n, 1);
        }
        fixture_end(&e);
        filter_end(&f);
    }
}

static void two_authorization_fields_are_refused(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_basic_auth, ALICE, NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "Authorization", "Basic " ALICE_SECRET);
    fixture_field(&e, "Authorization", "Basic " ALICE_SECRET);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 401);
    fixture_end(&e);
    filter_end(&f);
}

static void servers_get_the_name_and_not_the_password(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_basic_auth, "{ users: " ALICE ", user-header: X-User }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "X-User", "admin");
    fixture_field(&e, "x_user", "root");
    fixture_field(&e, "Authorization", "Basic " ALICE_SECRET);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK(headers_find(&f.server.headers, FIELD_AUTHORIZATION) == NULL);
    const struct field *user = headers_find_named(&f.server.headers, STR("X-User"));
    CHECK(user && str_eq(user->value, STR("alice")));
    CHECK_INT(headers_remove_named(&f.server.headers, STR("X-User")), 1);
    CHECK(headers_find_named(&f.server.headers, STR("x_user")) == NULL);
    fixture_end(&e);
    filter_end(&f);

    filter_start(&f, &filter_basic_auth, "{ users: " ALICE ", strip: false }", NULL);
    x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "Authorization", "Basic " ALICE_SECRET);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK(headers_find(&f.server.headers, FIELD_AUTHORIZATION) != NULL);
    fixture_end(&e);
    filter_end(&f);
}

static void what_was_right_once_is_not_computed_again(void)
{
    for (int i = 0; i < 2; i++) {
        struct filter_fixture f;
        struct fixture e;
        // A name of this test's own: the cache is the process's.
        filter_start(&f, &filter_basic_auth,
                     "\"once:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\"", NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        fixture_field(&e, "Authorization", "Basic b25jZTpzZWNyZXQ=");
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, 200);
        CHECK_STR(x->trail.steps[0].detail,
                  i == 0 ? STR("password checked") : STR("known password"));
        fixture_end(&e);
        filter_end(&f);
    }
}

// --- with helper threads, on a loop ---

struct visit {
    struct filter_fixture *f;
    const char *authorization;
    enum err err;
    unsigned status;
    struct str retry_after;
    bool is_done;
};

static unsigned n_left;

static void visit(void *arg)
{
    struct visit *v = arg;
    struct fixture e;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "Authorization", v->authorization);
    v->err = handler_serve(v->f->filter, x);
    v->status = x->resp.status;
    v->retry_after =
        headers_find(&x->resp.headers, FIELD_RETRY_AFTER) ? STR("there") : STR("absent");
    v->is_done = true;
    fixture_end(&e);
    n_left--;
}

static void run_until_done(struct rt_loop *loop)
{
    while (n_left > 0)
        loop_turn(loop, 1000);
}

static void slow_hashes_are_computed_on_helper_threads(void)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 16});
    loop_enter(loop);
    struct offload *o = offload_new(1, 8);
    struct filter_fixture f;
    filter_start(&f, &filter_basic_auth, "[" ALICE ", " BOB "]", o);
    struct visit visits[] = {
        {.f = &f, .authorization = "Basic YWxpY2U6d3Jvbmc="},
        {.f = &f, .authorization = "Basic " BOB_SECRET},
        {.f = &f, .authorization = "Basic Y2Fyb2w6c2VjcmV0"},
    };
    n_left = ARRAY_LEN(visits);
    for (size_t i = 0; i < ARRAY_LEN(visits); i++)
        CHECK(fiber_start(visit, &visits[i]) != NULL);
    run_until_done(loop);
    CHECK_INT(visits[0].status, 401);
    CHECK_INT(visits[1].status, 200);
    CHECK_INT(visits[2].status, 401);
    filter_end(&f);
    offload_free(o);
    loop_free(loop);
}

// One hash is computed for each password: a queue of one place is enough for all of them, and wrong
// ones count once.
static void requests_that_come_at_once_share_a_check(void)
{
    static const struct {
        const char *authorization; // names of this test's own
        unsigned status;
    } cases[] = {{"Basic ZG9yYTpzZWNyZXQ=", 200},      // dora:secret
                 {"Basic ZG9yYTp3cm9uZw==", 401},      // dora:wrong
                 {"Basic bm9ib2R5OnNlY3JldA==", 401}}; // nobody:secret
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 64});
        loop_enter(loop);
        struct offload *o = offload_new(1, 1);
        struct filter_fixture f;
        filter_start(
            &f, &filter_basic_auth,
            "{ users: \"dora:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\", "
            "failures: 1/d, failures-burst: 2 }",
            o);
        struct visit visits[40] = {{.f = NULL}};
        n_left = ARRAY_LEN(visits);
        for (size_t i = 0; i < ARRAY_LEN(visits); i++) {
            visits[i] = (struct visit){.f = &f, .authorization = cases[k].authorization};
            CHECK(fiber_start(visit, &visits[i]) != NULL);
        }
        run_until_done(loop);
        for (size_t i = 0; i < ARRAY_LEN(visits); i++)
            CHECK_INT(visits[i].status, cases[k].status);
        filter_end(&f);
        offload_free(o);
        loop_free(loop);
    }
}

// Whoever waits for somebody else's check goes on when that one leaves.
static void a_shared_check_survives_who_began_it(void)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 16});
    loop_enter(loop);
    struct offload *o = offload_new(1, 8);
    struct filter_fixture f;
    filter_start(&f, &filter_basic_auth, ALICE, o);
    struct visit visits[3] = {{.f = NULL}};
    struct fiber *fibers[3];
    n_left = ARRAY_LEN(visits);
    for (size_t i = 0; i < ARRAY_LEN(visits); i++) {
        visits[i] = (struct visit){.f = &f, .authorization = "Basic YWxpY2U6bm8="};
        fibers[i] = fiber_start(visit, &visits[i]);
    }
    loop_turn(loop, 0); // all wait
    if (!visits[0].is_done)
        fiber_cancel(fibers[0]);
    run_until_done(loop);
    CHECK(visits[0].err == ERR_CANCELLED || visits[0].status == 401);
    CHECK_INT(visits[1].status, 401);
    CHECK_INT(visits[2].status, 401);
    filter_end(&f);
    offload_free(o);
    loop_free(loop);
}

static void a_full_queue_is_a_503_that_says_when_to_come_again(void)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 64});
    loop_enter(loop);
    struct offload *o = offload_new(1, 1);
    struct filter_fixture f;
    filter_start(&f, &filter_basic_auth, ALICE, o);
    static const char *const wrong[] = {
        "Basic YWxpY2U6MQ==", "Basic YWxpY2U6Mg==", "Basic YWxpY2U6Mw==", "Basic YWxpY2U6NA==",
        "Basic YWxpY2U6NQ==", "Basic YWxpY2U6Ng==", "Basic YWxpY2U6Nw==", "Basic YWxpY2U6OA=="};
    struct visit visits[ARRAY_LEN(wrong)] = {{.f = NULL}};
    n_left = ARRAY_LEN(visits);
    for (size_t i = 0; i < ARRAY_LEN(visits); i++) {
        visits[i] = (struct visit){.f = &f, .authorization = wrong[i]};
        CHECK(fiber_start(visit, &visits[i]) != NULL);
    }
    run_until_done(loop);
    unsigned n_busy = 0;
    for (size_t i = 0; i < ARRAY_LEN(visits); i++) {
        CHECK_INT(visits[i].err, ERR_OK);
        CHECK(visits[i].status == 401 || visits[i].status == 503);
        CHECK_STR(visits[i].retry_after, visits[i].status == 503 ? STR("there") : STR("absent"));
        n_busy += visits[i].status == 503;
    }
    CHECK(n_busy > 0 && n_busy < ARRAY_LEN(visits));
    filter_end(&f);
    offload_free(o);
    loop_free(loop);
}

static void cancelling_unwinds_and_leaves_the_job_to_its_thread(void)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 16});
    loop_enter(loop);
    struct offload *o = offload_new(1, 8);
    struct filter_fixture f;
    filter_start(&f, &filter_basic_auth, ALICE, o);
    struct visit v = {.f = &f, .authorization = "Basic YWxpY2U6d3Jvbmc="};
    n_left = 1;
    struct fiber *fiber = fiber_start(visit, &v);
    loop_turn(loop, 0);
    if (!v.is_done)
        fiber_cancel(fiber);
    run_until_done(loop);
    CHECK(v.err == ERR_CANCELLED || v.status == 401);
    filter_end(&f);
    offload_free(o);
    loop_free(loop);
}

// One more exchange of a client.
static unsigned ask_as(struct filter_fixture *f, const char *client, const char *authorization,
                       const char *detail)
{
    struct fixture e;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(ip_parse(str_of(client), &x->client), ERR_OK);
    fixture_field(&e, "Authorization", authorization);
    CHECK_INT(handler_serve(f->filter, x), ERR_OK);
    unsigned status = x->resp.status;
    CHECK((status == 429) == (headers_find(&x->resp.headers, FIELD_RETRY_AFTER) != NULL));
    CHECK_STR(x->trail.steps[0].detail, str_of(detail));
    fixture_end(&e);
    return status;
}

static void who_is_wrong_often_has_to_wait(void)
{
    // Names of this test's own: what was right is remembered by the process.
    static const char right[] = "Basic Y2FyYTpzZWNyZXQ=", wrong[] = "Basic Y2FyYTp3cm9uZw==";
    struct filter_fixture f;
    filter_start(
        &f, &filter_basic_auth,
        "{ users: 'cara:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=', failures: 1/d, failures-burst: 3 }",
        NULL);
    CHECK_INT(ask_as(&f, "192.0.2.1", wrong, "wrong password"), 401);
    CHECK_INT(ask_as(&f, "192.0.2.1", wrong, "wrong password"), 401);
    CHECK_INT(ask_as(&f, "192.0.2.1", "Basic eDp5", "unknown user"), 401);
    CHECK_INT(ask_as(&f, "192.0.2.1", wrong, "too many wrong passwords"), 429);
    CHECK_INT(ask_as(&f, "192.0.2.1", right, "too many wrong passwords"), 429);
    // Others aren't concerned; what is right doesn't count, and is let pass where it is known.
    for (int i = 0; i < 5; i++)
        CHECK_INT(ask_as(&f, "192.0.2.2", right, i == 0 ? "password checked" : "known password"),
                  200);
    CHECK_INT(ask_as(&f, "192.0.2.1", right, "known password"), 200);
    CHECK_INT(ask_as(&f, "192.0.2.2", wrong, "wrong password"), 401);
    // A network of IPv6 is one client.
    for (int i = 0; i < 3; i++)
        CHECK_INT(ask_as(&f, i == 1 ? "2001:db8::1" : "2001:db8::2:1", wrong, "wrong password"),
                  401);
    CHECK_INT(ask_as(&f, "2001:db8::ffff", wrong, "too many wrong passwords"), 429);
    CHECK_INT(ask_as(&f, "2001:db8:0:1::1", wrong, "wrong password"), 401);
    filter_end(&f);
}

static void any_number_of_wrong_passwords_can_be_allowed(void)
{
    struct filter_fixture f;
    filter_start(&f, &filter_basic_auth, "{ users: " ALICE ", failures: any, failures-burst: 1 }",
                 NULL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(ask_as(&f, "192.0.2.1", "Basic YWxpY2U6", "wrong password"), 401);
    filter_end(&f);
}

TEST_MAIN(TEST(only_right_credentials_pass), TEST(two_authorization_fields_are_refused),
          TEST(servers_get_the_name_and_not_the_password),
          TEST(what_was_right_once_is_not_computed_again),
          TEST(slow_hashes_are_computed_on_helper_threads),
          TEST(requests_that_come_at_once_share_a_check),
          TEST(a_shared_check_survives_who_began_it),
          TEST(a_full_queue_is_a_503_that_says_when_to_come_again),
          TEST(cancelling_unwinds_and_leaves_the_job_to_its_thread),
          TEST(who_is_wrong_often_has_to_wait), TEST(any_number_of_wrong_passwords_can_be_allowed))
