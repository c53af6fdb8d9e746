// SPDX-License-Identifier: Apache-2.0
// strip-prefix and add-prefix, replace-path with a prefix, and the strip/replace of sites: all are
// path maps around what is behind.
#include "filter/common.h"
#include "filter/path_map.h"

struct strip_prefix_conf {
    struct conf_texts prefixes;
};

struct add_prefix_conf {
    struct conf_text prefix;
};

struct replace_path_conf {
    struct conf_text path, from, to;
    struct place place;
};

struct mapping {
    struct filter_base base;
    struct path_map *maps; // tried in order
    size_t n_maps;
    bool tells_prefix; // servers get the removed prefix in X-Forwarded-Prefix
};

static const struct path_map *find_map(const struct mapping *f, const struct exchange *x)
{
    if (x->req.is_asterisk)
        return NULL;
    for (size_t i = 0; i < f->n_maps; i++)
        if (path_map_is_below(x->req.path, f->maps[i].from))
            return &f->maps[i];
    return NULL;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct mapping *f = (const struct mapping *)(const void *)h;
    const struct path_map *m = find_map(f, x);
    if (!m) {
        filter_note(h, x, "passed", STR_NONE);
        return handler_serve(h->next, x);
    }
    struct str path = path_map_swap(x->req.path, m->from, m->to, x);
    if (!path.ptr)
        return filter_exhausted(x);
    x->req.path = path;
    if (f->tells_prefix && m->from.len > 0 &&
        headers_set_named(&x->req.headers, STR("X-Forwarded-Prefix"), m->from) != ERR_OK)
        return filter_exhausted(x);
    filter_note(h, x, "mapped to", path);
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK)
        return err;
    return path_map_back(m, x) == ERR_OK ? ERR_OK : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct path_map *m = find_map((const struct mapping *)(const void *)h, x);
    if (!m)
        return STR("leaves the path as it is");
    x->req.path = path_map_swap(x->req.path, m->from, m->to, x);
    return arena_printf(x->mem, "makes the path " STR_FMT, STR_ARG(x->req.path));
}

static const struct handler_type strip_type = {
    .name = "strip-prefix", .serve = serve, .explain = explain};
static const struct handler_type add_type = {
    .name = "add-prefix", .serve = serve, .explain = explain};
static const struct handler_type replace_type = {
    .name = "replace-path", .serve = serve, .explain = explain};
static const struct handler_type site_type = {.name = "strip", .serve = serve, .explain = explain};

// A mapping with room for n maps; NULL with an error.
static struct mapping *mapping_new(struct str name, const struct handler_type *type, size_t n,
                                   const struct handler *next, const struct filter_env *env)
{
    struct mapping *f = filter_new(env, sizeof *f, type, name, next);
    if (!f)
        return NULL;
    f->maps =
        (struct path_map *)arena_zalloc(env->mem, n, sizeof *f->maps, alignof(struct path_map));
    return f->maps ? f : filter_no_memory(env);
}

// A prefix of settings; an empty text is the root.
static enum err prefix_of(const struct conf_text *text, const struct filter_env *env,
                          struct str *ret)
{
    if (text->text.len == 0)
        return ERR_OK;
    const char *fault = path_map_prefix(text->text, env->mem, ret);
    if (!fault)
        return ERR_OK;
    return diag_fail(env->diags, ERR_SYNTAX, text->place, "the prefix '" STR_FMT "' %s",
                     STR_ARG(text->text), fault);
}

// --- strip-prefix ---

static const struct conf_item strip_items[] = {
    ITEM_TEXTS(strip_prefix_conf, prefixes, "prefixes", .is_required = true, .since = "0.1",
               .apply = CONF_LIVE, .format = "paths", .example = "[/api]",
               .doc = "The first of these that the path has is removed. `/api` is in `/api` and "
                      "`/api/x`, not in `/apis`."),
};

static const struct conf_section strip_section = {
    .name = "strip-prefix",
    .doc = "Removes a prefix from the path before a server gets it. Servers are told of it in "
           "`X-Forwarded-Prefix`; redirects and cookies of theirs get it put back.",
    CONF_SECTION_OF(strip_prefix_conf, strip_items),
    .shorthand = "prefixes",
};

static struct handler *build_strip(struct str name, const void *settings,
                                   const struct handler *next, const struct filter_env *env)
{
    const struct strip_prefix_conf *c = settings;
    struct mapping *f = mapping_new(name, &strip_type, c->prefixes.n, next, env);
    if (!f)
        return NULL;
    f->tells_prefix = true;
    enum err err = ERR_OK;
    for (size_t i = 0; i < c->prefixes.n; i++)
        if (prefix_of(&c->prefixes.items[i], env, &f->maps[f->n_maps++].from) != ERR_OK)
            err = ERR_SYNTAX;
    return err == ERR_OK ? &f->base.handler : NULL;
}

const struct filter_type filter_strip_prefix = {
    .choice = {.key = "strip-prefix", .section = &strip_section},
    .build = build_strip,
};

// --- add-prefix ---

static const struct conf_item add_items[] = {
    ITEM_TEXT(add_prefix_conf, prefix, "prefix", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a path", .example = "/v2",
              .doc = "What to put in front of the path."),
};

