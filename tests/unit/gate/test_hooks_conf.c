// SPDX-License-Identifier: Apache-2.0
#include "gate/hooks_conf.h"

#include "base/attr.h"
#include "unit/test.h"

static bool read(const char *yaml, struct arena *mem, struct hooks_conf *ret, struct diags *diags)
{
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "test.yaml", mem, diags);
    return node && conf_read(&hooks_section, node, NULL, mem, diags, ret) == ERR_OK;
}

static void a_program_is_a_path_with_arguments(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct hooks_conf c;
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(read("certificate-issued: /bin/a\ncertificate-trouble: [/bin/b, -x, y z]\n", &mem, &c,
               &diags));
    CHECK_INT(c.issued.n, 1);
    CHECK_STR(c.issued.items[0].text, STR("/bin/a"));
    CHECK_INT(c.trouble.n, 3);
    CHECK_STR(c.trouble.items[2].text, STR("y z"));
    CHECK_INT(c.expires_within_ms, INT64_C(14) * 86400000);
    CHECK_INT(c.timeout_ms, 60000);
    diags_fini(&diags);
    arena_fini(&mem);
}

static void what_is_no_path_is_refused_with_its_place(void)
{
    static const char *const cases[] = {
        "certificate-issued: logger\n",
        "certificate-trouble: [./a, b]\n",
        "certificate-trouble: 'logger -p daemon.alert'\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct hooks_conf c;
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(!read(cases[i], &mem, &c, &diags));
        CHECK_INT(diags.n, 1);
        CHECK(diags.n == 1 && strstr(diags.items[0].text, "give its absolute path"));
        CHECK(diags.n == 1 && diags.items[0].place.line == 1);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

TEST_MAIN(TEST(a_program_is_a_path_with_arguments), TEST(what_is_no_path_is_refused_with_its_place))
