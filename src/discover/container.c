// SPDX-License-Identifier: Apache-2.0
#include "discover/container.h"

static const char *const state_names[] = {
#define X(id, name) [CONTAINER_##id] = name,
    CONTAINER_STATE_LIST(X)
#undef X
};

static const char *const health_names[] = {
#define X(id, name) [CONTAINER_HEALTH_##id] = name,
    CONTAINER_HEALTH_LIST(X)
#undef X
};

const char *container_state_name(enum container_state state)
{
    return state_names[state];
}

const char *container_health_name(enum container_health health)
{
    return health_names[health];
}

bool container_is_ready(const struct container *c)
{
    return c->state == CONTAINER_RUNNING &&
           (c->health == CONTAINER_HEALTH_NONE || c->health == CONTAINER_HEALTH_HEALTHY);
}

const struct container_label *container_label(const struct container *c, struct str name)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (str_ieq(c->labels[i].name, name))
            return &c->labels[i];
    }
    return NULL;
}
