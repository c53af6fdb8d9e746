// SPDX-License-Identifier: Apache-2.0
#include "rt/pool.h"

#include "base/attr.h"
#include "unit/test.h"

static struct rt_pool pool;

static void newest_free_item_is_taken_first(void)
{
    pool_init(&pool, 4096, 8, 8);
    void *a = pool_take(&pool), *b = pool_take(&pool);
    pool_give(&pool, a);
    pool_give(&pool, b);
    void *c = pool_take(&pool);
    CHECK(c == b);
    pool_give(&pool, c);
    pool_fini(&pool);
}

static void items_are_aligned_and_wholly_usable(void)
{
    static const size_t sizes[] = {8, 65, 100, 16384};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        pool_init(&pool, sizes[i], 1, 2);
        char *item = pool_take(&pool);
        CHECK_INT((uintptr_t)item % 64, 0);
        memset(item, 'x', sizes[i]);
        pool_give(&pool, item);
        item = pool_take(&pool);
        memset(item, 'y', sizes[i]);
        pool_give(&pool, item);
        pool_fini(&pool);
    }
}

static void limit_refuses_until_one_comes_back(void)
{
    pool_init(&pool, 64, 8, 2);
    void *a = pool_take(&pool), *b = pool_take(&pool);
    CHECK(a && b);
    CHECK(pool_take(&pool) == NULL);
    pool_give(&pool, a);
    void *c = pool_take(&pool);
    CHECK(c != NULL);
    pool_give(&pool, b);
    pool_give(&pool, c);
    pool_fini(&pool);
}

static void more_free_items_than_kept_go_back_to_the_system(void)
{
    void *items[10];
    pool_init(&pool, 64, 3, 10);
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        items[i] = pool_take(&pool);
    CHECK_INT(pool.n_out, 10);
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        pool_give(&pool, items[i]);
    CHECK_INT(pool.n_out, 0);
    CHECK_INT(pool.n_free, 3);
    pool_fini(&pool);
    CHECK_INT(pool.n_free, 0);
}

TEST_MAIN(TEST(newest_free_item_is_taken_first), TEST(items_are_aligned_and_wholly_usable),
          TEST(limit_refuses_until_one_comes_back),
          TEST(more_free_items_than_kept_go_back_to_the_system))
