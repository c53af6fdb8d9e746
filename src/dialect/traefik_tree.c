// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_tree.h"

#include <inttypes.h>

#include "base/ascii.h"
#include "base/num.h"

#define INDEX_MAX 9999

struct conf_node *traefik_get(const struct conf_node *map, struct str name)
{
    if (!map || map->kind != CONF_NODE_MAP)
        return NULL;
    for (struct conf_node *child = map->first; child; child = child->next) {
        if (str_ieq(child->key, name))
            return child;
    }
    return NULL;
}

// --- paths ---

// The first step of a path: "servers" of "servers[0].url", then "[0]", then "url".
static struct str next_step(struct str *path)
{
    size_t n = 0;
    if (str_starts(*path, STR("["))) {
        n = str_find(*path, ']') + 1; // 0: it isn't closed
    } else {
        while (n < path->len && path->ptr[n] != '.' && path->ptr[n] != '[')
            n++;
    }
    struct str step = str_first(*path, n);
    *path = str_skip(*path, n);
    if (n > 0 && path->len > 1 && path->ptr[0] == '.')
        *path = str_skip(*path, 1);
    return step;
}

static bool is_index(struct str step, uint64_t *ret)
{
    if (str_starts(step, STR("[")) && str_ends(step, STR("]")))
        step = str_from(step.ptr + 1, step.len - 2);
    return num_dec(step, INDEX_MAX, ret) == ERR_OK;
}

static bool fail_path(struct diags *diags, struct place place, struct str path, const char *why)
{
    diag_fail(diags, ERR_SYNTAX, place, "'" STR_FMT "' %s", STR_ARG(str_first(path, 200)), why);
    return false;
}

bool traefik_put(struct conf_node *root, struct str path, struct str value, struct place place,
                 struct arena *mem, struct diags *diags)
{
    struct conf_node *at = root;
    struct str rest = path;
    for (size_t depth = 0;; depth++) {
        struct str step = next_step(&rest);
        uint64_t ignored;
        if (step.len == 0 || (step.ptr[0] == '[' && !is_index(step, &ignored)))
            return fail_path(diags, place, path, "is no name of a setting");
        if (depth == CONF_DEPTH_MAX)
            return fail_path(diags, place, path, "has too many parts");
        struct conf_node *child = traefik_get(at, step);
        if (rest.len == 0 && child && child->kind == CONF_NODE_MAP &&
            str_ieq(value, STR("true"))) // "--providers.docker" beside what is below it
            return true;
        if (rest.len == 0 && child)
            return fail_path(diags, place, path, "is there twice");
        // "--api" and "--api.dashboard": what is below makes it a map.
        if (child && child->kind == CONF_NODE_SCALAR && str_ieq(child->text, STR("true")))
            child->kind = CONF_NODE_MAP;
        if (child && child->kind != CONF_NODE_MAP)
            return fail_path(diags, place, path, "goes on where there is a value already");
        if (!child) {
            child = conf_node_new(mem, rest.len == 0 ? CONF_NODE_SCALAR : CONF_NODE_MAP, place);
            if (!child)
                return fail_path(diags, place, path, "needs more memory than there is");
            conf_node_put(at, step, child);
        }
        if (rest.len == 0) {
            child->text = value;
            return true;
        }
        at = child;
    }
}

struct conf_node *traefik_copy(const struct conf_node *node, struct arena *mem)
{
    struct conf_node *copy = conf_node_new(mem, node->kind, node->place);
    if (!copy)
        return NULL;
    *copy = *node;
    copy->first = copy->last = copy->next = NULL;
    copy->n = 0;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        struct conf_node *twin = traefik_copy(child, mem);
        if (!twin)
            return NULL;
        conf_node_append(copy, twin);
    }
    return copy;
}

static bool same_children(const struct conf_node *a, const struct conf_node *b)
{
    const struct conf_node *other = b->first;
    for (const struct conf_node *child = a->first; child; child = child->next) {
        if (a->kind == CONF_NODE_MAP)
            other = traefik_get(b, child->key);
        if (!other || !traefik_same(child, other))
            return false;
        other = other->next;
    }
    return true;
}

