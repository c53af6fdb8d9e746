// SPDX-License-Identifier: Apache-2.0
#include "dialect/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "dialect/draft_priv.h"

#define LINE_SHOWN_MAX 160
#define INDEX_FROM 64 // children of a map

const char *const draft_fate_texts[] = {
#define X(id, text) text,
    DRAFT_FATE_LIST(X)
#undef X
};

struct draft_index {
    const struct conf_node *map;
    struct map names;
};

// What a full draft gives instead of a new node; nothing is ever appended to it, nor it to others.
static struct conf_node *no_node(struct draft *d, enum conf_node_kind kind)
{
    static _Thread_local struct draft_node nodes[CONF_NODE_MAP + 1];
    d->is_full = true;
    nodes[kind] = (struct draft_node){.node = {.kind = kind}};
    return &nodes[kind].node;
}

static struct conf_node *node_new(struct draft *d, enum conf_node_kind kind, struct place place)
{
    struct draft_node *n =
        d->is_full || d->n_nodes == DRAFT_NODES_MAX ? NULL : ARENA_NEW(&d->mem, struct draft_node);
    if (!n)
        return no_node(d, kind);
    d->n_nodes++;
    n->node.kind = kind;
    n->node.place = n->node.key_place = place;
    return &n->node;
}

void draft_init(struct draft *d)
{
    *d = (struct draft){.root = NULL};
    arena_init(&d->mem, DRAFT_MEM_BYTES, NULL, 0);
    d->root = node_new(d, CONF_NODE_MAP, (struct place){.line = 0});
}

void draft_fini(struct draft *d)
{
    map_fini(&d->secrets);
    MAP_FOR(e, &d->indexes)
    map_fini(&((struct draft_index *)e->value)->names);
    map_fini(&d->indexes);
    arena_wipe(&d->mem);
    *d = (struct draft){.root = NULL};
}

// What didn't fit is empty, and the draft is full.
static struct str kept(struct draft *d, struct str copy)
{
    if (copy.ptr)
        return copy;
    d->is_full = true;
    return STR("");
}

struct str draft_text(struct draft *d, struct str text)
{
    return kept(d, arena_dup(&d->mem, text));
}

struct str draft_printf(struct draft *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct str s = arena_vprintf(&d->mem, fmt, args);
    va_end(args);
    return kept(d, s);
}

// --- sources ---

const char *draft_source(struct draft *d, struct str name, struct str text)
{
    struct draft_source *sources =
        ARENA_GROW(&d->mem, struct draft_source, d->sources, d->n_sources, &d->cap_sources);
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    struct str *lines = ARENA_ARRAY(&d->mem, struct str, n);
    struct str copy = draft_text(d, text), own_name = draft_text(d, name);
    if (!sources || !lines || d->is_full) {
        d->is_full = true;
        return "";
    }
    for (size_t i = 0; i < n; i++)
        str_cut(copy, '\n', &lines[i], &copy);
    d->sources = sources;
    d->sources[d->n_sources++] =
        (struct draft_source){.name = own_name.ptr, .lines = lines, .n_lines = n};
    return own_name.ptr;
}

static size_t source_index(const struct draft *d, struct place place)
{
    size_t i = 0;
    while (i < d->n_sources && d->sources[i].name != place.source)
        i++;
    return i;
}

static struct str place_key(struct draft *d, struct place place)
{
    return draft_printf(d, "%zu:%u", source_index(d, place), place.line);
}

void draft_hide(struct draft *d, struct place place)
{
    map_set(&d->secrets, place_key(d, place), d);
}

// As one line that a comment can hold: white space is a single space, and what isn't printable is
// '?'.
static struct str printable(struct draft *d, struct str s)
{
    struct text t = {.len = 0};
    for (size_t n; s.len > 0 && t.len < LINE_SHOWN_MAX; s = str_skip(s, n)) {
        uint32_t code = 0;
        n = MAX(utf8_decode(s, &code), (size_t)1);
        bool is_space = s.ptr[0] == ' ' || s.ptr[0] == '\t' || s.ptr[0] == '\r';
        bool is_shown = code > ' ' && code != 0x7f && !(code >= 0x80 && code < 0xa0) &&
                        code != 0x2028 && code != 0x2029 && code != 0xfeff && code < 0xfffe;
        if (!is_space)
            text_put(&t, is_shown ? str_first(s, n) : STR("?"));
        else if (t.len > 0 && t.ptr[t.len - 1] != ' ')
            text_byte(&t, ' ');
    }
    if (s.len > 0)
        text_put(&t, STR(" ..."));
    struct str shown = draft_text(d, str_trim(text_str(&t)));
    text_fini(&t);
    return shown;
}

