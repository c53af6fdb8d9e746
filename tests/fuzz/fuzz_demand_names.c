// SPDX-License-Identifier: Apache-2.0
// The file of names with certificates on demand: what is accepted is written as it was read.
#include <stdint.h>
#include <stdlib.h>

#include "keeper/demand_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct demand_names names = {.n = 0}, again = {.n = 0};
    struct text first = {.ptr = NULL}, second = {.ptr = NULL};
    if (n > 65536)
        return 0;
    if (!demand_names_parse(&names, str_from((const char *)data, n))) {
        if (names.n > 0 || names.items)
            abort();
        return 0;
    }
    demand_names_write(&names, &first);
    if (!demand_names_parse(&again, text_str(&first)) || again.n != names.n)
        abort();
    demand_names_write(&again, &second);
    if (!str_eq(text_str(&first), text_str(&second)))
        abort();
    text_fini(&first);
    text_fini(&second);
    demand_names_close(&names);
    demand_names_close(&again);
    return 0;
}
