// SPDX-License-Identifier: Apache-2.0
// Trees to structs, by the rows of the tables: sections, and what holds sections.
#include <stdio.h>

#include "base/assert.h"
#include "base/map.h"
#include "conf/reader.h"

#define ITEMS_MAX 256 // rows of one section
#define NAME_MAX_BYTES 255

static void read_section(struct conf_reader *r, const struct conf_path *path,
                         const struct conf_section *section, const struct conf_node *node,
                         bool has_parent, void *ret);

void conf_read_default(struct conf_reader *r, const struct conf_path *path,
                       const struct conf_item *item, void *field)
{
    if (item->has_switch) {
        if (!conf_bool_parse(str_of(item->def), (bool *)((char *)field + item->switch_offset)))
            conf_fail(r, path, (struct place){.source = "default"}, "is not on or off");
        return;
    }
    const struct conf_node *node = conf_text_node(r, item, item->def);
    if (node)
        conf_read_item(r, path, item, node, false, field);
}

// Fills a zeroed struct with the rows' defaults.
static void fill_defaults(struct conf_reader *r, const struct conf_section *section, void *ret)
{
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        struct conf_path path = {.name = str_of(item->key)};
        void *field = (char *)ret + item->offset;
        if (item->kind == CONF_SECTION)
            fill_defaults(r, item->section, field);
        if (item->def)
            conf_read_default(r, &path, item, field);
    }
}

// A new struct of the section's, as its defaults make it; NULL at the arena's limit.
static void *new_section(struct conf_reader *r, const struct conf_section *section)
{
    const struct conf_defaults *known = r->defaults;
    while (known && known->section != section)
        known = known->next;
    void *value = conf_alloc(r, 1, section->bytes, section->align);
    if (!value)
        return NULL;
    if (known) {
        memcpy(value, known->value, section->bytes);
        return value;
    }
    struct conf_defaults *made = conf_alloc(r, 1, sizeof *made, alignof(struct conf_defaults));
    void *copy = conf_alloc(r, 1, section->bytes, section->align);
    if (!made || !copy)
        return NULL;
    fill_defaults(r, section, copy);
    memcpy(value, copy, section->bytes);
    *made = (struct conf_defaults){.next = r->defaults, .section = section, .value = copy};
    r->defaults = made;
    return value;
}

static void read_list(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_item *item, const struct conf_node *node,
                      struct conf_list *ret)
{
    bool is_list = node->kind == CONF_NODE_SEQ;
    const struct conf_node *child = is_list ? node->first : node;
    size_t n = is_list ? node->n : 1;
    *ret = (struct conf_list){.n = 0};
    ret->items = n > 0 ? conf_alloc(r, n, sizeof(void *), alignof(void *)) : NULL;
    if (!ret->items)
        return;
    for (size_t i = 0; i < n; i++, child = child->next) {
        struct conf_path at = {.up = path, .index = i};
        const struct conf_path *where = is_list ? &at : path;
        void *value = new_section(r, item->section);
        if (!value)
            return;
        if (child->kind == CONF_NODE_NULL)
            conf_fail_expected(r, where, child, "a map", "");
        else
            read_section(r, where, item->section, child, false, value);
        ret->items[ret->n++] = value;
    }
}

static bool is_good_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return false;
    }
    return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

static void read_map(struct conf_reader *r, const struct conf_path *path,
                     const struct conf_item *item, const struct conf_node *node,
                     struct conf_map *ret)
{
    *ret = (struct conf_map){.n = 0};
    ret->items = node->n > 0
                     ? conf_alloc(r, node->n, sizeof *ret->items, alignof(struct conf_map_item))
                     : NULL;
    if (!ret->items)
        return;
    struct map seen = {.n = 0}; // YAML has no name twice; trees of several sources may
    for (const struct conf_node *child = node->first; child; child = child->next) {
        struct conf_path at = {.up = path, .name = child->key};
        void *value = NULL;
        if (!is_good_name(child->key))
            conf_fail(r, child->key.len > 0 ? &at : path, child->key_place,
                      "a name has 1 to %d bytes and no control characters among them",
                      NAME_MAX_BYTES);
        else if (map_get(&seen, child->key))
            conf_fail(r, &at, child->key_place, "is here twice");
        else
            value = new_section(r, item->section);
        if (!value)
            continue;
        map_set(&seen, child->key, value);
        read_section(r, &at, item->section, child, false, value);
        ret->items[ret->n++] =
            (struct conf_map_item){.name = child->key, .place = child->key_place, .value = value};
    }
    map_fini(&seen);
}

