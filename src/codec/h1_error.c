// SPDX-License-Identifier: Apache-2.0
#include "codec/h1.h"

#include "base/assert.h"

// Names of errors are their ids in lower case with '-', made by the compiler from the list.
#define NAME_BYTES 24
#define BYTE(s, i) ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : '\0')
#define KEBAB(c) ((char)((c) == '_' ? '-' : (c) >= 'A' && (c) <= 'Z' ? (c) | 0x20 : (c)))
#define K1(s, i) KEBAB(BYTE(s, i))
#define K4(s, i) K1(s, i), K1(s, (i) + 1), K1(s, (i) + 2), K1(s, (i) + 3)
#define K12(s, i) K4(s, i), K4(s, (i) + 4), K4(s, (i) + 8)
#define NAME(s)                                                                                    \
    {                                                                                              \
        K12(s, 0u), K12(s, 12u)                                                                    \
    }

static const struct {
    char name[NAME_BYTES];
    const char *section;
    const char *text;
    int status;
} errors[] = {
#define X(id, status_, section_, text_)                                                            \
    [H1_ERROR_##id] = {.name = NAME(#id), .section = section_, .text = text_, .status = status_},
    H1_ERROR_LIST(X)
#undef X
};

#define X(id, ...) _Static_assert(sizeof(#id) <= NAME_BYTES, "the name of an error is too long");
H1_ERROR_LIST(X)
#undef X

int h1_error_status(enum h1_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].status;
}

const char *h1_error_section(enum h1_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].section;
}

const char *h1_error_text(enum h1_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].text;
}

const char *h1_error_name(enum h1_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].name;
}