struct str draft_line(struct draft *d, struct place place)
{
    size_t i = source_index(d, place);
    if (i == d->n_sources || place.line == 0 || place.line > d->sources[i].n_lines)
        return STR_NONE;
    struct str line = str_trim(d->sources[i].lines[place.line - 1]);
    if (!map_get(&d->secrets, place_key(d, place)))
        return printable(d, line);
    struct str word = printable(d, str_next_word(&line));
    return draft_printf(d, STR_FMT " ***", STR_ARG(word));
}

// --- the tree ---

static struct draft_node *own(struct conf_node *node)
{
    return (struct draft_node *)node;
}

static struct draft_index *index_of(const struct draft *d, const struct conf_node *map)
{
    return map_get(&d->indexes, str_from((const char *)&map, sizeof map));
}

// From so many children on, each is found by its hash.
static void start_index(struct draft *d, struct conf_node *map)
{
    struct draft_index *index = ARENA_NEW(&d->mem, struct draft_index);
    if (!index) {
        d->is_full = true;
        return;
    }
    index->map = map;
    for (struct conf_node *child = map->first; child; child = child->next)
        map_set(&index->names, child->key, child);
    map_set(&d->indexes, str_from((const char *)&index->map, sizeof index->map), index);
}

static void put(struct draft *d, struct conf_node *parent, struct str key, struct conf_node *child)
{
    if (d->is_full)
        return;
    if (parent->kind == CONF_NODE_SEQ) {
        conf_node_append(parent, child);
        return;
    }
    conf_node_put(parent, draft_text(d, key), child);
    struct draft_index *index = index_of(d, parent);
    if (index)
        map_set(&index->names, child->key, child);
    else if (parent->n == INDEX_FROM)
        start_index(d, parent);
}

struct conf_node *draft_get(const struct draft *d, const struct conf_node *map, struct str key)
{
    const struct draft_index *index = index_of(d, map);
    if (!index)
        return conf_node_get(map, key);
    struct conf_node *child = map_get(&index->names, key);
    return child && !own(child)->is_removed ? child : NULL;
}

static struct conf_node *ensure(struct draft *d, struct conf_node *map, struct str key,
                                enum conf_node_kind kind, struct place place)
{
    struct conf_node *child = draft_get(d, map, key);
    if (child && child->kind == kind)
        return child;
    if (child)
        draft_remove(map, key);
    child = node_new(d, kind, place);
    put(d, map, key, child);
    return child;
}

struct conf_node *draft_map(struct draft *d, struct conf_node *map, struct str key,
                            struct place place)
{
    return ensure(d, map, key, CONF_NODE_MAP, place);
}

struct conf_node *draft_list(struct draft *d, struct conf_node *map, struct str key,
                             struct place place)
{
    return ensure(d, map, key, CONF_NODE_SEQ, place);
}

struct conf_node *draft_push_map(struct draft *d, struct conf_node *list, struct place place)
{
    ASSERT(list->kind == CONF_NODE_SEQ);
    struct conf_node *child = node_new(d, CONF_NODE_MAP, place);
    put(d, list, STR_NONE, child);
    return child;
}

struct conf_node *draft_push(struct draft *d, struct conf_node *list, struct str text,
                             struct place place)
{
    ASSERT(list->kind == CONF_NODE_SEQ);
    struct conf_node *child = node_new(d, CONF_NODE_SCALAR, place);
    child->text = draft_text(d, text);
    put(d, list, STR_NONE, child);
    return child;
}

struct conf_node *draft_loose_map(struct draft *d, struct place place)
{
    return node_new(d, CONF_NODE_MAP, place);
}

void draft_put(struct draft *d, struct conf_node *map, struct str key, struct conf_node *child)
{
    put(d, map, key, child);
}

struct conf_node *draft_set(struct draft *d, struct conf_node *map, struct str key, struct str text,
                            struct place place)
{
    if (draft_get(d, map, key))
        draft_remove(map, key);
    struct conf_node *child = node_new(d, CONF_NODE_SCALAR, place);
    child->text = draft_text(d, text);
    put(d, map, key, child);
    return child;
}

void draft_copy(struct draft *d, const struct conf_node *from, struct conf_node *to)
{
    for (const struct conf_node *n = from->first; n && !d->is_full; n = n->next) {
        bool is_list = to->kind == CONF_NODE_SEQ;
        if (n->kind == CONF_NODE_SCALAR && is_list)
            draft_push(d, to, n->text, n->place);
        else if (n->kind == CONF_NODE_SCALAR)
            draft_set(d, to, n->key, n->text, n->place);
        else if (is_list)
            draft_copy(d, n, draft_push_map(d, to, n->place));
        else
            draft_copy(d, n,
                       n->kind == CONF_NODE_SEQ ? draft_list(d, to, n->key, n->place)
                                                : draft_map(d, to, n->key, n->place));
    }
}

