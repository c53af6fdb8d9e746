// SPDX-License-Identifier: Apache-2.0
// What the process that speaks with an engine tells the keeper: what is accepted is within its
// bounds, and packs to the same again.
#include <stdlib.h>

#include "discover/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena mem;
    struct message m, back;
    struct text first = {.ptr = NULL}, second = {.ptr = NULL};
    if (n > 1 << 20)
        return 0;
    arena_init(&mem, (size_t)64 << 20, NULL, 0);
    if (message_unpack(str_from((const char *)data, n), &mem, &m)) {
        if (m.kind == MESSAGE_CONTAINER && container_fault(&m.container))
            abort();
        message_pack(&m, &first);
        if (!message_unpack(text_str(&first), &mem, &back))
            abort();
        message_pack(&back, &second);
        if (!str_eq(text_str(&first), text_str(&second)))
            abort();
    }
    text_fini(&first);
    text_fini(&second);
    arena_fini(&mem);
    return 0;
}
