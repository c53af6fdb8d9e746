// SPDX-License-Identifier: Apache-2.0
// Property: whatever a database holds, looking up ends, and what is found lies inside of it. The
// first bytes are the addresses that are looked up.
#include <string.h>

#include "base/assert.h"
#include "codec/mmdb.h"

static void check_inside(struct str whole, struct str part)
{
    ASSERT(part.len <= whole.len);
    ASSERT(part.len == 0 ||
           (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void look_up(struct str db_bytes, const struct mmdb *db, const struct ip *ip)
{
    static const struct str names[] = {STR_INIT("country"), STR_INIT("iso_code"),
                                       STR_INIT("autonomous_system_number")};
    struct mmdb_value all, one, inner;
    struct str text;
    uint64_t number;
    if (!mmdb_find(db, ip, &all))
        return;
    for (size_t i = 0; i < 3; i++) {
        if (!mmdb_member(&all, names[i], &one))
            continue;
        if (mmdb_text(&one, &text))
            check_inside(db_bytes, text);
        (void)mmdb_number(&one, &number);
        if (mmdb_member(&one, names[1], &inner) && mmdb_text(&inner, &text))
            check_inside(db_bytes, text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mmdb db;
    const char *why = NULL;
    struct ip ip4 = {.family = 4}, ip6 = {.family = 6};
    if (size < 16)
        return 0;
    memcpy(ip4.bytes, data, 4);
    memcpy(ip6.bytes, data, 16);
    struct str bytes = str_from((const char *)data + 16, size - 16);
    if (mmdb_open(bytes, &db, &why) != ERR_OK) {
        ASSERT(why != NULL);
        return 0;
    }
    check_inside(bytes, db.type);
    look_up(bytes, &db, &ip4);
    look_up(bytes, &db, &ip6);
    return 0;
}
