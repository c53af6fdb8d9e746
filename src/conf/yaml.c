// SPDX-License-Identifier: Apache-2.0
#include <yaml.h>

#include "base/assert.h"
#include "base/map.h"
#include "conf/conf_priv.h"

// A map or list that is being read.
struct frame {
    struct conf_node *node;
    struct str key; // of the value that comes next
    struct place key_place;
    bool has_key;
    bool has_merge; // one of the keys is "<<"
};

struct builder {
    const char *source;
    struct arena *mem;
    struct diags *diags;
    struct conf_node *root;
    struct frame frames[CONF_DEPTH_MAX];
    size_t depth;
    struct map anchors; // name to node
    size_t n_nodes;
    size_t n_errors;
    bool is_over; // an error after which nothing more can be said
};

#define FAIL(b, place, ...)                                                                        \
    ((b)->n_errors++, (void)diag_fail((b)->diags, ERR_SYNTAX, place, __VA_ARGS__))
#define STOP(b, place, ...) ((b)->is_over = true, FAIL(b, place, __VA_ARGS__))

static struct place place_of(const struct builder *b, yaml_mark_t mark)
{
    return (struct place){
        .source = b->source,
        .line = (unsigned)mark.line + 1,
        .column = (unsigned)mark.column + 1,
    };
}

// NULL: a budget is used up; the error was added.
static struct conf_node *new_node(struct builder *b, enum conf_node_kind kind, struct place place)
{
    if (++b->n_nodes > CONF_NODES_MAX) {
        STOP(b, place, "more than %d values after aliases are resolved", CONF_NODES_MAX);
        return NULL;
    }
    struct conf_node *node = conf_node_new(b->mem, kind, place);
    if (!node)
        STOP(b, place, "the settings need more memory than is allowed for them");
    return node;
}

// Keys of a small map are compared one by one, those of a large one by hash.
#define SMALL_MAP 16

static void fail_duplicate(struct builder *b, const struct conf_node *first,
                           const struct conf_node *again)
{
    char key[CONF_QUOTED_BYTES];
    FAIL(b, again->key_place, "the key %s is here twice: first in line %u, column %u",
         conf_quoted(again->key, key), first->key_place.line, first->key_place.column);
}

static void check_keys_small(struct builder *b, const struct conf_node *map)
{
    for (const struct conf_node *x = map->first; x; x = x->next) {
        for (const struct conf_node *y = map->first; y != x; y = y->next) {
            if (str_eq(x->key, y->key)) {
                fail_duplicate(b, y, x);
                break;
            }
        }
    }
}

static void check_keys_large(struct builder *b, const struct conf_node *map)
{
    struct map seen = {.n = 0};
    for (struct conf_node *x = map->first; x; x = x->next) {
        struct conf_node *first = map_get(&seen, x->key);
        if (first)
            fail_duplicate(b, first, x);
        else
            map_set(&seen, x->key, x);
    }
    map_fini(&seen);
}

// Adds those entries of other to map whose keys are not yet in seen. An anchor may lead to other,
// so its own nodes stay as they are.
static void merge_one(struct builder *b, struct conf_node *map, struct conf_node *other,
                      struct map *seen)
{
    if (other->kind != CONF_NODE_MAP) {
        FAIL(b, other->place, "'<<' takes a map or a list of maps");
        return;
    }
    for (struct conf_node *child = other->first; child; child = child->next) {
        if (map_get(seen, child->key))
            continue;
        struct conf_node *twin = new_node(b, child->kind, child->place);
        if (!twin)
            return;
        *twin = *child;
        map_set(seen, twin->key, twin);
        conf_node_append(map, twin);
    }
}