bool traefik_same(const struct conf_node *a, const struct conf_node *b)
{
    return a->kind == b->kind && a->n == b->n && str_eq(a->text, b->text) && same_children(a, b);
}

// --- fitting ---

// "1h30m", "1.5s", "100ms", "90" (seconds). Fractions of a millisecond are rounded up.
enum err traefik_duration(struct str text, uint64_t *ret_ms)
{
    static const struct {
        struct str name;
        uint64_t ns;
    } units[] = {{STR_INIT("ns"), 1},           {STR_INIT("us"), 1000},
                 {STR_INIT("µs"), 1000},        {STR_INIT("ms"), 1000000},
                 {STR_INIT("s"), 1000000000},   {STR_INIT("m"), 60000000000},
                 {STR_INIT("h"), 3600000000000}};
    const uint64_t max_ns = (uint64_t)1 << 62;
    uint64_t whole, total_ns = 0;
    if (num_dec(text, 9000000, &whole) == ERR_OK) {
        *ret_ms = whole * 1000;
        return ERR_OK;
    }
    if (text.len == 0)
        return ERR_SYNTAX;
    while (text.len > 0) {
        size_t n = 0, n_unit = 0, i = 0;
        while (n < text.len && (ascii_is(text.ptr[n], ASCII_DIGIT) || text.ptr[n] == '.'))
            n++;
        struct str digits = str_first(text, n), head, tail = STR_NONE;
        while (n + n_unit < text.len && !ascii_is(text.ptr[n + n_unit], ASCII_DIGIT))
            n_unit++;
        struct str unit = str_first(str_skip(text, n), n_unit);
        while (i < ARRAY_LEN(units) && !str_eq(unit, units[i].name))
            i++;
        str_cut(digits, '.', &head, &tail);
        if (i == ARRAY_LEN(units) || num_dec(head, max_ns / units[i].ns, &whole) != ERR_OK)
            return ERR_SYNTAX;
        total_ns += whole * units[i].ns;
        uint64_t part_ns = units[i].ns;
        for (size_t d = 0; d < tail.len; d++) {
            if (!ascii_is(tail.ptr[d], ASCII_DIGIT))
                return ERR_SYNTAX;
            part_ns /= 10;
            total_ns += part_ns * (uint64_t)(tail.ptr[d] - '0');
        }
        if (total_ns > max_ns)
            return ERR_RANGE;
        text = str_skip(text, n + n_unit);
    }
    *ret_ms = (total_ns + 999999) / 1000000;
    return ERR_OK;
}

static void fit_value(const struct traefik_fit *f, const struct conf_item *item,
                      struct conf_node *node);

static void fit_children(const struct traefik_fit *f, const struct conf_section *section,
                         struct conf_node *node)
{
    for (struct conf_node *child = node->first; child; child = child->next)
        traefik_fit(f, section, child);
}

static void take_out(struct conf_node *parent, struct conf_node *before, struct conf_node *child)
{
    if (before)
        before->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = before;
    parent->n--;
}

// Keys that are all indexes: a list, in the order of the indexes.
static void make_list(struct conf_node *node)
{
    uint64_t index, other;
    if (node->kind != CONF_NODE_MAP || node->n == 0)
        return;
    for (struct conf_node *child = node->first; child; child = child->next) {
        if (!is_index(child->key, &index))
            return;
    }
    struct conf_node *sorted = NULL;
    for (struct conf_node *child = node->first, *next; child; child = next) {
        struct conf_node **at = &sorted;
        next = child->next;
        (void)is_index(child->key, &index);
        while (*at && is_index((*at)->key, &other) && other <= index)
            at = &(*at)->next;
        child->next = *at;
        *at = child;
    }
    node->kind = CONF_NODE_SEQ;
    node->first = sorted;
    for (struct conf_node *child = sorted; child; child = child->next) {
        child->key = STR_NONE;
        node->last = child;
    }
}

