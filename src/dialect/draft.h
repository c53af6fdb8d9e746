// SPDX-License-Identifier: Apache-2.0
// Settings under construction: a tree that is built from somebody else's configuration, in which
// each node knows the line that it comes from, and the list of what couldn't be carried over. All
// of it is in one arena of the draft's. What a draft is asked to hold beyond its limits is dropped,
// and `is_full` tells so: no function returns NULL, and callers look at it once, at the end.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/text.h"
#include "conf/conf.h"

#define DRAFT_MEM_BYTES ((size_t)256 << 20)
#define DRAFT_NODES_MAX 200000
#define DRAFT_NOTES_MAX 10000
#define DRAFT_NAME_MAX 100 // bytes of a name that draft_name makes

// What became of something that isn't in the settings as it was in the source.
#define DRAFT_FATE_LIST(X)                                                                         \
    X(LOST, "not carried over")                                                                    \
    X(CLOSED, "not carried over, so what it protected is refused")                                 \
    X(CHANGED, "carried over, with a difference")                                                  \
    X(NEEDLESS, "not needed")

enum draft_fate {
#define X(id, text) DRAFT_##id,
    DRAFT_FATE_LIST(X)
#undef X
};

struct draft_note {
    enum draft_fate fate;
    struct place place;
    struct str text;   // what stands there
    struct str reason; // and what to do instead
};

// A file that the draft is made of.
struct draft_source {
    const char *name;
    struct str *lines;
    size_t n_lines;
};

struct draft {
    struct arena mem;
    struct conf_node *root; // a map
    struct draft_source *sources;
    size_t n_sources, cap_sources;
    struct draft_note *notes;
    size_t n_notes, cap_notes;
    struct map secrets; // lines that are never shown
    struct map indexes; // of maps with many children: their address to a struct draft_index
    size_t n_nodes;
    bool is_full;
};

void draft_init(struct draft *d);
void draft_fini(struct draft *d);

// A file whose lines are shown beside what comes of them: places whose source is this very name.
// Copied; returns the name for places.
const char *draft_source(struct draft *d, struct str name, struct str text);

// The line has a password, say: comments and notes don't show it.
void draft_hide(struct draft *d, struct place place);

// --- the tree ---

// The child of a map with this key, or NULL; at once, however many there are.
struct conf_node *draft_get(const struct draft *d, const struct conf_node *map, struct str key);

// The map or list under this key of a map, made when it isn't there. place counts when it is made.
struct conf_node *draft_map(struct draft *d, struct conf_node *map, struct str key,
                            struct place place);
struct conf_node *draft_list(struct draft *d, struct conf_node *map, struct str key,
                             struct place place);

// A new map at the end of a list.
struct conf_node *draft_push_map(struct draft *d, struct conf_node *list, struct place place);
// A new text there; texts are copied.
struct conf_node *draft_push(struct draft *d, struct conf_node *list, struct str text,
                             struct place place);

// A map that is nowhere yet, and puts it under a key of a map that has no such key.
struct conf_node *draft_loose_map(struct draft *d, struct place place);
void draft_put(struct draft *d, struct conf_node *map, struct str key, struct conf_node *child);

// The text under this key, in the place of what was there.
struct conf_node *draft_set(struct draft *d, struct conf_node *map, struct str key, struct str text,
                            struct place place);

// What is in a map or list, whosever it is, into another one of the draft's.
void draft_copy(struct draft *d, const struct conf_node *from, struct conf_node *to);

// Takes the child with this key out of a map, if there is one.
void draft_remove(struct conf_node *map, struct str key);

// The node comes from this place, too.
void draft_also(struct draft *d, struct conf_node *node, struct place place);

// A comment of its own above the node.
void draft_remark(struct draft *d, struct conf_node *node, const char *fmt, ...) PRINTF(3, 4);

// --- texts and names, in the draft's arena ---

struct str draft_text(struct draft *d, struct str text);
struct str draft_printf(struct draft *d, const char *fmt, ...) PRINTF(2, 3);

// wanted as a name that settings take (letters, digits, '-', '_', '.'), and that no key of map has.
struct str draft_name(struct draft *d, const struct conf_node *map, struct str wanted);

// --- what wasn't carried over ---

// text: what stands at place; empty: its whole line.
void draft_note(struct draft *d, enum draft_fate fate, struct place place, struct str text,
                const char *fmt, ...) PRINTF(5, 6);

// The line at a place as it may be shown: in one line, printable, cut. Empty: the place's source
// isn't known.
struct str draft_line(struct draft *d, struct place place);

size_t draft_count(const struct draft *d, enum draft_fate fate);

// "FILE:LINE: FATE: 'TEXT': REASON", one line each, by the order of places; is_short: without what
// isn't needed.
void draft_print_notes(struct draft *d, bool is_short, struct text *to);

// --- printing (draft_print.c) ---

// The tree as YAML: keys in the order of the tables, comments with the lines that they come from.
// At the top, title, and what people have to know of what wasn't carried over.
void draft_print(struct draft *d, const struct conf_section *root, const char *title,
                 struct text *to);
