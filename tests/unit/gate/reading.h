// SPDX-License-Identifier: Apache-2.0
// A section as text, read alone.
#pragma once

#include "conf/conf.h"
#include "unit/test.h"

// Reads yaml into *conf, which lives no longer than the call as far as texts are concerned. told: a
// part of the first error; NULL: there is none.
static inline void check_reading(const struct conf_section *section, const char *yaml, void *conf,
                                 const char *told)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 20, NULL, 0);
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "t.yaml", &mem, &diags);
    enum err err = node ? conf_read(section, node, NULL, &mem, &diags, conf) : ERR_SYNTAX;
    if ((err == ERR_OK) != (told == NULL))
        printf("# %s\n", yaml);
    CHECK_INT(err == ERR_OK, told == NULL);
    bool is_told = !told;
    for (size_t i = 0; told && i < diags.n; i++)
        is_told = is_told || str_search(str_of(diags.items[i].text), str_of(told)) != STR_NPOS;
    if (!is_told)
        printf("# of %s: %s\n", yaml, diags.n > 0 ? diags.items[0].text : "nothing");
    CHECK(is_told);
    diags_fini(&diags);
    arena_fini(&mem);
}
