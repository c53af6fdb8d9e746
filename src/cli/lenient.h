// SPDX-License-Identifier: Apache-2.0
// Looking into a settings file for a single thing: whatever else is wrong with the file is no
// hindrance, and nothing that it refers to is read.
#pragma once

#include "conf/node.h"

// The value of a key at the top of the file, as it is written. When the file isn't YAML, the part
// below that key may be nevertheless. NULL: there is none, or it can't be read; then diags has the
// reason. Standard input ("-") can't be read twice, and counts as unreadable.
struct conf_node *lenient_find(const char *path, struct str key, struct arena *mem,
                               struct diags *diags);
struct conf_node *lenient_find_in(struct str text, const char *source, struct str key,
                                  struct arena *mem, struct diags *diags);

// What the value of `control` says (NULL: there is none). Texts borrow from it.
enum lenient_control {
    LENIENT_CONTROL_UNSAID,
    LENIENT_CONTROL_OFF,
    LENIENT_CONTROL_PATH,
};
enum lenient_control lenient_control(const struct conf_node *control, struct str *ret_path);
