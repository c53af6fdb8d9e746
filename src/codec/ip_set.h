// SPDX-License-Identifier: Apache-2.0
// A set of IP addresses, made once from any number of networks, and asked often.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/ip.h"

struct ip_range;

// Of one family: n ranges, ascending, with a gap between any two.
struct ip_ranges {
    struct ip_range *all;
    size_t n;
    uint32_t *starts; // index by the first bytes of an address; NULL: they are few
};

struct ip_set {
    struct ip_ranges v4, v6;
};

// The union of the networks, in mem. They may overlap, touch and repeat. ERR_LIMIT: mem is full.
enum err ip_set_build(const struct ip_net *nets, size_t n, struct arena *mem, struct ip_set *ret)
    MUST_CHECK;

bool ip_set_contains(const struct ip_set *set, const struct ip *ip);

// Networks as they are collected, in an arena.
struct ip_list {
    struct ip_net *nets;
    size_t n, cap;
};

// Adds what a text lists: a network or an address per line; what stands behind '#' or ';', and
// empty lines, are left out. ERR_SYNTAX: *ret_line has the line's number from 1, *ret_why a text
// for people. ERR_LIMIT: mem is full.
enum err ip_list_parse(struct str text, struct arena *mem, struct ip_list *list, unsigned *ret_line,
                       const char **ret_why) MUST_CHECK;
