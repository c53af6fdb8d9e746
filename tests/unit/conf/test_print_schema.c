// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static void the_schema_has_bounds_enumerations_and_alternatives(void)
{
    static const char *const parts[] = {
        "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"",
        "\"additionalProperties\":false",
        "\"minimum\":1,\"maximum\":9,\"default\":4}",
        "\"maximum\":1024},{\"enum\":[\"auto\"]}],\"default\":\"auto\"",
        "\"default\":[\"127.0.0.0/8\",\"::1\"]",
        "\"enum\":[\"debug\",\"info\",\"warn\",\"error\"]",
        "\"required\":[\"url\"]",
        "\"pattern\":\"^http://\"",
        "\"oneOf\":[{\"required\":[\"redirect\"]},{\"required\":[\"compress\"]}]",
        "\"examples\":[{\"compress\":{\"level\":\"2\"}}]",
    };
    struct text text = {.len = 0};
    conf_print_json_schema(&sample_root_section, &text);
    check_has_all(text_str(&text), parts, ARRAY_LEN(parts));
    text_fini(&text);
}

struct pool {
    struct conf_texts here, there;
    bool is_none;
};

static void keys_exclude_each_other(void)
{
    static const char *const kinds[] = {"here", "there", NULL};
    static const struct conf_item items[] = {
        ITEM_TEXTS(pool, here, "here", .since = "0.1", .doc = "It."),
        ITEM_TEXTS(pool, there, "there", .since = "0.1", .doc = "It."),
        ITEM_BOOL(pool, is_none, "none", .def = "no", .since = "0.1", .doc = "It."),
    };
    const struct conf_section section = {.name = "pool",
                                         .doc = "It.",
                                         CONF_SECTION_OF(pool, items),
                                         .one_of = kinds,
                                         .instead = "none"};
    struct text text = {.len = 0};
    conf_print_json_schema(&section, &text);
    CHECK(str_search(text_str(&text),
                     STR("\"oneOf\":[{\"required\":[\"here\"]},{\"required\":[\"there\"]},"
                         "{\"required\":[\"none\"],\"not\":{\"anyOf\":[{\"required\":[\"here\"]},"
                         "{\"required\":[\"there\"]}]}}]")) != STR_NPOS);
    text_fini(&text);
}

TEST_MAIN(TEST(the_schema_has_bounds_enumerations_and_alternatives), TEST(keys_exclude_each_other))
