// SPDX-License-Identifier: Apache-2.0
#include "discover/merge.h"

#include "gate/settings.h"

// --- adding ---

static bool is_same(const struct conf_node *a, const struct conf_node *b)
{
    if (a->kind != b->kind || a->n != b->n || !str_eq(a->text, b->text))
        return false;
    const struct conf_node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (!str_eq(x->key, y->key) || !is_same(x, y))
            return false;
    }
    return true;
}

static bool has_same(const struct conf_node *list, const struct conf_node *element)
{
    for (const struct conf_node *n = list->first; n; n = n->next) {
        if (is_same(n, element))
            return true;
    }
    return false;
}

// Lists to which each container adds its own.
static bool is_joined(const struct conf_node *a, const struct conf_node *b)
{
    static const struct str keys[] = {STR_INIT("servers"), STR_INIT("routes"), STR_INIT("aliases")};
    if (a->kind != CONF_NODE_SEQ || b->kind != CONF_NODE_SEQ)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(a->key, keys[i]))
            return true;
    }
    return false;
}

// The first node in `from` that contradicts one in `to`, which is *ret_other; NULL: none does.
static const struct conf_node *find_conflict(const struct conf_node *to,
                                             const struct conf_node *from,
                                             const struct conf_node **ret_other)
{
    if (to->kind == CONF_NODE_MAP && from->kind == CONF_NODE_MAP) {
        for (const struct conf_node *n = from->first; n; n = n->next) {
            const struct conf_node *other = conf_node_get(to, n->key);
            const struct conf_node *found = other ? find_conflict(other, n, ret_other) : NULL;
            if (found)
                return found;
        }
        return NULL;
    }
    if (is_joined(to, from) || is_same(to, from))
        return NULL;
    *ret_other = to;
    return from;
}

static void add(struct conf_node *to, struct conf_node *from)
{
    for (struct conf_node *n = from->first, *next; n; n = next) {
        next = n->next;
        struct conf_node *other = to->kind == CONF_NODE_MAP ? conf_node_get(to, n->key) : NULL;
        if (other)
            add(other, n);
        else if (to->kind == CONF_NODE_MAP || !has_same(to, n))
            conf_node_append(to, n);
    }
}

static const char *text_of(const struct conf_node *node)
{
    return node->kind == CONF_NODE_SCALAR ? "" : "(a list or map) ";
}

enum err merge_add(struct conf_node *to, struct conf_node *from, struct diags *diags)
{
    const struct conf_node *other = NULL, *node = find_conflict(to, from, &other);
    if (!node) {
        add(to, from);
        return ERR_OK;
    }
    return diag_fail(diags, ERR_SYNTAX, node->place,
                     "'" STR_FMT "' is %s'" STR_FMT "' here, and %s'" STR_FMT
                     "' of the same thing at %s",
                     STR_ARG(node->key), text_of(node), STR_ARG(node->text), text_of(other),
                     STR_ARG(other->text), other->place.source ? other->place.source : "another");
}

// --- names ---

static bool is_known(const struct conf_node *tree, struct str kind, struct str name)
{
    const struct conf_node *map = conf_node_get(tree, kind);
    return map && conf_node_get(map, name) != NULL;
}

static void qualify_text(const struct conf_node *tree, struct conf_node *node, struct str kind,
                         struct str suffix, struct arena *mem)
{
    if (node->kind != CONF_NODE_SCALAR)
        return;
    if (str_ends(node->text, STR("@file"))) {
        node->text.len -= STR("@file").len;
        return;
    }
    if (str_find(node->text, '@') != STR_NPOS)
        return;
    struct str name = arena_concat(mem, node->text, suffix, STR_NONE);
    if (is_known(tree, kind, name))
        node->text = name;
}

// What the values behind a key name; empty: nothing.
static struct str kind_named_by(struct str key)
{
    static const struct str services[] = {STR_INIT("to"), STR_INIT("service"),
                                          STR_INIT("failover")};
    if (str_eq(key, STR("use")))
        return STR("filters");
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        if (str_eq(key, services[i]))
            return STR("services");
    }
    return STR_NONE;
}

