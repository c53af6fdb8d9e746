// SPDX-License-Identifier: Apache-2.0
// Bundles of certificates: what is accepted is packed again into the same bytes, and costs memory
// in proportion to its size.
#include <stdlib.h>

#include "tls/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 65536)
        return 0;
    struct arena mem;
    struct tls_bundle_item *items;
    struct text again = {0};
    size_t n_items;
    arena_init(&mem, 16 << 20, NULL, 0);
    struct str all = str_from((const char *)data, n);
    if (tls_bundle_unpack(all, &mem, &items, &n_items)) {
        tls_bundle_pack(items, n_items, &again);
        check(str_eq(text_str(&again), all));
    }
    check(mem.used_bytes <= 64 * n + 16384);
    text_wipe(&again);
    arena_fini(&mem);
    return 0;
}
