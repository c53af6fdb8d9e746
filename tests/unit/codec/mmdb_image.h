// SPDX-License-Identifier: Apache-2.0
// Databases in MaxMind's format that know of one network.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "codec/ip.h"

// One node per bit of the network.
struct mmdb_image {
    char bytes[4096];
    size_t n;
};

static inline void image_put(struct mmdb_image *m, const void *bytes, size_t n)
{
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static inline void image_put_number(struct mmdb_image *m, uint32_t value, size_t n)
{
    while (n-- > 0) {
        char byte = (char)(value >> 8 * n);
        image_put(m, &byte, 1);
    }
}

static inline void image_put_text(struct mmdb_image *m, const char *text)
{
    image_put_number(m, 2 << 5 | (uint32_t)strlen(text), 1);
    image_put(m, text, strlen(text));
}

static inline void image_put_member(struct mmdb_image *m, const char *name, uint32_t value)
{
    image_put_text(m, name);
    image_put_number(m, 6 << 5 | 4, 1);
    image_put_number(m, value, 4);
}

static inline void image_put_node(struct mmdb_image *m, unsigned bits, uint32_t left,
                                  uint32_t right)
{
    if (bits == 28) {
        image_put_number(m, left & 0xffffff, 3);
        image_put_number(m, left >> 24 << 4 | right >> 24, 1);
        image_put_number(m, right & 0xffffff, 3);
        return;
    }
    image_put_number(m, left, bits / 8);
    image_put_number(m, right, bits / 8);
}

static inline void image_put_metadata(struct mmdb_image *m, uint32_t n_nodes, uint32_t bits,
                                      uint32_t ip_version)
{
    image_put(m, "\xab\xcd\xefMaxMind.com", 14);
    image_put_number(m, 7 << 5 | 5, 1);
    image_put_member(m, "node_count", n_nodes);
    image_put_member(m, "record_size", bits);
    image_put_member(m, "ip_version", ip_version);
    image_put_member(m, "binary_format_major_version", 2);
    image_put_text(m, "database_type");
    image_put_text(m, "Test");
}

// What is known of `net`: {"autonomous_system_number": 64496, "country": {"iso_code": "DE"}, "a":
// [1, {}], "b": a pointer to "text", "c": {"iso_code": "DE"}}.
static inline void image_make(struct mmdb_image *m, const char *net, unsigned bits,
                              uint32_t ip_version)
{
    struct ip_net n;
    if (ip_net_parse(str_of(net), &n) != ERR_OK)
        abort();
    uint32_t skipped = ip_version == 6 && n.ip.family == 4 ? 96 : 0;
    uint32_t n_nodes = n.bits + skipped;
    m->n = 0;
    for (uint32_t i = 0; i < n_nodes; i++) {
        uint32_t at = i - skipped;
        unsigned side = i < skipped ? 0 : n.ip.bytes[at / 8] >> (7 - at % 8) & 1;
        uint32_t next = i + 1 < n_nodes ? i + 1 : n_nodes + 16 + 5; // behind "text"
        image_put_node(m, bits, side == 0 ? next : n_nodes, side == 1 ? next : n_nodes);
    }
    image_put_number(m, 0, 4);
    image_put_number(m, 0, 4);
    image_put_number(m, 0, 4);
    image_put_number(m, 0, 4);
    image_put_text(m, "text");
    image_put_number(m, 7 << 5 | 5, 1);
    image_put_member(m, "autonomous_system_number", 64496);
    image_put_text(m, "country");
    image_put_number(m, 7 << 5 | 1, 1);
    image_put_text(m, "iso_code");
    image_put_text(m, "DE");
    image_put_text(m, "a");
    image_put(m, "\x02\x04\xa1\x01\xe0", 5); // an array of a number and an empty map
    image_put_text(m, "b");
    image_put(m, "\x20\x00", 2);
    image_put_text(m, "c");
    image_put_number(m, 7 << 5 | 1, 1);
    image_put_text(m, "iso_code");
    image_put_text(m, "DE");
    image_put_metadata(m, n_nodes, bits, ip_version);
}
