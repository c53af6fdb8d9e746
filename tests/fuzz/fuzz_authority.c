// SPDX-License-Identifier: Apache-2.0
// Property: an accepted authority is its host, and a port; its canonical host is a fixed point and
// is accepted again as the same kind of host.
#include "base/ascii.h"
#include "base/assert.h"
#include "codec/ip.h"
#include "codec/url.h"

static void check_host(struct str host, bool is_ip)
{
    char buf[256], again[256];
    ASSERT(host.len > 0 && host.len <= 254);
    struct str canon = url_host_canon(host, buf);
    ASSERT(url_host_is_canon(canon));
    ASSERT(url_host_is_canon(host) == str_eq(host, canon));
    ASSERT(str_eq(url_host_canon(canon, again), canon));
    for (size_t i = 0; i < canon.len; i++) {
        bool is_name_byte = ascii_is(canon.ptr[i], ASCII_ALPHA | ASCII_DIGIT) ||
                            str_find(STR("-._"), canon.ptr[i]) != STR_NPOS;
        ASSERT(is_name_byte || (is_ip && str_find(STR("[:]"), canon.ptr[i]) != STR_NPOS));
    }
    struct url_authority reparsed;
    ASSERT(url_authority_parse(canon, &reparsed) == ERR_OK);
    ASSERT(str_eq(reparsed.host, canon) && reparsed.port == 0 && reparsed.is_ip == is_ip);
    struct str address = canon;
    if (str_starts(canon, STR("[")))
        address = str_skip(str_first(canon, canon.len - 1), 1);
    struct ip ip;
    ASSERT((ip_parse(address, &ip) == ERR_OK) == is_ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct url_authority a;
    if (url_authority_parse(in, &a) != ERR_OK)
        return 0;
    ASSERT(a.host.ptr == in.ptr);
    struct str rest = str_skip(in, a.host.len);
    ASSERT(rest.len == 0 || rest.ptr[0] == ':');
    ASSERT((rest.len > 1) == (a.port > 0));
    check_host(a.host, a.is_ip);
    return 0;
}
