// SPDX-License-Identifier: Apache-2.0
#include "codec/h1.h"

static const struct str methods[] = {[METHOD_OTHER] = STR_INIT(""),
#define X(id, text) [METHOD_##id] = STR_INIT(text),
                                     METHOD_LIST(X)
#undef X
};

enum method method_of(struct str name)
{
    for (size_t i = METHOD_OTHER + 1; i < ARRAY_LEN(methods); i++) {
        if (str_eq(methods[i], name))
            return (enum method)i;
    }
    return METHOD_OTHER;
}

bool method_is_safe(enum method m)
{
    return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE;
}

bool method_is_idempotent(enum method m)
{
    return method_is_safe(m) || m == METHOD_PUT || m == METHOD_DELETE;
}
