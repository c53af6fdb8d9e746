// SPDX-License-Identifier: Apache-2.0
// Single settings by their paths, as labels and flags have them.
#include "base/assert.h"
#include "conf/conf_priv.h"

// Where a path has led so far.
struct walk {
    const struct conf_section *section; // NULL: the path has ended at item
    const struct conf_item *item;       // NULL: at a section
    struct str rest;
    const char *fault; // for people; NULL: it leads somewhere
    struct str at;     // the key that is at fault, or that `key` stands for
    const char *near;  // a known key like it
};

// The keys on the way, for whoever builds a tree along it.
typedef bool on_key_fn(void *arg, struct str key);

static void fail(struct walk *w, const char *fault, struct str at)
{
    w->fault = fault;
    w->at = at;
}

static void fail_unknown(struct walk *w, struct str key)
{
    struct conf_nearest nearest = {.wanted = key};
    const struct conf_item *choice = conf_inline_choice(w->section);
    for (size_t i = 0; i < w->section->n_items; i++)
        conf_nearest_offer(&nearest, w->section->items[i].key);
    for (size_t i = 0; choice && choice->choices[i]; i++)
        conf_nearest_offer(&nearest, choice->choices[i]->key);
    w->near = nearest.name;
    fail(w, "is not a setting", key);
}

// One key that stands for a choice's kind.
static void enter_choice(struct walk *w, const struct conf_item *item, struct str key)
{
    const struct conf_choice_type *type = conf_choice_find(item, key);
    if (!type) {
        fail_unknown(w, key);
        return;
    }
    w->section = type->section;
}

static struct str next_key(struct walk *w)
{
    struct str key;
    str_cut(w->rest, '.', &key, &w->rest);
    return key;
}

// Follows what stands behind the key of item.
static void enter(struct walk *w, const struct conf_item *item, struct str key, on_key_fn *on_key,
                  void *arg)
{
    bool is_end = w->rest.len == 0;
    w->item = item;
    if (item->kind == CONF_SECTION) {
        w->section = item->section;
        w->item = is_end ? item : NULL;
    } else if (item->kind == CONF_MAP || item->kind == CONF_CHOICE) {
        if (is_end) {
            fail(w, "needs a name behind it", key);
            return;
        }
        struct str name = next_key(w);
        if (item->kind == CONF_MAP)
            w->section = item->section;
        else
            enter_choice(w, item, name);
        w->item = NULL;
        if (!w->fault && !on_key(arg, name))
            fail(w, "has a value of its own already", key);
    } else if (!is_end) {
        fail(w,
             item->kind == CONF_LIST ? "is a list: write it whole, like [{ … }]"
                                     : "has no settings below it",
             key);
    }
}

static struct walk follow(const struct conf_section *section, struct str path, on_key_fn *on_key,
                          void *arg)
{
    struct walk w = {.section = section, .rest = path};
    while (!w.fault && w.rest.len > 0) {
        struct str key = next_key(&w);
        const struct conf_item *item = conf_item_find(w.section, key);
        const struct conf_item *choice = conf_inline_choice(w.section);
        if (!item && !(choice && conf_choice_find(choice, key))) {
            fail_unknown(&w, key);
        } else if (!on_key(arg, key)) {
            fail(&w, "has a value of its own already", key);
        } else if (item) {
            enter(&w, item, key, on_key, arg);
        } else {
            w.item = NULL;
            enter_choice(&w, choice, key);
        }
    }
    return w;
}

static bool ignore_key(void *arg, struct str key)
{
    (void)arg;
    return key.len > 0;
}

bool conf_leads_somewhere(const struct conf_section *section, struct str path)
{
    return path.len > 0 && !follow(section, path, ignore_key, NULL).fault;
}

// --- building ---

struct builder {
    struct conf_node *map;  // where the next key belongs
    struct conf_node *last; // the node of the last key
    struct place place;
    struct arena *mem;
};

// "on" is a map that says nothing: a section may be switched on, and then be told more.
static bool becomes_map(struct conf_node *node)
{
    bool is_on;
    if (node->kind == CONF_NODE_SCALAR && conf_bool_parse(node->text, &is_on) && is_on)
        node->kind = CONF_NODE_MAP;
    if (node->kind == CONF_NODE_NULL)
        node->kind = CONF_NODE_MAP;
    return node->kind == CONF_NODE_MAP;
}

static bool build_key(void *arg, struct str key)
{
    struct builder *b = arg;
    if (b->last && !becomes_map(b->last))
        return false;
    if (b->last)
        b->map = b->last;
    b->last = conf_node_get(b->map, key);
    if (b->last)
        return true;
    b->last = conf_node_new(b->mem, CONF_NODE_NULL, b->place);
    if (b->last)
        conf_node_put(b->map, key, b->last);
    return b->last != NULL && key.len > 0;
}

static bool is_yaml(struct str value)
{
    return str_starts(value, STR("[")) || str_starts(value, STR("{"));
}

// "a, b" where a list is allowed.
static void put_list(struct builder *b, struct str value)
{
    struct str item, rest = value;
    b->last->kind = CONF_NODE_SEQ;
    do {
        str_cut(rest, ',', &item, &rest);
        struct conf_node *node = conf_node_scalar(b->mem, str_trim(item), b->place);
        if (node)
            conf_node_append(b->last, node);
    } while (rest.len > 0);
}

static enum err put_value(struct builder *b, const struct conf_item *item, struct str value,
                          struct diags *diags)
{
    bool is_single = item && (conf_kinds[item->kind].is_single || item->kind == CONF_FILE);
    bool is_list =
        item && (item->kind == CONF_TEXTS || item->kind == CONF_NETS || item->kind == CONF_LIST);
    if (!is_single && is_yaml(value)) {
        struct conf_node *parsed = conf_yaml_parse(value, b->place.source, b->mem, diags);
        if (!parsed)
            return ERR_SYNTAX;
        b->last->kind = parsed->kind;
        b->last->first = parsed->first;
        b->last->last = parsed->last;
        b->last->n = parsed->n;
    } else if (is_list && str_find(value, ',') != STR_NPOS) {
        put_list(b, value);
    } else {
        b->last->kind = CONF_NODE_SCALAR;
        b->last->text = value;
    }
    return ERR_OK;
}

enum err conf_put(const struct conf_section *section, struct conf_node *map, struct str path,
                  struct str value, struct place place, struct arena *mem, struct diags *diags)
{
    ASSERT(map->kind == CONF_NODE_MAP);
    struct builder b = {.map = map, .place = place, .mem = mem};
    char quoted[CONF_QUOTED_BYTES];
    struct walk w = follow(section, path, build_key, &b);
    if (path.len == 0)
        fail(&w, "names no setting", path);
    if (w.fault && w.near)
        return diag_fail(diags, ERR_NOT_FOUND, place, "%s %s; did you mean '%s'?",
                         conf_quoted(w.at, quoted), w.fault, w.near);
    if (w.fault)
        return diag_fail(diags, ERR_NOT_FOUND, place, "%s %s", conf_quoted(w.at, quoted), w.fault);
    bool is_on;
    bool is_told = b.last->kind != CONF_NODE_NULL;
    if (is_told && b.last->kind == CONF_NODE_MAP && conf_bool_parse(value, &is_on) && is_on)
        return ERR_OK; // what is said below it switches it on
    if (is_told)
        return diag_fail(diags, ERR_SYNTAX, place, "%s has a value of its own already",
                         conf_quoted(b.last->key, quoted));
    return put_value(&b, w.item, value, diags);
}
