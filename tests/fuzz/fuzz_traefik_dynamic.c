// SPDX-License-Identifier: Apache-2.0
// Dynamic configuration of Traefik's, as YAML of any kind: what routers were accepted one by one
// can be put in force together, and whatever isn't had is told.
#include "dialect/traefik.h"
#include "fuzz_traefik.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf_node *own_settings(struct arena *mem)
{
    static const char text[] = "entrypoints: {web: {listen: ':0'}, websecure: {listen: ':0', tls: "
                               "yes}, tcp: {listen: ':0'}}\n"
                               "issuers: {le: {acme: {email: a@b.example}}}\n"
                               "filters: {own: {add-prefix: {prefix: /own}}}\n";
    struct conf_node *root = conf_yaml_parse(str_of(text), "own", mem, NULL);
    MUST(root);
    return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, (size_t)1 << 30, NULL, 0);
    struct conf_node *root = own_settings(&mem);
    bool is_flat = size > 0 && data[0] == '#';
    struct str text = {(const char *)data, size};
    const struct traefik_source source = {
        .provider = STR("file"),
        .root = conf_yaml_parse(text, "fuzz", &mem, NULL),
        .is_flat = is_flat,
    };
    if (source.root && source.root->kind == CONF_NODE_MAP) {
        struct traefik_settings settings;
        const struct traefik_scope scope = {.entries = entries,
                                            .n_entries = sizeof entries / sizeof entries[0],
                                            .root = root,
                                            .check = check};
        traefik_convert(&scope, &source, 1, &mem, &settings);
        for (size_t i = 0; i < settings.n_problems; i++)
            MUST(settings.problems[i].text.len > 0);
        traefik_join(root, &settings, &mem);
        MUST(check(NULL, root, &diags));
    }
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
