// SPDX-License-Identifier: Apache-2.0
// YAML through a table with every kind of row. Properties: a refused text has an error and an
// accepted one has none; accepted values are in the table's range; packing is reversible; a dump
// reads back as the same dump.
#include <stdint.h>

#include "base/assert.h"
#include "unit/conf/sample.h"
#include "unit/conf/trees.h"

static void check_values(const struct sample_root *root)
{
    ASSERT(root->workers <= 1024);
    ASSERT(root->body_max_bytes <= 1u << 30);
    ASSERT(root->rate <= 10000 * 1000000000000u);
    ASSERT(root->timeouts.idle_ms >= 1000 && root->timeouts.idle_ms <= 3600 * 1000);
    ASSERT(root->timeouts.connect_ms == 0 || root->timeouts.connect_ms >= 100);
    ASSERT(root->log.level < 4);
    for (size_t i = 0; i < root->trusted.n; i++)
        ASSERT(root->trusted.items[i].ip.family == 4 || root->trusted.items[i].ip.family == 6);
    for (size_t i = 0; i < root->services.n; i++) {
        ASSERT(root->services.items[i].name.len > 0 && root->services.items[i].name.len <= 255);
        const struct sample_service *service = root->services.items[i].value;
        ASSERT(service->balance < 3 && service->servers.n <= 100);
        for (size_t j = 0; j < service->servers.n; j++) {
            const struct sample_server *server = service->servers.items[j];
            ASSERT(server->weight <= 1000 && str_starts(server->url.text, STR("http://")));
        }
    }
    for (size_t i = 0; i < root->filters.n; i++) {
        const struct sample_filter *filter = root->filters.items[i].value;
        ASSERT(filter->choice.type && filter->choice.value);
    }
}

static void check_pack(const struct conf_node *node)
{
    struct arena mem;
    arena_init(&mem, 64 << 20, NULL, 0);
    struct text bytes = {.len = 0};
    conf_node_pack(node, &bytes);
    const struct conf_node *twin = conf_node_unpack(text_str(&bytes), &mem);
    ASSERT(twin && trees_are_equal(node, twin));
    text_fini(&bytes);
    arena_fini(&mem);
}

// Origins are places, which differ; the lengths of both dumps without them don't.
static size_t count_without_origins(struct str dump)
{
    size_t n = 0;
    struct str line;
    while (dump.len > 0) {
        str_cut(dump, '\n', &line, &dump);
        size_t origin = STR_NPOS;
        for (size_t at = 0; at + 4 <= line.len; at++) {
            if (str_starts(str_skip(line, at), STR("  # ")))
                origin = at;
        }
        ASSERT(origin != STR_NPOS);
        n += origin;
    }
    return n;
}

// A dump says everything that shorthands and defaults leave out, so it is larger than the tree.
static void check_dump(const struct conf_node *node)
{
    struct arena mem;
    arena_init(&mem, 1 << 30, NULL, 0);
    struct text first = {.len = 0}, second = {.len = 0};
    struct diags diags = {.n = 0};
    struct sample_root root;
    conf_print_dump(&sample_root_section, node, &first);
    struct conf_node *again = conf_yaml_parse(text_str(&first), "dump", &mem, &diags);
    ASSERT(again && diags.n_errors == 0);
    ASSERT(conf_read(&sample_root_section, again, NULL, &mem, &diags, &root) == ERR_OK);
    conf_print_dump(&sample_root_section, again, &second);
    ASSERT(count_without_origins(text_str(&first)) == count_without_origins(text_str(&second)));
    diags_fini(&diags);
    arena_fini(&mem);
    text_fini(&first);
    text_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 4 << 20, NULL, 0);
    struct conf_node *node =
        conf_yaml_parse(str_from((const char *)data, size), "fuzz.yaml", &mem, &diags);
    ASSERT((node == NULL) == (diags.n_errors > 0));
    if (node) {
        struct sample_root root;
        check_pack(node);
        enum err err = conf_read(&sample_root_section, node, NULL, &mem, &diags, &root);
        ASSERT((err != ERR_OK) == (diags.n_errors > 0));
        if (err == ERR_OK) {
            check_values(&root);
            check_dump(node);
        }
    }
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
