// SPDX-License-Identifier: Apache-2.0
#include "dialect/haproxy_expr.h"

#include "unit/test.h"

static struct draft d;

static const struct haproxy_expr *rule(const char *text)
{
    return haproxy_rule(&d, str_of(text));
}

static void what_is_decided_is_folded_away(void)
{
    draft_init(&d);
    const struct haproxy_expr *a = rule("A"), *t = &haproxy_true, *f = &haproxy_false;
    CHECK(haproxy_and(&d, a, t) == a && haproxy_and(&d, t, a) == a);
    CHECK(haproxy_and(&d, a, f) == f && haproxy_and(&d, f, a) == f);
    CHECK(haproxy_or(&d, a, t) == t && haproxy_or(&d, t, a) == t);
    CHECK(haproxy_or(&d, a, f) == a && haproxy_or(&d, f, a) == a);
    CHECK(haproxy_not(&d, t) == f && haproxy_not(&d, f) == t);
    CHECK(haproxy_not(&d, haproxy_not(&d, a)) == a);
    draft_fini(&d);
}

static void texts_have_parentheses_where_they_need_them(void)
{
    draft_init(&d);
    const struct haproxy_expr *a = rule("A"), *b = rule("B"), *c = rule("C");
    const struct haproxy_expr *ab = haproxy_and(&d, a, b), *a_or_b = haproxy_or(&d, a, b);
    CHECK_STR(haproxy_expr_text(&d, haproxy_or(&d, ab, c), false), STR("A && B || C"));
    CHECK_STR(haproxy_expr_text(&d, haproxy_and(&d, a_or_b, c), false), STR("(A || B) && C"));
    CHECK_STR(haproxy_expr_text(&d, haproxy_not(&d, ab), false), STR("!(A && B)"));
    CHECK_STR(haproxy_expr_text(&d, haproxy_and(&d, haproxy_not(&d, a), b), false), STR("!A && B"));
    CHECK_STR(haproxy_expr_text(&d, &haproxy_true, false), STR("PathPrefix(`/`)"));
    CHECK_STR(haproxy_expr_text(&d, &haproxy_true, true), STR("HostSNI(`*`)"));
    CHECK_STR(haproxy_expr_text(&d, a_or_b, true), STR("HostSNI(`*`) && (A || B)"));
    CHECK_STR(haproxy_expr_text(&d, rule("HostSNI(`x`)"), true), STR("HostSNI(`x`)"));
    draft_fini(&d);
}

static void what_is_unknown_counts_for_the_wider_answer(void)
{
    draft_init(&d);
    const struct haproxy_expr *a = rule("A"), *u = haproxy_unknown(&d, STR("why"));
    CHECK(haproxy_at_most(&d, a) == a);
    CHECK(haproxy_at_most(&d, haproxy_and(&d, a, u)) == a);
    CHECK(haproxy_at_most(&d, haproxy_or(&d, a, u)) == &haproxy_true);
    CHECK(haproxy_at_most(&d, haproxy_not(&d, u)) == &haproxy_true);
    CHECK(haproxy_at_most(&d, haproxy_and(&d, a, haproxy_not(&d, u))) == a);
    const struct haproxy_expr *inner = haproxy_not(&d, haproxy_or(&d, a, u));
    CHECK_STR(haproxy_expr_text(&d, haproxy_at_most(&d, inner), false), STR("!A"));
    CHECK(haproxy_unknown_part(inner) == u);
    CHECK(haproxy_unknown_part(a) == NULL);
    draft_fini(&d);
}

static void contraries_are_seen(void)
{
    draft_init(&d);
    const struct haproxy_expr *a = rule("A"), *again = rule("A"), *b = rule("B");
    CHECK(haproxy_is_contrary(haproxy_not(&d, a), again));
    CHECK(haproxy_is_contrary(again, haproxy_not(&d, a)));
    CHECK(haproxy_is_contrary(haproxy_not(&d, haproxy_and(&d, a, b)), haproxy_and(&d, again, b)));
    CHECK(!haproxy_is_contrary(a, b));
    CHECK(!haproxy_is_contrary(haproxy_not(&d, a), b));
    draft_fini(&d);
}

TEST_MAIN(TEST(what_is_decided_is_folded_away), TEST(texts_have_parentheses_where_they_need_them),
          TEST(what_is_unknown_counts_for_the_wider_answer), TEST(contraries_are_seen))
