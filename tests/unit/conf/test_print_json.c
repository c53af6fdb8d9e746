// SPDX-License-Identifier: Apache-2.0
#include "conf/print.h"
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static const char yaml[] = "workers: 4\n"
                           "token: hush\n"
                           "trusted: [10.0.0.0/8]\n"
                           "sites:\n"
                           "  a.example: http://10.0.0.1\n"
                           "  a.example.org:\n"
                           "    to: [http://10.0.0.2, {url: http://10.0.0.3, weight: 2}]\n"
                           "filters: {f: {compress: }, g: {redirect: 'a b'}}\n";

static void parts_are_told_with_where_they_come_from(void)
{
    static const struct {
        const char *path, *wanted; // NULL: there is nothing
    } cases[] = {
        {"workers", "{\"value\":\"4\",\"from\":\"t.yaml:1\"}"},
        {"token", "{\"value\":\"***\",\"from\":\"t.yaml:2\"}"},
        {"body-max", "{\"value\":\"1MiB\",\"from\":\"default\"}"},
        {"trusted", "{\"value\":[\"10.0.0.0/8\"],\"from\":\"t.yaml:3\"}"},
        {"timeouts", "{\"from\":\"default\",\"settings\":{\"idle\":{\"value\":\"60s\",\"from\":"
                     "\"default\"},\"connect\":{\"value\":\"5s\",\"from\":\"default\"}}}"},
        {"timeouts.idle", "{\"value\":\"60s\",\"from\":\"default\"}"},
        {"sites.a.example.to.0.url", "{\"value\":\"http://10.0.0.1\",\"from\":\"t.yaml:5\"}"},
        {"sites.a.example.org.to.1.weight", "{\"value\":\"2\",\"from\":\"t.yaml:7\"}"},
        {"sites.a.example.org.to.1", "{\"url\":{\"value\":\"http://10.0.0.3\",\"from\":"
                                     "\"t.yaml:7\"},\"weight\":{\"value\":\"2\",\"from\":"
                                     "\"t.yaml:7\"}}"},
        {"filters.f.compress.level", "{\"value\":\"4\",\"from\":\"default\"}"},
        {"sites.a.example.org.to.2", NULL},
        {"sites.b.example", NULL},
        {"sites.a.exampl", NULL},
        {"nothing", NULL},
        {"workers.x", NULL},
        {"", NULL},
        {".", NULL},
        {"filters.f.redirect", NULL},
    };
    struct fixture f;
    fixture_init(&f);
    const struct conf_node *root = fixture_parse(&f, yaml);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {.ptr = NULL};
        bool is_there = conf_print_json(&sample_root_section, root, str_of(cases[i].path), 50, &t);
        CHECK_INT(is_there, cases[i].wanted != NULL);
        if (is_there && cases[i].wanted)
            CHECK_STR(text_str(&t), str_of(cases[i].wanted));
        text_fini(&t);
    }
    fixture_fini(&f);
}

static void long_maps_are_cut_and_say_so(void)
{
    struct fixture f;
    struct text t = {.ptr = NULL};
    fixture_init(&f);
    CHECK(conf_print_json(&sample_root_section, fixture_parse(&f, yaml), STR("sites"), 1, &t));
    CHECK(str_search(text_str(&t), STR("a.example.org")) == STR_NPOS);
    CHECK(str_ends(text_str(&t), STR(",\"more\":1}")));
    text_fini(&t);
    fixture_fini(&f);
}

static void names_that_sound_secret_are_known(void)
{
    static const struct {
        const char *name;
        bool is_secret;
    } cases[] = {{"Authorization", true},    {"X-API-Key", true},     {"set-cookie", true},
                 {"X-Frame-Options", false}, {"X-Session-Id", true},  {"", false},
                 {"My-TOKEN", true},         {"Cache-Control", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(conf_is_secret_name(str_of(cases[i].name)), cases[i].is_secret);
}

TEST_MAIN(TEST(parts_are_told_with_where_they_come_from), TEST(long_maps_are_cut_and_say_so),
          TEST(names_that_sound_secret_are_known))
