// SPDX-License-Identifier: Apache-2.0
// What tests of Traefik's dialect share: converting a text, and trees as one line.
#pragma once

#include "base/text.h"
#include "dialect/traefik.h"
#include "gate/settings.h"
#include "gate/snapshot.h"
#include "unit/test.h"
#include "upstream/service.h"

struct converted {
    struct arena mem;
    struct traefik_settings settings;
};

// "{key: value, list: [a, b]}"
static void put_tree(const struct conf_node *node, struct text *to)
{
    if (node->kind == CONF_NODE_SCALAR || node->kind == CONF_NODE_NULL) {
        text_put(to, node->text);
        return;
    }
    bool is_map = node->kind == CONF_NODE_MAP;
    text_byte(to, is_map ? '{' : '[');
    for (const struct conf_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            text_put(to, STR(", "));
        if (is_map)
            text_printf(to, STR_FMT ": ", STR_ARG(child->key));
        put_tree(child, to);
    }
    text_byte(to, is_map ? '}' : ']');
}

// A node as a text in mem.
static inline struct str tree_text(const struct conf_node *node, struct arena *mem)
{
    struct text t = {.ptr = NULL};
    if (node)
        put_tree(node, &t);
    struct str s = arena_dup(mem, text_str(&t));
    text_fini(&t);
    return s;
}

static bool check_settings(void *arg, struct conf_node *root, struct diags *diags)
{
    (void)arg;
    struct upstream_registry *registry = upstream_registry_new();
    struct snapshot *s = snapshot_build(root, &(struct snapshot_env){.registry = registry}, diags);
    if (s)
        snapshot_unref(s);
    upstream_registry_free(registry);
    return s != NULL;
}

static const struct traefik_entry usual_entries[] = {
    {.name = STR_INIT("web"), .is_default = true},
    {.name = STR_INIT("websecure"), .is_tls = true, .is_default = true},
    {.name = STR_INIT("postgres"), .may_be_tcp = true},
};

// Converts what the file provider says; own: settings of ours. To be ended by converted_fini.
static inline struct converted convert(const char *dynamic, const char *own)
{
    struct converted r = {.mem = {.blocks = NULL}};
    struct diags diags = {.n = 0};
    arena_init(&r.mem, 64 << 20, NULL, 0);
    const struct conf_node *root = conf_yaml_parse(str_of(own), "own", &r.mem, &diags);
    const struct traefik_source source = {
        .provider = STR("file"), .root = conf_yaml_parse(str_of(dynamic), "f", &r.mem, &diags)};
    const struct traefik_scope scope = {.entries = usual_entries,
                                        .n_entries = ARRAY_LEN(usual_entries),
                                        .root = root,
                                        .has_api = true,
                                        .check = check_settings};
    CHECK(diags.n == 0);
    if (source.root && root)
        traefik_convert(&scope, &source, 1, &r.mem, &r.settings);
    diags_fini(&diags);
    return r;
}

static inline void converted_fini(struct converted *r)
{
    arena_fini(&r->mem);
}

// The filter or service of this name.
static inline struct str filter_text(struct converted *r, const char *name)
{
    return tree_text(conf_node_get(r->settings.filters, str_of(name)), &r->mem);
}

static inline struct str service_text(struct converted *r, const char *name)
{
    return tree_text(conf_node_get(r->settings.services, str_of(name)), &r->mem);
}

// The problems, one behind the other: "web@file: text"; those that disable a router with a '!'.
static inline struct str problems_text(struct converted *r)
{
    struct text t = {.ptr = NULL};
    for (size_t i = 0; i < r->settings.n_problems; i++) {
        const struct traefik_problem *p = &r->settings.problems[i];
        text_printf(&t, "%s%s" STR_FMT ": " STR_FMT, i > 0 ? "; " : "", p->is_disabled ? "!" : "",
                    STR_ARG(p->router), STR_ARG(p->text));
    }
    struct str s = arena_dup(&r->mem, text_str(&t));
    text_fini(&t);
    return s;
}
