// SPDX-License-Identifier: Apache-2.0
// headers: sets, adds and removes header fields of requests and responses.
#include "filter/common.h"
#include "filter/trailers.h"

struct field_changes_conf {
    struct conf_map set, add; // of filter_field_conf
    struct conf_texts remove;
    struct place place;
};

struct headers_conf {
    struct field_changes_conf request, response;
};

struct changes {
    const struct field_changes_conf *conf; // borrows: the snapshot's
    struct field *set, *add, *remove;      // as many as in conf
};

struct headers_filter {
    struct filter_base base;
    struct changes request, response;
};

static const struct conf_item changes_items[] = {
    ITEM_TEXTS(field_changes_conf, remove, "remove", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of header fields", .example = "[X-Powered-By, Server]",
               .doc = "Fields to take out. This is done first, then `set`, then `add`."),
    ITEM_MAP(field_changes_conf, set, "set", .section = &filter_field_section, .since = "0.1",
             .has_secret_names = true, .apply = CONF_LIVE, .example = "{ X-Frame-Options: DENY }",
             .doc = "Fields that get this value, whatever they had."),
    ITEM_MAP(field_changes_conf, add, "add", .section = &filter_field_section, .since = "0.1",
             .has_secret_names = true, .apply = CONF_LIVE,
             .example = "{ Link: \"</style.css>; rel=preload\" }",
             .doc = "Fields to put behind those that are there."),
};

static const struct conf_section changes_section = {
    .name = "field-changes",
    .doc = "Changes to the header fields of one direction.",
    CONF_SECTION_OF(field_changes_conf, changes_items),
    .place_offset = CONF_PLACE_AT(field_changes_conf, place),
};

static const struct conf_item items[] = {
    ITEM_SECTION(headers_conf, request, "request", struct field_changes_conf,
                 .section = &changes_section, .since = "0.1", .apply = CONF_LIVE,
                 .doc = "What servers get. A client's field that is the same but for a `_` in the "
                        "place of a `-` is removed as well, since many servers can't tell them "
                        "apart, and so are trailers of the same name."),
    ITEM_SECTION(headers_conf, response, "response", struct field_changes_conf,
                 .section = &changes_section, .since = "0.1", .apply = CONF_LIVE,
                 .doc = "What clients get."),
};

static const struct conf_section section = {
    .name = "headers",
    .doc = "Sets, adds and removes header fields. Those that frame a message or belong to one "
           "connection, such as `Content-Length` and `Connection`, can't be touched.",
    CONF_SECTION_OF(headers_conf, items),
};

// What a server would take for one of these fields: "X_User" is X-User to many.
static void remove_twins(const struct changes *c, struct headers *h)
{
    for (size_t i = 0; i < c->conf->remove.n; i++)
        headers_remove_twins(h, c->remove[i].name);
    for (size_t i = 0; i < c->conf->set.n; i++)
        headers_remove_twins(h, c->set[i].name);
}

static enum err apply(const struct changes *c, struct headers *h)
{
    for (size_t i = 0; i < c->conf->remove.n; i++)
        headers_remove_named(h, c->remove[i].name);
    for (size_t i = 0; i < c->conf->set.n; i++)
        if (headers_set_named(h, c->set[i].name, c->set[i].value) != ERR_OK)
            return ERR_LIMIT;
    for (size_t i = 0; i < c->conf->add.n; i++)
        if (headers_add_named(h, c->add[i].name, c->add[i].value) != ERR_OK)
            return ERR_LIMIT;
    return ERR_OK;
}

static void clean_trailers(const void *f, struct headers *trailers)
{
    remove_twins(&((const struct headers_filter *)f)->request, trailers);
}

static size_t count(const struct changes *c)
{
    return c->conf->set.n + c->conf->add.n + c->conf->remove.n;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct headers_filter *f = (const struct headers_filter *)(const void *)h;
    remove_twins(&f->request, &x->req.headers);
    bool drops = f->request.conf->remove.n + f->request.conf->set.n > 0;
    if (apply(&f->request, &x->req.headers) != ERR_OK ||
        (drops && filter_clean_trailers(x, clean_trailers, f) != ERR_OK))
        return filter_exhausted(x);
    filter_note(h, x, "applied", STR_NONE);
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK)
        return err;
    return apply(&f->response, &x->resp.headers) == ERR_OK ? ERR_OK : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct headers_filter *f = (const struct headers_filter *)(const void *)h;
    remove_twins(&f->request, &x->req.headers);
    (void)apply(&f->request, &x->req.headers);
    return arena_printf(x->mem, "%zu changes to the request's fields, %zu to the response's",
                        count(&f->request), count(&f->response));
}

static const struct handler_type type = {.name = "headers", .serve = serve, .explain = explain};

static enum err build_changes(const struct field_changes_conf *c, enum filter_side side,
                              const struct filter_env *env, struct changes *ret)
{
    ret->conf = c;
    enum err set = filter_fields_build(&c->set, side, env, &ret->set);
    enum err add = filter_fields_build(&c->add, side, env, &ret->add);
    enum err err = set != ERR_OK ? set : add;
    ret->remove = ARENA_ARRAY(env->mem, struct field, c->remove.n + 1);
    if (!ret->remove) {
        filter_no_memory(env);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < c->remove.n; i++) {
        const struct conf_text *name = &c->remove.items[i];
        ret->remove[i] = (struct field){.name = name->text};
        if (filter_field_check(name->text, name->place, side, env) != ERR_OK)
            err = ERR_SYNTAX;
    }
    return err;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct headers_conf *c = settings;
    struct headers_filter *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    enum err request = build_changes(&c->request, FILTER_REQUEST, env, &f->request);
    enum err response = build_changes(&c->response, FILTER_RESPONSE, env, &f->response);
    return request == ERR_OK && response == ERR_OK ? &f->base.handler : NULL;
}

const struct filter_type filter_headers = {
    .choice = {.key = "headers", .section = &section},
    .build = build,
};
