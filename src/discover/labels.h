// SPDX-License-Identifier: Apache-2.0
// Our own labels: `sallyport.site=app.example.com`, `sallyport.to=8080`, and settings by their
// paths. docs/guide/docker.md.
#pragma once

#include "base/diag.h"
#include "discover/reach.h"

// Names from containers end so, and are known without it among containers.
#define DISCOVER_SUFFIX "@docker"

struct labels_env {
    const struct reach *reach;
    bool exposed_by_default;
    struct arena *mem;   // of trees, places and texts
    struct diags *diags; // each with its container and label as the source
};

// What a container's labels say, as settings: a map of `sites`, `services`, `filters`, `routes`. A
// container that isn't ready has its sites, and services without servers. NULL: it says nothing, or
// there is an error.
struct conf_node *labels_read(const struct container *c, const struct labels_env *env) MUST_CHECK;

// "container web, label sallyport.site": the source of places. label empty: of the whole.
const char *labels_source(const struct container *c, struct str label, struct arena *mem);
// The name of the container that a source is about; empty: none.
struct str labels_container_of(const char *source);
