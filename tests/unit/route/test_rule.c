// SPDX-License-Identifier: Apache-2.0
#include "route/rule.h"

#include "unit/route/rules.h"
#include "unit/test.h"

struct match_case {
    const char *rule;
    bool matches;
};

// The one request of the tables below.
static struct exchange *request(struct fixture *f)
{
    struct exchange *x = fixture_start(f, "POST", "app.example.com", "/api/v1/items%20new",
                                       "q=a%2Fb+c&debug&empty=&n=42&n=43&q=last");
    fixture_field(f, "X-Tenant", "blue");
    fixture_field(f, "X-Tenant", "green");
    fixture_field(f, "Accept", "text/html");
    fixture_field(f, "Accept", "image/*");
    return x;
}

static void check_matches(const struct match_case *cases, size_t n)
{
    struct fixture f;
    const struct exchange *x = request(&f);
    for (size_t i = 0; i < n; i++) {
        struct diags diags = {.n = 0};
        struct rule *r = rule_of(cases[i].rule, &f.mem, &diags);
        if (!r || rule_matches(r, x) != cases[i].matches) {
            printf("# %s: wanted %d; %s\n", cases[i].rule, cases[i].matches,
                   diags.n > 0 ? diags.items[0].text : "no error");
            CHECK(false);
        }
        rule_fini(r);
        diags_fini(&diags);
    }
    fixture_end(&f);
}

// The field itself is the connection's, and gone before rules are asked.
static void an_upgrade_is_seen_as_the_fields_that_asked_for_it(void)
{
    static const struct match_case cases[] = {
        {"Header(`Upgrade`, `websocket`)", true},
        {"Header(`Upgrade`, `h2c`)", false},
        {"HeaderRegexp(`upgrade`, `(?i)^WebSocket$`)", true},
        {"HeaderRegexp(`Connection`, `(?i)upgrade`)", true},
        {"Header(`Connection`, `close`)", false},
    };
    struct fixture f;
    struct exchange *x = request(&f);
    for (int asks = 0; asks < 2; asks++) {
        x->req.is_upgrade = asks == 1;
        x->req.upgrade = asks == 1 ? STR("websocket") : STR_NONE;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct diags diags = {.n = 0};
            struct rule *r = rule_of(cases[i].rule, &f.mem, &diags);
            CHECK(r && rule_matches(r, x) == (asks == 1 && cases[i].matches));
            rule_fini(r);
            diags_fini(&diags);
        }
    }
    fixture_end(&f);
}

static void matchers_compare_what_they_name(void)
{
    static const struct match_case cases[] = {
        {"Host(`app.example.com`)", true},
        {"Host(`APP.Example.COM`)", true},
        {"Host(`app.example.com.`)", true},
        {"Host(`other.example.com`)", false},
        {"Host(`example.com`, `app.example.com`)", true},
        {"Host(`*.example.com`)", true},
        {"Host(`*.com`)", false},
        {"Host(`*.app.example.com`)", false},
        {"HostRegexp(`^[a-z]+\\.example\\.com$`)", true},
        {"HostRegexp(`EXAMPLE`)", true},
        {"HostRegexp(`^example`)", false},
        {"Path(`/api/v1/items%20new`)", true},
        {"Path(`/api/v1/items new`)", true},
        {"Path(`/api`)", false},
        {"PathPrefix(`/api`)", true},
        {"PathPrefix(`/ap`)", true},
        {"PathPrefix(`/api/v2`)", false},
        {"PathPrefix(`/x`, `/api/`)", true},
        {"PathRegexp(`v[0-9]+`)", true},
        {"PathRegexp(`^/v[0-9]+`)", false},
        {"Method(`POST`)", true},
        {"Method(`post`)", true},
        {"Method(`GET`, `POST`)", true},
        {"Method(`GET`)", false},
        {"Header(`x-tenant`, `green`)", true},
        {"Header(`X-Tenant`, `Green`)", false},
        {"Header(`Accept`, `image/*`)", true},
        {"Header(`Accept`, `*/*`)", false},
        {"Header(`X-None`, ``)", false},
        {"HeaderRegexp(`X-TENANT`, `^gr`)", true},
        {"HeaderRegexp(`Accept`, `^image/`)", true},
        {"Query(`n`, `43`)", true},
        {"Query(`n`, `4`)", false},
        {"Query(`q`, `a/b c`)", true},
        {"Query(`q`, `last`)", true},
        {"Query(`debug`)", true},
        {"Query(`empty`)", true},
        {"Query(`n`)", false},
        {"Query(`absent`)", false},
        {"QueryRegexp(`q`, `^a/b c$`)", true},
        {"QueryRegexp(`n`, `^4[4-9]$`)", false},
        {"QueryRegexp(`debug`)", true},
        {"ClientIP(`192.0.2.0/24`)", true},
        {"ClientIP(`192.0.2.7`)", true},
        {"ClientIP(`10.0.0.0/8`, `2001:db8::/32`)", false},
        {"host(`app.example.com`)", true},
        {"PATHPREFIX(\"/api\")", true},
        {"Header(\"X-Tenant\", \"gr\\x65en\")", true},
    };
    check_matches(cases, ARRAY_LEN(cases));
}

