// SPDX-License-Identifier: Apache-2.0
// Rules for tests, and tables of what must be wrong with them.
#pragma once

#include "route/rule.h"
#include "unit/route/fixture.h"

// Errors go to diags, with the place that the text would have at rules.yaml:3:10.
static inline struct rule *rule_of(const char *text, struct arena *mem, struct diags *diags)
{
    size_t n_errors = diags->n_errors;
    struct rule *r = rule_parse(str_of(text), (struct place){"rules.yaml", 3, 10}, mem, diags);
    CHECK((r == NULL) == (diags->n_errors > n_errors));
    return r;
}

struct rule_error_case {
    const char *rule;
    unsigned line, column;
    const char *text; // a part of the message
};

static inline void check_rule_errors(const struct rule_error_case *cases, size_t n)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        struct diags d = {.n = 0};
        struct rule *r = rule_of(cases[i].rule, &mem, &d);
        bool is_as_wanted = !r && d.n > 0 && d.items[0].place.line == cases[i].line &&
                            d.items[0].place.column == cases[i].column &&
                            strstr(d.items[0].text, cases[i].text);
        if (!is_as_wanted)
            printf("# %s: %u:%u %s\n", cases[i].rule, d.n > 0 ? d.items[0].place.line : 0,
                   d.n > 0 ? d.items[0].place.column : 0, d.n > 0 ? d.items[0].text : "accepted");
        CHECK(is_as_wanted);
        rule_fini(r);
        diags_fini(&d);
    }
    arena_fini(&mem);
}
