// SPDX-License-Identifier: Apache-2.0
// Settings of containers joined with those of the file. What the file says wins; whatever is wrong
// with one container takes its own parts away, and nothing else.
#pragma once

#include "base/map.h"
#include "conf/conf.h"
#include "discover/reach.h"

// The containers that there are; what its texts borrow from outlives the tree.
struct found {
    struct reach reach; // all of them, those that are ready first
    bool exposed_by_default;
    struct conf_text constraints; // the setting; empty: all containers' labels count
};

struct loaded;

struct join {
    const struct found *found;            // borrows
    const struct conf_resolver *resolver; // borrows: for named lists
    struct loaded *loaded;                // borrows: whose settings they become
    struct arena *mem;                    // borrows: of trees
    struct rule *constraints;             // owns; NULL: there are none
    struct map refused;                   // names of containers whose parts aren't taken
    struct diags told;                    // about containers: errors and warnings
};

void join_init(struct join *j, const struct found *found, const struct conf_resolver *resolver,
               struct loaded *l);
void join_fini(struct join *j);

// A tree of root's settings, which stays as it is, with those of all containers that aren't
// refused. NULL: no memory.
struct conf_node *join_make(struct join *j, const struct conf_node *root);

// Containers that errors in what was said of a tree are about are refused. True: there were some,
// and a tree without them is worth a try.
bool join_refuse(struct join *j, const struct diags *round);

void join_refuse_all(struct join *j);
// Whether its labels count: it isn't refused, and the constraints let it in.
bool join_wants(const struct join *j, const struct container *c);

// Whether it is about a container; and the warnings that are, for `told`.
bool join_is_about_container(const struct diag *d);
void join_take_warnings(struct join *j, const struct diags *round);
