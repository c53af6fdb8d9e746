// SPDX-License-Identifier: Apache-2.0
// Finding rows and sections in the tables.
#include "base/ascii.h"
#include "base/mem.h"
#include "conf/conf_priv.h"

static bool is_key(const char *key, struct str s)
{
    return s.len > 0 && key[0] == s.ptr[0] && str_eq(str_of(key), s);
}

const struct conf_item *conf_item_find(const struct conf_section *section, struct str key)
{
    for (size_t i = 0; i < section->n_items; i++) {
        if (is_key(section->items[i].key, key))
            return &section->items[i];
    }
    return NULL;
}

const struct conf_item *conf_inline_choice(const struct conf_section *section)
{
    for (size_t i = 0; i < section->n_items; i++) {
        if (section->items[i].kind == CONF_CHOICE && section->items[i].key[0] == '\0')
            return &section->items[i];
    }
    return NULL;
}

const struct conf_choice_type *conf_choice_find(const struct conf_item *item, struct str key)
{
    for (size_t i = 0; item->choices[i]; i++) {
        if (is_key(item->choices[i]->key, key))
            return item->choices[i];
    }
    return NULL;
}

const struct conf_item *conf_shorthand(const struct conf_section *section)
{
    return section->shorthand ? conf_item_find(section, str_of(section->shorthand)) : NULL;
}

enum conf_ref conf_ref_parse(struct str text, struct str *ret_target)
{
    if (str_starts(text, STR("file:"))) {
        *ret_target = str_skip(text, 5);
        return CONF_REF_FILE;
    }
    if (str_starts(text, STR("env:"))) {
        *ret_target = str_skip(text, 4);
        return CONF_REF_ENV;
    }
    *ret_target = text;
    return CONF_REF_NONE;
}

bool conf_is_list_ref(struct str text)
{
    struct str target;
    if (conf_ref_parse(text, &target) == CONF_REF_FILE)
        return true;
    bool is_name = text.len > 0 && ascii_is(text.ptr[0], ASCII_ALPHA);
    for (size_t i = 0; i < text.len; i++)
        is_name =
            is_name && (ascii_is(text.ptr[i], ASCII_ALPHA | ASCII_DIGIT) || text.ptr[i] == '-');
    return is_name;
}

void conf_sections_add(struct conf_sections *sections, const struct conf_section *section)
{
    if (sections->n == sections->cap) {
        sections->cap = sections->cap > 0 ? sections->cap * 2 : 16;
        sections->items = mem_resize(sections->items, sections->cap, sizeof *sections->items);
    }
    sections->items[sections->n++] = section;
}

static void collect(struct conf_sections *all, const struct conf_section *section)
{
    for (size_t i = 0; i < all->n; i++) {
        if (all->items[i] == section)
            return;
    }
    conf_sections_add(all, section);
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        if (item->section)
            collect(all, item->section);
        for (size_t j = 0; item->choices && item->choices[j]; j++)
            collect(all, item->choices[j]->section);
    }
}

void conf_sections_collect(const struct conf_section *root, struct conf_sections *ret)
{
    *ret = (struct conf_sections){.n = 0};
    collect(ret, root);
}

void conf_sections_fini(struct conf_sections *sections)
{
    mem_free(sections->items);
    *sections = (struct conf_sections){.n = 0};
}
