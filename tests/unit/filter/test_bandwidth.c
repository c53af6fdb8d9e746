// SPDX-License-Identifier: Apache-2.0
// Times are real: that nothing is faster than its rate can be told on any machine.
#include "rt/clock.h"
#include "unit/filter/bodies.h"
#include "unit/test.h"

#define KIB 1024
#define BODY_KIB 60

static char bytes[BODY_KIB * KIB];

struct flow {
    struct bodies b;
    struct script s;
    struct str piece;
    size_t n;
    bool is_done;
};

static void start_flow(struct flow *f, const char *settings, struct handler *filter)
{
    struct exchange *x = bodies_start(&f->b, &filter_bandwidth, settings, "GET");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i % 251);
    f->piece = str_from(bytes, sizeof bytes);
    f->b.server.body = script_init(&f->s, &f->piece, 1);
    f->s.body.length = sizeof bytes;
    if (filter)
        filter->next = &f->b.server.handler;
    CHECK_INT(handler_serve(filter ? filter : f->b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.body->length, sizeof bytes);
}

static void check_answer(const void *arg)
{
    const char *settings = arg;
    struct flow f = {.n = 0};
    int64_t began_ns = clock_now_ns();
    start_flow(&f, settings, NULL);
    enum io end;
    struct text got = bodies_read(f.b.e.x.resp.body, &end);
    CHECK_INT(end, IO_EOF);
    CHECK_STR(text_str(&got), str_from(bytes, sizeof bytes));
    // 10 KiB at once, 50 at 200 KiB a second
    CHECK((clock_now_ns() - began_ns) / 1000000 >= 240);
    text_fini(&got);
    bodies_end(&f.b);
    CHECK_INT(f.s.n_fini, 1);
}

static void answers_are_no_faster_than_their_rate(void)
{
    run_on_fiber(check_answer, "{ down: 200KiB, burst: 10KiB }");
    run_on_fiber(check_answer, "{ down: 200KiB, burst: 10KiB, per: exchange }");
}

static void check_twice(const void *arg)
{
    const char *settings = arg;
    struct flow f = {.n = 0};
    struct exchange *x = bodies_start(&f.b, &filter_bandwidth, settings, "GET");
    struct handler *outer = filter_once_more(&f.b.f, settings, f.b.f.filter);
    f.b.server.body = script_init(&f.s, &f.piece, 0);
    CHECK_INT(handler_serve(outer, x), ERR_OK);
    CHECK_STR(x->trail.steps[1].detail, STR("limited already"));
    CHECK(x->resp.body != &f.s.body);
    exchange_end_guards(x);
    outer->type->fini(outer);
    bodies_end(&f.b);
}

// As an entrypoint and a route that use it: a body that waited for both would have half the rate.
static void an_exchange_that_comes_by_twice_is_slowed_down_once(void)
{
    run_on_fiber(check_twice, "{ down: 200KiB }");
}

static void check_request(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    const struct str piece = str_from(bytes, sizeof bytes);
    int64_t began_ns = clock_now_ns();
    struct exchange *x =
        bodies_start(&b, &filter_bandwidth, "{ up: 500KiB, burst: 10KiB }", "POST");
    x->req.body = script_init(&s, &piece, 1);
    b.server.reads_request = true;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_STR(text_str(&b.server.request), piece);
    CHECK((clock_now_ns() - began_ns) / 1000000 >= 95);
    bodies_end(&b);
    CHECK_INT(s.n_fini, 1);
}

static void requests_are_no_faster_than_theirs(void)
{
    run_on_fiber(check_request, NULL);
}

static void run_flow(void *arg)
{
    struct flow *f = arg;
    struct str piece;
    while (body_read(f->b.e.x.resp.body, &piece, deadline_at(INT64_MAX)) == IO_DONE)
        f->n += piece.len;
    f->is_done = true;
}

static void check_shared(const void *arg)
{
    (void)arg;
    static struct flow a, b;
    int64_t began_ns = clock_now_ns();
    start_flow(&a, "{ down: 400KiB, burst: 1KiB }", NULL);
    start_flow(&b, "{ down: 400KiB, burst: 1KiB }", a.b.f.filter);
    CHECK(fiber_start(run_flow, &a) && fiber_start(run_flow, &b));
    while (!a.is_done && !b.is_done)
        CHECK_INT(fiber_sleep(1), FIBER_EXPIRED);
    size_t of_other = a.is_done ? b.n : a.n;
    CHECK(of_other >= sizeof bytes * 7 / 10); // they went on by turns
    while (!a.is_done || !b.is_done)
        CHECK_INT(fiber_sleep(1), FIBER_EXPIRED);
    CHECK((clock_now_ns() - began_ns) / 1000000 >= 290); // 119 KiB together
    CHECK_INT(a.n + b.n, 2 * sizeof bytes);
    bodies_end(&b.b);
    bodies_end(&a.b);
}

static void exchanges_of_one_key_share_it_by_turns(void)
{
    run_on_fiber(check_shared, NULL);
}

static void check_deadline(const void *arg)
{
    (void)arg;
    struct flow f = {.n = 0};
    struct str piece;
    start_flow(&f, "{ down: 1KiB, burst: 1KiB }", NULL);
    struct body *b = f.b.e.x.resp.body;
    int64_t began_ns = clock_now_ns();
    while (body_read(b, &piece, deadline_in(20)) == IO_DONE)
        f.n += piece.len;
    CHECK(f.n > 0 && f.n < sizeof bytes);
    CHECK((clock_now_ns() - began_ns) / 1000000 < 10000); // all of it takes a minute
    bodies_end(&f.b);
}

static void a_turn_is_waited_for_no_longer_than_the_reader_can(void)
{
    run_on_fiber(check_deadline, NULL);
}

static void check_no_wait(const void *arg)
{
    (void)arg;
    struct flow f = {.n = 0};
    struct str piece;
    start_flow(&f, "{ down: 1KiB, burst: 1KiB }", NULL);
    struct body *b = f.b.e.x.resp.body;
    CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_DONE); // the burst
    CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_DONE);
    CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_AGAIN);
    CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_AGAIN); // takes no turn twice
    bodies_end(&f.b);
}

static void who_doesn_t_wait_is_told_so(void)
{
    run_on_fiber(check_no_wait, NULL);
}

static void explain_says_how_fast(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_bandwidth, "{ down: 1MiB }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("answers at 1MiB/s, requests at any, shared by all of its key"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case refused[] = {
        {"{}", "limits nothing"},
        {"{ down: 100 }", "1KiB"},
        {"{ down: 1MiB, key: nobody }", "no key"},
        {"{ down: 1MiB, per: client }", "exchange"},
    };
    filter_check_refused(&filter_bandwidth, refused, ARRAY_LEN(refused));
}

static void tables_are_complete(void)
{
    filter_check_tables(&filter_bandwidth);
}

TEST_MAIN(TEST(answers_are_no_faster_than_their_rate), TEST(requests_are_no_faster_than_theirs),
          TEST(exchanges_of_one_key_share_it_by_turns),
          TEST(an_exchange_that_comes_by_twice_is_slowed_down_once),
          TEST(a_turn_is_waited_for_no_longer_than_the_reader_can),
          TEST(who_doesn_t_wait_is_told_so), TEST(explain_says_how_fast),
          TEST(wrong_settings_are_refused), TEST(tables_are_complete))