static const struct conf_section add_section = {
    .name = "add-prefix",
    .doc = "Puts a prefix in front of the path before a server gets it, and takes it off the "
           "server's redirects and cookies.",
    CONF_SECTION_OF(add_prefix_conf, add_items),
    .shorthand = "prefix",
};

static struct handler *build_add(struct str name, const void *settings, const struct handler *next,
                                 const struct filter_env *env)
{
    const struct add_prefix_conf *c = settings;
    struct mapping *f = mapping_new(name, &add_type, 1, next, env);
    if (!f || prefix_of(&c->prefix, env, &f->maps[0].to) != ERR_OK)
        return NULL;
    f->n_maps = 1;
    return &f->base.handler;
}

const struct filter_type filter_add_prefix = {
    .choice = {.key = "add-prefix", .section = &add_section},
    .build = build_add,
};

// --- replace-path ---

struct fixed_path {
    struct filter_base base;
    struct str path;
};

static enum err serve_fixed(const struct handler *h, struct exchange *x)
{
    const struct fixed_path *f = (const struct fixed_path *)(const void *)h;
    if (!x->req.is_asterisk)
        x->req.path = f->path;
    filter_note(h, x, "mapped to", x->req.path);
    return handler_serve(h->next, x);
}

static struct str explain_fixed(const struct handler *h, struct exchange *x)
{
    const struct fixed_path *f = (const struct fixed_path *)(const void *)h;
    if (!x->req.is_asterisk)
        x->req.path = f->path;
    return arena_printf(x->mem, "makes the path " STR_FMT, STR_ARG(x->req.path));
}

static const struct handler_type fixed_type = {
    .name = "replace-path", .serve = serve_fixed, .explain = explain_fixed};

static const struct conf_item replace_items[] = {
    ITEM_TEXT(replace_path_conf, path, "path", .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .example = "/index.html",
              .doc = "The path that servers get for every request."),
    ITEM_TEXT(replace_path_conf, from, "from", .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .example = "/app",
              .doc = "Instead of `path`: the prefix that `to` takes the place of. Whole segments; "
                     "other paths stay as they are."),
    ITEM_TEXT(replace_path_conf, to, "to", .since = "0.1", .apply = CONF_LIVE, .format = "a path",
              .example = "/service/v2",
              .doc = "The prefix that servers get. Their redirects and cookies are mapped back."),
};

static enum err check_replace(const void *value, struct diags *diags)
{
    const struct replace_path_conf *c = value;
    bool has_path = c->path.text.len > 0;
    bool has_from = c->from.text.len > 0, has_to = c->to.text.len > 0;
    if (has_from != has_to || has_path == has_from)
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "replace-path needs either 'path', or both 'from' and 'to'");
    return ERR_OK;
}

static const struct conf_section replace_section = {
    .name = "replace-path",
    .doc = "Replaces the path, or a prefix of it, before a server gets it.",
    CONF_SECTION_OF(replace_path_conf, replace_items),
    .shorthand = "path",
    .place_offset = CONF_PLACE_AT(replace_path_conf, place),
    .check = check_replace,
};

static struct handler *build_fixed(struct str name, const struct conf_text *path,
                                   const struct handler *next, const struct filter_env *env)
{
    struct fixed_path *f = filter_new(env, sizeof *f, &fixed_type, name, next);
    struct str prefix = STR_NONE;
    if (!f || prefix_of(path, env, &prefix) != ERR_OK)
        return NULL;
    // A prefix has lost the final slash that a path may have.
    f->path = str_ends(path->text, STR("/")) ? arena_concat(env->mem, prefix, STR("/"), STR_NONE)
                                             : prefix;
    return f->path.ptr ? &f->base.handler : filter_no_memory(env);
}

static struct handler *build_map(struct str name, const struct handler_type *type,
                                 const struct conf_text *from, const struct conf_text *to,
                                 const struct handler *next, const struct filter_env *env)
{
    struct mapping *f = mapping_new(name, type, 1, next, env);
    if (!f)
        return NULL;
    enum err from_err = prefix_of(from, env, &f->maps[0].from);
    enum err to_err = prefix_of(to, env, &f->maps[0].to);
    f->n_maps = 1;
    f->tells_prefix = f->maps[0].to.len == 0;
    return from_err == ERR_OK && to_err == ERR_OK ? &f->base.handler : NULL;
}

static struct handler *build_replace(struct str name, const void *settings,
                                     const struct handler *next, const struct filter_env *env)
{
    const struct replace_path_conf *c = settings;
    if (c->path.text.len > 0)
        return build_fixed(name, &c->path, next, env);
    return build_map(name, &replace_type, &c->from, &c->to, next, env);
}

const struct filter_type filter_replace_path = {
    .choice = {.key = "replace-path", .section = &replace_section},
    .build = build_replace,
};

// --- sites and routes ---

struct handler *filter_prefix_mapping(const struct conf_text *strip,
                                      const struct conf_text *replace, const struct handler *next,
                                      const struct filter_env *env)
{
    return build_map(STR("strip"), &site_type, strip, replace, next, env);
}