// YAML 1.1 merge keys: what the map says itself comes first, then the merged maps in their order.
static void merge(struct builder *b, struct conf_node *map)
{
    struct map seen = {.n = 0};
    struct conf_node *child = map->first, *merged = NULL;
    for (struct conf_node *x = child; x; x = x->next)
        map_set(&seen, x->key, x);
    map->first = map->last = NULL;
    map->n = 0;
    for (struct conf_node *next; child; child = next) {
        next = child->next;
        if (str_eq(child->key, STR("<<")))
            merged = child;
        else
            conf_node_append(map, child);
    }
    if (merged && merged->kind == CONF_NODE_SEQ) {
        for (struct conf_node *x = merged->first; x; x = x->next)
            merge_one(b, map, x, &seen);
    } else if (merged) {
        merge_one(b, map, merged, &seen);
    }
    map_fini(&seen);
}

static void end_container(struct builder *b)
{
    ASSERT(b->depth > 0);
    struct frame *frame = &b->frames[--b->depth];
    if (frame->node->kind != CONF_NODE_MAP)
        return;
    if (frame->node->n <= SMALL_MAP)
        check_keys_small(b, frame->node);
    else
        check_keys_large(b, frame->node);
    if (frame->has_merge)
        merge(b, frame->node);
}

// Puts a finished scalar, or a container that is just beginning, where it belongs.
static void place_node(struct builder *b, struct conf_node *node)
{
    if (b->depth == 0) {
        b->root = node;
        return;
    }
    struct frame *frame = &b->frames[b->depth - 1];
    if (frame->node->kind == CONF_NODE_SEQ) {
        conf_node_append(frame->node, node);
        return;
    }
    if (frame->has_key) {
        node->key_place = frame->key_place;
        conf_node_put(frame->node, frame->key, node);
        frame->has_key = false;
        return;
    }
    if (node->kind != CONF_NODE_SCALAR || node->text.len == 0) {
        STOP(b, node->place, "a key has to be a text, in one line and not empty");
        return;
    }
    frame->key = node->text;
    frame->key_place = node->place;
    frame->has_key = true;
    frame->has_merge |= !node->is_quoted && str_eq(node->text, STR("<<"));
}

static void begin_container(struct builder *b, struct conf_node *node)
{
    if (b->depth == CONF_DEPTH_MAX) {
        STOP(b, node->place, "more than %d maps and lists inside each other", CONF_DEPTH_MAX);
        return;
    }
    place_node(b, node);
    b->frames[b->depth++] = (struct frame){.node = node};
}

static void set_anchor(struct builder *b, const yaml_char_t *anchor, struct conf_node *node)
{
    if (!anchor)
        return;
    struct str name = arena_dup(b->mem, str_of((const char *)anchor));
    if (!name.ptr)
        STOP(b, node->place, "the settings need more memory than is allowed for them");
    else
        map_set(&b->anchors, name, node);
}

static void check_tag(struct builder *b, const yaml_char_t *tag, struct place place, bool is_text)
{
    struct str name = str_of((const char *)tag);
    if (name.len == 0 || (is_text && (str_eq(name, STR("!")) || str_eq(name, STR(YAML_STR_TAG)))))
        return;
    char quoted[CONF_QUOTED_BYTES];
    FAIL(b, place, "the tag %s is not allowed: a text that begins with '!' needs quotes",
         conf_quoted(name, quoted));
}

static bool is_null(struct str text)
{
    return text.len == 0 || str_eq(text, STR("~")) || str_eq(text, STR("null")) ||
           str_eq(text, STR("Null")) || str_eq(text, STR("NULL"));
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct place place = place_of(b, event->start_mark);
    struct str text = str_from((const char *)event->data.scalar.value, event->data.scalar.length);
    check_tag(b, event->data.scalar.tag, place, true);
    bool is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || event->data.scalar.tag;
    // A key may be called "null".
    bool is_key = b->depth > 0 && b->frames[b->depth - 1].node->kind == CONF_NODE_MAP &&
                  !b->frames[b->depth - 1].has_key;
    bool is_nothing = !is_quoted && is_null(text) && (!is_key || text.len == 0);
    struct conf_node *node = new_node(b, is_nothing ? CONF_NODE_NULL : CONF_NODE_SCALAR, place);
    if (!node)
        return;
    node->is_quoted = is_quoted;
    if (!is_nothing) {
        node->text = arena_dup(b->mem, text);
        if (!node->text.ptr) {
            STOP(b, place, "the settings need more memory than is allowed for them");
            return;
        }
    }
    set_anchor(b, event->data.scalar.anchor, node);
    place_node(b, node);
}

