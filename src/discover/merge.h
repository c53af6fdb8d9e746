// SPDX-License-Identifier: Apache-2.0
// Settings of several containers become one tree: replicas share a service, containers share a
// site by its paths, and where two say different things of one, the later one isn't taken.
#pragma once

#include "base/diag.h"
#include "conf/conf.h"

// Adds what `from` says to `to`; nodes are moved, nothing is copied. ERR_SYNTAX with an error at
// the place in `from`, and then `to` is as it was.
enum err merge_add(struct conf_node *to, struct conf_node *from, struct diags *diags) MUST_CHECK;

// Names without '@' that stand where a service or filter is named mean those of `tree` with the
// suffix, if there are any; "NAME@file" means the file's.
void merge_qualify(struct conf_node *tree, struct str suffix, struct arena *mem);

// Adds an error for all that only whoever writes the settings file may say: files and variables of
// the proxy's machine, certificates from its folders, Unix sockets as servers. Of `lists` only
// read_list is asked.
enum err merge_check_foreign(struct conf_node *tree, const struct conf_resolver *lists,
                             struct arena *mem, struct diags *diags) MUST_CHECK;

// What names with the suffix mean in `root` and isn't there: a service without servers, a filter
// that answers 503. Whoever names it waits for its coming, and isn't served with less meanwhile.
void merge_add_missing(struct conf_node *root, struct str suffix, struct arena *mem);
