// SPDX-License-Identifier: Apache-2.0
// TOML 1.0 as a tree of nodes with places. Numbers and dates stay texts: the tables that read them
// say what they are.
#pragma once

#include "conf/node.h"

// The same as conf_yaml_parse, for a text in TOML: a map, or NULL with an error (the first one;
// what follows an error can't be understood). source lives as long as mem.
struct conf_node *toml_parse(struct str text, const char *source, struct arena *mem,
                             struct diags *diags);