// The chosen section itself: node is the value behind the choice's key.
static void read_chosen(struct conf_reader *r, const struct conf_path *path,
                        const struct conf_choice_type *type, const struct conf_node *node,
                        struct conf_choice *ret)
{
    void *value = new_section(r, type->section);
    if (!value)
        return;
    read_section(r, path, type->section, node, false, value);
    *ret = (struct conf_choice){.type = type, .value = value, .place = node->key_place};
}

static void fail_unknown(struct conf_reader *r, const struct conf_path *path,
                         const struct conf_section *section, const struct conf_item *choice,
                         const struct conf_node *node)
{
    char key[CONF_QUOTED_BYTES], known[512];
    conf_quoted(node->key, key);
    if (r->n_errors >= DIAGS_MAX) { // nobody will read it: spare the search
        conf_fail(r, path, node->key_place, "there is no %s here", key);
        return;
    }
    struct conf_nearest nearest = {.wanted = node->key};
    struct writer w;
    writer_init(&w, known, sizeof known - 1);
    for (size_t i = 0; section && i < section->n_items; i++) {
        if (section->items[i].key[0] != '\0') {
            conf_nearest_offer(&nearest, section->items[i].key);
            writer_printf(&w, "%s%s", w.len > 0 ? ", " : "", section->items[i].key);
        }
    }
    for (size_t i = 0; choice && choice->choices[i]; i++) {
        conf_nearest_offer(&nearest, choice->choices[i]->key);
        writer_printf(&w, "%s%s", w.len > 0 ? ", " : "", choice->choices[i]->key);
    }
    known[w.len] = '\0';
    if (nearest.name)
        conf_fail(r, path, node->key_place, "there is no %s here: did you mean '%s'?", key,
                  nearest.name);
    else
        conf_fail(r, path, node->key_place, "there is no %s here: known are %s%s", key, known,
                  w.overflowed ? ", …" : "");
}

static void read_choice(struct conf_reader *r, const struct conf_path *path,
                        const struct conf_item *item, const struct conf_node *node,
                        struct conf_choice *ret)
{
    if (node->n != 1) {
        char hint[64];
        snprintf(hint, sizeof hint, " with %zu keys", node->n);
        conf_fail_item(r, path, item, node, hint);
        return;
    }
    const struct conf_choice_type *type = conf_choice_find(item, node->first->key);
    struct conf_path at = {.up = path, .name = node->first->key};
    if (type)
        read_chosen(r, &at, type, node->first, ret);
    else
        fail_unknown(r, path, NULL, item, node->first);
}

static void read_inline_section(struct conf_reader *r, const struct conf_path *path,
                                const struct conf_item *item, const struct conf_node *node,
                                bool has_parent, void *field)
{
    bool is_on = true;
    if (item->has_switch) {
        bool is_word = node->kind == CONF_NODE_SCALAR && conf_bool_parse(node->text, &is_on);
        *(bool *)((char *)field + item->switch_offset) = is_on;
        if (is_word)
            return;
        if (node->kind != CONF_NODE_MAP && !item->section->shorthand) {
            conf_fail_item(r, path, item, node, "");
            return;
        }
    }
    read_section(r, path, item->section, node, has_parent, field);
}

// A key without a value is as good as none where it could only be a map or a list.
static bool is_given(const struct conf_item *item, const struct conf_node *node)
{
    return conf_kinds[item->kind].is_single || node->kind != CONF_NODE_NULL;
}

