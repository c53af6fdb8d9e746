// SPDX-License-Identifier: Apache-2.0
// Settings as a tree of nodes, each with its place: what a source (a YAML file, command-line flags,
// Docker labels later) becomes before tables give it types. A tree and its texts live in one arena.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"

#define CONF_DEPTH_MAX 64      // maps and lists inside each other
#define CONF_NODES_MAX 1000000 // of one tree, after aliases

enum conf_node_kind {
    CONF_NODE_NULL,   // "key:" without a value, or ~
    CONF_NODE_SCALAR, // text as written, quotes removed
    CONF_NODE_SEQ,
    CONF_NODE_MAP,
};

struct conf_node {
    enum conf_node_kind kind;
    bool is_quoted; // scalar: was in quotes, so it is a text even if it looks otherwise
    bool is_secret; // scalar: never shown
    bool has_content;
    bool is_unresolved; // scalar: what it refers to can't be had, which was told
    struct place place;
    struct str key; // in a map: this entry's key
    struct place key_place;
    struct str text;                // scalar; owns: the tree's arena
    struct str content;             // scalar that names a file: what is in it, once resolved
    struct conf_node *first, *last; // children of maps and sequences
    struct conf_node *next;
    size_t n; // children
};

// Parses YAML 1.1 with libyaml's events: one document; anchors and aliases, merge keys ("<<") are
// resolved; duplicate keys, more than CONF_DEPTH_MAX levels, more than CONF_NODES_MAX nodes after
// aliases and tags are errors. All errors that can be found are added. NULL when there was one.
// An empty text is an empty map. source names the text in messages and lives as long as mem.
struct conf_node *conf_yaml_parse(struct str text, const char *source, struct arena *mem,
                                  struct diags *diags);

// The child of a map with this key, or NULL. Looks at every child.
struct conf_node *conf_node_get(const struct conf_node *map, struct str key);

// Builds trees by hand: flags, sugar, tests. NULL at the arena's limit; texts and keys are
// borrowed.
struct conf_node *conf_node_new(struct arena *mem, enum conf_node_kind kind, struct place place);
struct conf_node *conf_node_scalar(struct arena *mem, struct str text, struct place place);
void conf_node_append(struct conf_node *parent, struct conf_node *child);
// The key is new in this map: conf_read reports a setting that is there twice.
void conf_node_put(struct conf_node *map, struct str key, struct conf_node *child);

// A tree as bytes and back: how the keeper hands settings to the gate. Resolved secrets and file
// contents are in it. conf_node_unpack checks everything (it trusts no length) and copies nothing
// but nodes: texts borrow from bytes. NULL: malformed, or the arena is full.
void conf_node_pack(const struct conf_node *root, struct text *to);
struct conf_node *conf_node_unpack(struct str bytes, struct arena *mem);
