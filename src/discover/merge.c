// SPDX-License-Identifier: Apache-2.0
#include "discover/merge.h"

#include "base/num.h"
#include "conf/conf_priv.h"
#include "conf/print.h"
#include "gate/settings.h"

static const struct str kinds[MERGE_KINDS] = {STR_INIT("sites"), STR_INIT("services"),
                                              STR_INIT("filters")};

// The names of this kind; NULL: it has none.
static struct map *names_of(struct merge *m, const struct conf_node *kind)
{
    for (size_t i = 0; i < MERGE_KINDS; i++) {
        if (kind->kind == CONF_NODE_MAP && str_eq(kind->key, kinds[i]))
            return &m->names[i];
    }
    return NULL;
}

static void note_names(struct map *names, struct conf_node *kind)
{
    for (struct conf_node *n = kind->first; names && n; n = n->next)
        map_set(names, n->key, n);
}

void merge_init(struct merge *m, struct conf_node *all)
{
    *m = (struct merge){.all = all};
    for (struct conf_node *kind = all->first; kind; kind = kind->next)
        note_names(names_of(m, kind), kind);
}

void merge_fini(struct merge *m)
{
    for (size_t i = 0; i < MERGE_KINDS; i++)
        map_fini(&m->names[i]);
}

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

// The same of all that there is.
static const struct conf_node *find_any_conflict(struct merge *m, const struct conf_node *from,
                                                 const struct conf_node **ret_other)
{
    for (const struct conf_node *kind = from->first; kind; kind = kind->next) {
        const struct map *names = names_of(m, kind);
        const struct conf_node *to = conf_node_get(m->all, kind->key), *found = NULL;
        if (to && (!names || to->kind != CONF_NODE_MAP))
            found = find_conflict(to, kind, ret_other);
        for (const struct conf_node *n = to && names ? kind->first : NULL; n && !found;
             n = n->next) {
            const struct conf_node *other = map_get(names, n->key);
            found = other ? find_conflict(other, n, ret_other) : NULL;
        }
        if (found)
            return found;
    }
    return NULL;
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

static void add_all(struct merge *m, struct conf_node *from)
{
    for (struct conf_node *kind = from->first, *next_kind; kind; kind = next_kind) {
        next_kind = kind->next;
        struct map *names = names_of(m, kind);
        struct conf_node *to = conf_node_get(m->all, kind->key);
        if (!to) {
            conf_node_append(m->all, kind);
            note_names(names, kind);
            continue;
        }
        if (!names)
            add(to, kind);
        for (struct conf_node *n = names ? kind->first : NULL, *next; n; n = next) {
            next = n->next;
            struct conf_node *other = map_get(names, n->key);
            if (other) {
                add(other, n);
                continue;
            }
            conf_node_append(to, n);
            map_set(names, n->key, n);
        }
    }
}

// It goes into logs and to the API.
static const char *text_of(const struct conf_node *node, char buf[static CONF_QUOTED_BYTES])
{
    if (node->kind != CONF_NODE_SCALAR)
        return "a list or map";
    bool is_secret =
        node->is_secret || conf_is_secret_name(node->key) || conf_is_secret_value(node->text);
    return is_secret ? "a secret" : conf_quoted(node->text, buf);
}

enum err merge_add(struct merge *m, struct conf_node *from, struct diags *diags)
{
    const struct conf_node *other = NULL, *node = find_any_conflict(m, from, &other);
    if (!node) {
        add_all(m, from);
        return ERR_OK;
    }
    char here[CONF_QUOTED_BYTES], there[CONF_QUOTED_BYTES];
    return diag_fail(diags, ERR_SYNTAX, node->place,
                     "'" STR_FMT "' is %s here, and %s of the same thing at %s", STR_ARG(node->key),
                     text_of(node, here), text_of(other, there),
                     other->place.source ? other->place.source : "another");
}

// --- names ---

static bool is_known(const struct merge *m, struct str kind, struct str name)
{
    for (size_t i = 0; i < MERGE_KINDS; i++) {
        if (str_eq(kind, kinds[i]))
            return map_get(&m->names[i], name) != NULL;
    }
    return false;
}

static void qualify_text(const struct merge *m, struct conf_node *node, struct str kind,
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
    if (is_known(m, kind, name))
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

static void qualify(const struct merge *m, struct conf_node *node, struct str suffix,
                    struct arena *mem)
{
    struct str kind = kind_named_by(node->key);
    if (kind.len > 0)
        qualify_text(m, node, kind, suffix, mem);
    for (struct conf_node *n = node->first; n; n = n->next) {
        if (kind.len > 0)
            qualify_text(m, n, kind, suffix, mem);
        qualify(m, n, suffix, mem);
    }
}

void merge_qualify(struct merge *m, struct str suffix, struct arena *mem)
{
    qualify(m, m->all, suffix, mem);
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

// Sites come first, whatever labels say.
static enum err check_priority(const struct conf_node *node, struct diags *diags)
{
    uint64_t priority;
    if (!str_eq(node->key, STR("priority")) ||
        num_dec(node->text, UINT64_MAX, &priority) != ERR_OK || priority <= DISCOVER_PRIORITY_MAX)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, node->place,
                     "labels say priorities up to %d: beyond are sites, those of the settings file "
                     "as well",
                     DISCOVER_PRIORITY_MAX);
}

static enum err check_texts(const struct conf_node *node, struct diags *diags)
{
    enum err err = check_priority(node, diags);
    if (str_eq(node->key, STR("certificates")))
        err = diag_fail(diags, ERR_RANGE, node->place,
                        "'certificates' are files of the proxy's machine, and not for labels");
    if (node->kind == CONF_NODE_SCALAR && str_istarts(node->text, STR("unix:")))
        err = diag_fail(diags, ERR_RANGE, node->place,
                        "sockets of the proxy's machine are not for labels");
    if (node->kind == CONF_NODE_SCALAR && str_ends(node->text, STR("@internal")))
        err = diag_fail(diags, ERR_RANGE, node->place,
                        "'" STR_FMT "' tells of the whole proxy, and only the settings file leads "
                        "there",
                        STR_ARG(node->text));
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

static void add_missing(struct merge *m, const struct conf_node *node, struct str kind,
                        struct arena *mem)
{
    bool is_service = str_eq(kind, STR("services"));
    struct conf_node *map = child_map(m->all, kind, mem);
    if (map->kind != CONF_NODE_MAP || is_known(m, kind, node->text))
        return;
    struct conf_node *made = conf_node_new(mem, CONF_NODE_MAP, node->place);
    conf_node_put(map, node->text, made);
    map_set(names_of(m, map), node->text, made);
    struct conf_node *settings = is_service ? made : child_map(made, STR("respond"), mem);
    conf_node_put(settings, is_service ? STR("may-be-empty") : STR("status"),
                  conf_node_scalar(mem, is_service ? STR("yes") : STR("503"), node->place));
}

static void look_for_missing(struct merge *m, const struct conf_node *node, struct str kind,
                             struct str suffix, struct arena *mem)
{
    if (kind.len > 0 && node->kind == CONF_NODE_SCALAR && str_ends(node->text, suffix))
        add_missing(m, node, kind, mem);
    for (const struct conf_node *n = node->first; n; n = n->next) {
        struct str own = n->key.len > 0 ? kind_named_by(n->key) : kind;
        look_for_missing(m, n, own, suffix, mem);
    }
}

void merge_add_missing(struct conf_node *root, struct str suffix, struct arena *mem)
{
    struct merge m;
    merge_init(&m, root);
    look_for_missing(&m, root, STR_NONE, suffix, mem);
    merge_fini(&m);
}
