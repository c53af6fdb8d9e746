// SPDX-License-Identifier: Apache-2.0
// A draft as a settings file that a person could have written: maps as blocks, short lists in one
// line, and what each part comes from beside it.
#include "base/assert.h"
#include "conf/conf.h"
#include "dialect/draft_priv.h"

#define WIDTH 100
#define STEP 2

struct printer {
    struct draft *draft;
    struct text *to;
    size_t indent;
    bool is_begun;      // the line has "- " already
    struct place known; // what was said to be the origin of all that follows
};

// What a map or list holds, by the tables.
struct shape {
    const struct conf_section *section; // NULL: not known
    bool is_named;                      // a map of names, each with such a section
};

static void put_indent(struct printer *p)
{
    for (size_t i = 0; i < p->indent; i++)
        text_byte(p->to, ' ');
}

static bool is_known(const struct printer *p, struct place place)
{
    return !place.source || place.line == 0 ||
           (place.source == p->known.source && place.line == p->known.line);
}

static void put_origin(struct printer *p, struct place place)
{
    struct str line = draft_line(p->draft, place);
    if (p->draft->n_sources > 1 || line.len == 0)
        text_printf(p->to, "%s, line %u: ", place.source, place.line);
    else
        text_printf(p->to, "line %u: ", place.line);
    text_put(p->to, line);
}

static void begin_line(struct printer *p)
{
    if (!p->is_begun)
        put_indent(p);
    p->is_begun = false;
}

static void put_comment_above(struct printer *p, struct place place)
{
    put_indent(p);
    text_put(p->to, STR("# "));
    put_origin(p, place);
    text_byte(p->to, '\n');
}

// All that is to be said above a node, unless it stands behind "- ".
static void put_comments(struct printer *p, const struct conf_node *node, bool with_place)
{
    const struct draft_node *n = draft_node_of(node);
    if (n->remark.len > 0) {
        put_indent(p);
        text_printf(p->to, "# " STR_FMT "\n", STR_ARG(n->remark));
    }
    for (const struct draft_origin *o = n->also; o; o = o->next)
        if (!is_known(p, o->place))
            put_comment_above(p, o->place);
    if (with_place && !is_known(p, node->place))
        put_comment_above(p, node->place);
}

// "[a, b]" when it is a list of texts from one place that is short enough; else nothing.
static bool put_flow(const struct conf_node *node, struct text *to)
{
    text_byte(to, '[');
    for (const struct conf_node *child = node->first; child; child = child->next) {
        bool is_same = child->place.source == node->place.source &&
                       (child->place.line == node->place.line || child->place.line == 0);
        const struct draft_node *n = draft_node_of(child);
        if (child->kind != CONF_NODE_SCALAR || !is_same || n->also || n->remark.len > 0)
            return false;
        if (child != node->first)
            text_put(to, STR(", "));
        conf_put_yaml(child->text, to);
    }
    text_byte(to, ']');
    return to->len < WIDTH - 20;
}

// A value that fits into the line of its key.
static bool put_inline(const struct conf_node *node, struct text *to)
{
    switch (node->kind) {
    case CONF_NODE_NULL:
        return true;
    case CONF_NODE_SCALAR:
        conf_put_yaml(node->text, to);
        return true;
    case CONF_NODE_SEQ:
        return put_flow(node, to);
    case CONF_NODE_MAP:
        text_put(to, STR("{}"));
        return node->n == 0;
    }
    return false;
}

// "KEY: VALUE" or "- VALUE", with its origin behind it where there is room.
static void print_inline(struct printer *p, struct str lead, struct str value,
                         const struct conf_node *node)
{
    struct text origin = {.len = 0};
    bool is_told = is_known(p, node->place);
    if (!is_told) {
        struct printer aside = {.draft = p->draft, .to = &origin};
        put_origin(&aside, node->place);
    }
    bool fits = p->indent + lead.len + value.len + origin.len + 5 <= WIDTH;
    put_comments(p, node, !fits && !p->is_begun);
    begin_line(p);
    text_put(p->to, lead);
    if (value.len > 0)
        text_printf(p->to, " " STR_FMT, STR_ARG(value));
    if (!is_told && fits)
        text_printf(p->to, "  # " STR_FMT, STR_ARG(text_str(&origin)));
    text_byte(p->to, '\n');
    text_fini(&origin);
}

