// SPDX-License-Identifier: Apache-2.0
// Settings of several containers become one tree: replicas share a service, containers share a
// site by its paths, and where two say different things of one, the later one isn't taken.
#pragma once

#include "base/diag.h"
#include "base/map.h"
#include "conf/conf.h"

// Kinds of things with names: a thousand containers have thousands of them.
#define MERGE_KINDS 3

struct merge {
    struct conf_node *all;         // borrows
    struct map names[MERGE_KINDS]; // of things in it, to their nodes
};

// all is a map, which may have something in it.
void merge_init(struct merge *m, struct conf_node *all);
void merge_fini(struct merge *m);

// Adds what `from` says; nodes are moved, nothing is copied. ERR_SYNTAX with an error at the place
// in `from`, and then all is as it was.
enum err merge_add(struct merge *m, struct conf_node *from, struct diags *diags) MUST_CHECK;

// Names without '@' that stand where a service or filter is named mean those that were added with
// the suffix, if there are any; "NAME@file" means the file's.
void merge_qualify(struct merge *m, struct str suffix, struct arena *mem);

// Of routes that labels make: below those of sites.
#define DISCOVER_PRIORITY_MAX 999999

// Adds an error for all that only whoever writes the settings file may say: files and variables of
// the proxy's machine, certificates from its folders, Unix sockets as servers, internal services,
// priorities before sites. Of `lists` only read_list is asked.
enum err merge_check_foreign(struct conf_node *tree, const struct conf_resolver *lists,
                             struct arena *mem, struct diags *diags) MUST_CHECK;

// What names with the suffix mean in `root` and isn't there: a service without servers, a filter
// that answers 503. Whoever names it waits for its coming, and isn't served with less meanwhile.
void merge_add_missing(struct conf_node *root, struct str suffix, struct arena *mem);
