// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static void the_sample_table_is_sound(void)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_INT(conf_check_tables(&sample_root_section, &f.diags), ERR_OK);
    fixture_print(&f);
    fixture_fini(&f);
}

struct flawed {
    uint32_t a, b;
    struct conf_text text;
    struct conf_list list;
    unsigned choice;
};

static const char *const no_names[] = {NULL};

static void flaws_are_found(void)
{
    static const struct {
        struct conf_item item;
        const char *message;
    } cases[] = {
        {ITEM_UINT(flawed, b, "Bad_Key", .since = "0.1", .doc = "It."),
         "the key 'Bad_Key' is not kebab-case"},
        {ITEM_UINT(flawed, b, "a", .since = "0.1", .doc = "It."), "the key 'a' is there twice"},
        {ITEM_UINT(flawed, a, "b", .since = "0.1", .doc = "It."), "shares its member with 'a'"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "No stop"), "full stop"},
        {ITEM_UINT(flawed, b, "b", .doc = "It."), "since is not a version"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .def = "x"),
         "expected a whole number, found 'x'"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .def = "5", .max = "4"),
         "expected a whole number of at most 4, found '5'"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .min = "5", .max = "4"),
         "the bounds leave no value"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .min = "x"),
         "the lower bound 'x' is malformed"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .example = "x"),
         "expected a whole number, found 'x'"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .example = "[x"), "in YAML"},
        {ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It.", .def = "5", .is_required = true),
         "is required, and has a default"},
        {ITEM_TEXT(flawed, text, "b", .since = "0.1", .doc = "It.", .max = "5"),
         "only numbers have bounds"},
        {ITEM_SECRET(flawed, text, "b", .since = "0.1", .doc = "It.", .def = "x"),
         "can't have a default"},
        {ITEM_LIST(flawed, list, "b", .since = "0.1", .doc = "It."), "has no section"},
        {ITEM_ENUM(flawed, choice, "b", .since = "0.1", .doc = "It.", .names = no_names),
         "names are for enumerations"},
        {{.key = "b", .kind = CONF_UINT, .offset = 4096, .since = "0.1", .doc = "It."},
         "lies outside its struct"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct conf_item items[] = {
            ITEM_UINT(flawed, a, "a", .since = "0.1", .doc = "It."),
            cases[i].item,
        };
        struct conf_section section = {
            .name = "flawed", .doc = "It.", CONF_SECTION_OF(flawed, items)};
        CHECK(conf_check_tables(&section, &f.diags) != ERR_OK);
        bool is_found = false;
        for (size_t j = 0; j < f.diags.n; j++)
            is_found |= strstr(f.diags.items[j].text, cases[i].message) != NULL;
        if (!is_found) {
            printf("# case %zu: wanted '%s'\n", i, cases[i].message);
            fixture_print(&f);
        }
        CHECK(is_found);
        fixture_fini(&f);
    }
}

static void keys_that_exclude_each_other_have_to_be_there(void)
{
    static const char *const known[] = {"a", "b", NULL}, *const unknown[] = {"a", "c", NULL};
    static const struct {
        const char *const *one_of;
        const char *instead, *message; // NULL: it is sound
    } cases[] = {
        {known, NULL, NULL},
        {known, "text", NULL},
        {unknown, NULL, "there is no key 'c' to be one of"},
        {known, "d", "there is no key 'd' to be instead of others"},
    };
    static const struct conf_item items[] = {
        ITEM_UINT(flawed, a, "a", .since = "0.1", .doc = "It."),
        ITEM_UINT(flawed, b, "b", .since = "0.1", .doc = "It."),
        ITEM_TEXT(flawed, text, "text", .since = "0.1", .doc = "It."),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        fixture_init(&f);
        const struct conf_section section = {.name = "flawed",
                                             .doc = "It.",
                                             CONF_SECTION_OF(flawed, items),
                                             .one_of = cases[i].one_of,
                                             .instead = cases[i].instead};
        CHECK_INT(conf_check_tables(&section, &f.diags) == ERR_OK, cases[i].message == NULL);
        CHECK_INT(f.diags.n, cases[i].message ? 1 : 0);
        if (cases[i].message && f.diags.n > 0)
            CHECK(strstr(f.diags.items[0].text, cases[i].message) != NULL);
        fixture_fini(&f);
    }
}

TEST_MAIN(TEST(the_sample_table_is_sound), TEST(flaws_are_found),
          TEST(keys_that_exclude_each_other_have_to_be_there))
