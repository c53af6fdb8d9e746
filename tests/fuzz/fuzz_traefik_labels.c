// SPDX-License-Identifier: Apache-2.0
// Labels of Traefik's, "NAME=VALUE" on each line, a container on each side of a line "---": what
// routers were accepted one by one can be put in force together, and none names a file of ours.
#include "dialect/traefik.h"
#include "dialect/traefik_labels.h"
#include "fuzz_traefik.h"

#define CONTAINERS 3
#define LABELS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct one {
    struct container c;
    struct container_label labels[LABELS];
};

static const struct container_network networks[] = {
    {.name = STR_INIT("bridge"), .v4 = {.bytes = {172, 17, 0, 2}, .family = 4}}};
static const struct container_port ports[] = {{.port = 80}};

static void add_label(struct one *o, struct str line)
{
    struct container_label l;
    if (o->c.n_labels == LABELS || !str_cut(line, '=', &l.name, &l.value) || l.name.len == 0)
        return;
    for (size_t i = 0; i < o->c.n_labels; i++) {
        if (str_eq(o->labels[i].name, l.name))
            return;
    }
    o->labels[o->c.n_labels++] = l;
}

static size_t read_containers(struct str text, struct one *ret)
{
    static const struct str names[CONTAINERS] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("c")};
    size_t n = 0;
    for (size_t i = 0; i < CONTAINERS; i++)
        ret[i].c = (struct container){.name = names[i],
                                      .id = names[i],
                                      .state = CONTAINER_RUNNING,
                                      .labels = ret[i].labels,
                                      .networks = (struct container_network *)(uintptr_t)networks,
                                      .n_networks = 1,
                                      .ports = (struct container_port *)(uintptr_t)ports,
                                      .n_ports = 1};
    for (struct str line; text.len > 0;) {
        str_cut(text, '\n', &line, &text);
        if (!str_eq(line, STR("---")))
            add_label(&ret[n], line);
        else if (++n == CONTAINERS)
            return n;
    }
    return n + 1;
}

static bool names_file(const struct conf_node *node)
{
    if (str_eq(node->key, STR("users-file")) || str_eq(node->key, STR("ca")))
        return true;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        if (names_file(child))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct one all[CONTAINERS];
    struct arena mem;
    struct diags diags = {.n = 0}, errors = {.n = 0};
    arena_init(&mem, (size_t)1 << 30, NULL, 0);
    const struct container *list[CONTAINERS] = {&all[0].c, &all[1].c, &all[2].c};
    size_t n = read_containers((struct str){(const char *)data, size}, all);
    const struct reach reach = {.all = list, .n = n};
    const struct traefik_labels_env env = {
        .reach = &reach, .exposed_by_default = true, .mem = &mem, .diags = &diags};
    struct conf_node *root =
        conf_yaml_parse(STR("entrypoints: {web: {listen: ':0'}, websecure: {listen: ':0', tls: "
                            "yes}, tcp: {listen: ':0'}}\n"
                            "issuers: {le: {acme: {email: a@b.example}}}\n"),
                        "own", &mem, NULL);
    MUST(root);
    const struct traefik_source source = {
        .provider = STR("docker"),
        .root = conf_node_new(&mem, CONF_NODE_MAP, (struct place){.source = "all"}),
        .is_flat = true,
        .is_foreign = true,
    };
    for (size_t i = 0; i < n; i++)
        (void)traefik_labels_add(list[i], &env, source.root);
    struct traefik_settings settings;
    const struct traefik_scope scope = {.entries = entries,
                                        .n_entries = sizeof entries / sizeof entries[0],
                                        .root = root,
                                        .check = check};
    traefik_convert(&scope, &source, 1, &mem, &settings);
    MUST(!names_file(settings.filters) && !names_file(settings.services));
    traefik_join(root, &settings, &mem);
    MUST(check(NULL, root, &errors));
    diags_fini(&errors);
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
