// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/mem.h"
#include "unit/test.h"

#define N_KEYS 10000

static void an_empty_map_has_nothing(void)
{
    struct map m = {.n = 0};
    CHECK(map_get(&m, STR("a")) == NULL);
    CHECK(map_get(&m, STR_NONE) == NULL);
    MAP_FOR(e, &m)
    CHECK(e == NULL);
    map_fini(&m);
    map_fini(&m);
}

static void setting_twice_replaces_and_gives_the_old_value(void)
{
    struct map m = {.n = 0};
    int one, two;
    CHECK(map_set(&m, STR("a"), &one) == NULL);
    CHECK(map_set(&m, STR(""), &one) == NULL);
    CHECK(map_set(&m, STR("a\0"), &one) == NULL);
    CHECK(map_set(&m, STR("a"), &two) == &one);
    CHECK(map_get(&m, STR("a")) == &two);
    CHECK(map_get(&m, STR("a\0")) == &one);
    CHECK(map_get(&m, STR_NONE) == &one);
    CHECK(map_get(&m, STR("A")) == NULL);
    CHECK_INT(m.n, 3);
    map_fini(&m);
    CHECK(map_get(&m, STR("a")) == NULL);
}

static void many_keys_are_found_and_keep_their_order(void)
{
    struct map m = {.n = 0};
    char(*keys)[16] = mem_alloc(N_KEYS, sizeof *keys);
    for (size_t i = 0; i < N_KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "host-%zu", i);
        CHECK(map_set(&m, str_of(keys[i]), keys[i]) == NULL);
    }
    CHECK_INT(m.n, N_KEYS);
    for (size_t i = 0; i < N_KEYS; i += 7)
        CHECK(map_set(&m, str_of(keys[i]), keys[i]) == keys[i]);
    CHECK_INT(m.n, N_KEYS);
    size_t at = 0;
    MAP_FOR(e, &m)
    {
        CHECK(e->value == keys[at]);
        CHECK(map_get(&m, e->key) == keys[at]);
        at++;
    }
    CHECK_INT(at, N_KEYS);
    CHECK(map_get(&m, STR("host-10000")) == NULL);
    map_fini(&m);
    mem_free(keys);
}

static void what_is_removed_is_gone_and_all_others_stay(void)
{
    struct map m = {.n = 0};
    char(*keys)[16] = mem_alloc(N_KEYS, sizeof *keys);
    CHECK(map_remove(&m, STR("a")) == NULL);
    for (size_t i = 0; i < N_KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "host-%zu", i);
        CHECK(map_set(&m, str_of(keys[i]), keys[i]) == NULL);
        // All but every third go again, in another order than they came.
        if (i % 3 == 2) {
            CHECK(map_remove(&m, str_of(keys[i - 2])) == keys[i - 2]);
            CHECK(map_remove(&m, str_of(keys[i])) == keys[i]);
            CHECK(map_remove(&m, str_of(keys[i])) == NULL);
        }
    }
    CHECK_INT(m.n, N_KEYS / 3 + 1);
    for (size_t i = 0; i < N_KEYS; i++)
        CHECK(map_get(&m, str_of(keys[i])) == (i % 3 == 1 || i == N_KEYS - 1 ? keys[i] : NULL));
    while (m.n > 0)
        CHECK(map_remove(&m, m.entries[m.n / 2].key) != NULL);
    CHECK(map_get(&m, STR("host-1")) == NULL);
    CHECK(map_set(&m, STR("a"), keys) == NULL && map_get(&m, STR("a")) == keys);
    map_fini(&m);
    mem_free(keys);
}

TEST_MAIN(TEST(an_empty_map_has_nothing), TEST(setting_twice_replaces_and_gives_the_old_value),
          TEST(many_keys_are_found_and_keep_their_order),
          TEST(what_is_removed_is_gone_and_all_others_stay))
