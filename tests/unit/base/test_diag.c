// SPDX-License-Identifier: Apache-2.0
#include "base/diag.h"

#include "unit/test.h"

static void messages_name_their_place_as_far_as_it_is_known(void)
{
    static const struct {
        struct place place;
        const char *wanted;
    } cases[] = {
        {{.source = "a.yaml", .line = 3, .column = 7}, "a.yaml:3:7: error: bad 5"},
        {{.source = "a.yaml", .line = 3}, "a.yaml:3: error: bad 5"},
        {{.source = "command line"}, "command line: error: bad 5"},
        {{.source = NULL}, "error: bad 5"},
    };
    struct diags d = {.n = 0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_INT(diag_fail(&d, ERR_RANGE, cases[i].place, "bad %d", 5), ERR_RANGE);
        char buf[100];
        CHECK_STR(diag_text(&d.items[i], buf, sizeof buf), str_of(cases[i].wanted));
    }
    CHECK_INT(d.n, ARRAY_LEN(cases));
    CHECK_INT(d.n_errors, ARRAY_LEN(cases));
    diags_fini(&d);
    CHECK_INT(d.n, 0);
    diags_fini(&d);
}

static void warnings_are_no_errors(void)
{
    struct diags d = {.n = 0};
    diag_warn(&d, (struct place){.source = "x"}, "old %s", "name");
    CHECK_INT(d.n, 1);
    CHECK_INT(d.n_errors, 0);
    char buf[100];
    CHECK_STR(diag_text(&d.items[0], buf, sizeof buf), STR("x: warning: old name"));
    diags_fini(&d);
}

static void a_collector_is_optional(void)
{
    CHECK_INT(diag_fail(NULL, ERR_SYNTAX, (struct place){.line = 1}, "x"), ERR_SYNTAX);
    diag_warn(NULL, (struct place){.line = 1}, "x");
}

static void texts_are_cut_to_the_buffer(void)
{
    struct diags d = {.n = 0};
    (void)diag_fail(&d, ERR_SYNTAX, (struct place){.line = 0}, "%5000d", 1);
    CHECK_INT(strlen(d.items[0].text), 1023);
    char buf[10];
    struct str got = diag_text(&d.items[0], buf, sizeof buf);
    CHECK_STR(got, STR("error:   "));
    CHECK(buf[got.len] == '\0');
    diags_fini(&d);
}

static void a_flood_is_counted_but_not_kept(void)
{
    struct diags d = {.n = 0};
    for (int i = 0; i < DIAGS_MAX + 5; i++)
        (void)diag_fail(&d, ERR_SYNTAX, (struct place){.line = 0}, "%d", i);
    CHECK_INT(d.n, DIAGS_MAX);
    CHECK_INT(d.n_dropped, 5);
    CHECK_INT(d.n_errors, DIAGS_MAX + 5);
    diags_fini(&d);
}

static void what_was_said_of_a_place_is_not_said_again(void)
{
    struct diags d = {.n = 0};
    struct place here = {.source = "a.yaml", .line = 1, .column = 2};
    struct place there = {.source = "a.yaml", .line = 1, .column = 3};
    (void)diag_fail(&d, ERR_SYNTAX, here, "one");
    CHECK_INT(diag_fail(&d, ERR_SYNTAX, here, "one"), ERR_SYNTAX);
    CHECK_INT(d.n, 1);
    CHECK_INT(d.n_errors, 1);
    (void)diag_fail(&d, ERR_SYNTAX, here, "two");
    (void)diag_fail(&d, ERR_SYNTAX, there, "one");
    diag_warn(&d, here, "one");
    CHECK_INT(d.n, 4);
    CHECK_INT(d.n_errors, 3);
    diags_fini(&d);
}

TEST_MAIN(TEST(messages_name_their_place_as_far_as_it_is_known), TEST(warnings_are_no_errors),
          TEST(a_collector_is_optional), TEST(texts_are_cut_to_the_buffer),
          TEST(a_flood_is_counted_but_not_kept), TEST(what_was_said_of_a_place_is_not_said_again))