static void operators_bind_as_in_go(void)
{
    static const struct match_case cases[] = {
        {"Method(`POST`) || Method(`GET`) && Path(`/no`)", true},
        {"(Method(`POST`) || Method(`GET`)) && Path(`/no`)", false},
        {"!Method(`GET`) && PathPrefix(`/api`)", true},
        {"!(Method(`POST`) && PathPrefix(`/api`))", false},
        {"!!Method(`POST`)", true},
        {"!Method(`POST`) || !Path(`/`)", true},
        {" (\n\t( Method(`POST`) ) )\n", true},
        {"Method(`POST`)&&Path(`/no`)||PathPrefix(`/api`)", true},
    };
    check_matches(cases, ARRAY_LEN(cases));
}

static void a_catastrophic_expression_gives_up_and_matches_nothing(void)
{
    struct fixture f;
    struct exchange *x =
        fixture_start(&f, "GET", "a.example",
                      "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", NULL);
    struct diags d = {.n = 0};
    struct rule *r = rule_of("PathRegexp(`^/(a+)+$`)", &f.mem, &d);
    struct rule *inverse = rule_of("!PathRegexp(`^/(a+)+$`)", &f.mem, &d);
    CHECK(r && !rule_matches(r, x));
    CHECK(inverse && !rule_matches(inverse, x));
    CHECK_STR(
        rule_why(r, x, &f.mem),
        STR("PathRegexp(`^/(a+)+$`) gave up: the text is too long or too many steps are needed"));
    rule_fini(r);
    rule_fini(inverse);
    diags_fini(&d);
    fixture_end(&f);
}

static void why_names_the_part_that_decided(void)
{
    static const struct {
        const char *rule, *why;
    } cases[] = {
        {"Method(`GET`)", "Method(`GET`) is false (POST)"},
        {"PathPrefix(`/api`) && Method(`GET`)", "Method(`GET`) is false (POST)"},
        {"PathPrefix(`/api`) && !(Query(`n`, `42`))", "Query(`n`, `42`) is true"},
        {"Path(`/`) || Host(`app.example.com`)",
         "Host(`app.example.com`) is true (app.example.com)"},
        {"PathPrefix(`/api`) && Method(`POST`)", "all conditions are true"},
        {"Path(`/`) || Path(`/b`)", "no alternative is true"},
        {"ClientIP(`10.0.0.0/8`)", "ClientIP(`10.0.0.0/8`) is false (192.0.2.7)"},
    };
    struct fixture f;
    const struct exchange *x = request(&f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags d = {.n = 0};
        struct rule *r = rule_of(cases[i].rule, &f.mem, &d);
        CHECK(r != NULL);
        if (r)
            CHECK_STR(rule_why(r, x, &f.mem), str_of(cases[i].why));
        rule_fini(r);
        diags_fini(&d);
    }
    fixture_end(&f);
}

