// SPDX-License-Identifier: Apache-2.0
#include "fuzz_import.h"

static bool find_files(void *arg, struct str pattern, struct arena *mem, struct str **ret,
                       size_t *ret_n)
{
    (void)arg;
    *ret = ARENA_ARRAY(mem, struct str, 1);
    *ret_n = *ret && str_starts(pattern, STR("a")) ? 1 : 0;
    if (*ret)
        **ret = STR("some.conf");
    return *ret != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char included[] = "respond hi\nimport other.conf\n";
    const struct conf_resolver files = {.read_file = import_read_file, .arg = included};
    import_must_hold(&dialect_caddy, &(struct dialect_input){.path = STR("Caddyfile"),
                                                             .text = {(const char *)data, size},
                                                             .files = &files,
                                                             .find_files = find_files});
    return 0;
}
