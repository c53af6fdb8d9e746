// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static const char *const no_fields[] = {NULL};

// All fields of the answer as "Name: value" lines would be too long a text: what one field has,
// with "absent", and several joined by " | ".
static struct str get(struct exchange *x, const char *name)
{
    struct str all = STR_NONE;
    for (const struct field *f = headers_next(&x->resp.headers, NULL); f;
         f = headers_next(&x->resp.headers, f))
        if (str_ieq(f->name, str_of(name)))
            all = all.ptr ? arena_concat(x->mem, all, STR(" | "), f->value) : f->value;
    return all.ptr ? all : STR("absent");
}

struct answer_case {
    const char *yaml;
    const char *const *served;
    const char *name, *wanted;
};

static void check_answers(const struct answer_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_security_headers, cases[i].yaml, NULL);
        f.server.fields = cases[i].served;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        struct str got = get(x, cases[i].name);
        if (!str_eq(got, str_of(cases[i].wanted)))
            printf("# %s: %s\n", cases[i].yaml, cases[i].name);
        CHECK_STR(got, str_of(cases[i].wanted));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void the_defaults_are_safe_and_let_a_site_be_what_it_is(void)
{
    static const struct answer_case cases[] = {
        {"{}", no_fields, "X-Content-Type-Options", "nosniff"},
        {"{}", no_fields, "X-Frame-Options", "SAMEORIGIN"},
        {"{}", no_fields, "Referrer-Policy", "strict-origin-when-cross-origin"},
        {"{}", no_fields, "Cross-Origin-Opener-Policy", "same-origin-allow-popups"},
        {"{}", no_fields, "Cross-Origin-Resource-Policy", "same-site"},
        {"{}", no_fields, "Cross-Origin-Embedder-Policy", "absent"},
        {"{}", no_fields, "Content-Security-Policy", "absent"},
        {"{}", no_fields, "Content-Security-Policy-Report-Only", "absent"},
        {"{}", no_fields, "Strict-Transport-Security", "absent"},
        {"{}", no_fields, "Permissions-Policy",
         "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
    };
    check_answers(cases, ARRAY_LEN(cases));
}

static void each_field_can_be_another_or_off(void)
{
    static const struct answer_case cases[] = {
        {"content-type-options: no", no_fields, "X-Content-Type-Options", "absent"},
        {"frame-options: DENY", no_fields, "X-Frame-Options", "DENY"},
        {"frame-options: off", no_fields, "X-Frame-Options", "absent"},
        {"referrer-policy: no-referrer", no_fields, "Referrer-Policy", "no-referrer"},
        {"referrer-policy: off", no_fields, "Referrer-Policy", "absent"},
        {"permissions-policy: off", no_fields, "Permissions-Policy", "absent"},
        {"permissions-policy: camera=(self)", no_fields, "Permissions-Policy", "camera=(self)"},
        {"cross-origin-opener-policy: off", no_fields, "Cross-Origin-Opener-Policy", "absent"},
        {"cross-origin-resource-policy: cross-origin", no_fields, "Cross-Origin-Resource-Policy",
         "cross-origin"},
        {"cross-origin-embedder-policy: require-corp", no_fields, "Cross-Origin-Embedder-Policy",
         "require-corp"},
        {"content-security-policy: \"default-src 'self'\"", no_fields, "Content-Security-Policy",
         "default-src 'self'"},
        {"content-security-policy-report-only: img-src *", no_fields,
         "Content-Security-Policy-Report-Only", "img-src *"},
        {"frame-ancestors: [\"'self'\", https://p.example]", no_fields, "Content-Security-Policy",
         "frame-ancestors 'self' https://p.example"},
        {"frame-ancestors: [\"'self'\"]", no_fields, "X-Frame-Options", "absent"},
        {"{ frame-ancestors: \"'none'\", content-security-policy: img-src * }", no_fields,
         "Content-Security-Policy", "img-src * | frame-ancestors 'none'"},
    };
    check_answers(cases, ARRAY_LEN(cases));
}

static void what_a_server_says_of_its_pages_stays_unless_told_otherwise(void)
{
    static const char *const own[] = {"x-frame-options",
                                      "DENY",
                                      "Referrer-Policy",
                                      "origin",
                                      "referrer-policy",
                                      "unsafe-url",
                                      "Content-Security-Policy",
                                      "img-src *",
                                      NULL};
    static const struct answer_case cases[] = {
        {"{}", own, "X-Frame-Options", "DENY"},
        {"{}", own, "Referrer-Policy", "origin | unsafe-url"},
        {"replace: yes", own, "X-Frame-Options", "SAMEORIGIN"},
        {"replace: yes", own, "Referrer-Policy", "strict-origin-when-cross-origin"},
        {"replace: yes", own, "Content-Security-Policy", "img-src *"},
        {"content-security-policy: img-src 'self'", own, "Content-Security-Policy", "img-src *"},
        {"frame-ancestors: https://p.example", own, "Content-Security-Policy",
         "img-src * | frame-ancestors https://p.example"},
    };
    check_answers(cases, ARRAY_LEN(cases));
}

static void what_tells_of_the_server_is_taken_out(void)
{
    static const char *const telling[] = {"Server",
                                          "Apache/2.4.1 (Debian)",
                                          "x-powered-by",
                                          "PHP/5",
                                          "X-AspNet-Version",
                                          "4",
                                          "Via",
                                          "1.1 inner",
                                          "X-Keep",
                                          "1",
                                          NULL};
    static const struct answer_case cases[] = {
        {"{}", telling, "Server", "absent"},
        {"{}", telling, "X-Powered-By", "absent"},
        {"{}", telling, "X-AspNet-Version", "absent"},
        {"{}", telling, "Via", "absent"},
        {"{}", telling, "X-Keep", "1"},
        {"remove: []", telling, "Server", "Apache/2.4.1 (Debian)"},
        {"remove: [X-Keep]", telling, "X-Keep", "absent"},
        {"remove: [X-Keep]", telling, "X-Powered-By", "PHP/5"},
    };
    check_answers(cases, ARRAY_LEN(cases));
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"frame-options: ALLOW", "frame-options"},
        {"referrer-policy: nothing", "referrer-policy"},
        {"frame-ancestors: ['a;b']", "is no source"},
        {"frame-ancestors: ['a b']", "is no source"},
        {"frame-ancestors: ['']", "is no source"},
        {"{ frame-ancestors: a, content-security-policy: frame-ancestors b }", "leave one out"},
        {"content-security-policy: \"a\\r\\nb\"", "control byte"},
        {"permissions-policy: \"a\\nb\"", "control byte"},
        {"remove: [Content-Length]", "frames the message"},
        {"remove: ['a b']", "is not a field name"},
    };
    filter_check_refused(&filter_security_headers, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_security_headers);
}

TEST_MAIN(TEST(the_defaults_are_safe_and_let_a_site_be_what_it_is),
          TEST(each_field_can_be_another_or_off),
          TEST(what_a_server_says_of_its_pages_stays_unless_told_otherwise),
          TEST(what_tells_of_the_server_is_taken_out), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
