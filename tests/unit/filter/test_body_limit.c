// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

// A request's body of several pieces.
struct pieces {
    struct body body;
    const char *const *next;
    struct headers trailers;
};

static enum io read_piece(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)until;
    struct pieces *p = CONTAINER_OF(b, struct pieces, body);
    if (!*p->next) {
        b->trailers = &p->trailers;
        return IO_EOF;
    }
    *ret_piece = str_of(*p->next++);
    return IO_DONE;
}

static const struct body_ops pieces_ops = {.name = "pieces", .read = read_piece};

static void a_body_that_tells_its_length_is_judged_by_it(void)
{
    static const struct {
        const char *yaml;
        int64_t length;
        bool passes;
    } cases[] = {{"10", 10, true},
                 {"10", 11, false},
                 {"10", 0, true},
                 {"0", 1, false},
                 {"1KiB", INT64_MAX, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        struct pieces p = {.body = {.ops = &pieces_ops, .length = cases[i].length}};
        filter_start(&f, &filter_body_limit, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
        x->req.body = &p.body;
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, cases[i].passes ? 200 : 413);
        CHECK_INT(x->end, cases[i].passes ? EXCHANGE_END_OK : EXCHANGE_END_CLIENT_LIMIT);
        CHECK(x->req.body == &p.body); // nothing stands between it and a splice
        fixture_end(&e);
        filter_end(&f);
    }
}

static void a_body_without_a_length_is_counted(void)
{
    static const char *const fits[] = {"12345", "12345", NULL};
    static const char *const over[] = {"12345", "123456", "never", NULL};
    for (int is_over = 0; is_over < 2; is_over++) {
        struct filter_fixture f;
        struct fixture e;
        struct pieces p = {.body = {.ops = &pieces_ops, .length = -1},
                           .next = is_over ? over : fits};
        filter_start(&f, &filter_body_limit, "10", NULL);
        struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
        x->req.body = &p.body;
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, 200);
        struct str piece;
        struct body *b = x->req.body;
        CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_DONE);
        CHECK_STR(piece, STR("12345"));
        if (is_over) {
            CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_FAIL);
            CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_FAIL);
            CHECK_INT(x->end, EXCHANGE_END_CLIENT_LIMIT);
            CHECK(*p.next != NULL);
        } else {
            CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_DONE);
            CHECK_INT(body_read(b, &piece, BODY_NO_WAIT), IO_EOF);
            CHECK(b->trailers == &p.trailers);
            CHECK_INT(x->end, EXCHANGE_END_OK);
        }
        fixture_end(&e);
        filter_end(&f);
    }
}

static void a_request_without_a_body_passes(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_body_limit, "0", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(f.server.n_served, 1);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{}", "max"}, {"-1", "expected a size"}, {"10x", "expected a size"}};
    filter_check_refused(&filter_body_limit, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_body_limit);
}

TEST_MAIN(TEST(a_body_that_tells_its_length_is_judged_by_it),
          TEST(a_body_without_a_length_is_counted), TEST(a_request_without_a_body_passes),
          TEST(wrong_settings_are_refused), TEST(the_table_is_complete))
