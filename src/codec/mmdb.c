// SPDX-License-Identifier: Apache-2.0
#include "codec/mmdb.h"

#include <string.h>

#include "base/attr.h"

#define MARKER STR("\xab\xcd\xefMaxMind.com")
#define METADATA_MAX_BYTES (128 * 1024)
#define SEPARATOR_BYTES 16 // between tree and data
#define STEPS_MAX 4096     // values that one look-up may pass by

enum type {
    TYPE_EXTENDED = 0,
    TYPE_POINTER = 1,
    TYPE_TEXT = 2,
    TYPE_UINT16 = 5,
    TYPE_UINT32 = 6,
    TYPE_MAP = 7,
    TYPE_UINT64 = 9,
    TYPE_ARRAY = 11,
    TYPE_BOOL = 14,
};

// A value's head.
struct head {
    unsigned type;
    size_t size;  // bytes of a text or number, entries of a map or array; where a pointer leads
    size_t after; // where what follows the head begins
};

static uint32_t number_of(struct str data, size_t at, size_t n)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)data.ptr[at + i];
    return value;
}

static bool read_pointer(struct str data, size_t at, unsigned control, struct head *ret)
{
    static const uint32_t base[] = {0, 2048, 526336, 0};
    size_t n = (control >> 3 & 3) + 1;
    if (data.len - at < n)
        return false;
    uint32_t high = n == 4 ? 0 : (control & 7) << 8 * n;
    *ret = (struct head){.type = TYPE_POINTER,
                         .size = (size_t)high + number_of(data, at, n) + base[n - 1],
                         .after = at + n};
    return true;
}

static bool read_head(struct str data, size_t at, struct head *ret)
{
    static const uint32_t base[] = {29, 285, 65821};
    if (at >= data.len)
        return false;
    unsigned control = (unsigned char)data.ptr[at++];
    unsigned type = control >> 5;
    if (type == TYPE_POINTER)
        return read_pointer(data, at, control, ret);
    if (type == TYPE_EXTENDED) {
        if (at >= data.len)
            return false;
        type = 7 + (unsigned)(unsigned char)data.ptr[at++];
    }
    size_t size = control & 31;
    if (size >= 29) {
        size_t n = size - 28;
        if (data.len - at < n)
            return false;
        size = (size_t)number_of(data, at, n) + base[n - 1];
        at += n;
    }
    *ret = (struct head){.type = type, .size = size, .after = at};
    bool has_bytes = type != TYPE_MAP && type != TYPE_ARRAY && type != TYPE_BOOL;
    return !has_bytes || data.len - at >= size;
}

// The same behind a pointer, which never leads to another one. *ret_next: where what stands behind
// the value in the data begins, if that is known.
static bool read_value(struct str data, size_t at, struct head *ret)
{
    if (!read_head(data, at, ret))
        return false;
    return ret->type != TYPE_POINTER ||
           (read_head(data, ret->size, ret) && ret->type != TYPE_POINTER);
}

// Where the value behind the one at `at` begins.
static bool skip(struct str data, size_t at, unsigned *steps, size_t *ret)
{
    struct head h;
    for (size_t left = 1; left > 0; left--) {
        if (++*steps > STEPS_MAX || !read_head(data, at, &h))
            return false;
        at = h.after;
        if (h.type == TYPE_MAP || h.type == TYPE_ARRAY) {
            if (h.size > STEPS_MAX)
                return false;
            left += h.type == TYPE_MAP ? 2 * h.size : h.size;
        } else if (h.type != TYPE_POINTER && h.type != TYPE_BOOL) {
            at += h.size;
        }
    }
    *ret = at;
    return true;
}

static bool text_at(struct str data, size_t at, struct str *ret)
{
    struct head h;
    if (!read_value(data, at, &h) || h.type != TYPE_TEXT)
        return false;
    *ret = str_from(data.ptr + h.after, h.size);
    return true;
}

static bool number_at(struct str data, size_t at, uint64_t *ret)
{
    struct head h;
    if (!read_value(data, at, &h) || h.size > 8 ||
        (h.type != TYPE_UINT16 && h.type != TYPE_UINT32 && h.type != TYPE_UINT64))
        return false;
    *ret = 0;
    for (size_t i = 0; i < h.size; i++)
        *ret = *ret << 8 | (unsigned char)data.ptr[h.after + i];
    return true;
}

static bool member_at(struct str data, size_t at, struct str name, size_t *ret)
{
    struct head h;
    unsigned steps = 0;
    if (!read_value(data, at, &h) || h.type != TYPE_MAP)
        return false;
    at = h.after;
    for (size_t i = 0; i < h.size; i++) {
        struct str key;
        size_t value;
        if (!text_at(data, at, &key) || !skip(data, at, &steps, &value))
            return false;
        if (str_eq(key, name)) {
            *ret = value;
            return true;
        }
        if (!skip(data, value, &steps, &at))
            return false;
    }
    return false;
}

