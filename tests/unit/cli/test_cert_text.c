// SPDX-License-Identifier: Apache-2.0
#include "cli/cert.h"

#include "unit/test.h"

#define NOW_S INT64_C(1800000000) // 2027-01-15T08:00:00Z

static void show(const char *json, void (*put)(const json_t *j, struct text *to), struct text *ret)
{
    json_t *j = json_loads(json, 0, NULL);
    CHECK(j != NULL);
    *ret = (struct text){.ptr = NULL};
    put(j, ret);
    json_decref(j);
}

static bool has(const struct text *t, const char *part)
{
    bool is_there = str_search(text_str(t), str_of(part)) != STR_NPOS;
    if (!is_there)
        printf("# no '%s' in:\n%s\n", part, t->ptr);
    return is_there;
}

static void put_one(const json_t *cert, struct text *to)
{
    cert_text_show(cert, NOW_S, to);
}

static void times_are_told_from_now(void)
{
    struct text t;
    show("{\"id\":\"a\",\"source\":\"store\",\"state\":\"valid\",\"used_by\":[\"a\"],"
         "\"not_before\":\"2027-01-15T07:00:00.000Z\",\"not_after\":\"2027-01-16T08:00:00.000Z\","
         "\"renewal\":{\"at\":\"2027-01-15T20:00:00.000Z\",\"by\":\"authority\"},"
         "\"plan\":{\"state\":\"waiting\",\"due\":\"2027-01-15T20:00:00.000Z\",\"why\":\"w\","
         "\"next\":\"order\"}}",
         put_one, &t);
    CHECK(has(&t, "a, from an authority\n"));
    CHECK(has(&t, "valid from   2027-01-15 07:00 UTC (1 h ago)\n"));
    CHECK(has(&t, "valid until  2027-01-16 08:00 UTC (in 1 d)\n"));
    CHECK(has(&t, "(in 12 h), in the authority's window\n"));
    CHECK(has(&t, "next         waiting, 2027-01-15 20:00 UTC (in 12 h): w\n"));
    CHECK(has(&t, "used by      a\n"));
    text_fini(&t);
}

static void what_an_authority_says_does_not_steer_the_terminal(void)
{
    struct text t;
    show("{\"id\":\"a\\u001b[2J\",\"state\":\"missing\",\"orders\":[{\"failures\":3,"
         "\"last_error\":\"no\\u001b]0;x\\u0007\\nnew line\"}]}",
         put_one, &t);
    CHECK(!strchr(t.ptr, '\033') && !strchr(t.ptr, '\007'));
    CHECK(has(&t, "last error   no?]0;x??new line\n"));
    CHECK(has(&t, "failures     3 in a row\n"));
    CHECK(has(&t, "nobody renews it"));
    text_fini(&t);
}

static void nonsense_is_shown_as_far_as_it_goes(void)
{
    static const char *const cases[] = {
        "{}", "{\"id\":1,\"chain\":[1,{}],\"names\":[2],\"renewal\":[],\"plan\":{}}",
        "{\"renewal\":{\"at\":\"soon\"},\"not_after\":\"9\",\"files\":{}}"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t;
        show(cases[i], put_one, &t);
        CHECK(t.len > 0);
        text_fini(&t);
    }
}

static void the_list_has_a_line_each_and_the_errors_of_orders(void)
{
    struct text t;
    show("{\"certificates\":[{\"id\":\"a.example\",\"source\":\"store\",\"issuer\":\"le\","
         "\"state\":\"valid\",\"not_after\":\"2027\"},{\"id\":\"b\"}],"
         "\"orders\":[{\"id\":\"b\",\"issuers\":[{\"issuer\":\"le\",\"last_error\":\"why\"},"
         "{\"issuer\":\"zs\",\"last_error\":null}]}]}",
         cert_text_list, &t);
    CHECK(has(&t, "a.example                         store      le            valid"));
    CHECK(has(&t, "le: why\n"));
    size_t n_lines = 0;
    for (size_t i = 0; i < t.len; i++)
        n_lines += t.ptr[i] == '\n';
    CHECK_INT(n_lines, 3);
    text_fini(&t);
}

TEST_MAIN(TEST(times_are_told_from_now), TEST(what_an_authority_says_does_not_steer_the_terminal),
          TEST(nonsense_is_shown_as_far_as_it_goes),
          TEST(the_list_has_a_line_each_and_the_errors_of_orders))
