// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include "unit/test.h"

static void memory_is_zeroed_copied_and_resized(void)
{
    int *numbers = MEM_ARRAY(int, 100);
    for (size_t i = 0; i < 100; i++)
        CHECK_INT(numbers[i], 0);
    numbers[99] = 7;
    numbers = mem_resize(numbers, 1000, sizeof *numbers);
    CHECK_INT(numbers[99], 7);
    mem_free(numbers);
    char *copy = mem_copy("a\0b", 3);
    CHECK_STR(str_from(copy, 4), STR("a\0b\0"));
    mem_wipe(copy, 3);
    CHECK_STR(str_from(copy, 4), STR("\0\0\0\0"));
    mem_free(copy);
    copy = mem_copy(NULL, 0);
    CHECK(copy[0] == '\0');
    mem_free(copy);
}

static void nothing_is_still_a_pointer(void)
{
    void *raw = mem_alloc_raw(0), *resized = mem_resize(NULL, 0, 8);
    CHECK(raw && resized);
    mem_free(raw);
    mem_free(resized);
    mem_free(NULL);
}

TEST_MAIN(TEST(memory_is_zeroed_copied_and_resized), TEST(nothing_is_still_a_pointer))
