// SPDX-License-Identifier: Apache-2.0
// Databases in MaxMind's format, version 2 (maxmind.github.io/MaxMind-DB): what is known of
// networks, such as their country. Reads from memory, copies nothing, and trusts no byte: whatever
// is in them, a look-up ends, and stays inside.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/ip.h"

struct mmdb {
    struct str tree, data; // borrow
    uint32_t n_nodes;
    uint32_t record_bits; // 24, 28 or 32
    uint32_t ip4_node;    // where addresses of IPv4 begin
    bool has_ip6;
    struct str type; // "GeoLite2-Country"; borrows
};

// Something in a database; borrows.
struct mmdb_value {
    const struct mmdb *db;
    size_t at; // in db->data
};

// Borrows bytes. ERR_SYNTAX: *ret_why is a text for people.
enum err mmdb_open(struct str bytes, struct mmdb *ret, const char **ret_why) MUST_CHECK;

// What is known of an address. False: nothing.
bool mmdb_find(const struct mmdb *db, const struct ip *ip, struct mmdb_value *ret);

// A member of a map. False: it's no map, or has none of this name.
bool mmdb_member(const struct mmdb_value *map, struct str name, struct mmdb_value *ret);
// A value as text; as a number of at most 64 bits. False: it is something else.
bool mmdb_text(const struct mmdb_value *v, struct str *ret);
bool mmdb_number(const struct mmdb_value *v, uint64_t *ret);
