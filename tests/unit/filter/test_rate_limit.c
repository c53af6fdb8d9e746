// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void serve_one(struct handler *h, struct fixture *e, const char *client)
{
    struct exchange *x = fixture_start(e, "GET", "a.example", "/", NULL);
    CHECK_INT(ip_parse(str_of(client), &x->client), ERR_OK);
    CHECK_INT(handler_serve(h, x), ERR_OK);
}

static unsigned status_for(struct handler *h, const char *client)
{
    struct fixture e;
    serve_one(h, &e, client);
    unsigned status = e.x.resp.status;
    fixture_end(&e);
    return status;
}

static struct str text_of(const struct fixture *e, const char *name)
{
    const struct field *f = headers_find_named(&e->x.resp.headers, str_of(name));
    return f ? f->value : STR_NONE;
}

static void each_client_has_a_burst_of_its_own(void)
{
    struct filter_fixture f;
    filter_start(&f, &filter_rate_limit, "{ rate: 1/d, burst: 2 }", NULL);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 200);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 200);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 429);
    CHECK_INT(status_for(f.filter, "192.0.2.2"), 200);
    CHECK_INT(status_for(f.filter, "2001:db8::1"), 200);
    CHECK_INT(status_for(f.filter, "2001:db8::2"), 200);
    CHECK_INT(status_for(f.filter, "2001:db8::3"), 429); // the same /64
    CHECK_INT(f.server.n_served, 5);
    filter_end(&f);
}

static void a_refusal_says_when_to_come_again(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_rate_limit, "{ rate: 6/h, burst: 1 }", NULL);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 200);
    serve_one(f.filter, &e, "192.0.2.1");
    CHECK_INT(e.x.resp.status, 429);
    CHECK_INT(e.x.end, EXCHANGE_END_FILTERED);
    CHECK_STR(text_of(&e, "Retry-After"), STR("600"));
    CHECK_STR(text_of(&e, "RateLimit-Policy"), STR("\"it\";q=1;w=600"));
    CHECK_STR(text_of(&e, "RateLimit"), STR("\"it\";r=0;t=600"));
    fixture_end(&e);
    filter_end(&f);
}

static void answers_tell_of_the_limit_as_set(void)
{
    static const struct {
        const char *settings;
        bool when_passed, when_refused;
    } cases[] = {
        {"{ rate: 1/h, fields: off }", false, false},
        {"{ rate: 1/h }", false, true},
        {"{ rate: 1/h, fields: always }", true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_rate_limit, cases[i].settings, NULL);
        for (int refused = 0; refused <= 1; refused++) {
            bool wanted = refused ? cases[i].when_refused : cases[i].when_passed;
            serve_one(f.filter, &e, "192.0.2.1");
            CHECK_INT(e.x.resp.status, refused ? 429 : 200);
            CHECK_INT(text_of(&e, "RateLimit").len > 0, wanted);
            CHECK_INT(text_of(&e, "RateLimit-Policy").len > 0, wanted);
            CHECK_INT(text_of(&e, "Retry-After").len > 0, refused);
            fixture_end(&e);
        }
        filter_end(&f);
    }
}

static void a_dry_run_refuses_nothing_and_says_what_it_would(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_rate_limit, "{ rate: 1/h, dry-run: yes }", NULL);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 200);
    serve_one(f.filter, &e, "192.0.2.1");
    CHECK_INT(e.x.resp.status, 200);
    CHECK_INT(e.x.trail.n, 1);
    CHECK_STR(str_of(e.x.trail.steps[0].what), STR("would have denied"));
    fixture_end(&e);
    filter_end(&f);
}

