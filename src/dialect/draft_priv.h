// SPDX-License-Identifier: Apache-2.0
// What a draft's two files share.
#pragma once

#include "dialect/draft.h"

struct draft_origin {
    struct place place;
    struct draft_origin *next;
};

// Every node of a draft's tree is one of these.
struct draft_node {
    struct conf_node node;
    struct draft_origin *also;
    struct str remark;
    bool is_removed; // from its map, whose index still has it
};

static inline const struct draft_node *draft_node_of(const struct conf_node *node)
{
    return (const struct draft_node *)node;
}

// The notes by the order of their places; in the draft's arena.
const struct draft_note **draft_sorted_notes(struct draft *d);

extern const char *const draft_fate_texts[];
