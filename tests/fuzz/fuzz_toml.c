// SPDX-License-Identifier: Apache-2.0
// TOML of any text: a tree or an error with its place, and never both; the same text gives the same
// tree.
#include <stdlib.h>
#include <string.h>

#include "dialect/toml.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pack(struct str text, struct text *to)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 256 << 20, NULL, 0);
    const struct conf_node *root = toml_parse(text, "fuzz", &mem, &diags);
    MUST((root == NULL) == (diags.n_errors == 1));
    MUST(root || (diags.items[0].place.line > 0 && diags.items[0].place.column > 0));
    if (root)
        conf_node_pack(root, to);
    diags_fini(&diags);
    arena_fini(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text first = {.ptr = NULL}, second = {.ptr = NULL};
    pack((struct str){(const char *)data, size}, &first);
    pack((struct str){(const char *)data, size}, &second);
    MUST(str_eq(text_str(&first), text_str(&second)));
    text_fini(&first);
    text_fini(&second);
    return 0;
}
