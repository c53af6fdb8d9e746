// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/asking.h"
#include "unit/test.h"

static void what_waits_too_long_is_answered_with_504(void)
{
    static const struct {
        const char *yaml;
        int64_t wait_ms; // of what is behind
        bool is_late;
    } cases[] = {
        {"60s", 0, false},
        {"60s", 5, false},
        {"20ms", 60000, true},
        {"{ exchange: 20ms }", 60000, true},
        {"{ answer: 60s, exchange: 20ms }", 60000, true},
        {"{ answer: 20ms, exchange: 60s }", 60000, true},
        {"{ answer: 60s, exchange: 60s }", 5, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asking a;
        asking_start(&a, &filter_timeout, cases[i].yaml);
        a.f.server.wait_ms = cases[i].wait_ms;
        asking_serve(&a);
        CHECK_INT(a.err, ERR_OK);
        CHECK_INT(a.x->resp.status, cases[i].is_late ? 504 : 200);
        CHECK_INT(a.x->end, cases[i].is_late ? EXCHANGE_END_SERVER_TIMEOUT : EXCHANGE_END_OK);
        CHECK_INT(a.x->trail.n, cases[i].is_late);
        asking_end(&a);
    }
}

struct gone {
    struct asking *a;
    struct fiber *fiber;
};

static void cancel(void *arg)
{
    struct gone *g = arg;
    fiber_cancel(g->fiber);
}

static void a_client_that_goes_is_no_time_out(void)
{
    struct asking a;
    asking_start(&a, &filter_timeout, "60s");
    a.f.server.wait_ms = 60000;
    struct gone g = {.a = &a, .fiber = fiber_start(asking_run, &a)};
    CHECK(g.fiber != NULL && fiber_start(cancel, &g) != NULL);
    CHECK(test_run_all(a.loop));
    CHECK_INT(a.err, ERR_CANCELLED);
    CHECK_INT(a.x->resp.status, 0);
    asking_end(&a);
}

// A body that never comes.
static enum io read_nothing(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)b;
    (void)ret_piece;
    return until.at_ms == 0 ? IO_AGAIN : fiber_wait(until) == FIBER_EXPIRED ? IO_FAIL : IO_EOF;
}

static const struct body_ops nothing_ops = {.name = "nothing", .read = read_nothing};

static void read_body(void *arg)
{
    struct asking *a = arg;
    struct body nothing = {.ops = &nothing_ops, .length = -1};
    struct str piece;
    a->f.server.body = &nothing;
    asking_run(a);
    CHECK(a->x->resp.body != &nothing);
    CHECK_INT(body_read(a->x->resp.body, &piece, BODY_NO_WAIT), IO_AGAIN);
    CHECK_INT(body_read(a->x->resp.body, &piece, deadline_at(INT64_MAX)), IO_FAIL);
    CHECK_INT(body_read(a->x->resp.body, &piece, deadline_at(INT64_MAX)), IO_FAIL);
    CHECK_INT(a->x->end, EXCHANGE_END_SERVER_TIMEOUT);
    body_fini(a->x->resp.body);
    a->x->resp.body = NULL;
}

static void a_body_is_cut_when_the_time_is_over(void)
{
    struct asking a;
    asking_start(&a, &filter_timeout, "{ exchange: 20ms }");
    CHECK(fiber_start(read_body, &a) != NULL);
    CHECK(test_run_all(a.loop));
    CHECK_INT(a.x->resp.status, 200);
    asking_end(&a);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {{"{}", "answer"},
                                                {"0", "answer"},
                                                {"2d", "expected a duration"},
                                                {"exchange: soon", "expected a duration"}};
    filter_check_refused(&filter_timeout, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_timeout);
}

TEST_MAIN(TEST(what_waits_too_long_is_answered_with_504), TEST(a_client_that_goes_is_no_time_out),
          TEST(a_body_is_cut_when_the_time_is_over), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
