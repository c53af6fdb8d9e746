// SPDX-License-Identifier: Apache-2.0
// The settings in force as JSON, each value with where it came from.
#include "base/num.h"
#include "codec/json.h"
#include "conf/print.h"

struct json_dump {
    struct text *to;
    size_t items_max;
    bool is_hidden; // below a name that sounds secret
};

static const struct place from_default = {.source = "default"};

static void put_section(const struct json_dump *d, const struct conf_section *section,
                        const struct conf_node *node);
static void put_row(const struct json_dump *d, const struct conf_item *item,
                    const struct conf_node *node);

static void put_name(struct text *to, struct str name)
{
    if (to->ptr[to->len - 1] != '{')
        text_byte(to, ',');
    json_text_str(to, name);
    text_byte(to, ':');
}

static void put_from(struct text *to, const struct place *place)
{
    struct text from = {.ptr = NULL};
    text_put(&from, place->source ? str_of(place->source) : STR("given"));
    if (place->line > 0)
        text_printf(&from, ":%u", place->line);
    json_text_put(to, "from", text_str(&from));
    text_fini(&from);
}

static void put_scalar(const struct json_dump *d, const struct conf_item *item,
                       const struct conf_node *node)
{
    bool is_secret = d->is_hidden || item->kind == CONF_SECRET || node->is_secret ||
                     conf_is_secret_value(node->text);
    json_text_str(d->to, is_secret ? STR("***") : node->text);
}

static void put_value(const struct json_dump *d, const struct conf_item *item,
                      const struct conf_node *node)
{
    text_byte(d->to, '{');
    json_text_key(d->to, "value");
    if (node->kind != CONF_NODE_SEQ) {
        put_scalar(d, item, node);
    } else {
        text_byte(d->to, '[');
        for (const struct conf_node *n = node->first; n; n = n->next) {
            if (n != node->first)
                text_byte(d->to, ',');
            put_scalar(d, item, n);
        }
        text_byte(d->to, ']');
    }
    put_from(d->to, &node->place);
    text_byte(d->to, '}');
}

static void put_default(const struct json_dump *d, const char *value)
{
    text_byte(d->to, '{');
    json_text_put(d->to, "value", str_of(value));
    put_from(d->to, &from_default);
    text_byte(d->to, '}');
}

static void put_inner_section(const struct json_dump *d, const struct conf_item *item,
                              const struct conf_node *node)
{
    bool is_on = true;
    bool is_word = node ? node->kind == CONF_NODE_SCALAR : item->def != NULL;
    if (item->has_switch && is_word)
        is_word = conf_bool_parse(node ? node->text : str_of(item->def), &is_on);
    text_byte(d->to, '{');
    put_from(d->to, node ? &node->place : &from_default);
    if (item->has_switch && !is_on) {
        json_text_put(d->to, "value", STR("off"));
    } else {
        json_text_key(d->to, "settings");
        put_section(d, item->section, item->has_switch && is_word ? NULL : node);
    }
    text_byte(d->to, '}');
}

static void put_more(const struct json_dump *d, size_t n)
{
    if (n > d->items_max)
        json_text_uint(d->to, "more", n - d->items_max);
}

static void put_list(const struct json_dump *d, const struct conf_item *item,
                     const struct conf_node *node)
{
    bool is_list = node->kind == CONF_NODE_SEQ;
    size_t n = 0;
    text_byte(d->to, '{');
    put_from(d->to, &node->place);
    json_text_open(d->to, "items", '[');
    for (const struct conf_node *x = is_list ? node->first : node; x;
         x = is_list ? x->next : NULL) {
        if (n++ >= d->items_max)
            continue;
        if (n > 1)
            text_byte(d->to, ',');
        put_section(d, item->section, x);
    }
    text_byte(d->to, ']');
    put_more(d, n);
    text_byte(d->to, '}');
}

static void put_entry(const struct json_dump *d, const struct conf_item *item,
                      const struct conf_section *section, const struct conf_node *node)
{
    struct json_dump below = *d;
    below.is_hidden |= item->has_secret_names && conf_is_secret_name(node->key);
    text_byte(d->to, '{');
    put_from(d->to, &node->key_place);
    json_text_key(d->to, "settings");
    put_section(&below, section, node);
    text_byte(d->to, '}');
}

static void put_map(const struct json_dump *d, const struct conf_item *item,
                    const struct conf_node *node)
{
    size_t n = 0;
    text_byte(d->to, '{');
    put_from(d->to, &node->place);
    json_text_open(d->to, "entries", '{');
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_choice_type *type =
            item->kind == CONF_CHOICE ? conf_choice_find(item, child->key) : NULL;
        if ((!type && item->kind != CONF_MAP) || n++ >= d->items_max)
            continue;
        put_name(d->to, child->key);
        put_entry(d, item, type ? type->section : item->section, child);
    }
    text_byte(d->to, '}');
    put_more(d, n);
    text_byte(d->to, '}');
}

// Whether there is anything to tell of a row.
static bool has_row(const struct conf_item *item, const struct conf_node *node)
{
    return item->kind == CONF_SECTION || (node && node->kind != CONF_NODE_NULL) || item->def;
}

