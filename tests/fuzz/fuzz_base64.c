// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the alphabet. Property: bytes survive encoding; an accepted text is, but
// for its padding, the only text of its bytes.
#include "base/assert.h"
#include "base/mem.h"
#include "codec/base64.h"

static struct str without_padding(struct str s)
{
    while (str_ends(s, STR("=")))
        s.len--;
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool is_url = (data[0] & 1) != 0;
    struct str in = {(const char *)data + 1, size - 1};
    // Exactly the room that the header asks for, so that ASan sees a byte too many.
    char *text = mem_alloc_raw((in.len + 2) / 3 * 4);
    size_t n_text = base64_encode(in, is_url, text), n_bytes = 0;
    char *bytes = mem_alloc_raw(n_text / 4 * 3 + 3);
    ASSERT(base64_decode(str_from(text, n_text), is_url, bytes, &n_bytes) == ERR_OK);
    ASSERT(str_eq(str_from(bytes, n_bytes), in));
    mem_free(bytes);
    mem_free(text);

    bytes = mem_alloc_raw(in.len / 4 * 3 + 3);
    if (base64_decode(in, is_url, bytes, &n_bytes) == ERR_OK) {
        text = mem_alloc_raw((n_bytes + 2) / 3 * 4);
        n_text = base64_encode(str_from(bytes, n_bytes), is_url, text);
        ASSERT(str_eq(without_padding(str_from(text, n_text)), without_padding(in)));
        mem_free(text);
    }
    mem_free(bytes);
    return 0;
}
