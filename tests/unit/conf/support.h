// SPDX-License-Identifier: Apache-2.0
// What the tests of the settings engine have in common: an arena, the errors, and one YAML text.
#pragma once

#include "conf/conf.h"
#include "unit/test.h"

struct fixture {
    struct arena mem;
    struct diags diags;
};

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.diags = {.n = 0}};
    arena_init(&f->mem, 256 << 20, NULL, 0);
}

static inline void fixture_fini(struct fixture *f)
{
    diags_fini(&f->diags);
    arena_fini(&f->mem);
}

static inline struct conf_node *fixture_parse(struct fixture *f, const char *yaml)
{
    return conf_yaml_parse(str_of(yaml), "t.yaml", &f->mem, &f->diags);
}

// "t.yaml:1:2: error: …" of the i-th message, or "" when there is none.
static inline const char *fixture_message(const struct fixture *f, size_t i)
{
    static char text[2048];
    if (i >= f->diags.n)
        return "";
    diag_text(&f->diags.items[i], text, sizeof text);
    return text;
}

static inline void fixture_print(const struct fixture *f)
{
    for (size_t i = 0; i < f->diags.n; i++)
        printf("# %s\n", fixture_message(f, i));
}

// A dump without what stands behind "  # " in each line.
static inline void strip_origins(struct str from, struct text *to)
{
    struct str line;
    while (from.len > 0) {
        str_cut(from, '\n', &line, &from);
        text_put(to, str_first(line, str_search(line, STR("  # "))));
        text_byte(to, '\n');
    }
}

// Each part is somewhere in what was printed.
static inline void check_has_all(struct str printed, const char *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_there = str_search(printed, str_of(parts[i])) != STR_NPOS;
        if (!is_there)
            printf("# missing: %s\n", parts[i]);
        CHECK(is_there);
    }
}
