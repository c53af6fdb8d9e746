// SPDX-License-Identifier: Apache-2.0
// Trees as bytes. All numbers are LEB128 (7 bits a byte, lowest first):
//
//   "SPC1"  n_sources  { length bytes NUL }  node
//   node:   flags  place  [in a map: length key place]  [scalar: length text]
//           [has content: length content]  [map or list: n nodes]
//   place:  source (0: none, else its number from 1)  line  column
#include "base/assert.h"
#include "base/map.h"
#include "base/writer.h"
#include "conf/node.h"

static const struct str magic = STR_INIT("SPC1");

#define FLAG_KIND 3u // the lowest bits
#define FLAG_QUOTED 4u
#define FLAG_SECRET 8u
#define FLAG_CONTENT 16u
#define FLAG_ALL 31u

// --- to bytes ---

struct packer {
    struct text *to;
    struct map sources; // name to its number, as a pointer
    const char *last;   // borrows: the source that was asked for last
    uintptr_t last_number;
};

static void put_number(struct text *to, uint64_t value)
{
    if (value < 0x80) {
        text_byte(to, (char)value);
        return;
    }
    char bytes[10];
    struct writer w;
    writer_init(&w, bytes, sizeof bytes);
    for (; value >= 0x80; value >>= 7)
        writer_byte(&w, (char)(value | 0x80));
    writer_byte(&w, (char)value);
    text_put(to, writer_str(&w));
}

static void put_str(struct text *to, struct str s)
{
    put_number(to, s.len);
    text_put(to, s);
}

// The number of a source, given to it at first sight; 0 for none.
static uintptr_t source_number(struct packer *p, const char *source)
{
    if (!source)
        return 0;
    if (source == p->last)
        return p->last_number;
    uintptr_t number = (uintptr_t)map_get(&p->sources, str_of(source));
    if (number == 0) {
        number = p->sources.n + 1;
        map_set(&p->sources, str_of(source), (void *)number);
    }
    p->last = source;
    p->last_number = number;
    return number;
}

static void collect_sources(struct packer *p, const struct conf_node *node)
{
    source_number(p, node->place.source);
    source_number(p, node->key_place.source);
    for (const struct conf_node *child = node->first; child; child = child->next)
        collect_sources(p, child);
}

static void put_place(struct packer *p, const struct place *place)
{
    put_number(p->to, source_number(p, place->source));
    put_number(p->to, place->line);
    put_number(p->to, place->column);
}

static void put_node(struct packer *p, const struct conf_node *node, bool has_key)
{
    unsigned flags = (unsigned)node->kind | (node->is_quoted ? FLAG_QUOTED : 0) |
                     (node->is_secret ? FLAG_SECRET : 0) | (node->has_content ? FLAG_CONTENT : 0);
    text_byte(p->to, (char)flags);
    put_place(p, &node->place);
    if (has_key) {
        put_str(p->to, node->key);
        put_place(p, &node->key_place);
    }
    if (node->kind == CONF_NODE_SCALAR)
        put_str(p->to, node->text);
    if (node->has_content)
        put_str(p->to, node->content);
    if (node->kind == CONF_NODE_SCALAR || node->kind == CONF_NODE_NULL)
        return;
    put_number(p->to, node->n);
    for (const struct conf_node *child = node->first; child; child = child->next)
        put_node(p, child, node->kind == CONF_NODE_MAP);
}

void conf_node_pack(const struct conf_node *root, struct text *to)
{
    struct packer p = {.to = to};
    collect_sources(&p, root);
    text_put(to, magic);
    put_number(to, p.sources.n);
    MAP_FOR(e, &p.sources)
    {
        put_str(to, e->key);
        text_byte(to, '\0');
    }
    put_node(&p, root, false);
    map_fini(&p.sources);
}

// --- from bytes ---

struct unpacker {
    struct str rest;
    struct arena *mem;
    const char **sources; // in mem: the arena
    size_t n_sources;
    size_t n_nodes;
};

