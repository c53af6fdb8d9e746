// SPDX-License-Identifier: Apache-2.0
// HAProxy's configuration of any text: it is refused, or becomes YAML that has nothing but settings
// in it, each of a kind that our tables know.
#include <stdlib.h>

#include "unit/dialect/converted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    struct diags diags = {.n = 0};
    convert_with(&dialect_haproxy, str_from((const char *)data, size), &c);
    if (c.is_read) {
        arena_init(&mem, (size_t)1 << 30, NULL, 0);
        const struct conf_node *root = conf_yaml_parse(text_str(&c.yaml), "yaml", &mem, &diags);
        if (!root || !has_only_known_keys(root))
            abort();
        if (!c.passes && c.faults.len == 0)
            abort(); // `import` couldn't tell why it keeps the result apart
        arena_fini(&mem);
    } else if (c.faults.len == 0) {
        abort(); // nobody would know why
    }
    diags_fini(&diags);
    converted_fini(&c);
    return 0;
}
