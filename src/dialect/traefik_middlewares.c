// SPDX-License-Identifier: Apache-2.0
// Middlewares: finding the kind of each, chains, and what the kinds have in common.
#include "base/ascii.h"
#include "dialect/traefik_priv.h"

static const struct traefik_middleware *const families[] = {
    traefik_auth_middlewares,  traefik_header_middlewares, traefik_path_middlewares,
    traefik_limit_middlewares, traefik_retry_middlewares,  traefik_answer_middlewares,
};

#define KINDS_MAX 64

// --- filters ---

// The name of one more filter for the thing: its own, then with a number behind it.
static struct str filter_name(struct traefik_conv *c, const struct traefik_thing *t)
{
    if (t->n_filters == 0)
        return t->name;
    return arena_printf(c->mem, STR_FMT "/%zu", STR_ARG(t->name), t->n_filters + 1);
}

static void remember(struct traefik_conv *c, struct traefik_thing *t, struct str name)
{
    struct str *names = ARENA_GROW(c->mem, struct str, t->filters, t->n_filters, &t->cap_filters);
    if (!names)
        panic("converted settings don't fit");
    t->filters = names;
    t->filters[t->n_filters++] = name;
}

struct conf_node *traefik_filter(struct traefik_conv *c, struct traefik_thing *t, const char *kind,
                                 struct place place)
{
    struct str name = filter_name(c, t);
    struct conf_node *filter = conf_node_new(c->mem, CONF_NODE_MAP, place);
    if (!filter)
        panic("converted settings don't fit");
    filter->key = name;
    filter->key_place = place;
    map_set(&c->out_filters, name, filter);
    remember(c, t, name);
    return traefik_map(c, filter, kind, place);
}

// --- regular expressions ---

struct str traefik_anywhere(struct traefik_conv *c, struct str regex)
{
    return arena_concat(c->mem, STR(".*(?:"), regex, STR(").*"));
}

// The name of a group behind a '$', without braces; moves *at behind it. Empty: a lone dollar.
static struct str group_at(struct str text, size_t *at)
{
    size_t start = *at + 1, n = 0;
    if (start < text.len && text.ptr[start] == '{') {
        n = str_find(str_skip(text, start), '}');
        if (n == STR_NPOS)
            return STR_NONE;
        *at = start + n + 1;
        return str_from(text.ptr + start + 1, n - 1);
    }
    while (start + n < text.len &&
           (ascii_is(text.ptr[start + n], ASCII_ALPHA | ASCII_DIGIT) || text.ptr[start + n] == '_'))
        n++;
    *at = start + n;
    return str_from(text.ptr + start, n);
}

struct str traefik_replacement(struct traefik_conv *c, struct str text, unsigned shift)
{
    struct text to = {.ptr = NULL};
    for (size_t at = 0; at < text.len;) {
        struct str group;
        if (text.ptr[at] != '$') {
            text_byte(&to, text.ptr[at++]);
            continue;
        }
        if (at + 1 < text.len && text.ptr[at + 1] == '$') {
            text_put(&to, STR("$$"));
            at += 2;
            continue;
        }
        group = group_at(text, &at);
        if (group.len == 0) {
            text_fini(&to);
            return STR_NONE;
        }
        if (group.len == 1 && ascii_is(group.ptr[0], ASCII_DIGIT) && group.ptr[0] != '0')
            text_printf(&to, "${%u}", (unsigned)(group.ptr[0] - '0') + shift);
        else
            text_printf(&to, "${" STR_FMT "}", STR_ARG(group));
    }
    struct str ret = arena_dup(c->mem, text_str(&to));
    text_fini(&to);
    return ret;
}

// --- kinds ---

struct chain_conf {
    struct conf_texts middlewares;
};

static const struct conf_item chain_items[] = {
    ITEM_TEXTS(chain_conf, middlewares, "middlewares", .is_required = true),
};

static const struct conf_section chain_section = {
    .name = "chain",
    CONF_SECTION_OF(chain_conf, chain_items),
};

