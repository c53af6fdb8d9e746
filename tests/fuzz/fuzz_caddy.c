// SPDX-License-Identifier: Apache-2.0
// A Caddyfile of any kind: it is refused with an error, or what comes of it is YAML that
// reads as what was meant, whatever names and texts are in it.
#include <stdlib.h>

#include "dialect/dialect.h"
#include "gate/settings.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    (void)arg;
    *ret_why = "there is no such file";
    if (!str_ends(path, STR(".conf")))
        return false;
    *ret = arena_dup(mem, STR("respond hi\nimport other.conf\n"));
    return true;
}

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

static const struct conf_resolver files = {.read_file = read_file};

static void must_be_same(const struct conf_node *a, const struct conf_node *b)
{
    MUST(a->kind == b->kind && a->n == b->n && str_eq(a->text, b->text));
    for (const struct conf_node *x = a->first; x; x = x->next) {
        const struct conf_node *y = b->first;
        if (a->kind == CONF_NODE_MAP)
            y = conf_node_get(b, x->key);
        else
            for (const struct conf_node *i = a->first; i != x; i = i->next)
                y = y->next;
        MUST(y);
        must_be_same(x, y);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct draft d;
    struct diags diags = {.n = 0};
    struct dialect_input in = {.path = STR("Caddyfile"),
                               .text = {(const char *)data, size},
                               .files = &files,
                               .find_files = find_files};
    draft_init(&d);
    if (dialect_convert(&dialect_caddy, &in, &d, &diags)) {
        struct arena mem;
        struct text yaml = {.len = 0};
        arena_init(&mem, (size_t)1 << 30, NULL, 0);
        draft_print(&d, &settings_section, "Title", &yaml);
        struct conf_node *root = conf_yaml_parse(text_str(&yaml), "result", &mem, &diags);
        MUST(root);
        must_be_same(d.root, root);
        arena_fini(&mem);
        text_fini(&yaml);
    } else {
        MUST(diags.n_errors > 0);
    }
    diags_fini(&diags);
    draft_fini(&d);
    return 0;
}
