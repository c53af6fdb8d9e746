// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "unit/test.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif

static void memory_is_aligned_and_apart(void)
{
    struct arena a;
    arena_init(&a, 1 << 20, NULL, 0);
    for (size_t align = 1; align <= 256; align *= 2) {
        for (size_t n = 1; n < 40; n++) {
            char *x = arena_alloc(&a, n, 1, align);
            char *y = arena_alloc(&a, n, 1, align);
            CHECK(x && y && (uintptr_t)x % align == 0 && (uintptr_t)y % align == 0);
            CHECK(x + n <= y || y + n <= x);
            memset(x, 1, n);
            memset(y, 2, n);
            CHECK(arena_owns(&a, x) && arena_owns(&a, y + n - 1));
        }
    }
    CHECK(!arena_owns(&a, &a));
    arena_fini(&a);
}

static void zeroed_memory_is_zeroed(void)
{
    struct arena a;
    arena_init(&a, 1 << 16, NULL, 0);
    memset(arena_alloc(&a, 3000, 1, 1), 0xff, 3000);
    arena_reset(&a);
    const char *zeroed = arena_zalloc(&a, 3000, 1, 1);
    for (size_t i = 0; i < 3000; i++)
        CHECK(zeroed[i] == 0);
    arena_fini(&a);
}

static void the_limit_is_never_passed(void)
{
    struct arena a;
    arena_init(&a, 20000, NULL, 0);
    CHECK(arena_alloc(&a, 30000, 1, 1) == NULL);
    size_t n = 0;
    while (n < 1000 && arena_alloc(&a, 100, 1, 1))
        n++;
    CHECK(n > 100 && n <= 200);
    CHECK(a.used_bytes <= 20000);
    CHECK(arena_dup(&a, str_from((char[200]){0}, 200)).ptr == NULL);
    CHECK(arena_printf(&a, "%200d", 1).ptr == NULL);
    CHECK(arena_zalloc(&a, 100, 1, 1) == NULL);
    arena_reset(&a);
    CHECK(arena_alloc(&a, 100, 1, 1) != NULL);
    arena_fini(&a);
}

static void sizes_that_overflow_are_refused(void)
{
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL, 0);
    CHECK(arena_alloc(&a, SIZE_MAX, 2, 1) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX, 1, 1) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX / 2 + 1, 1, 16) == NULL);
    arena_fini(&a);
}

static void home_memory_is_used_first_and_stays(void)
{
    alignas(16) char home[256];
    struct arena a;
    arena_init(&a, 1 << 16, home, sizeof home);
    for (int round = 0; round < 3; round++) {
        char *first = arena_alloc(&a, 64, 1, 1);
        CHECK(first == home);
        CHECK(arena_owns(&a, first));
        CHECK_INT(a.used_bytes, 0);
        char *beyond = arena_alloc(&a, 1024, 1, 1);
        CHECK(beyond && (beyond + 1024 <= home || beyond >= home + sizeof home));
        CHECK(arena_owns(&a, beyond));
        CHECK(a.used_bytes >= 1024);
        arena_reset(&a);
    }
    arena_fini(&a);
    memset(home, 0, sizeof home);
}

static void home_memory_works_without_a_heap(void)
{
    char home[128];
    struct arena a;
    arena_init(&a, 0, home, sizeof home);
    CHECK(arena_alloc(&a, 32, 1, 1) != NULL);
    CHECK(arena_alloc(&a, 128, 1, 1) == NULL);
    arena_fini(&a);
}

static void texts_are_copied_with_a_zero_behind(void)
{
    struct arena a;
    arena_init(&a, 1 << 16, NULL, 0);
    struct str copy = arena_dup(&a, STR("abc"));
    CHECK_STR(copy, STR("abc"));
    CHECK(copy.ptr[3] == '\0');
    copy = arena_dup(&a, STR_NONE);
    CHECK(copy.ptr && copy.len == 0 && copy.ptr[0] == '\0');
    copy = arena_concat(&a, STR("a"), STR_NONE, STR("bc"));
    CHECK_STR(copy, STR("abc"));
    copy = arena_printf(&a, "%d-%s", 7, "x");
    CHECK_STR(copy, STR("7-x"));
    CHECK(copy.ptr[3] == '\0');
    arena_fini(&a);
}

static void fini_accepts_a_zeroed_arena(void)
{
    struct arena a = {.limit_bytes = 0};
    arena_fini(&a);
    arena_reset(&a);
    CHECK(arena_alloc(&a, 0, 1, 1) == NULL || a.used_bytes == 0);
    arena_fini(&a);
}

// In other builds there is nothing to see.
static void what_is_not_allocated_is_poisoned(void)
{
#ifdef HAS_ASAN
    alignas(16) char home[128];
    struct arena a;
    arena_init(&a, 1 << 16, home, sizeof home);
    char *in_home = arena_alloc(&a, 13, 1, 1), *in_block = arena_alloc(&a, 500, 1, 1);
    CHECK(!__asan_address_is_poisoned(in_home) && !__asan_address_is_poisoned(in_home + 12));
    CHECK(__asan_address_is_poisoned(in_home + 13));
    CHECK(__asan_address_is_poisoned(home + 127));
    CHECK(!__asan_address_is_poisoned(in_block + 499));
    CHECK(__asan_address_is_poisoned(in_block + 500));
    char *next = arena_alloc(&a, 8, 1, 8);
    CHECK(next > in_block + 500 && __asan_address_is_poisoned(next + 8));
    arena_reset(&a);
    CHECK(__asan_address_is_poisoned(in_home));
    arena_fini(&a);
    CHECK(!__asan_address_is_poisoned(home) && !__asan_address_is_poisoned(home + 127));
#endif
}

static void an_array_grows_and_keeps_what_is_in_it(void)
{
    struct arena a;
    unsigned *numbers = NULL;
    size_t cap = 0, n = 0;
    arena_init(&a, 1 << 20, NULL, 0);
    for (; n < 1000; n++) {
        numbers = ARENA_GROW(&a, unsigned, numbers, n, &cap);
        CHECK(numbers && cap > n);
        numbers[n] = (unsigned)n;
    }
    for (size_t i = 0; i < n; i++)
        CHECK_INT(numbers[i], i);
    size_t full = 0;
    arena_fini(&a);
    arena_init(&a, 0, NULL, 0);
    CHECK(ARENA_GROW(&a, unsigned, NULL, 0, &full) == NULL);
    CHECK_INT(full, 0);
    arena_fini(&a);
}

static void wiping_overwrites_what_was_there(void)
{
    static char home[64];
    struct arena a;
    arena_init(&a, 0, home, sizeof home);
    struct str secret = arena_dup(&a, STR("secret"));
    CHECK_STR(secret, STR("secret"));
    arena_wipe(&a);
    for (size_t i = 0; i < sizeof home; i++)
        CHECK_INT(home[i], 0);
}

TEST_MAIN(TEST(memory_is_aligned_and_apart), TEST(zeroed_memory_is_zeroed),
          TEST(the_limit_is_never_passed), TEST(sizes_that_overflow_are_refused),
          TEST(home_memory_is_used_first_and_stays), TEST(home_memory_works_without_a_heap),
          TEST(texts_are_copied_with_a_zero_behind), TEST(fini_accepts_a_zeroed_arena),
          TEST(what_is_not_allocated_is_poisoned), TEST(an_array_grows_and_keeps_what_is_in_it),
          TEST(wiping_overwrites_what_was_there))
