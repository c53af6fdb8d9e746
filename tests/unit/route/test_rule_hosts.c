// SPDX-License-Identifier: Apache-2.0
#include "base/writer.h"
#include "route/rule_priv.h"
#include "unit/route/rules.h"
#include "unit/test.h"

static void the_hosts_of_a_rule_are_those_it_needs(void)
{
    static const struct {
        const char *rule;
        bool is_any;
        const char *hosts; // separated by spaces
        bool needs_only_host;
    } cases[] = {
        {"Host(`a`)", false, "a", true},
        {"Host(`a`, `*.b`)", false, "a .b", true},
        {"Host(`a`) || Host(`b`)", false, "a b", true},
        {"Host(`a`) || Host(`b`, `c`) || Host(`a`)", false, "a b c a", true},
        {"Host(`a`) && Path(`/`)", false, "a", false},
        {"Path(`/`) && (Host(`a`) || Host(`b`))", false, "a b", false},
        {"Host(`a`, `b`) && Host(`b`)", false, "b", false},
        {"Host(`a`) || Path(`/`)", true, "", false},
        {"Host(`a`) && Path(`/`) || Host(`b`) && Path(`/c`)", false, "a b", false},
        {"!Host(`a`)", true, "", false},
        {"!Host(`a`) && Host(`b`)", false, "b", false},
        {"HostRegexp(`a`)", true, "", false},
        {"Path(`/`)", true, "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags d = {.n = 0};
        arena_init(&mem, 1 << 16, NULL, 0);
        struct rule *r = rule_of(cases[i].rule, &mem, &d);
        struct rule_hosts hosts;
        CHECK(r != NULL && rule_hosts(r, &mem, &hosts));
        if (r) {
            char buf[100];
            struct writer w;
            writer_init(&w, buf, sizeof buf);
            for (size_t k = 0; k < hosts.n; k++) {
                writer_put(&w, k > 0 ? STR(" ") : STR_NONE);
                writer_put(&w, hosts.items[k]->text);
            }
            CHECK_STR(writer_str(&w), str_of(cases[i].hosts));
            CHECK_INT(hosts.is_any, cases[i].is_any);
            CHECK_INT(rule_needs_only_host(r), cases[i].needs_only_host);
        }
        rule_fini(r);
        diags_fini(&d);
        arena_fini(&mem);
    }
}

// What rule_implies says is true of every request here: where the narrow one matches, the wide one
// does.
static void implication_holds_for_requests(void)
{
    static const char *const rules[] = {
        "Host(`a.x`)",
        "Host(`*.x`)",
        "Host(`a.x`, `b.x`)",
        "HostRegexp(`^a`)",
        "Host(`a.x`) && Path(`/`)",
        "PathPrefix(`/`)",
        "PathPrefix(`/a`)",
        "Path(`/a/b`)",
        "Path(`/`) || Path(`/a/b`)",
        "!Path(`/`)",
        "!PathPrefix(`/a`)",
        "!(Path(`/`) || Path(`/a/b`))",
        "Method(`GET`)",
        "Method(`GET`, `PUT`) && Host(`a.x`)",
        "Query(`k`)",
        "Query(`k`) && PathPrefix(`/a`) || Host(`b.x`)",
        "(Method(`GET`) || Query(`k`)) && (Host(`a.x`) || Path(`/`))",
    };
    static const char *const hosts[] = {"a.x", "b.x", "x", "a.y"};
    static const char *const paths[] = {"/", "/a", "/a/b"};
    static const char *const methods[] = {"GET", "PUT", "POST"};
    static const char *const queries[] = {NULL, "k", "k=1"};
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "a.x", "/", NULL);
    struct rule *parsed[ARRAY_LEN(rules)];
    struct diags d = {.n = 0};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        parsed[i] = rule_of(rules[i], &f.mem, &d);
    unsigned n_implied = 0;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        for (size_t k = 0; k < ARRAY_LEN(rules); k++) {
            if (!rule_implies(parsed[i], parsed[k]))
                continue;
            n_implied++;
            for (size_t n = 0; n < 108; n++) {
                x->req.host = str_of(hosts[n % 4]);
                x->req.path = str_of(paths[n / 4 % 3]);
                x->req.method = str_of(methods[n / 12 % 3]);
                x->req.query = str_of(queries[n / 36]);
                bool holds = !rule_matches(parsed[i], x) || rule_matches(parsed[k], x);
                if (!holds)
                    printf("# %s -> %s\n", rules[i], rules[k]);
                CHECK(holds);
            }
        }
    }
    CHECK(n_implied > ARRAY_LEN(rules));
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        rule_fini(parsed[i]);
    diags_fini(&d);
    fixture_end(&f);
}

static void the_names_of_a_rule_are_written_as_in_it(void)
{
    static const struct {
        const char *rule;
        size_t n;
        const char *first, *last;
    } cases[] = {
        {"Host(`A.example`, `*.b.example`)", 2, "a.example", "*.b.example"},
        {"Path(`/`) && Host(`a.example`)", 1, "a.example", "a.example"},
        {"HostRegexp(`a`)", 0, "", ""},
        {"Path(`/`)", 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags d = {.n = 0};
        struct str *names = NULL;
        arena_init(&mem, 1 << 16, NULL, 0);
        struct rule *r = rule_of(cases[i].rule, &mem, &d);
        CHECK(r != NULL);
        size_t n = r ? rule_names(r, &mem, &names) : 0;
        CHECK_INT(n, cases[i].n);
        if (n > 0 && n == cases[i].n) {
            CHECK_STR(names[0], str_of(cases[i].first));
            CHECK_STR(names[n - 1], str_of(cases[i].last));
        }
        rule_fini(r);
        diags_fini(&d);
        arena_fini(&mem);
    }
}

TEST_MAIN(TEST(the_names_of_a_rule_are_written_as_in_it),
          TEST(the_hosts_of_a_rule_are_those_it_needs), TEST(implication_holds_for_requests))
