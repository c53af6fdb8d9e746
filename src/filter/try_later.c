// SPDX-License-Identifier: Apache-2.0
// try-later: while no server can be reached, clients are told when to come again, and browsers come
// by themselves.
#include "filter/page_conf.h"
#include "filter/statuses.h"
#include "http/grpc.h"

struct try_later_conf {
    struct page_conf page;
    int64_t retry_ms;
    struct conf_texts statuses;
    struct place place;
};

struct try_later {
    struct filter_base base;
    const struct try_later_conf *conf; // borrows: the snapshot's
    struct statuses statuses;
    struct str retry_s;
};

static const struct conf_item items[] = {
    ITEM_DURATION(try_later_conf, retry_ms, "retry-after", .def = "5s", .min = "1s", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "When to come again, as `Retry-After`; the neutral page loads itself anew "
                         "after that time."),
    PAGE_ITEMS(try_later_conf, page),
    ITEM_TEXTS(try_later_conf, statuses, "statuses", .since = "0.1", .apply = CONF_LIVE,
               .format = "status codes and ranges", .example = "[502-504]",
               .doc = "Statuses of a server's own answers that mean the same, because it is "
                      "starting or has a proxy itself. By default none: what a server says stays."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct try_later_conf *c = value;
    return page_check(&c->page, c->place, diags);
}

static const struct conf_section section = {
    .name = "try-later",
    .doc = "Answers 503 with `Retry-After` while a service has no server that can be reached. "
           "`use: [try-later]` does it with the defaults.",
    CONF_SECTION_OF(try_later_conf, items),
    .shorthand = "retry-after",
    .place_offset = CONF_PLACE_AT(try_later_conf, place),
    .check = check,
};

// No server has seen the request.
static bool is_unreached(const struct exchange *x)
{
    return x->resp.is_internal &&
           (x->end == EXCHANGE_END_NO_SERVER || x->end == EXCHANGE_END_SERVER_CONNECT ||
            x->end == EXCHANGE_END_SERVER_CONNECT_TIMEOUT);
}

static bool is_meant(const struct try_later *f, const struct exchange *x)
{
    if (grpc_is(x)) // "unavailable" says it already, and clients of gRPC know what to do
        return false;
    return is_unreached(x) || (!x->resp.is_internal && statuses_have(&f->statuses, x->resp.status));
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct try_later *f = (const struct try_later *)(const void *)h;
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK || LIKELY(x->resp.status < 400) || !is_meant(f, x))
        return err;
    filter_note(h, x, "answered 503", arena_printf(x->mem, "instead of %u", x->resp.status));
    // Loading again repeats the request: browsers do so with what can be repeated alone.
    bool reloads = x->req.method_id == METHOD_GET;
    struct page p =
        page_of(&f->conf->page, x, 503, STR("It isn't ready yet. Try again in a moment."),
                reloads ? (unsigned)((f->conf->retry_ms + 999) / 1000) : 0);
    if (!p.body.ptr || exchange_respond(x, 503, p.content_type, p.body) != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_RETRY_AFTER, f->retry_s) != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store")) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct try_later *f = (const struct try_later *)(const void *)h;
    return arena_printf(x->mem, "while no server can be reached: 503, again in " STR_FMT " s",
                        STR_ARG(f->retry_s));
}

static const struct handler_type type = {.name = "try-later", .serve = serve, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct try_later_conf *c = settings;
    struct try_later *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->retry_s = arena_printf(env->mem, "%lld", (long long)((c->retry_ms + 999) / 1000));
    if (!f->retry_s.ptr)
        return filter_no_memory(env);
    return statuses_parse(&c->statuses, env->diags, &f->statuses) == ERR_OK ? &f->base.handler
                                                                            : NULL;
}

const struct filter_type filter_try_later = {
    .choice = {.key = "try-later", .section = &section},
    .build = build,
    .is_preset = true,
};
