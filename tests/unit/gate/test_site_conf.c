// SPDX-License-Identifier: Apache-2.0
#include "gate/site_conf.h"

#include "unit/gate/reading.h"

static void what_would_not_work_is_refused(void)
{
    static const struct {
        const char *yaml, *told; // NULL: nothing
    } cases[] = {
        {"http://10.0.0.1", NULL},
        {"{ to: a, strip: /app }", NULL},
        {"{ to: a, strip: app }", "canonical"},
        {"{ to: a, strip: /app/../b }", "canonical"},
        {"{ to: a, strip: /%61pp }", "canonical"},
        {"{ to: a, strip: /app, replace: /b%2Fc }", NULL},
        {"{ to: a, hsts: on }", NULL},
        {"{ to: a, hsts: { preload: on, include-subdomains: on } }", NULL},
        {"{ to: a, hsts: { preload: on } }", "include-subdomains"},
        {"{ to: a, hsts: { preload: on, include-subdomains: on, max-age: 364d } }", "365d"},
        {"{ to: a, tls: { min: '1.3', max: '1.2' } }", "newer"},
        {"{ to: a, routes: [{ to: b }] }", "match"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site_conf conf;
        check_reading(&site_section, cases[i].yaml, &conf, cases[i].told);
    }
}

static void a_free_route_has_a_rule(void)
{
    struct route_conf conf;
    check_reading(&route_section, "{ match: 'Host(`a.test`)', to: a }", &conf, NULL);
    check_reading(&route_section, "{ to: a }", &conf, "match");
    check_reading(&route_section, "{ match: 'Host(`a.test`)', priority: 2000000001 }", &conf,
                  "2000000000");
}

TEST_MAIN(TEST(what_would_not_work_is_refused), TEST(a_free_route_has_a_rule))
