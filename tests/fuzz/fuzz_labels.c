// SPDX-License-Identifier: Apache-2.0
// Lines "name=value" as the labels of a container: either settings come of them, which can be read
// without a crash and name no file, or an error that names the container; and what labels say of
// themselves can be merged with itself.
#include <stdlib.h>

#include "discover/labels.h"
#include "discover/merge.h"
#include "gate/settings.h"
#include "unit/discover/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool no_list(void *arg, struct str name, struct arena *mem, struct str *ret,
                    const char **ret_why)
{
    (void)arg, (void)name, (void)mem, (void)ret;
    *ret_why = "there is none";
    return false;
}

static void check(const struct container *c, struct arena *mem, struct diags *diags)
{
    const struct conf_resolver lists = {.read_list = no_list};
    const struct reach reach = {.n = 0};
    const struct labels_env env = {
        .reach = &reach, .exposed_by_default = true, .mem = mem, .diags = diags};
    struct settings *settings = ARENA_NEW(mem, struct settings);
    struct conf_node *tree = labels_read(c, &env), *again = labels_read(c, &env);
    for (size_t i = 0; i < diags->n; i++) {
        if (!tree && labels_container_of(diags->items[i].place.source).len == 0)
            abort();
    }
    if (!tree != !again)
        abort();
    if (!tree || merge_check_foreign(tree, &lists, mem, diags) != ERR_OK)
        return;
    struct merge all;
    merge_init(&all, tree);
    if (merge_add(&all, again, diags) != ERR_OK)
        abort();
    merge_qualify(&all, STR(DISCOVER_SUFFIX), mem);
    merge_fini(&all);
    merge_add_missing(tree, STR(DISCOVER_SUFFIX), mem);
    (void)!conf_read(&settings_section, tree, NULL, mem, diags, settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    if (n > 65536)
        return 0;
    arena_init(&mem, (size_t)256 << 20, NULL, 0);
    struct str text = arena_dup(&mem, str_from((const char *)data, n));
    if (!text.ptr)
        text = STR("");
    struct container c = shape_with("web", text.ptr, &mem);
    if (!container_fault(&c))
        check(&c, &mem, &diags);
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