static void split_text(const struct traefik_fit *f, struct conf_node *node)
{
    struct str rest = node->text, item;
    if (node->kind != CONF_NODE_SCALAR)
        return;
    node->kind = CONF_NODE_SEQ;
    node->text = STR_NONE;
    while (str_next_item(&rest, ',', &item)) {
        struct conf_node *child = conf_node_scalar(f->mem, item, node->place);
        if (child)
            conf_node_append(node, child);
    }
}

static void fit_bool(struct conf_node *node)
{
    if (str_eq(node->text, STR("1")) || str_ieq(node->text, STR("t")))
        node->text = STR("true");
    else if (str_eq(node->text, STR("0")) || str_ieq(node->text, STR("f")))
        node->text = STR("false");
}

static void fit_duration(const struct traefik_fit *f, struct conf_node *node)
{
    uint64_t ms;
    if (node->kind == CONF_NODE_SCALAR && traefik_duration(node->text, &ms) == ERR_OK)
        node->text = arena_printf(f->mem, "%" PRIu64 "ms", ms);
}

// "true" is a section with nothing in it.
static void fit_section(const struct traefik_fit *f, const struct conf_item *item,
                        struct conf_node *node)
{
    bool is_true = f->is_flat && node->kind == CONF_NODE_SCALAR && str_ieq(node->text, STR("true"));
    if (is_true && !item->has_switch) {
        node->kind = CONF_NODE_MAP;
        node->text = STR_NONE;
    }
    if (item->has_switch && node->kind == CONF_NODE_NULL)
        diag_fail(f->diags, ERR_SYNTAX, node->place,
                  "'" STR_FMT "' has no value: write {} for what is usual, or leave it out",
                  STR_ARG(node->key));
    traefik_fit(f, item->section, node);
}

static void fit_value(const struct traefik_fit *f, const struct conf_item *item,
                      struct conf_node *node)
{
    switch (item->kind) {
    case CONF_BOOL:
        fit_bool(node);
        break;
    case CONF_DURATION:
        fit_duration(f, node);
        break;
    case CONF_TEXTS:
    case CONF_NETS:
        make_list(node);
        if (f->is_flat)
            split_text(f, node);
        break;
    case CONF_LIST:
        make_list(node);
        if (node->kind == CONF_NODE_SEQ)
            fit_children(f, item->section, node);
        else
            traefik_fit(f, item->section, node);
        break;
    case CONF_MAP:
        fit_children(f, item->section, node);
        break;
    case CONF_SECTION:
        fit_section(f, item, node);
        break;
    case CONF_UINT:
    case CONF_SIZE:
    case CONF_RATE:
    case CONF_ENUM:
    case CONF_TEXT:
    case CONF_SECRET:
    case CONF_FILE:
    case CONF_CHOICE:
        break;
    }
}

static const struct traefik_refusal *
find_refusal(const struct traefik_fit *f, const struct conf_section *section, struct str key)
{
    for (const struct traefik_refusal *r = f->refusals; r && r->section; r++) {
        if (str_eq(str_of(r->section), str_of(section->name)) && str_ieq(key, str_of(r->key)))
            return r;
    }
    return NULL;
}

static const struct conf_item *find_item(const struct conf_section *section, struct str key)
{
    for (size_t i = 0; i < section->n_items; i++) {
        if (str_ieq(key, str_of(section->items[i].key)))
            return &section->items[i];
    }
    return NULL;
}

void traefik_fit(const struct traefik_fit *f, const struct conf_section *section,
                 struct conf_node *node)
{
    struct conf_node *before = NULL;
    if (node->kind != CONF_NODE_MAP)
        return;
    for (struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_item *item = find_item(section, child->key);
        const struct traefik_refusal *refusal = find_refusal(f, section, child->key);
        if (refusal) {
            diag_fail(f->diags, ERR_NOT_FOUND, child->key_place, "%s.%s: %s", section->name,
                      refusal->key, refusal->text);
            take_out(node, before, child);
            continue;
        }
        before = child;
        if (!item)
            continue;
        child->key = str_of(item->key);
        fit_value(f, item, child);
    }
}
