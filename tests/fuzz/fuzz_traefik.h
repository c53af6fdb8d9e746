// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of Traefik's dialect share: its entrypoints, and the check that settings
// must pass before they are put in force.
#pragma once

#include <stdlib.h>

#include "dialect/traefik.h"
#include "gate/snapshot.h"
#include "upstream/service.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

static const struct traefik_entry entries[] = {
    {.name = STR_INIT("web"), .is_default = true},
    {.name = STR_INIT("websecure"), .is_tls = true, .is_default = true},
    {.name = STR_INIT("tcp"), .may_be_tcp = true},
};

static bool check(void *arg, struct conf_node *root, struct diags *diags)
{
    (void)arg;
    struct upstream_registry *registry = upstream_registry_new();
    struct snapshot *s = snapshot_build(root, &(struct snapshot_env){.registry = registry}, diags);
    if (s)
        snapshot_unref(s);
    upstream_registry_free(registry);
    return s != NULL;
}
