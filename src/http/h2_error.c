// SPDX-License-Identifier: Apache-2.0
#include "http/h2_error.h"

#include "base/assert.h"

static const struct {
    const char *name, *section, *text;
    int status;
} errors[] = {
#define X(id, name_, status_, section_, text_)                                                     \
    [H2_ERROR_##id] = {.name = "h2-" name_, .section = section_, .text = text_, .status = status_},
    H2_ERROR_LIST(X)
#undef X
};

const char *h2_error_name(enum h2_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].name;
}

int h2_error_status(enum h2_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].status;
}

const char *h2_error_section(enum h2_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].section;
}

const char *h2_error_text(enum h2_error e)
{
    ASSERT(e < ARRAY_LEN(errors));
    return errors[e].text;
}
