// SPDX-License-Identifier: Apache-2.0
// Property: the parser and the C library accept the same texts with the same values; an address
// read back from its own text is equal; a network contains its own address.
#include <arpa/inet.h>

#include "base/assert.h"
#include "codec/ip.h"

// Longer than any address; inet_pton wants a NUL behind the text.
#define TEXT_MAX_BYTES 63

static void check_against_libc(struct str in, bool is_ours, const struct ip *ip)
{
    char text[TEXT_MAX_BYTES + 1];
    uint8_t bytes[16] = {0};
    if (in.len > TEXT_MAX_BYTES || str_find(in, '\0') != STR_NPOS) {
        ASSERT(!is_ours);
        return;
    }
    if (in.len > 0)
        memcpy(text, in.ptr, in.len);
    text[in.len] = '\0';
    bool is_v6 = str_find(in, ':') != STR_NPOS;
    ASSERT(is_ours == (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, bytes) == 1));
    if (is_ours && (ip->family == 6) == is_v6)
        ASSERT(memcmp(bytes, ip->bytes, sizeof bytes) == 0);
    if (is_ours && is_v6 && ip->family == 4)
        ASSERT(memcmp(bytes + 12, ip->bytes, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct ip ip, back;
    char buf[46];
    bool is_ok = ip_parse(in, &ip) == ERR_OK;
    check_against_libc(in, is_ok, &ip);
    if (is_ok) {
        ASSERT(ip_parse(ip_text(&ip, buf), &back) == ERR_OK);
        ASSERT(ip_eq(&ip, &back));
    }
    struct ip_net net;
    if (ip_net_parse(in, &net) == ERR_OK) {
        ASSERT(net.bits <= (net.ip.family == 4 ? 32 : 128));
        ASSERT(ip_net_contains(&net, &net.ip));
        struct ip flipped = net.ip;
        flipped.bytes[0] ^= 0x80; // the first bit belongs to every network but the whole
        ASSERT(ip_net_contains(&net, &flipped) == (net.bits == 0));
    }
    return 0;
}
