// SPDX-License-Identifier: Apache-2.0
#include "filter/forward_auth.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_forward_auth);
}

static void mistakes_are_told(void)
{
    static const struct refused_case cases[] = {
        {"{ address: \"http://a/b\", path: /c }", "has a path already"},
        {"{ address: a, path: c }", "is no path"},
        {"{ address: a, path: \"/a b\" }", "is no path"},
        {"{ address: a, path: \"/a#b\" }", "is no path"},
        {"{ address: a, auth-response-headers: [\"X User\"] }", "is not a field name"},
        {"{ address: a, auth-request-headers: [Connection] }", "belongs to one connection"},
        {"{ address: a, auth-response-headers-regex: \"[\" }", "in the expression '['"},
        {"{ address: a, preset: keycloak }", "preset"},
        {"{ path: /a }", "address"},
    };
    filter_check_refused(&filter_forward_auth, cases, ARRAY_LEN(cases));
}

static void an_address_is_a_service_and_what_it_is_asked_for(void)
{
    static const struct {
        const char *yaml, *service, *authority, *path, *query;
    } cases[] = {
        {"\"http://auth:9091\"", "http://auth:9091", "auth:9091", "/", ""},
        {"\"http://auth:9091/\"", "http://auth:9091", "auth:9091", "/", ""},
        {"\"https://[::1]/v/w?x=y/z\"", "https://[::1]", "[::1]", "/v/w", "x=y/z"},
        {"auth", "auth", "", "/", ""},
        {"{ address: auth, path: \"/v?x\" }", "auth", "", "/v", "x"},
        {"{ address: \"unix:/run/a.sock\", path: /v }", "unix:/run/a.sock", "localhost", "/v", ""},
        {"{ address: auth, preset: authelia }", "auth", "", "/api/authz/forward-auth", ""},
        {"{ address: \"http://a/\", preset: authentik }", "http://a", "a",
         "/outpost.goauthentik.io/auth/traefik", ""},
        {"{ address: \"http://a/x\", preset: oauth2-proxy }", "http://a", "a", "/x", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        filter_start(&f, &filter_forward_auth, cases[i].yaml, NULL);
        const struct forward_auth *a = (const struct forward_auth *)(void *)f.filter;
        CHECK(a != NULL);
        if (a) {
            CHECK_STR(f.services.asked, str_of(cases[i].service));
            CHECK_STR(a->authority, str_of(cases[i].authority));
            CHECK_STR(a->path, str_of(cases[i].path));
            CHECK_STR(a->query, str_of(cases[i].query));
        }
        filter_end(&f);
    }
}

// As the snapshot asks for them.
static size_t reserve(const char *yaml, struct str ret[FILTER_RESERVED_MAX])
{
    struct filter_fixture f;
    filter_start(&f, &filter_forward_auth, yaml, NULL);
    const struct forward_auth *a = (const struct forward_auth *)(void *)f.filter;
    size_t n = a ? filter_forward_auth.reserved(a->conf, ret) : 0;
    for (size_t i = 0; i < n; i++)
        ret[i].ptr = strndup(ret[i].ptr, ret[i].len);
    filter_end(&f);
    return n;
}

static void names_are_reserved_unless_they_mean_something_elsewhere(void)
{
    struct str names[FILTER_RESERVED_MAX];
    CHECK_INT(reserve("{ address: a, preset: authentik }", names), 12);
    CHECK_STR(names[0], STR("X-authentik-username"));
    for (size_t i = 0; i < 12; i++)
        free((char *)(uintptr_t)names[i].ptr);
    CHECK_INT(reserve("{ address: a, auth-response-headers: [Authorization, X-User] }", names), 1);
    CHECK_STR(names[0], STR("X-User"));
    free((char *)(uintptr_t)names[0].ptr);
}

static void explain_tells_whom_it_asks_and_for_what(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(
        &f, &filter_forward_auth,
        "{ address: a, auth-response-headers: [X-A, X-B], auth-response-headers-regex: ^Y }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("asks nobody for /; servers get: X-A, X-B and what fits ^Y"));
    fixture_end(&e);
    filter_end(&f);
}

TEST_MAIN(TEST(the_table_is_complete), TEST(mistakes_are_told),
          TEST(an_address_is_a_service_and_what_it_is_asked_for),
          TEST(names_are_reserved_unless_they_mean_something_elsewhere),
          TEST(explain_tells_whom_it_asks_and_for_what))
