// SPDX-License-Identifier: Apache-2.0
// Lists of addresses that have a name, such as `private` or `cloudflare`: files NAME.txt in a
// folder of the operator's or among those that come with the program, and a few that never change.
#pragma once

#include "base/arena.h"
#include "base/str.h"

// The text of the list. own: the folder that is looked into first. *ret_path is the file
// that has it, in mem (empty: it is built in). False: *ret_why says why, in mem.
bool lists_read(struct str own, struct str name, struct arena *mem, struct str *ret,
                struct str *ret_path, const char **ret_why);
