// SPDX-License-Identifier: Apache-2.0
// Looking into a settings file for a single thing: whatever else is wrong with the file is no
// hindrance, and nothing that it refers to is read.
#pragma once

#include "conf/node.h"

// The tree of the file, as it is written; NULL: it can't be read, or isn't YAML, and diags has the
// reason. Standard input ("-") can't be read twice, and counts as unreadable.
struct conf_node *lenient_tree(const char *path, struct arena *mem, struct diags *diags);

// What the settings say about the control socket. Texts borrow from the tree.
enum lenient_control {
    LENIENT_CONTROL_UNSAID,
    LENIENT_CONTROL_OFF,
    LENIENT_CONTROL_PATH,
};
enum lenient_control lenient_control(const struct conf_node *root, struct str *ret_path);
