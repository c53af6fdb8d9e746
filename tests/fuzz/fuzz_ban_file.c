// SPDX-License-Identifier: Apache-2.0
// Property: whatever a file of bans holds, what was read of it is sound, is written as a text that
// reads back as the same, and is no more than the book has room for.
#include <string.h>

#include "base/assert.h"
#include "keeper/ban_file.h"

static void check_ban(void *arg, const struct ban *ban)
{
    ASSERT(ban_is_sound(ban));
    ASSERT(ban_book_find(arg, &ban->net) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ban_book first, second;
    struct text once = {.ptr = NULL}, twice = {.ptr = NULL};
    ban_book_init(&first, 3);
    ban_book_init(&second, 3);
    (void)ban_file_read(str_from((const char *)data, size), 0, &first);
    ASSERT(first.n <= 3);
    ban_book_each(&first, check_ban, &first);
    ban_file_write(&first, &once);
    ASSERT(ban_file_read(str_from(once.ptr, once.len), 0, &second) == 0);
    ban_file_write(&second, &twice);
    ASSERT(str_eq(str_from(once.ptr, once.len), str_from(twice.ptr, twice.len)));
    text_fini(&once);
    text_fini(&twice);
    ban_book_fini(&first);
    ban_book_fini(&second);
    return 0;
}
