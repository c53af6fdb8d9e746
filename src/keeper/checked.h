// SPDX-License-Identifier: Apache-2.0
// Trees of settings that were found to be right, as fingerprints: a thousand routers needn't be
// checked one by one again because one of them has changed. What wasn't asked about between two
// turns is forgotten.
#pragma once

#include "base/map.h"
#include "conf/node.h"

struct checked {
    struct map now, before; // of fingerprints, owned; those of this turn and of the last one
};

void checked_fini(struct checked *c); // a zeroed one is empty and valid

// A load begins.
void checked_turn(struct checked *c);

// Of a tree, as it was before it is resolved, which changes it.
uint64_t checked_print(const struct conf_node *root);

// Whether this very tree was right. It must not depend on anything but itself.
bool checked_knows(struct checked *c, uint64_t print);
void checked_add(struct checked *c, uint64_t print);
