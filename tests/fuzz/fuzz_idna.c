// SPDX-License-Identifier: Apache-2.0
// A name that becomes A-labels is ASCII in lower case without a trailing dot, is a host that
// requests can name, and becomes itself.
#include <stdint.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "codec/idna.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct str once, twice;
    const char *why = NULL;
    arena_init(&mem, 1 << 20, NULL, 0);
    if (idna_to_ascii(str_from((const char *)data, MIN(size, (size_t)1024)), &mem, &once, &why) ==
        ERR_OK) {
        ASSERT(once.len > 0 && once.ptr[once.len - 1] != '.');
        for (size_t i = 0; i < once.len; i++)
            ASSERT(once.ptr[i] > ' ' && once.ptr[i] < 0x7f && !ascii_is(once.ptr[i], ASCII_UPPER));
        ASSERT(idna_to_ascii(once, &mem, &twice, &why) == ERR_OK);
        ASSERT(str_eq(once, twice));
    } else {
        ASSERT(why != NULL);
    }
    arena_fini(&mem);
    return 0;
}
