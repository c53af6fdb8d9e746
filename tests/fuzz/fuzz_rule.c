// SPDX-License-Identifier: Apache-2.0
// Rules of any text: parsing gives a rule or an error and never crashes; what is accepted gives the
// same verdict twice, says why, and agrees with a router that has the rule alone.
// Constraints are rules, too.
#include <stdlib.h>

#include "http/exchange.h"
#include "route/router.h"
#include "route/rule_priv.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *method, *host, *path, *query;
    struct ip client;
} requests[] = {
    {"GET", "a.example", "/", "", {.bytes = {192, 0, 2, 7}, .family = 4}},
    {"POST",
     "www.a.example",
     "/api/v1/x",
     "a=b&c&d=%41+%zz",
     {.bytes = {10, 1, 2, 3}, .family = 4}},
    {"PUT", "", "*", "&&=&=x", {.family = 0}},
    {"GET",
     "[::1]",
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "a=aaaaaaaaaaaaaaaaaaaaaaaaa%20aaaaaaa",
     {.bytes = {0x20, 0x01, 0x0d, 0xb8}, .family = 6}},
};

static void check_request(struct rule *rule, const struct router *router, size_t i)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct exchange x = {.mem = &mem};
    x.req.method = str_of(requests[i].method);
    x.req.host = str_of(requests[i].host);
    x.req.path = str_of(requests[i].path);
    x.req.query = str_of(requests[i].query);
    x.client = requests[i].client;
    headers_init(&x.req.headers, &mem);
    MUST(headers_add_named(&x.req.headers, STR("Accept"), STR("text/html")) == ERR_OK);
    MUST(headers_add_named(&x.req.headers, STR("X-A"), STR("aaaaaaaaaaaaaaaaaaaab")) == ERR_OK);
    bool matches = rule_matches(rule, &x);
    MUST(rule_matches(rule, &x) == matches);
    struct str why = rule_why(rule, &x, &mem);
    MUST(why.len > 0);
    MUST((router_find(router, 0, &x) != NULL) == matches);
    arena_fini(&mem);
}

// A label has its own name as value, or none.
static struct str own_name(void *arg, struct str name)
{
    return *(const bool *)arg ? name : STR_NONE;
}

static void check_constraint(struct str text, struct arena *mem)
{
    struct diags diags = {.n = 0};
    struct rule *rule = rule_parse_labels(text, (struct place){"fuzz", 1, 1}, mem, &diags);
    MUST((rule == NULL) == (diags.n_errors > 0));
    for (int i = 0; i < 2 && rule; i++) {
        bool has_labels = i > 0, matches = rule_matches_labels(rule, own_name, &has_labels);
        MUST(rule_matches_labels(rule, own_name, &has_labels) == matches);
    }
    rule_fini(rule);
    diags_fini(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    arena_init(&mem, 8 << 20, NULL, 0);
    struct diags diags = {.n = 0};
    struct str text = {(const char *)data, size};
    struct place place = {"fuzz", 1, 1};
    check_constraint(text, &mem);
    struct rule *rule = rule_is_tcp(text) ? rule_parse_tcp(text, place, &mem, &diags)
                                          : rule_parse(text, place, &mem, &diags);
    MUST((rule == NULL) == (diags.n_errors > 0));
    if (rule) {
        static const struct handler_type type = {.name = "last"};
        struct handler handler = {.type = &type};
        struct route route = {.name = STR("fuzz"),
                              .rule_text = text,
                              .rule = rule,
                              .entries = 1,
                              .handler = &handler};
        struct router *router = router_build(&route, 1, &mem);
        MUST(router != NULL);
        for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
            check_request(rule, router, i);
        router_check(router, &mem, &diags);
        router_fini(router);
    }
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