static bool convert_chain(struct traefik_conv *c, struct traefik_thing *t)
{
    const struct chain_conf *conf = traefik_read(c, &chain_section, NULL, t->node->first);
    struct conf_node *use = conf_node_new(c->mem, CONF_NODE_SEQ, t->node->place);
    t->overlay = conf_node_new(c->mem, CONF_NODE_MAP, t->node->place);
    if (!conf || !use || !t->overlay)
        return false;
    for (size_t i = 0; i < conf->middlewares.n; i++) {
        if (!traefik_use(c, &conf->middlewares.items[i], use, t->overlay))
            return false;
    }
    for (const struct conf_node *name = use->first; name; name = name->next)
        remember(c, t, name->text);
    return true;
}

static const struct traefik_middleware *find_kind(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        for (const struct traefik_middleware *m = families[i]; m->name; m++) {
            if (str_ieq(name, str_of(m->name)))
                return m;
        }
    }
    return NULL;
}

static bool fail_unknown(struct traefik_conv *c, const struct conf_node *node)
{
    const char *names[KINDS_MAX + 1] = {"chain"};
    size_t n = 1;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        for (const struct traefik_middleware *m = families[i]; m->name && n < KINDS_MAX; m++)
            names[n++] = m->name;
    }
    names[n] = NULL;
    const char *near = conf_suggest(node->key, names);
    return traefik_fail(c, node->key_place,
                        "there is no middleware of the kind '" STR_FMT "'%s%s%s",
                        STR_ARG(str_first(node->key, 100)), near ? ": did you mean '" : "",
                        near ? near : "", near ? "'?" : "");
}

static bool make(struct traefik_conv *c, struct traefik_thing *t)
{
    struct conf_node *node = t->node->kind == CONF_NODE_MAP ? t->node->first : NULL;
    if (!node || t->node->n != 1)
        return traefik_fail(c, t->node->place,
                            "a middleware is of one kind: one name below it, such as basicAuth");
    if (str_ieq(node->key, STR("chain")))
        return convert_chain(c, t);
    const struct traefik_middleware *m = find_kind(node->key);
    if (!m)
        return fail_unknown(c, node);
    if (!m->section)
        return traefik_fail(c, node->key_place, "%s is refused: %s", m->name, m->refusal);
    if (c->source->is_flat && node->kind == CONF_NODE_SCALAR && str_ieq(node->text, STR("true"))) {
        node->kind = CONF_NODE_MAP;
        node->text = STR_NONE;
    }
    if (node->kind == CONF_NODE_NULL)
        node->kind = CONF_NODE_MAP;
    if (node->kind != CONF_NODE_MAP)
        return traefik_fail(c, node->place, "%s: expected its options, found a value", m->name);
    const void *conf = traefik_read(c, m->section, traefik_middleware_refusals, node);
    return conf && m->convert(c, t, conf);
}

// What a middleware asks of the service; two that ask for the same can't both be had.
static bool merge(struct traefik_conv *c, const struct traefik_thing *t, struct conf_node *overlay)
{
    for (const struct conf_node *child = t->overlay ? t->overlay->first : NULL; child;
         child = child->next) {
        if (conf_node_get(overlay, child->key))
            return traefik_fail(c, t->node->place,
                                "a router can have one middleware of this kind: '" STR_FMT
                                "' is the second one",
                                STR_ARG(t->name));
        struct conf_node *copy = traefik_copy(child, c->mem);
        if (!copy)
            panic("converted settings don't fit");
        conf_node_put(overlay, child->key, copy);
    }
    return true;
}

bool traefik_use(struct traefik_conv *c, const struct conf_text *name, struct conf_node *use,
                 struct conf_node *overlay)
{
    struct traefik_thing *t = traefik_find(c, &c->middlewares, name->text);
    if (!t) {
        struct str own = traefik_own(c, "filters", name->text);
        if (own.len == 0)
            return traefik_fail(
                c, name->place, "there is no middleware '" STR_FMT "%s" STR_FMT "'",
                STR_ARG(name->text), str_find(name->text, '@') == STR_NPOS ? "@" : "",
                STR_ARG(str_find(name->text, '@') == STR_NPOS ? c->source->provider : STR_NONE));
        traefik_push(c, use, own, name->place);
        return true;
    }
    if (!traefik_make(c, t, "middleware", name->place, make) || !merge(c, t, overlay))
        return false;
    for (size_t i = 0; i < t->n_filters; i++)
        traefik_push(c, use, t->filters[i], name->place);
    return true;
}
