// SPDX-License-Identifier: Apache-2.0
#include "gate/demand_conf.h"

#include "unit/test.h"

static void what_is_no_name_and_no_url_is_an_error(void)
{
    static const struct {
        const char *yaml;
        bool is_good;
    } cases[] = {
        {"{ allow: '*.customers.example' }", true},
        {"{ allow: [a.example, '*.b.example', 'B\xc3\xbc"
         "cher.example'] }",
         true},
        {"{ ask: 'http://127.0.0.1:5555/may' }", true},
        {"{ ask: 'https://auth.example/may?key=1' }", true},
        {"{ allow: '*' }", false},
        {"{ allow: localhost }", false},
        {"{ allow: 10.0.0.1 }", false},
        {"{ allow: 'a.*.example' }", false},
        {"{ allow: 'a.example:443' }", false},
        {"{ ask: 'ftp://127.0.0.1/' }", false},
        {"{ ask: 'file:///etc/passwd' }", false},
        {"{ ask: 'http:///may' }", false},
        {"{ ask: 'http://a/#b' }", false},
        {"{ ask: 'http://a b/' }", false},
        {"{ ask: '127.0.0.1:5555' }", false},
        {"{ wait: 2m }", false},
        {"{ names-max: 0 }", false},
        {"{ limit: 10/m, names-max: 10, forget-after: 7d, wait: 0 }", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct demand_conf conf;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct conf_node *root = conf_yaml_parse(str_of(cases[i].yaml), "t.yaml", &mem, &diags);
        CHECK(root != NULL);
        bool is_good =
            root && conf_read(&demand_section, root, NULL, &mem, &diags, &conf) == ERR_OK;
        if (is_good != cases[i].is_good)
            printf("# %s\n", cases[i].yaml);
        CHECK(is_good == cases[i].is_good);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void rows_are_complete(void)
{
    struct diags diags = {.n = 0};
    CHECK_INT(conf_check_tables(&demand_section, &diags), ERR_OK);
    for (size_t i = 0; i < diags.n; i++)
        printf("# %s\n", diags.items[i].text);
    diags_fini(&diags);
}

TEST_MAIN(TEST(what_is_no_name_and_no_url_is_an_error), TEST(rows_are_complete))
