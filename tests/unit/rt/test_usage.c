// SPDX-License-Identifier: Apache-2.0
#include "rt/usage.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit/test.h"

static void memory_in_use_is_told(void)
{
    enum { BYTES = 64 << 20 };
    usage_prepare();
    usage_prepare(); // once more is harmless
    struct usage before, after;
    usage_read(&before);
    char *memory = mem_alloc(1, BYTES);
    memset(memory, 1, BYTES);
    usage_read(&after);
    CHECK(memory[BYTES / 2] == 1);
    CHECK(before.resident_bytes > 0);
    CHECK(after.resident_bytes >= before.resident_bytes + BYTES / 2);
    CHECK(after.resident_peak_bytes >= after.resident_bytes / 2);
    mem_free(memory);
}

static void descriptors_are_counted_where_the_kernel_does(void)
{
    struct usage before, after;
    usage_prepare();
    usage_read(&before);
    int fd = dup(STDOUT_FILENO);
    usage_read(&after);
    CHECK_INT(after.descriptors, before.descriptors == 0 ? 0 : before.descriptors + 1);
    close(fd);
}

static void the_limit_of_descriptors_is_told(void)
{
    struct usage usage;
    usage_read(&usage);
    CHECK(usage.descriptors_max >= (uint64_t)STDERR_FILENO);
}

TEST_MAIN(TEST(memory_in_use_is_told), TEST(descriptors_are_counted_where_the_kernel_does),
          TEST(the_limit_of_descriptors_is_told))
