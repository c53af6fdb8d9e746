// SPDX-License-Identifier: Apache-2.0
// Reads what files and variables hold into a tree, where the tables have secrets and files.
#include "conf/reader.h"

static void resolve_section(struct conf_reader *r, const struct conf_path *path,
                            const struct conf_section *section, struct conf_node *node,
                            const struct conf_resolver *resolver);

static struct str trim_line_ends(struct str s)
{
    while (s.len > 0 && (s.ptr[s.len - 1] == '\n' || s.ptr[s.len - 1] == '\r'))
        s.len--;
    return s;
}

// What a reference leads to.
static bool read_ref(const struct conf_resolver *resolver, enum conf_ref ref, struct str target,
                     struct arena *mem, struct str *ret, const char **ret_why)
{
    switch (ref) {
    case CONF_REF_NONE:
        break;
    case CONF_REF_FILE:
        return resolver->read_file(resolver->arg, target, mem, ret, ret_why);
    case CONF_REF_ENV:
        return resolver->read_env(resolver->arg, target, mem, ret, ret_why);
    case CONF_REF_LIST:
        return resolver->read_list(resolver->arg, target, mem, ret, ret_why);
    }
    return false;
}

// Asks for what the scalar refers to; a plain text is a reference of the kind `plain`.
static void fetch(struct conf_reader *r, const struct conf_path *path, struct conf_node *node,
                  enum conf_ref plain, const struct conf_resolver *resolver)
{
    static const char *const names[] = {
        [CONF_REF_NONE] = "text",
        [CONF_REF_FILE] = "file",
        [CONF_REF_ENV] = "variable",
        [CONF_REF_LIST] = "list",
    };
    struct str target;
    enum conf_ref ref = conf_ref_parse(node->text, &target);
    if (ref == CONF_REF_NONE)
        ref = plain;
    if (ref == CONF_REF_NONE)
        return;
    node->is_unresolved = true;
    char quoted[CONF_QUOTED_BYTES];
    const char *what = names[ref];
    if (target.len == 0 || str_find(target, '\0') != STR_NPOS) {
        conf_fail(r, path, node->place, "%s does not name a %s", conf_quoted(node->text, quoted),
                  what);
        return;
    }
    const char *why = "it can't be read";
    struct str content = STR_NONE;
    if (!read_ref(resolver, ref, target, r->mem, &content, &why)) {
        conf_fail(r, path, node->place, "the %s %s can't be used: %s", what,
                  conf_quoted(target, quoted), why);
        return;
    }
    if (node->is_secret)
        content = trim_line_ends(content);
    if (node->is_secret && content.len == 0) {
        conf_fail(r, path, node->place, "the %s %s is empty, which a secret can't be", what,
                  conf_quoted(target, quoted));
        return;
    }
    node->content = content;
    node->has_content = true;
    node->is_unresolved = false;
}

// One of a list of networks: addresses stand for themselves.
static void fetch_net(struct conf_reader *r, const struct conf_path *path, struct conf_node *node,
                      const struct conf_resolver *resolver)
{
    if (node->kind == CONF_NODE_SCALAR && conf_is_list_ref(node->text))
        fetch(r, path, node, CONF_REF_LIST, resolver);
}

static void fetch_nets(struct conf_reader *r, const struct conf_path *path, struct conf_node *node,
                       const struct conf_resolver *resolver)
{
    size_t i = 0;
    if (node->kind != CONF_NODE_SEQ)
        fetch_net(r, path, node, resolver);
    for (struct conf_node *child = node->first; child; child = child->next) {
        struct conf_path at = {.up = path, .index = i++};
        fetch_net(r, &at, child, resolver);
    }
}

static void resolve_list(struct conf_reader *r, const struct conf_path *path,
                         const struct conf_section *section, struct conf_node *node,
                         const struct conf_resolver *resolver)
{
    if (node->kind != CONF_NODE_SEQ) {
        resolve_section(r, path, section, node, resolver);
        return;
    }
    size_t i = 0;
    for (struct conf_node *child = node->first; child; child = child->next) {
        struct conf_path at = {.up = path, .index = i++};
        resolve_section(r, &at, section, child, resolver);
    }
}

static void resolve_map(struct conf_reader *r, const struct conf_path *path,
                        const struct conf_section *section, struct conf_node *node,
                        const struct conf_resolver *resolver)
{
    for (struct conf_node *child = node->first; child; child = child->next) {
        struct conf_path at = {.up = path, .name = child->key};
        resolve_section(r, &at, section, child, resolver);
    }
}

static void resolve_choice(struct conf_reader *r, const struct conf_path *path,
                           const struct conf_item *item, struct conf_node *node,
                           const struct conf_resolver *resolver)
{
    for (struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_choice_type *type = conf_choice_find(item, child->key);
        struct conf_path at = {.up = path, .name = child->key};
        if (type)
            resolve_section(r, &at, type->section, child, resolver);
    }
}

void conf_resolve_item(struct conf_reader *r, const struct conf_path *path,
                       const struct conf_item *item, struct conf_node *node,
                       const struct conf_resolver *resolver)
{
    bool is_scalar = node->kind == CONF_NODE_SCALAR;
    if (item->kind == CONF_SECRET && is_scalar) {
        node->is_secret = true;
        fetch(r, path, node, CONF_REF_NONE, resolver);
    } else if (item->kind == CONF_FILE && is_scalar) {
        fetch(r, path, node, CONF_REF_FILE, resolver);
    } else if (item->kind == CONF_NETS) {
        fetch_nets(r, path, node, resolver);
    } else if (item->kind == CONF_SECTION) {
        resolve_section(r, path, item->section, node, resolver);
    } else if (item->kind == CONF_LIST) {
        resolve_list(r, path, item->section, node, resolver);
    } else if (item->kind == CONF_MAP) {
        resolve_map(r, path, item->section, node, resolver);
    } else if (item->kind == CONF_CHOICE) {
        resolve_choice(r, path, item, node, resolver);
    }
}

// Whether a text in the place of such a map may be a secret that belongs into it.
static bool has_secret(const struct conf_section *section)
{
    for (size_t i = 0; i < section->n_items; i++) {
        if (section->items[i].kind == CONF_SECRET)
            return true;
    }
    return false;
}

// What doesn't fit the tables is left alone: conf_read reports it.
static void resolve_section(struct conf_reader *r, const struct conf_path *path,
                            const struct conf_section *section, struct conf_node *node,
                            const struct conf_resolver *resolver)
{
    if (node->kind != CONF_NODE_MAP) {
        const struct conf_item *shorthand = conf_shorthand(section);
        if (shorthand)
            conf_resolve_item(r, path, shorthand, node, resolver);
        else if (node->kind == CONF_NODE_SCALAR && has_secret(section))
            node->is_secret = true;
        return;
    }
    const struct conf_item *inline_choice = conf_inline_choice(section);
    if (inline_choice)
        resolve_choice(r, path, inline_choice, node, resolver);
    for (struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_item *item = conf_item_find(section, child->key);
        struct conf_path at = {.up = path, .name = child->key};
        if (item)
            conf_resolve_item(r, &at, item, child, resolver);
    }
}

enum err conf_resolve(const struct conf_section *section, struct conf_node *node,
                      const struct conf_resolver *resolver, struct arena *mem, struct diags *diags)
{
    struct conf_reader r = {.mem = mem, .diags = diags};
    resolve_section(&r, NULL, section, node, resolver);
    return r.n_errors == 0 ? ERR_OK : ERR_NOT_FOUND;
}