static void both_matches_what_both_match(void)
{
    struct fixture f;
    struct diags diags = {.n = 0};
    const struct exchange *x = request(&f);
    static const struct {
        const char *left, *right;
    } cases[] = {{"Host(`app.example.com`) || Host(`b.example`)", "PathPrefix(`/api`)"},
                 {"Host(`app.example.com`)", "PathRegexp(`^/api/v[0-9]`) || Method(`PUT`)"},
                 {"Host(`b.example`) || Host(`c.example`)", "PathPrefix(`/api`)"},
                 {"Host(`app.example.com`)", "PathRegexp(`^/b`) && Method(`POST`)"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rule *left = rule_of(cases[i].left, &f.mem, &diags);
        struct str text = arena_printf(&f.mem, "(%s) && (%s)", cases[i].left, cases[i].right);
        struct rule *whole = rule_of(text.ptr, &f.mem, &diags);
        // The left one stays good for others.
        for (int n = 0; n < 2; n++) {
            struct rule *right = rule_of(cases[i].right, &f.mem, &diags);
            struct rule *both = rule_both(left, right, text, &f.mem);
            CHECK(rule_matches(both, x) == rule_matches(whole, x));
            CHECK(rule_matches(both, x) == (i < 2));
            CHECK_STR(rule_why(both, x, &f.mem), rule_why(whole, x, &f.mem));
            rule_fini(right); // has nothing left
            rule_fini(both);
        }
        rule_fini(whole);
        rule_fini(left);
    }
    diags_fini(&diags);
    fixture_end(&f);
}

// Labels of the tables below.
static struct str label(void *arg, struct str name)
{
    static const struct {
        struct str name, value;
    } labels[] = {{STR_INIT("team"), STR_INIT("web")},
                  {STR_INIT("traefik.tags"), STR_INIT("blue,green")},
                  {STR_INIT("long"), STR_INIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")}};
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (str_eq(labels[i].name, name))
            return labels[i].value;
    }
    return STR_NONE;
}

static void constraints_look_at_labels(void)
{
    static const struct match_case cases[] = {
        {"Label(`team`, `web`)", true},
        {"Label(`team`, `we`)", false},
        {"Label(`Team`, `web`)", false},
        {"Label(\"team\", \"web\") && !Label(`stage`, `test`)", true},
        {"Label(`absent`, ``)", true},
        {"!Label(`absent`, ``)", false},
        {"LabelRegex(`traefik.tags`, `(^|,)green(,|$)`)", true},
        {"labelregex(`team`, `^e`)", false},
        {"LabelRegex(`absent`, `.`) || (Label(`team`, `db`) || Label(`team`, `web`))", true},
        {"Label(`team`, `db`) || Label(`team`, `web`) && Label(`stage`, `x`)", false},
        {"LabelRegex(`long`, `^(a+)+$`)", false},
        {"!LabelRegex(`long`, `^(a+)+$`)", false}, // nobody knows
        {"!(LabelRegex(`long`, `^(a+)+$`) && Label(`team`, `db`))", false},
    };
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct place place = {"rules.yaml", 3, 10};
        struct rule *r = rule_parse_labels(str_of(cases[i].rule), place, &mem, NULL);
        if (!r || rule_matches_labels(r, label, NULL) != cases[i].matches)
            printf("# %s\n", cases[i].rule);
        CHECK(r && rule_matches_labels(r, label, NULL) == cases[i].matches);
        rule_fini(r);
    }
    arena_fini(&mem);
}

static void what_is_wrong_with_constraints_is_told_with_its_place(void)
{
    static const struct rule_error_case cases[] = {
        {"Host(`a.example`)", 3, 10, "there are only Label and LabelRegex"},
        {"Label(`a`, `b`) && Lable(`c`, `d`)", 3, 29, "did you mean 'Label'"},
        {"Label(`a`)", 3, 10, "takes a name and a value, not 1"},
        {"Label(``, `b`)", 3, 17, "is empty"},
        {"LabelRegex(`a`, `(`)", 3, 28, ""},
        {"Label(`a`, `b`) Label(`c`, `d`)", 3, 26, "expected && or ||"},
        {"Label(`a`,\n `b`) &&", 4, 9, "ends where a matcher such as Label"},
    };
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags d = {.n = 0};
        const struct place place = {"rules.yaml", 3, 10};
        CHECK(!rule_parse_labels(str_of(cases[i].rule), place, &mem, &d));
        bool is_as_wanted = d.n > 0 && d.items[0].place.line == cases[i].line &&
                            d.items[0].place.column == cases[i].column &&
                            strstr(d.items[0].text, cases[i].text);
        if (!is_as_wanted)
            printf("# %s: %u:%u %s\n", cases[i].rule, d.n > 0 ? d.items[0].place.line : 0,
                   d.n > 0 ? d.items[0].place.column : 0, d.n > 0 ? d.items[0].text : "accepted");
        CHECK(is_as_wanted);
        diags_fini(&d);
    }
    struct diags d = {.n = 0};
    CHECK(!rule_of("Label(`a`, `b`)", &mem, &d));
    CHECK(strstr(d.items[0].text, "'constraints'"));
    diags_fini(&d);
    arena_fini(&mem);
}

TEST_MAIN(TEST(constraints_look_at_labels),
          TEST(what_is_wrong_with_constraints_is_told_with_its_place),
          TEST(both_matches_what_both_match), TEST(matchers_compare_what_they_name),
          TEST(an_upgrade_is_seen_as_the_fields_that_asked_for_it), TEST(operators_bind_as_in_go),
          TEST(a_catastrophic_expression_gives_up_and_matches_nothing),
          TEST(why_names_the_part_that_decided))
