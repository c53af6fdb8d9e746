// SPDX-License-Identifier: Apache-2.0
// maintenance: a page for everybody but those who work on it.
#include "filter/page_conf.h"
#include "filter/path_map.h"
#include "http/grpc.h"

struct maintenance_conf {
    bool is_enabled;
    struct page_conf page;
    uint32_t status;
    int64_t retry_ms;
    struct conf_nets except;
    struct conf_texts except_paths;
    struct place place;
};

struct maintenance {
    struct filter_base base;
    const struct maintenance_conf *conf; // borrows: the snapshot's
    struct str *paths;                   // prefixes, as many as in conf
    struct str retry_s;                  // empty: no Retry-After
};

static const struct conf_item items[] = {
    ITEM_BOOL(maintenance_conf, is_enabled, "enabled", .def = "yes", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether it is maintenance time: `no` lets everybody pass, so that the filter "
                     "can stay where it is."),
    PAGE_ITEMS(maintenance_conf, page),
    ITEM_UINT(maintenance_conf, status, "status", .def = "503", .min = "400", .max = "599",
              .since = "0.1", .apply = CONF_LIVE, .doc = "The status code."),
    ITEM_DURATION(maintenance_conf, retry_ms, "retry-after", .def = "10m", .min = "0", .max = "30d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "When to come again, for programs, as `Retry-After`. 0: nothing is said."),
    ITEM_NETS(maintenance_conf, except, "except", .since = "0.1", .apply = CONF_LIVE,
              .example = "[192.0.2.0/24]",
              .doc = "Addresses and networks of clients who see the site itself."),
    ITEM_TEXTS(maintenance_conf, except_paths, "except-paths", .since = "0.1", .apply = CONF_LIVE,
               .format = "path prefixes", .example = "[/healthz]",
               .doc = "Prefixes, of whole segments, of paths that everybody sees."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct maintenance_conf *c = value;
    return page_check(&c->page, c->place, diags);
}

static const struct conf_section section = {
    .name = "maintenance",
    .doc = "Answers with a page that tells of maintenance, and asks no server.",
    CONF_SECTION_OF(maintenance_conf, items),
    .place_offset = CONF_PLACE_AT(maintenance_conf, place),
    .check = check,
};

// Why x may pass; NULL: it may not.
static const char *pass_of(const struct maintenance *f, const struct exchange *x)
{
    const struct maintenance_conf *c = f->conf;
    if (!c->is_enabled)
        return "it is not enabled";
    for (size_t i = 0; i < c->except.n; i++)
        if (ip_net_contains(&c->except.items[i], &x->client))
            return "an address that may";
    for (size_t i = 0; i < c->except_paths.n; i++)
        if (path_map_is_below(x->req.path, f->paths[i]))
            return "a path that may";
    return NULL;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct maintenance *f = (const struct maintenance *)(const void *)h;
    const char *pass = pass_of(f, x);
    filter_note(h, x, pass ? "passed" : "answered", str_of(pass));
    if (pass)
        return handler_serve(h->next, x);
    unsigned status = f->conf->status;
    exchange_fail(x, status, EXCHANGE_END_FILTERED, STR_FMT, STR_ARG(f->base.who));
    if (!grpc_is(x)) { // such a client has its answer, in fields
        struct page p = page_of(&f->conf->page, x, status, STR("Down for maintenance."), 0);
        if (!p.body.ptr || exchange_respond(x, status, p.content_type, p.body) != ERR_OK ||
            headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store")) != ERR_OK)
            return filter_exhausted(x);
    }
    if (f->retry_s.len > 0 &&
        headers_add(&x->resp.headers, FIELD_RETRY_AFTER, f->retry_s) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct maintenance *f = (const struct maintenance *)(const void *)h;
    const char *pass = pass_of(f, x);
    return pass ? arena_printf(x->mem, "lets pass: %s", pass)
                : arena_printf(x->mem, "answers %u: maintenance", f->conf->status);
}

static const struct handler_type type = {.name = "maintenance", .serve = serve, .explain = explain};

static enum err build_paths(struct maintenance *f, const struct filter_env *env)
{
    const struct conf_texts *list = &f->conf->except_paths;
    enum err err = ERR_OK;
    f->paths = ARENA_ARRAY(env->mem, struct str, list->n + 1);
    if (!f->paths) {
        filter_no_memory(env);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < list->n; i++) {
        const char *fault = path_map_prefix(list->items[i].text, env->mem, &f->paths[i]);
        if (fault)
            err = diag_fail(env->diags, ERR_SYNTAX, list->items[i].place, "'" STR_FMT "' %s",
                            STR_ARG(list->items[i].text), fault);
    }
    return err;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct maintenance_conf *c = settings;
    struct maintenance *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    if (c->retry_ms > 0) {
        f->retry_s = arena_printf(env->mem, "%lld", (long long)((c->retry_ms + 999) / 1000));
        if (!f->retry_s.ptr)
            return filter_no_memory(env);
    }
    return build_paths(f, env) == ERR_OK ? &f->base.handler : NULL;
}

const struct filter_type filter_maintenance = {
    .choice = {.key = "maintenance", .section = &section},
    .build = build,
    .is_preset = true,
};
