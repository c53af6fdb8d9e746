// SPDX-License-Identifier: Apache-2.0
// Parsed by hand: inet_pton wants a NUL behind the text, and what it accepts differs between
// C libraries.
#include "codec/ip.h"

#include <string.h>

#include "base/ascii.h"
#include "base/num.h"
#include "base/writer.h"

#define V4_BYTES 4
#define V6_BYTES 16
#define NO_GAP SIZE_MAX

// The prefix of IPv4-mapped addresses (RFC 4291 2.5.5.2).
static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_v4(struct str s, uint8_t ret[static V4_BYTES])
{
    if (s.len == 0)
        return false;
    const char *p = s.ptr, *end = p + s.len;
    for (size_t i = 0; i < V4_BYTES; i++) {
        const char *start = p;
        unsigned value = 0;
        for (; p < end && ascii_is(*p, ASCII_DIGIT) && value <= UINT8_MAX; p++)
            value = value * 10 + (unsigned)(*p - '0');
        // "010" is ten for some readers and eight for others.
        if (p == start || value > UINT8_MAX || (*start == '0' && p - start > 1))
            return false;
        ret[i] = (uint8_t)value;
        if (i < V4_BYTES - 1 && (p == end || *p++ != '.'))
            return false;
    }
    return p == end;
}

// Moves the groups behind "::" to the end of the address.
static bool fill_gap(uint8_t bytes[static V6_BYTES], size_t n, size_t gap)
{
    if (gap == NO_GAP)
        return n == V6_BYTES;
    if (n > V6_BYTES - 2) // "::" stands for at least one group (RFC 4291 2.2)
        return false;
    memmove(bytes + gap + V6_BYTES - n, bytes + gap, n - gap);
    memset(bytes + gap, 0, V6_BYTES - n);
    return true;
}

static bool parse_v6(struct str s, uint8_t ret[static V6_BYTES])
{
    size_t n = 0, gap = NO_GAP;
    if (str_starts(s, STR("::"))) {
        gap = 0;
        s = str_skip(s, 2);
    }
    while (s.len > 0) {
        struct str group;
        bool has_colon = str_cut(s, ':', &group, &s);
        if (!has_colon && n + V4_BYTES <= V6_BYTES && parse_v4(group, ret + n)) {
            n += V4_BYTES;
            break;
        }
        uint64_t value;
        if (n == V6_BYTES || group.len > 4 || num_hex(group, UINT16_MAX, &value) != ERR_OK)
            return false;
        ret[n++] = (uint8_t)(value >> 8);
        ret[n++] = (uint8_t)value;
        if (has_colon && s.len == 0)
            return false;
        if (str_starts(s, STR(":"))) {
            if (gap != NO_GAP)
                return false;
            gap = n;
            s = str_skip(s, 1);
        }
    }
    return fill_gap(ret, n, gap);
}

enum err ip_parse(struct str s, struct ip *ret)
{
    struct ip ip = {.family = 4};
    if (str_find(s, ':') == STR_NPOS) {
        if (!parse_v4(s, ip.bytes))
            return ERR_SYNTAX;
    } else {
        uint8_t bytes[V6_BYTES];
        if (!parse_v6(s, bytes))
            return ERR_SYNTAX;
        if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
            memcpy(ip.bytes, bytes + sizeof mapped_prefix, V4_BYTES);
        } else {
            memcpy(ip.bytes, bytes, V6_BYTES);
            ip.family = 6;
        }
    }
    *ret = ip;
    return ERR_OK;
}

// True when a and b begin with the same bits.
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    size_t n = bits / 8;
    if (memcmp(a, b, n) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (uint8_t)(a[n] ^ b[n]) >> (8 - rest) == 0;
}

static bool has_host_bits(const struct ip_net *net)
{
    struct ip base = {.family = net->ip.family};
    unsigned whole = net->bits / 8u, rest = net->bits % 8u;
    memcpy(base.bytes, net->ip.bytes, whole);
    if (rest > 0)
        base.bytes[whole] = (uint8_t)(net->ip.bytes[whole] & 0xff << (8 - rest));
    return !ip_eq(&base, &net->ip);
}

enum err ip_net_parse(struct str s, struct ip_net *ret)
{
    struct str address, length;
    bool has_length = str_cut(s, '/', &address, &length);
    struct ip_net net = {.bits = 0};
    enum err err = ip_parse(address, &net.ip);
    if (err != ERR_OK)
        return err;
    // A mapped network is written with the length of an IPv6 one: ::ffff:10.0.0.0/104.
    bool is_v6_text = str_find(address, ':') != STR_NPOS;
    uint64_t max = is_v6_text ? 128 : 32, min = is_v6_text && net.ip.family == 4 ? 96 : 0;
    uint64_t bits = max;
    if (has_length) {
        bool has_leading_zero = length.len > 1 && length.ptr[0] == '0';
        err = has_leading_zero ? ERR_SYNTAX : num_dec(length, max, &bits);
        if (err != ERR_OK)
            return err;
    }
    if (bits < min)
        return ERR_RANGE;
    net.bits = (uint8_t)(bits - min);
    if (has_host_bits(&net))
        return ERR_RANGE;
    *ret = net;
    return ERR_OK;
}

bool ip_net_contains(const struct ip_net *net, const struct ip *ip)
{
    return net->ip.family == ip->family && same_bits(net->ip.bytes, ip->bytes, net->bits);
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
    static const struct ip six = {.bytes = {[15] = 1}, .family = 6};
    return ip->family == 4 ? ip->bytes[0] == 127 : ip_eq(ip, &six);
}

static void put_v4(struct writer *w, const uint8_t *bytes)
{
    char text[16], *at = text;
    for (size_t i = 0; i < V4_BYTES; i++) {
        unsigned value = bytes[i];
        if (value >= 100)
            *at++ = (char)('0' + value / 100);
        if (value >= 10)
            *at++ = (char)('0' + value / 10 % 10);
        *at++ = (char)('0' + value % 10);
        *at++ = '.';
    }
    writer_put(w, str_from(text, (size_t)(at - text) - 1));
}

// The first of the longest runs of two or more zero groups (RFC 5952 4.2); its length in groups.
static size_t longest_zeros(const uint16_t groups[static 8], size_t *ret_start)
{
    size_t best = 0;
    for (size_t i = 0, run = 0; i < 8; i++) {
        run = groups[i] == 0 ? run + 1 : 0;
        if (run >= 2 && run > best) {
            best = run;
            *ret_start = i + 1 - run;
        }
    }
    return best;
}

static void put_v6(struct writer *w, const uint8_t *bytes)
{
    uint16_t groups[8];
    for (size_t i = 0; i < 8; i++)
        groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    size_t start = SIZE_MAX;
    size_t n_zeros = longest_zeros(groups, &start);
    for (size_t i = 0; i < 8; i++) {
        if (i == start) {
            writer_put(w, STR("::"));
            i += n_zeros - 1;
            continue;
        }
        if (i > 0 && i != start + n_zeros)
            writer_byte(w, ':');
        writer_hex(w, groups[i]);
    }
}

struct str ip_text(const struct ip *ip, char buf[static 46])
{
    struct writer w;
    writer_init(&w, buf, 46);
    if (ip->family == 4) {
        put_v4(&w, ip->bytes);
    } else if (ip->family == 6 && memcmp(ip->bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
        writer_put(&w, STR("::ffff:")); // RFC 5952 5
        put_v4(&w, ip->bytes + sizeof mapped_prefix);
    } else if (ip->family == 6) {
        put_v6(&w, ip->bytes);
    }
    return writer_str(&w);
}
