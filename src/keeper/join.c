// SPDX-License-Identifier: Apache-2.0
#include "keeper/join.h"

#include "base/mem.h"
#include "discover/labels.h"
#include "discover/merge.h"
#include "keeper/load.h"
#include "keeper/traefik.h"
#include "route/rule.h"

static const struct str map_kinds[] = {STR_INIT("sites"), STR_INIT("services"),
                                       STR_INIT("filters")};

void join_init(struct join *j, const struct found *found, const struct conf_resolver *resolver,
               struct loaded *l)
{
    *j = (struct join){.found = found, .resolver = resolver, .loaded = l, .mem = &l->mem};
    const struct conf_text *only = &found->constraints;
    if (only->text.len > 0) // its errors were told when the settings were read
        j->constraints = rule_parse_labels(only->text, only->place, &l->mem, NULL);
}

void join_fini(struct join *j)
{
    map_fini(&j->refused);
    rule_fini(j->constraints);
    diags_fini(&j->told);
}

// --- containers ---

// Where the file and a container have something of one name, the file's stays.
static bool is_free(const struct conf_node *root, const struct conf_node *tree, struct diags *told)
{
    bool is_fine = true;
    for (size_t i = 0; i < ARRAY_LEN(map_kinds); i++) {
        const struct conf_node *theirs = conf_node_get(tree, map_kinds[i]);
        const struct conf_node *ours = conf_node_get(root, map_kinds[i]);
        if (!ours || ours->kind != CONF_NODE_MAP)
            continue;
        for (const struct conf_node *n = theirs ? theirs->first : NULL; n; n = n->next) {
            const struct conf_node *other = conf_node_get(ours, n->key);
            if (!other)
                continue;
            diag_fail(told, ERR_SYNTAX, n->key_place,
                      "the settings have '" STR_FMT "' among their %s already (%s:%u), and they "
                      "win",
                      STR_ARG(n->key), map_kinds[i].ptr,
                      other->key_place.source ? other->key_place.source : "?",
                      other->key_place.line);
            is_fine = false;
        }
    }
    return is_fine;
}

static void refuse(struct join *j, const struct container *c)
{
    map_set(&j->refused, c->name, (void *)(uintptr_t)c);
}

static bool is_refused(const struct join *j, const struct container *c)
{
    return map_get(&j->refused, c->name) != NULL;
}

// Names count as they are written here, as they do to Traefik.
static struct str value_of_label(void *arg, struct str name)
{
    const struct container *c = arg;
    for (size_t i = 0; i < c->n_labels; i++) {
        if (str_eq(c->labels[i].name, name))
            return c->labels[i].value;
    }
    return STR_NONE;
}

bool join_wants(const struct join *j, const struct container *c)
{
    return !is_refused(j, c) &&
           (!j->constraints ||
            rule_matches_labels(j->constraints, value_of_label, (void *)(uintptr_t)c));
}

static void add_container(struct join *j, const struct conf_node *root, struct merge *all,
                          const struct container *c)
{
    // One that has stopped keeps the place of its site warm, where nobody else has taken it.
    struct diags ignored = {.n = 0};
    struct diags *told = c->state == CONTAINER_RUNNING ? &j->told : &ignored;
    const struct labels_env env = {
        .reach = &j->found->reach,
        .exposed_by_default = j->found->exposed_by_default,
        .mem = j->mem,
        .diags = told,
    };
    size_t n_errors = told->n_errors;
    struct conf_node *tree = labels_read(c, &env);
    bool is_fine = tree && merge_check_foreign(tree, j->resolver, j->mem, told) == ERR_OK &&
                   is_free(root, tree, told) && merge_add(all, tree, told) == ERR_OK;
    if (!is_fine && told->n_errors > n_errors)
        refuse(j, c);
    diags_fini(&ignored);
}

// --- the whole ---

// They are told anew with each tree.
static void forget_warnings(struct diags *told)
{
    size_t n = 0;
    for (size_t i = 0; i < told->n; i++) {
        if (told->items[i].severity == DIAG_ERROR)
            told->items[n++] = told->items[i];
        else
            mem_free(told->items[i].text);
    }
    told->n = n;
}

static struct conf_node *copy_node(const struct conf_node *node, struct arena *mem)
{
    struct conf_node *copy = ARENA_NEW(mem, struct conf_node);
    if (!copy)
        return NULL;
    *copy = *node;
    copy->next = NULL;
    return copy;
}

// A copy whose children are copies, too; what is below them is shared.
static struct conf_node *copy_shallow(const struct conf_node *node, struct arena *mem)
{
    struct conf_node *to = copy_node(node, mem);
    if (!to)
        return NULL;
    to->first = to->last = NULL;
    to->n = 0;
    for (const struct conf_node *n = node->first; n; n = n->next) {
        struct conf_node *child = copy_node(n, mem);
        if (!child)
            return NULL;
        conf_node_append(to, child);
    }
    return to;
}

