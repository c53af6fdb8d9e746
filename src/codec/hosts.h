// SPDX-License-Identifier: Apache-2.0
// The hosts file, hosts(5): addresses and the names that they have on this machine.
#pragma once

#include "base/arena.h"
#include "codec/ip.h"

struct hosts_entry {
    struct str name; // lower case
    struct ip ip;
    uint32_t next; // of the same slot: index + 1; 0: none
};

struct hosts {
    struct hosts_entry *entries; // in the file's order
    uint32_t *slots;             // index + 1 of the first entry by hash of the name; 0: none
    uint32_t n, n_slots;         // n_slots: 0 or a power of 2
};

#define HOSTS_TEXT_MAX_BYTES (1u << 20)

// A table of text, at most HOSTS_TEXT_MAX_BYTES, all in mem. Lines that make no sense are skipped,
// as the C library does. ERR_LIMIT: text or mem.
enum err hosts_parse(struct str text, struct arena *mem, struct hosts *ret) MUST_CHECK;

// The addresses of name (in any case), in the file's order; returns their number, at most max.
size_t hosts_find(const struct hosts *h, struct str name, struct ip *ret, size_t max);
