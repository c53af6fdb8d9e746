// SPDX-License-Identifier: Apache-2.0
// The file of learnt keys: what is accepted is written as it was read.
#include <stdlib.h>

#include "base/text.h"
#include "certs/pins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct certs_pins pins = {.n = 0}, again = {.n = 0};
    struct text first = {.ptr = NULL}, second = {.ptr = NULL};
    if (n > 65536)
        return 0;
    if (!certs_pins_parse(&pins, str_from((const char *)data, n))) {
        if (pins.n > 0 || pins.items)
            abort();
        return 0;
    }
    certs_pins_write(&pins, &first);
    if (!certs_pins_parse(&again, text_str(&first)) || again.n != pins.n)
        abort();
    certs_pins_write(&again, &second);
    if (!str_eq(text_str(&first), text_str(&second)))
        abort();
    text_fini(&first);
    text_fini(&second);
    certs_pins_close(&pins);
    certs_pins_close(&again);
    return 0;
}