static void qualify(const struct conf_node *tree, struct conf_node *node, struct str suffix,
                    struct arena *mem)
{
    struct str kind = kind_named_by(node->key);
    if (kind.len > 0)
        qualify_text(tree, node, kind, suffix, mem);
    for (struct conf_node *n = node->first; n; n = n->next) {
        if (kind.len > 0)
            qualify_text(tree, n, kind, suffix, mem);
        qualify(tree, n, suffix, mem);
    }
}

void merge_qualify(struct conf_node *tree, struct str suffix, struct arena *mem)
{
    qualify(tree, tree, suffix, mem);
}

// --- what isn't for others to say ---

static bool refuse_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                        const char **ret_why)
{
    (void)arg, (void)path, (void)mem, (void)ret;
    *ret_why = "labels don't read files of the proxy's machine";
    return false;
}

static bool refuse_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                       const char **ret_why)
{
    (void)arg, (void)name, (void)mem, (void)ret;
    *ret_why = "labels don't read variables of the proxy";
    return false;
}

static enum err check_texts(const struct conf_node *node, struct diags *diags)
{
    enum err err = ERR_OK;
    if (str_eq(node->key, STR("certificates")))
        err = diag_fail(diags, ERR_RANGE, node->place,
                        "'certificates' are files of the proxy's machine, and not for labels");
    if (node->kind == CONF_NODE_SCALAR && str_istarts(node->text, STR("unix:")))
        err = diag_fail(diags, ERR_RANGE, node->place,
                        "sockets of the proxy's machine are not for labels");
    for (const struct conf_node *n = node->first; n; n = n->next) {
        enum err child = check_texts(n, diags);
        err = err != ERR_OK ? err : child;
    }
    return err;
}

enum err merge_check_foreign(struct conf_node *tree, const struct conf_resolver *lists,
                             struct arena *mem, struct diags *diags)
{
    const struct conf_resolver nothing = {.read_file = refuse_file,
                                          .read_env = refuse_env,
                                          .read_list = lists->read_list,
                                          .arg = lists->arg};
    enum err texts = check_texts(tree, diags);
    enum err files = conf_resolve(&settings_section, tree, &nothing, mem, diags);
    return texts != ERR_OK ? texts : files;
}

// --- what isn't there ---

static struct conf_node *child_map(struct conf_node *map, struct str key, struct arena *mem)
{
    struct conf_node *child = conf_node_get(map, key);
    if (!child) {
        child = conf_node_new(mem, CONF_NODE_MAP, map->place);
        conf_node_put(map, key, child);
    }
    return child;
}

static void add_missing(struct conf_node *root, const struct conf_node *node, struct str kind,
                        struct arena *mem)
{
    bool is_service = str_eq(kind, STR("services"));
    struct conf_node *map = child_map(root, kind, mem);
    if (map->kind != CONF_NODE_MAP || conf_node_get(map, node->text))
        return;
    struct conf_node *made = conf_node_new(mem, CONF_NODE_MAP, node->place);
    conf_node_put(map, node->text, made);
    struct conf_node *settings = is_service ? made : child_map(made, STR("respond"), mem);
    conf_node_put(settings, is_service ? STR("may-be-empty") : STR("status"),
                  conf_node_scalar(mem, is_service ? STR("yes") : STR("503"), node->place));
}

static void look_for_missing(struct conf_node *root, const struct conf_node *node, struct str kind,
                             struct str suffix, struct arena *mem)
{
    if (kind.len > 0 && node->kind == CONF_NODE_SCALAR && str_ends(node->text, suffix))
        add_missing(root, node, kind, mem);
    for (const struct conf_node *n = node->first; n; n = n->next) {
        struct str own = n->key.len > 0 ? kind_named_by(n->key) : kind;
        look_for_missing(root, n, own, suffix, mem);
    }
}

void merge_add_missing(struct conf_node *root, struct str suffix, struct arena *mem)
{
    look_for_missing(root, root, STR_NONE, suffix, mem);
}
