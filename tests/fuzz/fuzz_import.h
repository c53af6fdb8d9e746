// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of imports share: a configuration of any kind is refused with an error, or
// what comes of it is YAML that reads as what was meant, whatever names and texts are in it.
#pragma once

#include <stdlib.h>

#include "dialect/dialect.h"
#include "gate/settings.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// arg: what all files hold, as a literal.
static inline bool import_read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                                    const char **ret_why)
{
    const char *text = arg;
    *ret_why = "there is no such file";
    if (!str_ends(path, STR(".conf")))
        return false;
    *ret = arena_dup(mem, str_of(text));
    return true;
}

static inline void must_be_same(const struct conf_node *a, const struct conf_node *b)
{
    MUST(a->kind == b->kind && a->n == b->n && str_eq(a->text, b->text));
    for (const struct conf_node *x = a->first; x; x = x->next) {
        const struct conf_node *y = b->first;
        if (a->kind == CONF_NODE_MAP)
            y = conf_node_get(b, x->key);
        else
            for (const struct conf_node *i = a->first; i != x; i = i->next)
                y = y->next;
        MUST(y);
        must_be_same(x, y);
    }
}

static inline struct conf_node *must_parse(struct str yaml, struct arena *mem)
{
    struct diags diags = {.n = 0};
    struct conf_node *root = conf_yaml_parse(yaml, "result", mem, &diags);
    MUST(root && diags.n_errors == 0);
    diags_fini(&diags);
    return root;
}

static inline void import_must_hold(const struct dialect *dialect, const struct dialect_input *in)
{
    struct draft d;
    struct diags diags = {.n = 0};
    draft_init(&d);
    if (dialect_convert(dialect, in, &d, &diags)) {
        struct arena mem;
        struct text yaml = {.len = 0};
        arena_init(&mem, (size_t)1 << 30, NULL, 0);
        draft_print(&d, &settings_section, "Title", &yaml);
        must_be_same(d.root, must_parse(text_str(&yaml), &mem));
        arena_fini(&mem);
        text_fini(&yaml);
    } else {
        MUST(diags.n_errors > 0);
    }
    diags_fini(&diags);
    draft_fini(&d);
}
