// SPDX-License-Identifier: Apache-2.0
// Flags of Traefik's, one on each line: settings come of them or errors, and settings that came are
// ones that the tables understand.
#include <stdlib.h>

#include "dialect/traefik_static.h"
#include "gate/settings.h"

#define FLAGS_MAX 64
#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Whether a key of ours isn't known: values may be wrong, since theirs can be anything.
static bool has_unknown_key(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        if (str_search(str_of(diags->items[i].text), STR("there is no ")) != STR_NPOS)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct diags diags = {.n = 0}, read = {.n = 0};
    struct str line, rest = {(const char *)data, size}, file;
    char *flags[FLAGS_MAX + 1] = {NULL};
    arena_init(&mem, 256 << 20, NULL, 0);
    for (size_t n = 0; n < FLAGS_MAX && rest.len > 0; n++) {
        str_cut(rest, '\n', &line, &rest);
        flags[n] = (char *)(uintptr_t)arena_dup(&mem, line).ptr;
    }
    struct conf_node *root = conf_node_new(&mem, CONF_NODE_MAP, (struct place){.source = "fuzz"});
    struct traefik_static st;
    bool is_fine = traefik_flags(flags, root, &mem, &diags, &file) &&
                   traefik_static_convert(root, true, &mem, &diags, &st);
    MUST(is_fine == (diags.n_errors == 0));
    if (is_fine) {
        struct settings settings;
        (void)!conf_read(&settings_section, st.root, NULL, &mem, &read, &settings);
        MUST(!has_unknown_key(&read));
        MUST(st.n_entries > 0);
    }
    diags_fini(&diags);
    diags_fini(&read);
    arena_fini(&mem);
    return 0;
}