// Appends what the containers have of a kind to the file's.
static bool add_kind(struct conf_node *root, struct conf_node *theirs, struct arena *mem)
{
    struct conf_node *ours = conf_node_get(root, theirs->key);
    if (!ours) {
        struct conf_node *copy = copy_node(theirs, mem);
        if (copy)
            conf_node_append(root, copy);
        return copy != NULL;
    }
    if (ours->kind == CONF_NODE_NULL)
        ours->kind = theirs->kind;
    if (ours->kind != theirs->kind)
        return true; // an error of the file, which is told
    struct conf_node *joined = copy_shallow(ours, mem);
    if (!joined)
        return false;
    ours->first = joined->first;
    ours->last = joined->last;
    for (struct conf_node *n = theirs->first, *next; n; n = next) {
        next = n->next;
        conf_node_append(ours, n);
    }
    return true;
}

struct conf_node *join_make(struct join *j, const struct conf_node *root)
{
    struct arena *mem = j->mem;
    const struct place nowhere = {.source = "containers"};
    forget_warnings(&j->told);
    struct conf_node *all = conf_node_new(mem, CONF_NODE_MAP, nowhere);
    struct conf_node *joined = copy_shallow(root, mem);
    if (!all || !joined)
        return NULL;
    struct merge merge;
    merge_init(&merge, all);
    for (size_t i = 0; i < j->found->reach.n; i++) {
        if (join_wants(j, j->found->reach.all[i]))
            add_container(j, root, &merge, j->found->reach.all[i]);
    }
    merge_qualify(&merge, STR(DISCOVER_SUFFIX), mem);
    merge_fini(&merge);
    for (struct conf_node *kind = all->first, *next; kind; kind = next) {
        next = kind->next;
        if (!add_kind(joined, kind, mem))
            return NULL;
    }
    keeper_traefik_join(j->loaded, j->resolver, j->found, j, joined, &j->told);
    merge_add_missing(joined, STR(DISCOVER_SUFFIX), mem);
    return joined;
}

// --- errors ---

static const struct container *container_named(const struct join *j, struct str name)
{
    for (size_t i = 0; i < j->found->reach.n; i++) {
        if (str_eq(j->found->reach.all[i]->name, name))
            return j->found->reach.all[i];
    }
    return NULL;
}

// The label that a source names: "container web, label sallyport.site".
static struct str label_of(const char *source)
{
    size_t at = str_search(str_of(source), STR(", label "));
    return at == STR_NPOS ? STR_NONE : str_skip(str_of(source), at + 8);
}

// Replicas say the same, and would be wrong one after the other.
static void refuse_alike(struct join *j, const struct container *wrong, const struct diag *d)
{
    const struct container_label *label = container_label(wrong, label_of(d->place.source));
    for (size_t i = 0; i < j->found->reach.n && label; i++) {
        const struct container *c = j->found->reach.all[i];
        const struct container_label *same = container_label(c, label->name);
        if (!same || is_refused(j, c) || !str_eq(same->value, label->value))
            continue;
        refuse(j, c);
        diag_fail(&j->told, ERR_SYNTAX,
                  (struct place){.source = labels_source(c, same->name, j->mem)}, "%s", d->text);
    }
}

void join_refuse_all(struct join *j)
{
    for (size_t i = 0; i < j->found->reach.n; i++)
        refuse(j, j->found->reach.all[i]);
}

void join_take_warnings(struct join *j, const struct diags *round)
{
    for (size_t i = 0; i < round->n; i++) {
        const struct diag *d = &round->items[i];
        if (join_is_about_container(d) && d->severity == DIAG_WARNING)
            diag_warn(&j->told, d->place, "%s", d->text);
    }
}

bool join_is_about_container(const struct diag *d)
{
    return d->place.source && labels_container_of(d->place.source).len > 0;
}

bool join_refuse(struct join *j, const struct diags *round)
{
    bool was_any = false;
    for (size_t i = 0; i < round->n; i++) {
        const struct diag *d = &round->items[i];
        struct str name = d->place.source ? labels_container_of(d->place.source) : STR_NONE;
        const struct container *c = name.len > 0 ? container_named(j, name) : NULL;
        if (!c || d->severity != DIAG_ERROR)
            continue;
        was_any = true;
        if (is_refused(j, c))
            continue;
        refuse(j, c);
        diag_fail(&j->told, ERR_SYNTAX, d->place, "%s", d->text);
        refuse_alike(j, c, d);
    }
    return was_any;
}
