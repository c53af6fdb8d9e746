// SPDX-License-Identifier: Apache-2.0
// HAProxy's configuration of any text: it is refused, or becomes YAML that has nothing but settings
// in it, each of a kind that our tables know.
#include "fuzz_import.h"
#include "unit/dialect/converted.h"

// All keys of a file that import makes.
static bool has_only_known_keys(const struct conf_node *root)
{
    static const char *const keys[] = {"workers",    "connections-max", "drain-timeout", "log",
                                       "access-log", "resolver",        "entrypoints",   "services",
                                       "filters",    "routes"};
    for (const struct conf_node *child = root->first; child; child = child->next) {
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            is_known = is_known || str_eq(child->key, str_of(keys[i]));
        if (!is_known)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct converted c;
    struct arena mem;
    convert_with(&dialect_haproxy, str_from((const char *)data, size), &c);
    if (c.is_read) {
        arena_init(&mem, (size_t)1 << 30, NULL, 0);
        MUST(has_only_known_keys(must_parse(text_str(&c.yaml), &mem)));
        arena_fini(&mem);
    }
    // Where it is refused, or its result kept apart, somebody is told why.
    MUST((c.is_read && c.passes) || c.faults.len > 0);
    converted_fini(&c);
    return 0;
}