static void put_row(const struct json_dump *d, const struct conf_item *item,
                    const struct conf_node *node)
{
    if (node && node->kind == CONF_NODE_NULL)
        node = NULL;
    if (item->kind == CONF_SECTION)
        put_inner_section(d, item, node);
    else if (!node)
        put_default(d, item->def);
    else if (item->kind == CONF_LIST)
        put_list(d, item, node);
    else if (item->kind == CONF_MAP || item->kind == CONF_CHOICE)
        put_map(d, item, node);
    else
        put_value(d, item, node);
}

static const struct conf_node *node_of(const struct conf_section *section,
                                       const struct conf_item *item, const struct conf_node *node)
{
    if (!node || node->kind == CONF_NODE_NULL)
        return NULL;
    if (node->kind == CONF_NODE_MAP)
        return conf_node_get(node, str_of(item->key));
    return conf_shorthand(section) == item ? node : NULL;
}

// The alternatives that are keys of the section itself.
static void put_inline_choice(const struct json_dump *d, const struct conf_item *item,
                              const struct conf_node *node)
{
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_choice_type *type = conf_choice_find(item, child->key);
        if (!type)
            continue;
        put_name(d->to, child->key);
        put_entry(d, item, type->section, child);
    }
}

static void put_section(const struct json_dump *d, const struct conf_section *section,
                        const struct conf_node *node)
{
    text_byte(d->to, '{');
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        const struct conf_node *given = node_of(section, item, node);
        if (item->key[0] == '\0' && node && node->kind == CONF_NODE_MAP)
            put_inline_choice(d, item, node);
        if (item->key[0] == '\0' || !has_row(item, given))
            continue;
        put_name(d->to, str_of(item->key));
        put_row(d, item, given);
    }
    text_byte(d->to, '}');
}

// --- a part of it ---

// What a path leads to: a row's value, or an element of a list or map.
struct target {
    const struct conf_item *item;       // NULL: an element
    const struct conf_section *section; // of an element
    const struct conf_node *node;
    bool is_hidden;
};

// The child that the path begins with; names may have dots in them, so the longest counts.
static const struct conf_node *find_child(const struct conf_node *node, struct str path,
                                          struct str *ret_rest)
{
    const struct conf_node *found = NULL;
    for (const struct conf_node *n = node ? node->first : NULL; n; n = n->next) {
        struct str rest = str_skip(path, n->key.len);
        if (str_starts(path, n->key) && (rest.len == 0 || rest.ptr[0] == '.') &&
            (!found || n->key.len > found->key.len)) {
            found = n;
            *ret_rest = str_skip(rest, 1);
        }
    }
    return found;
}

static const struct conf_node *find_element(const struct conf_node *node, struct str path,
                                            struct str *ret_rest)
{
    struct str head;
    uint64_t at;
    str_cut(path, '.', &head, ret_rest);
    const struct conf_node *n = node->kind == CONF_NODE_SEQ ? node->first : node;
    if (num_dec(head, CONF_NODES_MAX, &at) != ERR_OK || (node->kind != CONF_NODE_SEQ && at > 0))
        return NULL;
    for (; n && at > 0; at--)
        n = n->next;
    return n;
}

static bool find(const struct conf_section *section, const struct conf_node *node, struct str path,
                 struct target *ret);

// Below a row that holds elements, or a section.
static bool find_below(const struct conf_item *item, const struct conf_node *node, struct str path,
                       struct target *ret)
{
    struct str rest = STR_NONE;
    const struct conf_section *section = item->section;
    if (item->kind == CONF_SECTION)
        return find(section, node, path, ret);
    if (!node || (item->kind != CONF_MAP && item->kind != CONF_LIST && item->kind != CONF_CHOICE))
        return false;
    const struct conf_node *child =
        item->kind == CONF_LIST ? find_element(node, path, &rest) : find_child(node, path, &rest);
    const struct conf_choice_type *type =
        child && item->kind == CONF_CHOICE ? conf_choice_find(item, child->key) : NULL;
    if (!child || (item->kind == CONF_CHOICE && !type))
        return false;
    ret->is_hidden |= item->has_secret_names && conf_is_secret_name(child->key);
    if (type)
        section = type->section;
    if (rest.len > 0)
        return find(section, child, rest, ret);
    ret->item = NULL;
    ret->section = section;
    ret->node = child;
    return true;
}

static bool find(const struct conf_section *section, const struct conf_node *node, struct str path,
                 struct target *ret)
{
    struct str key, rest;
    str_cut(path, '.', &key, &rest);
    const struct conf_item *item = key.len > 0 ? conf_item_find(section, key) : NULL;
    const struct conf_item *choice = conf_inline_choice(section);
    if (!item)
        return choice && find_below(choice, node, path, ret);
    const struct conf_node *given = node_of(section, item, node);
    if (rest.len > 0)
        return find_below(item, given, rest, ret);
    ret->item = item;
    ret->node = given;
    return has_row(item, given);
}

bool conf_print_json(const struct conf_section *root, const struct conf_node *node, struct str path,
                     size_t items_max, struct text *to)
{
    struct target t = {.item = NULL};
    if (!find(root, node, path, &t))
        return false;
    const struct json_dump d = {.to = to, .items_max = items_max, .is_hidden = t.is_hidden};
    if (t.item)
        put_row(&d, t.item, t.node);
    else
        put_section(&d, t.section, t.node);
    return true;
}