// A deep copy; NULL after an error, which was added.
static struct conf_node *copy(struct builder *b, const struct conf_node *from, struct place at,
                              size_t depth)
{
    if (depth > CONF_DEPTH_MAX) {
        STOP(b, at, "more than %d maps and lists inside each other, with aliases", CONF_DEPTH_MAX);
        return NULL;
    }
    struct conf_node *node = new_node(b, from->kind, from->place);
    if (!node)
        return NULL;
    node->is_quoted = from->is_quoted;
    node->text = from->text;
    for (const struct conf_node *child = from->first; child; child = child->next) {
        struct conf_node *twin = copy(b, child, at, depth + 1);
        if (!twin)
            return NULL;
        twin->key = child->key;
        twin->key_place = child->key_place;
        conf_node_append(node, twin);
    }
    return node;
}

static void on_alias(struct builder *b, const yaml_event_t *event)
{
    struct place place = place_of(b, event->start_mark);
    struct str name = str_of((const char *)event->data.alias.anchor);
    const struct conf_node *from = map_get(&b->anchors, name);
    if (!from) {
        STOP(b, place, "there is no '&" STR_FMT "' above for this alias", STR_ARG(name));
        return;
    }
    for (size_t i = 0; i < b->depth; i++) {
        if (b->frames[i].node == from) {
            STOP(b, place, "the alias '*" STR_FMT "' is inside of what it stands for",
                 STR_ARG(name));
            return;
        }
    }
    bool is_flat = from->kind == CONF_NODE_SCALAR || from->kind == CONF_NODE_NULL;
    struct conf_node *node = copy(b, from, place, b->depth + !is_flat);
    if (node)
        place_node(b, node);
}

static void on_container(struct builder *b, enum conf_node_kind kind, const yaml_event_t *event,
                         const yaml_char_t *tag, const yaml_char_t *anchor)
{
    struct conf_node *node = new_node(b, kind, place_of(b, event->start_mark));
    if (!node)
        return;
    check_tag(b, tag, node->place, false);
    set_anchor(b, anchor, node);
    if (!b->is_over)
        begin_container(b, node);
}

static void on_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->root)
            STOP(b, place_of(b, event->start_mark), "only one document is allowed in a file");
        return;
    case YAML_SCALAR_EVENT:
        on_scalar(b, event);
        return;
    case YAML_ALIAS_EVENT:
        on_alias(b, event);
        return;
    case YAML_SEQUENCE_START_EVENT:
        on_container(b, CONF_NODE_SEQ, event, event->data.sequence_start.tag,
                     event->data.sequence_start.anchor);
        return;
    case YAML_MAPPING_START_EVENT:
        on_container(b, CONF_NODE_MAP, event, event->data.mapping_start.tag,
                     event->data.mapping_start.anchor);
        return;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        end_container(b);
        return;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return;
    }
}

static void read_events(struct builder *b, yaml_parser_t *parser, struct str text)
{
    bool is_end = false;
    while (!b->is_over && !is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            b->n_errors++;
            conf_yaml_explain(parser, text, b->source, b->diags);
            return;
        }
        is_end = event.type == YAML_STREAM_END_EVENT;
        on_event(b, &event);
        yaml_event_delete(&event);
    }
}

struct conf_node *conf_yaml_parse(struct str text, const char *source, struct arena *mem,
                                  struct diags *diags)
{
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);
    struct builder b = {.source = source, .mem = mem, .diags = diags};
    struct place start = {.source = source, .line = 1, .column = 1};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        diag_fail(diags, ERR_LIMIT, start, "no memory to parse the settings");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                 text.len);
    read_events(&b, &parser, text);
    yaml_parser_delete(&parser);
    map_fini(&b.anchors);
    if (b.n_errors > 0)
        return NULL;
    if (!b.root || b.root->kind == CONF_NODE_NULL)
        b.root = new_node(&b, CONF_NODE_MAP, start);
    return b.root;
}
