// SPDX-License-Identifier: Apache-2.0
// Property: the set of a list has an address exactly if one of its networks has it, at and beside
// each network's ends; its ranges ascend with gaps.
#include "base/assert.h"
#include "codec/ip_set.h"

#define NETS_MAX 200 // of which each is compared with each

static void step(struct ip *ip, bool up)
{
    uint8_t carry = up ? 0 : UINT8_MAX; // what a byte becomes when it runs over
    for (size_t i = ip->family == 4 ? 4 : 16; i-- > 0;) {
        ip->bytes[i] = (uint8_t)(ip->bytes[i] + (up ? 1 : UINT8_MAX));
        if (ip->bytes[i] != carry)
            return;
    }
}

static void compare(const struct ip_list *list, const struct ip_set *set, const struct ip *ip)
{
    bool is_in = false;
    for (size_t i = 0; i < list->n; i++)
        is_in = is_in || ip_net_contains(&list->nets[i], ip);
    ASSERT(ip_set_contains(set, ip) == is_in);
}

static struct ip last_of(const struct ip_net *net)
{
    struct ip ip = net->ip;
    for (unsigned bit = net->bits; bit < (ip.family == 4 ? 32u : 128u); bit++)
        ip.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return ip;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    arena_init(&mem, 16 << 20, NULL, 0);
    struct ip_list list = {.n = 0};
    struct ip_set set;
    unsigned line = 0;
    const char *why = NULL;
    enum err err = ip_list_parse((struct str){(const char *)data, size}, &mem, &list, &line, &why);
    ASSERT(err == ERR_OK || err == ERR_LIMIT || (why && line > 0));
    if (err == ERR_OK && list.n <= NETS_MAX &&
        ip_set_build(list.nets, list.n, &mem, &set) == ERR_OK) {
        for (size_t i = 0; i < list.n; i++) {
            struct ip first = list.nets[i].ip, last = last_of(&list.nets[i]);
            compare(&list, &set, &first);
            compare(&list, &set, &last);
            step(&first, false);
            step(&last, true);
            compare(&list, &set, &first);
            compare(&list, &set, &last);
        }
    }
    arena_fini(&mem);
    return 0;
}