void draft_remove(struct conf_node *map, struct str key)
{
    struct conf_node *before = NULL;
    for (struct conf_node *child = map->first; child; before = child, child = child->next) {
        if (!str_eq(child->key, key))
            continue;
        if (before)
            before->next = child->next;
        else
            map->first = child->next;
        if (map->last == child)
            map->last = before;
        map->n--;
        own(child)->is_removed = true;
        return;
    }
}

void draft_also(struct draft *d, struct conf_node *node, struct place place)
{
    struct draft_node *n = own(node);
    struct draft_origin *origin = d->is_full ? NULL : ARENA_NEW(&d->mem, struct draft_origin);
    if (!origin) {
        d->is_full = true;
        return;
    }
    struct draft_origin **at = &n->also;
    for (; *at; at = &(*at)->next)
        if ((*at)->place.source == place.source && (*at)->place.line == place.line)
            return;
    *origin = (struct draft_origin){.place = place};
    *at = origin;
}

void draft_remark(struct draft *d, struct conf_node *node, const char *fmt, ...)
{
    char buf[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    if (!d->is_full)
        own(node)->remark = printable(d, str_of(buf));
}

// --- names ---

struct str draft_name(struct draft *d, const struct conf_node *map, struct str wanted)
{
    char buf[DRAFT_NAME_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < wanted.len && n < DRAFT_NAME_MAX; i++) {
        char c = wanted.ptr[i];
        bool is_good =
            ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || (n > 0 && (c == '-' || c == '_' || c == '.'));
        if (is_good)
            buf[n++] = c;
        else if (n > 0 && buf[n - 1] != '-')
            buf[n++] = '-';
    }
    while (n > 0 && !ascii_is(buf[n - 1], ASCII_ALPHA | ASCII_DIGIT))
        n--;
    struct str base = n > 0 ? str_from(buf, n) : STR("unnamed");
    char other[DRAFT_NAME_MAX + 16];
    struct str name = base;
    for (unsigned i = 2; draft_get(d, map, name); i++)
        name =
            str_from(other, (size_t)snprintf(other, sizeof other, STR_FMT "-%u", STR_ARG(base), i));
    return draft_text(d, name);
}

// --- notes ---

void draft_note(struct draft *d, enum draft_fate fate, struct place place, struct str text,
                const char *fmt, ...)
{
    char buf[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    struct draft_note *notes =
        d->n_notes == DRAFT_NOTES_MAX
            ? NULL
            : ARENA_GROW(&d->mem, struct draft_note, d->notes, d->n_notes, &d->cap_notes);
    if (!notes) {
        d->is_full = true;
        return;
    }
    d->notes = notes;
    d->notes[d->n_notes++] =
        (struct draft_note){.fate = fate,
                            .place = place,
                            .text = text.len > 0 ? printable(d, text) : draft_line(d, place),
                            .reason = printable(d, str_of(buf))};
}

size_t draft_count(const struct draft *d, enum draft_fate fate)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_notes; i++)
        n += d->notes[i].fate == fate;
    return n;
}

static int by_place(const void *a, const void *b, void *arg)
{
    const struct draft_note *x = *(const struct draft_note *const *)a;
    const struct draft_note *y = *(const struct draft_note *const *)b;
    size_t i = source_index(arg, x->place), j = source_index(arg, y->place);
    if (i != j)
        return i < j ? -1 : 1;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    return x < y ? -1 : x > y;
}

const struct draft_note **draft_sorted_notes(struct draft *d)
{
    const struct draft_note **sorted = ARENA_ARRAY(&d->mem, const struct draft_note *, d->n_notes);
    if (!sorted) {
        d->is_full = true;
        d->n_notes = 0;
        return NULL;
    }
    for (size_t i = 0; i < d->n_notes; i++)
        sorted[i] = &d->notes[i];
    qsort_r(sorted, d->n_notes, sizeof(struct draft_note *), by_place, d);
    return sorted;
}

void draft_print_notes(struct draft *d, bool is_short, struct text *to)
{
    const struct draft_note **notes = draft_sorted_notes(d);
    for (size_t i = 0; i < d->n_notes; i++) {
        const struct draft_note *n = notes[i];
        if (is_short && n->fate == DRAFT_NEEDLESS)
            continue;
        if (n->place.source)
            text_printf(to, "%s:%u: ", n->place.source, n->place.line);
        text_printf(to, "%s: '" STR_FMT "': " STR_FMT "\n", draft_fate_texts[n->fate],
                    STR_ARG(n->text), STR_ARG(n->reason));
    }
}
