// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_conf.h"

#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "upstream/service.h"

// The first error of a service with these checks, or an empty text.
static void error_of(const char *health, char ret[static 300])
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct service_conf conf;
    char yaml[500];
    arena_init(&mem, 1 << 20, NULL, 0);
    snprintf(yaml, sizeof yaml, "servers: http://10.0.0.1\nhealth: %s\n", health);
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "app.yaml", &mem, &diags);
    (void)!conf_read(&service_section, node, NULL, &mem, &diags, &conf);
    snprintf(ret, 300, "%s", diags.n > 0 ? diags.items[0].text : "");
    diags_fini(&diags);
    arena_fini(&mem);
}

static void mistakes_are_told(void)
{
    static const struct {
        const char *health, *why; // why NULL: it is good
    } cases[] = {
        {"off", NULL},
        {"on", NULL},
        {"/healthz", NULL},
        {"{ path: '/a?b=1', every: 1s, status: [200, 301-303], rise: 2 }", NULL},
        {"{ path: healthz }", "begins with '/'"},
        {"{ path: '/a b' }", "begins with '/'"},
        {"{ path: '/a#b' }", "begins with '/'"},
        {"{ status: 99 }", "is no status"},
        {"{ status: 300-200 }", "is no status"},
        {"{ status: 101 }", "is no status"},
        {"{ status: [200, 2xx] }", "is no status"},
        {"{ method: 'G ET' }", "no method"},
        {"{ method: CONNECT }", "no method"},
        {"{ headers: { Host: x } }", "write `host`"},
        {"{ headers: { Content-Length: 1 } }", "no field that a check can have"},
        {"{ headers: { 'a b': 1 } }", "no field that a check can have"},
        {"{ headers: { X-A: \"a\\r\\nB: c\" } }", "control byte"},
        {"{ headers: { X-A: yes } }", NULL},
        {"{ type: tcp, body: x }", "no use for this"},
        {"{ type: tcp, path: /x }", "no use for this"},
        {"{ type: tls, status: 200 }", "no use for this"},
        {"{ type: grpc, grpc-service: a.B }", NULL},
        {"{ grpc-service: a.B }", "no use for this"},
        {"{ type: udp }", "udp"},
        {"{ every: 1ms }", "every"},
        {"{ fall: 0 }", "fall"},
        {"{ jitter-percent: 51 }", "jitter-percent"},
        {"{ port: 65536 }", "port"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char error[300];
        error_of(cases[i].health, error);
        bool is_right = cases[i].why ? strstr(error, cases[i].why) != NULL : error[0] == '\0';
        if (!is_right)
            printf("# %s: %s\n", cases[i].health, error);
        CHECK(is_right);
    }
}

static void statuses_are_one_or_a_range(void)
{
    static const struct {
        const char *text;
        unsigned first, last; // 0: it is none
    } cases[] = {
        {"200", 200, 200}, {"200-399", 200, 399}, {"599-599", 599, 599}, {"199", 0, 0},
        {"600", 0, 0},     {"200-", 0, 0},        {"-200", 0, 0},        {"200-201-202", 0, 0},
        {"", 0, 0},        {"20", 0, 0},          {"+200", 0, 0},        {"200 ", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned first = 0, last = 0;
        CHECK_INT(health_status_parse(str_of(cases[i].text), &first, &last), cases[i].first != 0);
        CHECK_INT(first, cases[i].first);
        CHECK_INT(last, cases[i].last);
    }
}

TEST_MAIN(TEST(mistakes_are_told), TEST(statuses_are_one_or_a_range))
