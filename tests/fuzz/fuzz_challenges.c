// SPDX-License-Identifier: Apache-2.0
// Sets of proofs: no bytes lead astray, and what is packed is accepted.
#include <stdlib.h>

#include "gate/challenges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 65536)
        return 0;
    struct diags diags = {.n = 0};
    struct text packed = {.ptr = NULL};
    struct challenges *c = challenges_unpack(str_from((const char *)data, n), &diags);
    challenges_unref(c);
    // An answer of these bytes is accepted when it is one.
    const struct challenge_token token = {.token = STR("token"),
                                          .key_authorization = str_from((const char *)data, n)};
    challenges_pack(&token, 1, NULL, 0, &packed);
    bool is_plain = n > 0 && n <= CHALLENGE_TOKEN_MAX_BYTES;
    for (size_t i = 0; is_plain && i < n; i++)
        is_plain = (data[i] >= '0' && data[i] <= '9') || (data[i] >= 'a' && data[i] <= 'z') ||
                   (data[i] >= 'A' && data[i] <= 'Z') || data[i] == '-' || data[i] == '_' ||
                   data[i] == '.';
    c = challenges_unpack(text_str(&packed), &diags);
    if (is_plain && !c)
        abort();
    challenges_unref(c);
    text_fini(&packed);
    diags_fini(&diags);
    return 0;
}
