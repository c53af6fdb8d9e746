// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static enum err read_yaml(struct fixture *f, const char *yaml, const void *parent,
                          struct sample_root *ret)
{
    struct conf_node *node = fixture_parse(f, yaml);
    if (!node)
        return ERR_SYNTAX;
    return conf_read(&sample_root_section, node, parent, &f->mem, &f->diags, ret);
}

static void wrong_values_are_told_with_what_is_allowed(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"workers: many",
         "1:10: error: workers: expected a whole number from 1 to 1024, or auto, found 'many'"},
        {"workers: 0",
         "1:10: error: workers: expected a whole number from 1 to 1024, or auto, found '0'"},
        {"workers: 1025",
         "1:10: error: workers: expected a whole number from 1 to 1024, or auto, found '1025'"},
        {"workers: -1",
         "1:10: error: workers: expected a whole number from 1 to 1024, or auto, found '-1'"},
        {"workers:",
         "1:9: error: workers: has no value: expected a whole number from 1 to 1024, or auto"},
        {"workers: [1]",
         "1:10: error: workers: expected a whole number from 1 to 1024, or auto, found a list"},
        {"body-max: 2GiB", "1:11: error: body-max: expected a size such as 512, 16KiB or 4MB of "
                           "at most 1GiB, found '2GiB'"},
        {"rate: 5", "1:7: error: rate: expected a rate such as 100/s or 30/m of at most 10000/s, "
                    "found '5': the period is missing (/s, /m, /h or /d)"},
        {"timeouts: {idle: 5}",
         "1:18: error: timeouts.idle: expected a duration such as 250ms, 5s or 1m30s from 1s to "
         "1h, found '5': the unit is missing (ms, s, m, h or d)"},
        {"strict: maybe", "1:9: error: strict: expected true or false, found 'maybe'"},
        {"log: {level: inof}", "1:14: error: log.level: expected one of debug, info, warn or "
                               "error, found 'inof': did you mean 'info'?"},
        {"email: {}", "1:8: error: email: expected a text, found a map"},
        {"email: \"a\\0b\"", "1:8: error: email: holds a NUL byte"},
        {"trusted: [10.0.0.0/8, 10.0.0.1/8]",
         "1:23: error: trusted[1]: expected an address, a network such as 10.0.0.0/8, "
         "file:PATH, or a list's name such as private, or several of these, found '10.0.0.1/8': "
         "bits behind the prefix have to be 0"},
        {"methods: [GET, [x]]",
         "1:16: error: methods[1]: expected a text or a list of texts, found a list"},
        {"token: env:X", "1:8: error: token: expected the content of a file or variable, found "
                         "'env:X', which is not read"},
        {"page: ''", "1:7: error: page: expected the path of a file, found ''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct sample_root root;
        CHECK(read_yaml(&f, cases[i].yaml, NULL, &root) != ERR_OK);
        CHECK_INT(f.diags.n_errors, 1);
        const char *message = fixture_message(&f, 0);
        CHECK(str_starts(str_of(message), STR("t.yaml:")));
        CHECK_STR(str_skip(str_of(message), 7), str_of(cases[i].message));
        fixture_fini(&f);
    }
}

TEST_MAIN(TEST(wrong_values_are_told_with_what_is_allowed))
