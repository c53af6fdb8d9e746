// SPDX-License-Identifier: Apache-2.0
// What clients ask the API for: path, '?', query. Property: what is accepted has a page inside its
// limits, a name only where one belongs, and no list is read beyond its end on any page.
#include "admin/api_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str path, query;
    struct api_request r;
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    str_cut(str_from((const char *)data, size), '?', &path, &query);
    enum err err = api_request_parse(path, query, &mem, &r);
    if (err == ERR_OK) {
        uint64_t first, n, next;
        ASSERT(str_starts(path, api_view_path(r.view)));
        ASSERT(r.page >= 1 && r.per_page >= 1 && r.per_page <= API_PAGE_MAX);
        for (uint64_t total = 0; total < 5000; total += 1249) {
            if (!api_request_page(&r, total, &first, &n, &next))
                continue;
            ASSERT(first + n <= total && n <= r.per_page);
            ASSERT((next == 1) == (first + n == total));
        }
        (void)api_request_finds(&r, &path, 1);
    } else {
        ASSERT(err == ERR_NOT_FOUND || err == ERR_RANGE || err == ERR_LIMIT);
    }
    arena_fini(&mem);
    return 0;
}
