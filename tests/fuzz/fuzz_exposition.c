// SPDX-License-Identifier: Apache-2.0
// An Accept field. Property: OpenMetrics is chosen only where it is named, and always when it is
// wanted as much as anything can be.
#include "admin/exposition.h"
#include "base/assert.h"
#include "base/text.h"

static bool names_it(struct str s)
{
    static const struct str name = STR_INIT("openmetrics");
    for (size_t i = 0; i + name.len <= s.len; i++)
        if (str_ieq(str_from(s.ptr + i, name.len), name))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    enum exposition_form form = exposition_choose(in);
    ASSERT(form == EXPOSITION_PROMETHEUS || names_it(in));
    // Behind a comma stands a range of its own, whatever went before.
    struct text more = {.ptr = NULL};
    text_put(&more, in);
    text_put(&more, STR(",application/openmetrics-text"));
    ASSERT(exposition_choose(text_str(&more)) == EXPOSITION_OPENMETRICS);
    text_fini(&more);
    return 0;
}
