// SPDX-License-Identifier: Apache-2.0
// The settings in force as YAML, each line with where its value came from.
#include "conf/print.h"

#define STEP 2

struct dump {
    struct text *to;
    size_t indent;
    bool is_hidden; // below a name that sounds secret
};

static const struct place from_default = {.source = "default"};

static void dump_section(struct dump *d, const struct conf_section *section,
                         const struct conf_node *node);

static void end_line(struct dump *d, const struct place *place)
{
    text_printf(d->to, "  # %s", place->source ? place->source : "given");
    if (place->line > 0)
        text_printf(d->to, ":%u", place->line);
    text_byte(d->to, '\n');
}

// A line that something deeper follows: "key:  # origin", or "key: {}" when nothing does.
struct opened {
    struct text *outer;
    struct text inner;
};

static void open_block(struct dump *d, struct opened *block)
{
    *block = (struct opened){.outer = d->to};
    d->to = &block->inner;
    d->indent += STEP;
}

static void close_block(struct dump *d, struct opened *block, const char *empty,
                        const struct place *place)
{
    d->to = block->outer;
    d->indent -= STEP;
    if (block->inner.len == 0)
        text_put(d->to, str_of(empty));
    end_line(d, place);
    text_put(d->to, text_str(&block->inner));
    text_fini(&block->inner);
}

static void put_key(struct dump *d, struct str key)
{
    conf_put_indent(d->indent, d->to);
    conf_put_yaml(key, d->to);
    text_byte(d->to, ':');
}

static void put_scalar(struct dump *d, const struct conf_item *item, const struct conf_node *node)
{
    if (d->is_hidden || item->kind == CONF_SECRET || node->is_secret ||
        conf_is_secret_value(node->text))
        text_put(d->to, STR("'***'"));
    else
        conf_put_yaml(node->text, d->to);
}

// Single values and lists of them, in one line.
static void dump_value(struct dump *d, const struct conf_item *item, const struct conf_node *node)
{
    put_key(d, str_of(item->key));
    text_byte(d->to, ' ');
    if (node->kind != CONF_NODE_SEQ)
        put_scalar(d, item, node);
    else
        text_byte(d->to, '[');
    for (const struct conf_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            text_put(d->to, STR(", "));
        put_scalar(d, item, child);
    }
    if (node->kind == CONF_NODE_SEQ)
        text_byte(d->to, ']');
    end_line(d, &node->place);
}

static void dump_inner_section(struct dump *d, const struct conf_item *item,
                               const struct conf_node *node)
{
    const struct place *place = node ? &node->place : &from_default;
    bool is_on = true;
    bool is_word = node ? node->kind == CONF_NODE_SCALAR : item->def != NULL;
    if (item->has_switch && is_word)
        is_word = conf_bool_parse(node ? node->text : str_of(item->def), &is_on);
    put_key(d, str_of(item->key));
    if (item->has_switch && !is_on) {
        text_put(d->to, STR(" off"));
        end_line(d, place);
        return;
    }
    struct opened block;
    open_block(d, &block);
    dump_section(d, item->section, item->has_switch && is_word ? NULL : node);
    close_block(d, &block, " {}", place);
}

static void dump_list(struct dump *d, const struct conf_item *item, const struct conf_node *node)
{
    struct opened list, element;
    bool is_list = node->kind == CONF_NODE_SEQ;
    put_key(d, str_of(item->key));
    open_block(d, &list);
    for (const struct conf_node *x = is_list ? node->first : node; x;
         x = is_list ? x->next : NULL) {
        conf_put_indent(d->indent, d->to);
        text_byte(d->to, '-');
        open_block(d, &element);
        dump_section(d, item->section, x);
        close_block(d, &element, " {}", &x->place);
    }
    close_block(d, &list, " []", &node->place);
}

static void dump_entry(struct dump *d, const struct conf_section *section,
                       const struct conf_node *node)
{
    struct opened block;
    put_key(d, node->key);
    open_block(d, &block);
    dump_section(d, section, node);
    close_block(d, &block, " {}", &node->key_place);
}

static void dump_map(struct dump *d, const struct conf_item *item, const struct conf_node *node)
{
    struct opened block;
    put_key(d, str_of(item->key));
    open_block(d, &block);
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_choice_type *type =
            item->kind == CONF_CHOICE ? conf_choice_find(item, child->key) : NULL;
        d->is_hidden = item->has_secret_names && conf_is_secret_name(child->key);
        if (type || item->kind == CONF_MAP)
            dump_entry(d, type ? type->section : item->section, child);
        d->is_hidden = false;
    }
    close_block(d, &block, " {}", &node->place);
}

static void dump_given(struct dump *d, const struct conf_item *item, const struct conf_node *node)
{
    if (item->kind == CONF_LIST)
        dump_list(d, item, node);
    else if (item->kind == CONF_MAP || item->kind == CONF_CHOICE)
        dump_map(d, item, node);
    else
        dump_value(d, item, node);
}

// The row's value: from node, or else its default.
static void dump_item(struct dump *d, const struct conf_item *item, const struct conf_node *node)
{
    if (node && node->kind == CONF_NODE_NULL)
        node = NULL;
    if (item->kind == CONF_SECTION)
        dump_inner_section(d, item, node);
    else if (node)
        dump_given(d, item, node);
    else if (item->def) {
        put_key(d, str_of(item->key));
        text_byte(d->to, ' ');
        conf_put_value_text(item, item->def, d->to);
        end_line(d, &from_default);
    }
}

static void dump_inline_choice(struct dump *d, const struct conf_item *item,
                               const struct conf_node *node)
{
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_choice_type *type = conf_choice_find(item, child->key);
        if (type)
            dump_entry(d, type->section, child);
    }
}

// node: a map, the shorthand's value, or NULL.
static void dump_section(struct dump *d, const struct conf_section *section,
                         const struct conf_node *node)
{
    bool is_map = node && node->kind == CONF_NODE_MAP;
    const struct conf_item *shorthand =
        node && !is_map && node->kind != CONF_NODE_NULL ? conf_shorthand(section) : NULL;
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        const struct conf_node *given = item == shorthand ? node : NULL;
        if (item->key[0] == '\0' && is_map)
            dump_inline_choice(d, item, node);
        if (is_map)
            given = conf_node_get(node, str_of(item->key));
        if (item->key[0] != '\0')
            dump_item(d, item, given);
    }
}

void conf_print_dump(const struct conf_section *section, const struct conf_node *node,
                     struct text *to)
{
    struct dump d = {.to = to};
    dump_section(&d, section, node);
}