static void print_map(struct printer *p, struct shape shape, const struct conf_node *node);

static void print_list(struct printer *p, struct shape shape, const struct conf_node *node)
{
    struct place known = p->known;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        struct text value = {.len = 0};
        if (put_inline(child, &value)) {
            print_inline(p, STR("-"), text_str(&value), child);
        } else {
            ASSERT(child->kind == CONF_NODE_MAP);
            put_comments(p, child, true);
            p->known = child->place.source ? child->place : known;
            put_indent(p);
            text_put(p->to, STR("- "));
            p->is_begun = true;
            p->indent += STEP;
            print_map(p, shape, child);
            p->indent -= STEP;
            p->known = known;
        }
        text_fini(&value);
    }
}

// A node of a map, with its key.
static void print_entry(struct printer *p, struct shape shape, const struct conf_node *node)
{
    struct text key = {.len = 0}, value = {.len = 0};
    conf_put_yaml(node->key, &key);
    text_byte(&key, ':');
    if (put_inline(node, &value)) {
        print_inline(p, text_str(&key), text_str(&value), node);
    } else {
        struct place known = p->known;
        if (!p->is_begun)
            put_comments(p, node, true);
        begin_line(p);
        text_printf(p->to, STR_FMT "\n", STR_ARG(text_str(&key)));
        p->known = node->place.source ? node->place : known;
        p->indent += STEP;
        if (node->kind == CONF_NODE_MAP)
            print_map(p, shape, node);
        else
            print_list(p, shape, node);
        p->indent -= STEP;
        p->known = known;
    }
    text_fini(&key);
    text_fini(&value);
}

// What stands under a key of a map of this shape. Returns the place of its row: what people write
// first comes first.
static size_t shape_of_entry(struct shape shape, struct str key, struct shape *ret)
{
    *ret = (struct shape){.section = NULL};
    if (!shape.section)
        return 0;
    if (shape.is_named) {
        ret->section = shape.section;
        return 0;
    }
    const struct conf_item *item = conf_item_find(shape.section, key);
    if (item) {
        ret->section = item->section;
        ret->is_named = item->kind == CONF_MAP;
        return (size_t)(item - shape.section->items);
    }
    const struct conf_item *choice = conf_inline_choice(shape.section);
    const struct conf_choice_type *type = choice ? conf_choice_find(choice, key) : NULL;
    ret->section = type ? type->section : NULL;
    return shape.section->n_items;
}

static void print_map(struct printer *p, struct shape shape, const struct conf_node *node)
{
    size_t n_rows = shape.section && !shape.is_named ? shape.section->n_items : 0;
    for (size_t row = 0; row <= n_rows; row++) {
        for (const struct conf_node *child = node->first; child; child = child->next) {
            struct shape inner;
            if (shape_of_entry(shape, child->key, &inner) != row)
                continue;
            if (p->indent == 0)
                text_byte(p->to, '\n');
            print_entry(p, inner, child);
        }
    }
}

// The notes that whoever reads the settings has to know.
static void print_losses(struct draft *d, struct text *to)
{
    if (draft_count(d, DRAFT_NEEDLESS) == d->n_notes)
        return;
    const struct draft_note **notes = draft_sorted_notes(d);
    text_put(to, STR("#\n# What is different, or missing:\n"));
    for (size_t i = 0; i < d->n_notes; i++) {
        const struct draft_note *n = notes[i];
        if (n->fate == DRAFT_NEEDLESS)
            continue;
        text_put(to, STR("# - "));
        if (d->n_sources > 1 && n->place.source)
            text_printf(to, "%s, ", n->place.source);
        text_printf(to, "line %u: " STR_FMT "\n#   %s: " STR_FMT "\n", n->place.line,
                    STR_ARG(n->text), draft_fate_texts[n->fate], STR_ARG(n->reason));
    }
}

void draft_print(struct draft *d, const struct conf_section *root, const char *title,
                 struct text *to)
{
    text_printf(to, "# %s\n", title);
    print_losses(d, to);
    struct printer p = {.draft = d, .to = to};
    print_map(&p, (struct shape){.section = root}, d->root);
}
