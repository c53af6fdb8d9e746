// SPDX-License-Identifier: Apache-2.0
// Traefik's configuration as one tree, whatever it was written in: labels, flags, environment, YAML
// and TOML all become maps of nodes with places. Names of settings count in any letter case, so
// trees are fitted to a table before conf_read takes them.
#pragma once

#include "conf/conf.h"

// What a section of Traefik's has, and we don't: why, and what to do instead.
struct traefik_refusal {
    const char *section; // name of the conf_section
    const char *key;
    const char *text; // "there is no …: …", continues "NAME: "
};

// The child of this name, letters of either case being equal; NULL: none.
struct conf_node *traefik_get(const struct conf_node *map, struct str name);

// Puts value under a path such as "http.routers.web.rule" or "servers[0].url"; maps are made on the
// way, and list indexes become keys such as "[0]". False with an error: the path makes no sense, or
// goes through a value. Texts are borrowed.
bool traefik_put(struct conf_node *root, struct str path, struct str value, struct place place,
                 struct arena *mem, struct diags *diags) MUST_CHECK;

// A copy of the tree in mem, or NULL when that is full.
struct conf_node *traefik_copy(const struct conf_node *node, struct arena *mem);

// Whether both say the same, wherever they were written.
bool traefik_same(const struct conf_node *a, const struct conf_node *b);

struct traefik_fit {
    struct arena *mem;
    struct diags *diags;
    const struct traefik_refusal *refusals; // ends with a section of NULL; NULL: none
    // Labels, flags and variables: a list is a text with commas, or indexes; "true" stands for a
    // section with nothing in it.
    bool is_flat;
};

// Gives the keys of node the spelling of the table, makes lists of indexes and of texts with commas
// where the table has lists, and writes booleans and durations as conf_read takes them. What was
// refused is told and taken out; what isn't known is left to conf_read.
void traefik_fit(const struct traefik_fit *f, const struct conf_section *section,
                 struct conf_node *node);

// Go's duration, or a number of seconds. ERR_SYNTAX or ERR_RANGE.
enum err traefik_duration(struct str text, uint64_t *ret_ms) MUST_CHECK;
