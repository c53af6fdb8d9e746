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

static void htpasswd_files_are_read(void)
{
    static const char file[] = "# accounts\r\n"
                               "\n"
                               "bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\r\n"
                               "  dora:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/";
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 20, NULL, 0);
    const struct conf_section *section = filter_basic_auth.choice.section;
    struct conf_node *node = conf_yaml_parse(STR("users-file: /etc/users"), "t.yaml", &mem, &diags);
    struct conf_node *path = conf_node_get(node, STR("users-file"));
    path->content = str_from(file, sizeof file - 1);
    path->has_content = true;
    void *settings = arena_zalloc(&mem, 1, section->bytes, section->align);
    CHECK_INT(conf_read(section, node, NULL, &mem, &diags, settings), ERR_OK);
    const struct filter_env env = {.mem = &mem, .diags = &diags};
    struct mock_server server = {.handler.type = &mock_type};
    struct handler *h = filter_basic_auth.build(STR("it"), settings, &server.handler, &env);
    CHECK(h != NULL);
    static const char *const right[] = {"Basic " BOB_SECRET, "Basic ZG9yYTpzZWNyZXQ="};
    for (size_t i = 0; h && i < ARRAY_LEN(right); i++) {
        struct fixture e;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        fixture_field(&e, "Authorization", right[i]);
        CHECK_INT(handler_serve(h, x), ERR_OK);
        CHECK_INT(x->resp.status, 200);
        fixture_end(&e);
    }
    if (h)
        h->type->fini(h);
    path->content = STR("bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\ncarol:plain\n");
    CHECK_INT(conf_read(section, node, NULL, &mem, &diags, settings), ERR_OK);
    CHECK(filter_basic_auth.build(STR("it"), settings, &server.handler, &env) == NULL);
    CHECK(diags.n == 1 &&
          strstr(diags.items[0].text, "line 2 of /etc/users: what follows 'carol:'"));
    CHECK(diags.n == 1 && !strstr(diags.items[0].text, "plain "));
    diags_fini(&diags);
    arena_fini(&mem);
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

static void a_full_queue_is_a_503_that_says_when_to_come_again(void)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 64});
    loop_enter(loop);
    struct offload *o = offload_new(1, 1);
    struct filter_fixture f;
    filter_start(&f, &filter_basic_auth, ALICE, o);
    struct visit visits[16] = {{.f = NULL}};
    n_left = ARRAY_LEN(visits);
    for (size_t i = 0; i < ARRAY_LEN(visits); i++) {
        visits[i] = (struct visit){.f = &f, .authorization = "Basic YWxpY2U6d3Jvbmc="};
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

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{}", "needs 'users' or 'users-file'"},
        {"alice", "expected NAME:HASH"},
        {"'alice:secret'", "what follows 'alice:' is no hash"},
        {"':{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='", "expected NAME:HASH"},
        {"{ users: " BOB ", realm: 'a\"b' }", "quotes"},
        {"{ users: " BOB ", user-header: Content-Length }", "frames the message"},
    };
    filter_check_refused(&filter_basic_auth, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_basic_auth);
}

TEST_MAIN(TEST(only_right_credentials_pass), TEST(two_authorization_fields_are_refused),
          TEST(servers_get_the_name_and_not_the_password),
          TEST(what_was_right_once_is_not_computed_again), TEST(htpasswd_files_are_read),
          TEST(slow_hashes_are_computed_on_helper_threads),
          TEST(a_full_queue_is_a_503_that_says_when_to_come_again),
          TEST(cancelling_unwinds_and_leaves_the_job_to_its_thread),
          TEST(wrong_settings_are_refused), TEST(the_table_is_complete))
