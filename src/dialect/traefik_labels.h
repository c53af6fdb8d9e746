// SPDX-License-Identifier: Apache-2.0
// Labels of containers as Traefik's provider `docker` reads them: one tree of all, in which each
// container's services have its address.
#pragma once

#include "conf/node.h"
#include "discover/reach.h"

struct traefik_labels_env {
    const struct reach *reach;
    bool exposed_by_default;
    struct str default_rule; // a template; empty: Host(`{{ normalize .Name }}`)
    struct arena *mem;
    struct diags *diags; // each with its container and label as the source
};

// Adds what a container's labels say to root, a map, which then is the root of a struct
// traefik_source with is_flat. Replicas share a service; where two containers say different things
// of one name, the first is taken and the other told. A container with a mistake in the names of
// its labels adds nothing; one that isn't ready has services without servers. False: it added
// nothing.
bool traefik_labels_add(const struct container *c, const struct traefik_labels_env *env,
                        struct conf_node *root);

// Whether a container has labels of Traefik's at all.
bool traefik_labels_are_there(const struct container *c);

// Whether a template of a default rule is one that is understood.
bool traefik_default_rule_is_known(struct str template);
