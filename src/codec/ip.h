// SPDX-License-Identifier: Apache-2.0
// IP addresses and networks as values.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct ip {
    uint8_t bytes[16]; // IPv4: the first four, the rest 0
    uint8_t family;    // 4 or 6; 0: none
};

struct ip_net {
    struct ip ip; // host bits are 0
    uint8_t bits; // prefix length
};

// "192.0.2.1" (four decimal numbers, no leading zeros) or an IPv6 address without brackets and
// without a zone (RFC 4291 2.2). IPv4-mapped addresses become IPv4.
enum err ip_parse(struct str s, struct ip *ret) MUST_CHECK;

// "10.0.0.0/8"; an address alone is a network of one. ERR_RANGE when host bits are set.
enum err ip_net_parse(struct str s, struct ip_net *ret) MUST_CHECK;

bool ip_net_contains(const struct ip_net *net, const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);

// 127.0.0.0/8 or ::1: nobody from elsewhere.
bool ip_is_loopback(const struct ip *ip);

// RFC 5952 form. Returns a slice of buf; at most 45 bytes.
struct str ip_text(const struct ip *ip, char buf[static 46]);
