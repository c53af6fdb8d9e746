// SPDX-License-Identifier: Apache-2.0
// Property: each name of the table is found with its own address, in any case, and there are no
// more entries than the text has room for. Text within the limit is refused for nothing but memory.
#include "base/ascii.h"
#include "codec/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct hosts *h, uint32_t i)
{
    struct ip ips[64];
    char upper[253];
    struct str name = h->entries[i].name;
    ASSERT(name.len > 0 && name.len <= sizeof upper);
    for (size_t k = 0; k < name.len; k++)
        upper[k] =
            ascii_lower(name.ptr[k]) == name.ptr[k] && name.ptr[k] >= 'a' && name.ptr[k] <= 'z'
                ? (char)(name.ptr[k] - 'a' + 'A')
                : name.ptr[k];
    size_t n = hosts_find(h, str_from(upper, name.len), ips, 64);
    bool is_there = n == 64; // or it may be behind those
    for (size_t k = 0; k < n; k++)
        is_there = is_there || ip_eq(&ips[k], &h->entries[i].ip);
    ASSERT(is_there);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct hosts h;
    arena_init(&mem, (size_t)64 << 20, NULL, 0);
    enum err err = hosts_parse(str_from((const char *)data, size), &mem, &h);
    ASSERT(err == ERR_OK || size > HOSTS_TEXT_MAX_BYTES);
    if (err == ERR_OK) {
        ASSERT(h.n <= size / 2);
        for (uint32_t i = 0; i < h.n; i++)
            check_entry(&h, i);
    }
    arena_fini(&mem);
    return 0;
}
