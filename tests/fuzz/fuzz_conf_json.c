// SPDX-License-Identifier: Apache-2.0
// A path that somebody asks for, a line feed, and settings. Property: what is told of any path in
// any settings is JSON, and no secret is in it.
#include "codec/json_read.h"
#include "conf/conf.h"
#include "unit/conf/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct text out = {.ptr = NULL};
    struct str path, yaml;
    const char *why;
    arena_init(&mem, (size_t)16 << 20, NULL, 0);
    str_cut(str_from((const char *)data, size), '\n', &path, &yaml);
    const struct conf_node *root = conf_yaml_parse(yaml, "fuzz.yaml", &mem, &diags);
    if (conf_print_json(&sample_root_section, root, path, 3, &out)) {
        ASSERT(json_parse(text_str(&out), &mem, &why) != NULL);
        const struct conf_node *token = root ? conf_node_get(root, STR("token")) : NULL;
        if (token && token->kind == CONF_NODE_SCALAR && str_eq(path, STR("token")))
            ASSERT(str_starts(text_str(&out), STR("{\"value\":\"***\",")));
    }
    text_fini(&out);
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