void conf_read_item(struct conf_reader *r, const struct conf_path *path,
                    const struct conf_item *item, const struct conf_node *node, bool has_parent,
                    void *field)
{
    bool needs_map = item->kind == CONF_MAP || item->kind == CONF_CHOICE;
    if (needs_map && node->kind != CONF_NODE_MAP)
        conf_fail_item(r, path, item, node, "");
    else if (item->kind == CONF_SECTION)
        read_inline_section(r, path, item, node, has_parent, field);
    else if (item->kind == CONF_LIST)
        read_list(r, path, item, node, field);
    else if (item->kind == CONF_MAP)
        read_map(r, path, item, node, field);
    else if (item->kind == CONF_CHOICE)
        read_choice(r, path, item, node, field);
    else
        conf_read_value(r, path, item, node, field);
}

// Reads each entry of a map; tells in seen which rows got a value.
static void read_keys(struct conf_reader *r, const struct conf_path *path,
                      const struct conf_section *section, const struct conf_node *node,
                      bool has_parent, bool *seen, void *ret)
{
    const struct conf_item *inline_choice = conf_inline_choice(section);
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_item *item = conf_item_find(section, child->key);
        const struct conf_choice_type *type =
            !item && inline_choice ? conf_choice_find(inline_choice, child->key) : NULL;
        if (type)
            item = inline_choice;
        if (!item) {
            fail_unknown(r, path, section, inline_choice, child);
            continue;
        }
        struct conf_path at = {.up = path, .name = child->key};
        bool *is_seen = &seen[item - section->items];
        if (*is_seen) {
            conf_fail(r, &at, child->key_place,
                      type ? "only one of its kind can be chosen" : "is here twice");
            continue;
        }
        *is_seen = type || is_given(item, child);
        void *field = (char *)ret + item->offset;
        if (type)
            read_chosen(r, &at, type, child, field);
        else if (*is_seen)
            conf_read_item(r, &at, item, child, has_parent, field);
    }
}

static void check_required(struct conf_reader *r, const struct conf_path *path,
                           const struct conf_section *section, struct place place, const bool *seen)
{
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        if (!item->is_required || seen[i])
            continue;
        char expected[512];
        struct writer w;
        writer_init(&w, expected, sizeof expected - 1);
        conf_put_expected(item, &w);
        expected[w.len] = '\0';
        if (item->key[0] == '\0')
            conf_fail(r, path, place, "is empty: expected %s", expected);
        else
            conf_fail(r, path, place, "'%s' is missing: expected %s", item->key, expected);
    }
}

// *ret holds what isn't given: the parent's values or the defaults. node NULL: nothing is given.
static void read_section(struct conf_reader *r, const struct conf_path *path,
                         const struct conf_section *section, const struct conf_node *node,
                         bool has_parent, void *ret)
{
    ASSERT(section->n_items <= ITEMS_MAX);
    bool seen[ITEMS_MAX] = {false};
    size_t n_errors = r->n_errors;
    struct place place = node ? node->place : (struct place){.source = NULL};
    if (section->place_offset != 0 && section->place_offset != CONF_NO_PLACE)
        *(struct place *)(void *)((char *)ret + section->place_offset) = place;
    const struct conf_item *shorthand = conf_shorthand(section);
    if (node && node->kind == CONF_NODE_MAP) {
        read_keys(r, path, section, node, has_parent, seen, ret);
    } else if (node && node->kind != CONF_NODE_NULL && shorthand) {
        seen[shorthand - section->items] = true;
        conf_read_item(r, path, shorthand, node, has_parent, (char *)ret + shorthand->offset);
    } else if (node && node->kind != CONF_NODE_NULL) {
        conf_fail_expected(r, path, node, "a map", "");
    }
    if (r->n_errors == n_errors && !has_parent)
        check_required(r, path, section, place, seen);
    if (r->n_errors == n_errors && section->check && section->check(ret, r->diags) != ERR_OK)
        r->n_errors++;
}

enum err conf_read(const struct conf_section *section, const struct conf_node *node,
                   const void *parent, struct arena *mem, struct diags *diags, void *ret)
{
    struct diags own = {.n = 0};
    struct conf_reader r = {.mem = mem, .diags = diags ? diags : &own};
    const void *base = parent ? parent : new_section(&r, section);
    if (base) {
        memcpy(ret, base, section->bytes);
        read_section(&r, NULL, section, node, parent != NULL, ret);
    }
    diags_fini(&own);
    return r.n_errors == 0 ? ERR_OK : ERR_SYNTAX;
}