static bool take_byte(struct unpacker *u, unsigned *ret)
{
    if (u->rest.len == 0)
        return false;
    *ret = (unsigned char)u->rest.ptr[0];
    u->rest = str_skip(u->rest, 1);
    return true;
}

static bool take_number(struct unpacker *u, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        unsigned byte;
        if (!take_byte(u, &byte))
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return value <= max;
        }
    }
    return false;
}

static bool take_str(struct unpacker *u, struct str *ret)
{
    uint64_t len;
    if (!take_number(u, u->rest.len, &len) || len > u->rest.len)
        return false;
    *ret = str_first(u->rest, len);
    u->rest = str_skip(u->rest, len);
    return true;
}

// Each source takes two bytes or more, which bounds the table.
static bool take_sources(struct unpacker *u)
{
    uint64_t n;
    if (!take_number(u, u->rest.len / 2, &n))
        return false;
    u->sources = ARENA_ARRAY(u->mem, const char *, n);
    if (!u->sources)
        return false;
    for (u->n_sources = 0; u->n_sources < n; u->n_sources++) {
        struct str name;
        unsigned end;
        if (!take_str(u, &name) || str_find(name, '\0') != STR_NPOS || !take_byte(u, &end) ||
            end != 0)
            return false;
        u->sources[u->n_sources] = name.len > 0 ? name.ptr : "";
    }
    return true;
}

static bool take_place(struct unpacker *u, struct place *ret)
{
    uint64_t source, line, column;
    if (!take_number(u, u->n_sources, &source) || !take_number(u, UINT32_MAX, &line) ||
        !take_number(u, UINT32_MAX, &column))
        return false;
    *ret = (struct place){
        .source = source > 0 ? u->sources[source - 1] : NULL,
        .line = (unsigned)line,
        .column = (unsigned)column,
    };
    return true;
}

static struct conf_node *take_node(struct unpacker *u, bool has_key, size_t depth);

static bool take_children(struct unpacker *u, struct conf_node *node, size_t depth)
{
    uint64_t n;
    if (depth > CONF_DEPTH_MAX || !take_number(u, u->rest.len, &n))
        return false;
    for (; n > 0; n--) {
        struct conf_node *child = take_node(u, node->kind == CONF_NODE_MAP, depth + 1);
        if (!child)
            return false;
        conf_node_append(node, child);
    }
    return true;
}

// depth: of this node, if it is a map or list; the root's is 1. Memory is bounded by the bytes,
// since no node takes less than four of them.
static struct conf_node *take_node(struct unpacker *u, bool has_key, size_t depth)
{
    unsigned flags;
    struct place place;
    if (++u->n_nodes > CONF_NODES_MAX || !take_byte(u, &flags) || flags > FLAG_ALL ||
        !take_place(u, &place))
        return NULL;
    struct conf_node *node = conf_node_new(u->mem, (enum conf_node_kind)(flags & FLAG_KIND), place);
    if (!node)
        return NULL;
    node->is_quoted = (flags & FLAG_QUOTED) != 0;
    node->is_secret = (flags & FLAG_SECRET) != 0;
    node->has_content = (flags & FLAG_CONTENT) != 0;
    if (has_key && (!take_str(u, &node->key) || !take_place(u, &node->key_place)))
        return NULL;
    if (node->kind == CONF_NODE_SCALAR && !take_str(u, &node->text))
        return NULL;
    if (node->has_content && !take_str(u, &node->content))
        return NULL;
    bool has_children = node->kind == CONF_NODE_SEQ || node->kind == CONF_NODE_MAP;
    return !has_children || take_children(u, node, depth) ? node : NULL;
}

struct conf_node *conf_node_unpack(struct str bytes, struct arena *mem)
{
    if (!str_starts(bytes, magic))
        return NULL;
    struct unpacker u = {.rest = str_skip(bytes, magic.len), .mem = mem};
    if (!take_sources(&u))
        return NULL;
    struct conf_node *root = take_node(&u, false, 1);
    return root && u.rest.len == 0 ? root : NULL;
}
