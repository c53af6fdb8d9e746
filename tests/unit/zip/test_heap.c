// SPDX-License-Identifier: Apache-2.0
#include "zip/heap.h"

#include <stdint.h>

#include "base/attr.h"
#include "unit/test.h"

static void shares_together_have_a_limit(void)
{
    struct zip_heap h = {.n_kept = 0};
    struct zip_share a, b;
    CHECK(zip_share_take(&a, &h, 6000, 10000));
    CHECK(!zip_share_take(&b, &h, 4001, 10000));
    CHECK(zip_share_take(&b, &h, 4000, 10000));
    CHECK_INT(h.promised_bytes, 10000);
    zip_share_end(&a);
    CHECK(zip_share_take(&a, &h, 6000, 10000));
    zip_share_end(&a);
    zip_share_end(&b);
    CHECK(!zip_share_take(&a, &h, SIZE_MAX, 10000));
    zip_heap_fini(&h);
}

static void a_share_has_no_more_than_was_promised(void)
{
    struct zip_heap h = {.n_kept = 0};
    struct zip_share s;
    CHECK(zip_share_take(&s, &h, 10000, 10000));
    char *first = zip_share_alloc(&s, 9000);
    CHECK(first != NULL && (uintptr_t)first % 64 == 0);
    memset(first, 1, 9000);
    CHECK(zip_share_alloc(&s, 2000) == NULL);
    CHECK(zip_share_alloc(&s, SIZE_MAX) == NULL);
    void *second = zip_share_alloc(&s, 500);
    CHECK(second != NULL);
    zip_share_free(&s, first);
    zip_share_free(&s, second);
    zip_share_free(&s, NULL);
    zip_share_end(&s);
    zip_heap_fini(&h);
}

static void large_blocks_are_kept_for_the_next(void)
{
    struct zip_heap h = {.n_kept = 0};
    struct zip_share s;
    CHECK(zip_share_take(&s, &h, 1 << 20, 1 << 20));
    void *blocks[3];
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        blocks[i] = zip_share_alloc(&s, 10000 + 1000 * i);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        zip_share_free(&s, blocks[i]);
    void *small = zip_share_alloc(&s, 100);
    zip_share_free(&s, small);
    CHECK_INT(h.n_kept, 3);
    void *again = zip_share_alloc(&s, 11000);
    CHECK(again == blocks[1]);
    CHECK_INT(h.n_kept, 2);
    CHECK(zip_share_alloc(&s, 10000) == blocks[0]);
    CHECK(zip_share_alloc(&s, 12000) == blocks[2]);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        zip_share_free(&s, blocks[i]);
    zip_share_end(&s);
    zip_heap_fini(&h);
}

static void what_is_kept_has_a_limit(void)
{
    struct zip_heap h = {.n_kept = 0};
    struct zip_share s;
    CHECK(zip_share_take(&s, &h, SIZE_MAX / 2, SIZE_MAX));
    void *blocks[ZIP_KEPT_MAX + 10];
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        blocks[i] = zip_share_alloc(&s, 5000);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        zip_share_free(&s, blocks[i]);
    CHECK_INT(h.n_kept, ZIP_KEPT_MAX);
    void *large = zip_share_alloc(&s, ZIP_KEPT_MAX_BYTES);
    zip_share_free(&s, large);
    CHECK(h.kept_bytes <= ZIP_KEPT_MAX_BYTES);
    zip_share_end(&s);
    zip_heap_fini(&h);
}

TEST_MAIN(TEST(shares_together_have_a_limit), TEST(a_share_has_no_more_than_was_promised),
          TEST(large_blocks_are_kept_for_the_next), TEST(what_is_kept_has_a_limit))
