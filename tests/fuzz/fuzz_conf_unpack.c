// SPDX-License-Identifier: Apache-2.0
// Any bytes as a packed tree. Properties: memory is bounded by the number of bytes; an accepted
// tree packs and unpacks to itself, and can be read by a table.
#include <stdint.h>

#include "base/assert.h"
#include "unit/conf/sample.h"
#include "unit/conf/trees.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    arena_init(&mem, 64 << 20, NULL, 0);
    struct conf_node *node = conf_node_unpack(str_from((const char *)data, size), &mem);
    ASSERT(mem.used_bytes <= (2 << 20) + size * 2 * sizeof(struct conf_node));
    if (node) {
        struct text bytes = {.len = 0};
        conf_node_pack(node, &bytes);
        const struct conf_node *twin = conf_node_unpack(text_str(&bytes), &mem);
        ASSERT(twin && trees_are_equal(node, twin));
        text_fini(&bytes);
        struct diags diags = {.n = 0};
        struct sample_root root;
        enum err err = conf_read(&sample_root_section, node, NULL, &mem, &diags, &root);
        ASSERT((err != ERR_OK) == (diags.n_errors > 0));
        diags_fini(&diags);
    }
    arena_fini(&mem);
    return 0;
}
