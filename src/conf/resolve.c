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

// Asks for what the scalar refers to; a plain text is no reference.
static void fetch(struct conf_reader *r, const struct conf_path *path, struct conf_node *node,
                  bool is_file_without_prefix, const struct conf_resolver *resolver)
{
    struct str target;
    enum conf_ref ref = conf_ref_parse(node->text, &target);
    if (ref == CONF_REF_NONE && is_file_without_prefix)
        ref = CONF_REF_FILE;
    if (ref == CONF_REF_NONE)
        return;
    node->is_unresolved = true;
    char quoted[CONF_QUOTED_BYTES];
    const char *what = ref == CONF_REF_FILE ? "file" : "variable";
    if (target.len == 0 || str_find(target, '\0') != STR_NPOS) {
        conf_fail(r, path, node->place, "%s does not name a %s", conf_quoted(node->text, quoted),
                  what);
        return;
    }
    const char *why = "it can't be read";
    struct str content = STR_NONE;
    bool is_read = ref == CONF_REF_FILE
                       ? resolver->read_file(resolver->arg, target, r->mem, &content, &why)
                       : resolver->read_env(resolver->arg, target, r->mem, &content, &why);
    if (!is_read) {
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
        fetch(r, path, node, false, resolver);
    } else if (item->kind == CONF_FILE && is_scalar) {
        fetch(r, path, node, true, resolver);
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

// What doesn't fit the tables is left alone: conf_read reports it.
static void resolve_section(struct conf_reader *r, const struct conf_path *path,
                            const struct conf_section *section, struct conf_node *node,
                            const struct conf_resolver *resolver)
{
    if (node->kind != CONF_NODE_MAP) {
        const struct conf_item *shorthand = conf_shorthand(section);
        if (shorthand)
            conf_resolve_item(r, path, shorthand, node, resolver);
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
