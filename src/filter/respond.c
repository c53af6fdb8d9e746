// SPDX-License-Identifier: Apache-2.0
// respond: a fixed answer.
#include "filter/common.h"

struct respond_conf {
    uint32_t status;
    struct conf_text body, content_type;
    struct conf_map headers; // of filter_field_conf
    struct place place;
};

struct respond {
    struct filter_base base;
    const struct respond_conf *conf; // borrows: the snapshot's
    struct field *fields;            // as many as conf->headers
};

static const struct conf_item items[] = {
    ITEM_UINT(respond_conf, status, "status", .def = "200", .min = "200", .max = "599",
              .since = "0.1", .apply = CONF_LIVE, .doc = "The status code."),
    ITEM_TEXT(respond_conf, body, "body", .since = "0.1", .apply = CONF_LIVE, .format = "any text",
              .example = "\"Down for maintenance.\\n\"", .doc = "The body."),
    ITEM_TEXT(respond_conf, content_type, "content-type", .def = "text/plain; charset=utf-8",
              .since = "0.1", .apply = CONF_LIVE, .format = "a media type",
              .doc = "The `Content-Type` of the body."),
    ITEM_MAP(respond_conf, headers, "headers", .section = &filter_field_section, .since = "0.1",
             .has_secret_names = true, .apply = CONF_LIVE, .example = "{ Retry-After: \"120\" }",
             .doc = "Further header fields."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct respond_conf *c = value;
    if (c->body.text.len > 0 && (c->status == 204 || c->status == 205 || c->status == 304))
        return diag_fail(diags, ERR_SYNTAX, c->body.place, "an answer with status %u has no body",
                         c->status);
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "respond",
    .doc = "Gives a fixed answer, and asks no server.",
    CONF_SECTION_OF(respond_conf, items),
    .shorthand = "body",
    .place_offset = CONF_PLACE_AT(respond_conf, place),
    .check = check,
};

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct respond *f = (const struct respond *)(const void *)h;
    const struct respond_conf *c = f->conf;
    if (exchange_respond(x, c->status, c->content_type.text, c->body.text) != ERR_OK)
        return filter_exhausted(x);
    for (size_t i = 0; i < c->headers.n; i++)
        if (headers_set_named(&x->resp.headers, f->fields[i].name, f->fields[i].value) != ERR_OK)
            return filter_exhausted(x);
    filter_note(h, x, "answered", arena_printf(x->mem, "%u", c->status));
    exchange_end_filtered(x);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct respond *f = (const struct respond *)(const void *)h;
    return arena_printf(x->mem, "answers %u with %zu bytes", f->conf->status,
                        f->conf->body.text.len);
}

static const struct handler_type type = {.name = "respond", .serve = serve, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct respond_conf *c = settings;
    struct respond *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    enum err err = filter_fields_build(&c->headers, FILTER_RESPONSE, env, &f->fields);
    const char *fault = filter_value_fault(c->content_type.text);
    if (fault)
        err =
            diag_fail(env->diags, ERR_SYNTAX, c->content_type.place, "the content type %s", fault);
    return err == ERR_OK ? &f->base.handler : NULL;
}

const struct filter_type filter_respond = {
    .choice = {.key = "respond", .section = &section},
    .build = build,
};