// As two routes that use it, or two snapshots.
static void filters_of_one_name_count_together(void)
{
    struct filter_fixture f;
    filter_start(&f, &filter_rate_limit, "{ rate: 1/h, burst: 2 }", NULL);
    const struct conf_section *section = filter_rate_limit.choice.section;
    void *settings = arena_zalloc(&f.mem, 1, section->bytes, section->align);
    struct conf_node *node =
        conf_yaml_parse(STR("{ rate: 2/h, burst: 2 }"), "test.yaml", &f.mem, &f.diags);
    CHECK_INT(conf_read(section, node, NULL, &f.mem, &f.diags, settings), ERR_OK);
    const struct filter_env env = {.mem = &f.mem, .diags = &f.diags, .states = f.states};
    struct handler *same = filter_rate_limit.build(STR("it"), settings, &f.server.handler, &env);
    struct handler *other =
        filter_rate_limit.build(STR("other"), settings, &f.server.handler, &env);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 200);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 200);
    CHECK_INT(status_for(same, "192.0.2.1"), 429);
    CHECK_INT(status_for(other, "192.0.2.1"), 200);
    same->type->fini(same);
    other->type->fini(other);
    CHECK_INT(status_for(f.filter, "192.0.2.1"), 429);
    filter_end(&f);
}

// As an entrypoint and a route that use it; and the answer tells of the limit once.
static void an_exchange_that_comes_by_twice_counts_once(void)
{
    struct filter_fixture f;
    struct fixture e;
    const char *settings = "{ rate: 1/d, burst: 2, fields: always }";
    filter_start(&f, &filter_rate_limit, settings, NULL);
    struct handler *outer = filter_once_more(&f, settings, f.filter);
    serve_one(outer, &e, "192.0.2.1");
    CHECK_STR(text_of(&e, "RateLimit"), STR("\"it\";r=1;t=86400"));
    CHECK_INT(headers_remove_named(&e.x.resp.headers, STR("RateLimit")), 1);
    CHECK_STR(e.x.trail.steps[1].detail, STR("counted already"));
    exchange_end_guards(&e.x);
    fixture_end(&e);
    CHECK_INT(status_for(outer, "192.0.2.1"), 200);
    CHECK_INT(status_for(outer, "192.0.2.1"), 429);
    outer->type->fini(outer);
    filter_end(&f);
}

static void names_that_no_field_can_quote_are_left_out(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_rate_limit, "{ rate: 1/h, fields: always }", NULL);
    f.type = NULL;
    const struct conf_section *section = filter_rate_limit.choice.section;
    void *settings = arena_zalloc(&f.mem, 1, section->bytes, section->align);
    struct conf_node *node =
        conf_yaml_parse(STR("{ rate: 1/h, fields: always }"), "test.yaml", &f.mem, &f.diags);
    CHECK_INT(conf_read(section, node, NULL, &f.mem, &f.diags, settings), ERR_OK);
    const struct filter_env env = {.mem = &f.mem, .diags = &f.diags, .states = f.states};
    struct handler *h = filter_rate_limit.build(STR("a\"b"), settings, &f.server.handler, &env);
    serve_one(h, &e, "192.0.2.1");
    CHECK_STR(text_of(&e, "RateLimit-Policy"), STR("\"limit\";q=1;w=3600"));
    fixture_end(&e);
    h->type->fini(h);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ burst: 5 }", "rate"},
        {"{ rate: 10 }", "the period is missing"},
        {"{ rate: 0/s }", "1/d"},
        {"{ rate: 1/s, burst: 0 }", "1"},
        {"{ rate: 1/d, burst: 1000000 }", "more than a year"},
        {"{ rate: 1/s, key: ip }", "'ip' is no key"},
        {"{ rate: 1/s, key: [client-ip, 'header:'] }", "'header:' is no key"},
        {"{ rate: 1/s, delay: 2m }", "60s"},
    };
    filter_check_refused(&filter_rate_limit, cases, ARRAY_LEN(cases));
}

static void the_tables_are_complete(void)
{
    filter_check_tables(&filter_rate_limit);
}

TEST_MAIN(TEST(each_client_has_a_burst_of_its_own), TEST(a_refusal_says_when_to_come_again),
          TEST(answers_tell_of_the_limit_as_set),
          TEST(a_dry_run_refuses_nothing_and_says_what_it_would),
          TEST(filters_of_one_name_count_together),
          TEST(an_exchange_that_comes_by_twice_counts_once),
          TEST(names_that_no_field_can_quote_are_left_out), TEST(wrong_settings_are_refused),
          TEST(the_tables_are_complete))