// --- the tree ---

static uint32_t record(const struct mmdb *db, uint32_t node, unsigned side)
{
    size_t at = (size_t)node * db->record_bits / 4;
    switch (db->record_bits) {
    case 24:
        return number_of(db->tree, at + 3 * side, 3);
    case 28: {
        uint32_t middle = (unsigned char)db->tree.ptr[at + 3];
        uint32_t high = side == 0 ? middle >> 4 : middle & 15;
        return high << 24 | number_of(db->tree, at + 4 * side, 3);
    }
    default:
        return number_of(db->tree, at + 4 * side, 4);
    }
}

static uint32_t walk(const struct mmdb *db, uint32_t node, const uint8_t *bits, unsigned n)
{
    for (unsigned i = 0; i < n && node < db->n_nodes; i++)
        node = record(db, node, bits[i / 8] >> (7 - i % 8) & 1);
    return node;
}

bool mmdb_find(const struct mmdb *db, const struct ip *ip, struct mmdb_value *ret)
{
    uint32_t node = ip->family == 4                  ? walk(db, db->ip4_node, ip->bytes, 32)
                    : ip->family == 6 && db->has_ip6 ? walk(db, 0, ip->bytes, 128)
                                                     : db->n_nodes;
    if (node <= db->n_nodes) // not there, or a tree that is deeper than addresses are long
        return false;
    size_t at = (size_t)node - db->n_nodes;
    if (at < SEPARATOR_BYTES || at - SEPARATOR_BYTES >= db->data.len)
        return false;
    *ret = (struct mmdb_value){.db = db, .at = at - SEPARATOR_BYTES};
    return true;
}

// --- the whole ---

// Where the metadata begins: behind the last marker.
static size_t find_metadata(struct str bytes)
{
    size_t from = bytes.len > METADATA_MAX_BYTES ? bytes.len - METADATA_MAX_BYTES : 0;
    size_t found = STR_NPOS;
    for (size_t at = from;;) {
        size_t next = str_search(str_skip(bytes, at), MARKER);
        if (next == STR_NPOS)
            return found;
        found = at = at + next + MARKER.len;
    }
}

static bool metadata_number(struct str metadata, struct str name, uint64_t max, uint64_t *ret)
{
    size_t at;
    return member_at(metadata, 0, name, &at) && number_at(metadata, at, ret) && *ret <= max;
}

enum err mmdb_open(struct str bytes, struct mmdb *ret, const char **ret_why)
{
    size_t start = find_metadata(bytes), at;
    *ret_why = "it is no MaxMind database";
    if (start == STR_NPOS)
        return ERR_SYNTAX;
    struct str metadata = str_skip(bytes, start);
    uint64_t version, n_nodes, record_bits, ip_version;
    *ret_why = "its description is damaged";
    if (!metadata_number(metadata, STR("binary_format_major_version"), UINT16_MAX, &version) ||
        !metadata_number(metadata, STR("node_count"), UINT32_MAX / 2, &n_nodes) ||
        !metadata_number(metadata, STR("record_size"), 32, &record_bits) ||
        !metadata_number(metadata, STR("ip_version"), 6, &ip_version))
        return ERR_SYNTAX;
    *ret_why = "its version isn't 2";
    if (version != 2)
        return ERR_SYNTAX;
    size_t end = start - MARKER.len, tree_bytes = (size_t)(n_nodes * record_bits / 4);
    *ret_why = "it is cut off, or damaged";
    if ((record_bits != 24 && record_bits != 28 && record_bits != 32) ||
        (ip_version != 4 && ip_version != 6) || tree_bytes > end ||
        end - tree_bytes < SEPARATOR_BYTES)
        return ERR_SYNTAX;
    *ret = (struct mmdb){
        .tree = str_first(bytes, tree_bytes),
        .data =
            str_from(bytes.ptr + tree_bytes + SEPARATOR_BYTES, end - tree_bytes - SEPARATOR_BYTES),
        .n_nodes = (uint32_t)n_nodes,
        .record_bits = (uint32_t)record_bits,
        .has_ip6 = ip_version == 6,
    };
    if (member_at(metadata, 0, STR("database_type"), &at))
        (void)text_at(metadata, at, &ret->type);
    static const uint8_t zeros[12]; // IPv4 is ::/96 there
    ret->ip4_node = ret->has_ip6 ? walk(ret, 0, zeros, 96) : 0;
    return ERR_OK;
}

bool mmdb_member(const struct mmdb_value *map, struct str name, struct mmdb_value *ret)
{
    ret->db = map->db;
    return member_at(map->db->data, map->at, name, &ret->at);
}

bool mmdb_text(const struct mmdb_value *v, struct str *ret)
{
    return text_at(v->db->data, v->at, ret);
}

bool mmdb_number(const struct mmdb_value *v, uint64_t *ret)
{
    return number_at(v->db->data, v->at, ret);
}
