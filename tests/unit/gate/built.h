// SPDX-License-Identifier: Apache-2.0
// Settings as text made into a snapshot, with what was found wrong.
#pragma once

#include "gate/snapshot.h"
#include "unit/test.h"
#include "upstream/service.h"

struct built {
    struct arena mem;
    struct upstream_registry *registry;
    struct snapshot *s;
    struct diags diags;
};

static struct built build(const char *yaml)
{
    struct built b = {.registry = upstream_registry_new()};
    arena_init(&b.mem, 1 << 24, NULL, 0);
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "test.yaml", &b.mem, &b.diags);
    CHECK(root != NULL);
    if (root)
        b.s = snapshot_build(root, &(struct snapshot_env){.registry = b.registry}, &b.diags);
    return b;
}

static void end(struct built *b)
{
    if (b->s)
        snapshot_unref(b->s);
    upstream_registry_free(b->registry);
    diags_fini(&b->diags);
    arena_fini(&b->mem);
}
