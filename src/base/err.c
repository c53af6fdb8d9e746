// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "base/assert.h"

static const char *const texts[] = {
#define X(id, text) [ERR_##id] = text,
    ERR_LIST(X)
#undef X
};

const char *err_text(enum err err)
{
    ASSERT((unsigned)err < ARRAY_LEN(texts));
    return texts[err];
}
