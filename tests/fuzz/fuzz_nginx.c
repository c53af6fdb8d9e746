// SPDX-License-Identifier: Apache-2.0
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char included[] = "server_name c.example; include other.conf;";
    const struct conf_resolver files = {.read_file = import_read_file, .arg = included};
    import_must_hold(&dialect_nginx, &(struct dialect_input){.path = STR("nginx.conf"),
                                                             .text = {(const char *)data, size},
                                                             .files = &files});
    return 0;
}
