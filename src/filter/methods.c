// SPDX-License-Identifier: Apache-2.0
// methods: which methods may pass.
#include "base/ascii.h"
#include "codec/h1.h"
#include "filter/common.h"
#include "filter/trailers.h"

struct methods_conf {
    struct conf_texts allow;
    bool answer_options, keep_overrides;
    struct place place;
};

struct methods {
    struct filter_base base;
    const struct methods_conf *conf; // borrows: the snapshot's
    struct str allow;                // as the field has it
};

static const struct conf_item items[] = {
    ITEM_TEXTS(methods_conf, allow, "allow", .is_required = true, .since = "0.1",
               .apply = CONF_LIVE, .format = "methods", .example = "[GET, POST]",
               .doc = "The methods that may pass. GET lets HEAD pass as well."),
    ITEM_BOOL(methods_conf, answer_options, "answer-options", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Answer OPTIONS here with the list, instead of refusing it."),
    ITEM_BOOL(methods_conf, keep_overrides, "keep-overrides", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Leave `X-HTTP-Method-Override`, `X-HTTP-Method` and `X-Method-Override` in "
                     "requests. By default they are taken out: a server that believes them would "
                     "do what this list forbids."),
};

static bool is_listed(const struct methods_conf *c, struct str method)
{
    for (size_t i = 0; i < c->allow.n; i++)
        if (str_eq(c->allow.items[i].text, method))
            return true;
    return false;
}

static enum err check_method(const struct conf_text *t, struct diags *diags)
{
    if (!ascii_is_token(t->text))
        return diag_fail(diags, ERR_SYNTAX, t->place, "'" STR_FMT "' is no method",
                         STR_ARG(t->text));
#define X(id, name)                                                                                \
    if (str_ieq(t->text, STR(name)) && !str_eq(t->text, STR(name)))                                \
        return diag_fail(diags, ERR_SYNTAX, t->place,                                              \
                         "'" STR_FMT "' is not " name ": methods are told apart by case",          \
                         STR_ARG(t->text));
    METHOD_LIST(X)
#undef X
    return ERR_OK;
}

static enum err check(const void *value, struct diags *diags)
{
    const struct methods_conf *c = value;
    enum err err = ERR_OK;
    if (c->allow.n == 0)
        err = diag_fail(diags, ERR_SYNTAX, c->place, "the list of methods is empty");
    for (size_t i = 0; i < c->allow.n; i++)
        if (check_method(&c->allow.items[i], diags) != ERR_OK)
            err = ERR_SYNTAX;
    return err;
}

static const struct conf_section section = {
    .name = "methods",
    .doc = "Lets only these methods pass; others are answered with 405 and the list.",
    CONF_SECTION_OF(methods_conf, items),
    .shorthand = "allow",
    .place_offset = CONF_PLACE_AT(methods_conf, place),
    .check = check,
};

static bool may_pass(const struct methods *f, const struct exchange *x)
{
    return is_listed(f->conf, x->req.method) ||
           (x->req.method_id == METHOD_HEAD && is_listed(f->conf, STR("GET")));
}

static bool answers(const struct methods *f, const struct exchange *x)
{
    return f->conf->answer_options && x->req.method_id == METHOD_OPTIONS;
}

static void drop_overrides(const void *unused, struct headers *h)
{
    (void)unused;
    static const struct str names[] = {STR_INIT("X-HTTP-Method-Override"),
                                       STR_INIT("X-HTTP-Method"), STR_INIT("X-Method-Override")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        headers_remove_twins(h, names[i]);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct methods *f = (const struct methods *)(const void *)h;
    if (may_pass(f, x)) {
        filter_note(h, x, "passed", x->req.method);
        if (!f->conf->keep_overrides) {
            drop_overrides(NULL, &x->req.headers);
            if (filter_clean_trailers(x, drop_overrides, NULL) != ERR_OK)
                return filter_exhausted(x);
        }
        return handler_serve(h->next, x);
    }
    if (answers(f, x)) {
        filter_note(h, x, "answered", x->req.method);
        if (exchange_respond(x, 204, STR_NONE, STR_NONE) != ERR_OK)
            return filter_exhausted(x);
        exchange_end_filtered(x);
    } else {
        filter_note(h, x, "refused", x->req.method);
        exchange_fail(x, 405, EXCHANGE_END_FILTERED, STR_FMT ": the method isn't allowed",
                      STR_ARG(f->base.who));
    }
    return headers_add(&x->resp.headers, FIELD_ALLOW, f->allow) == ERR_OK ? ERR_OK
                                                                          : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct methods *f = (const struct methods *)(const void *)h;
    if (may_pass(f, x))
        return arena_printf(x->mem, "lets " STR_FMT " pass", STR_ARG(x->req.method));
    return arena_printf(x->mem, "answers %d: allowed is " STR_FMT, answers(f, x) ? 204 : 405,
                        STR_ARG(f->allow));
}

static const struct handler_type type = {.name = "methods", .serve = serve, .explain = explain};

// Puts a name on the list.
static bool list(struct methods *f, struct str name, struct arena *mem)
{
    f->allow = f->allow.len > 0 ? arena_concat(mem, f->allow, STR(", "), name) : name;
    return f->allow.ptr != NULL;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct methods_conf *c = settings;
    struct methods *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    bool fits = true;
    for (size_t i = 0; i < c->allow.n && fits; i++)
        fits = list(f, c->allow.items[i].text, env->mem);
    if (fits && is_listed(c, STR("GET")) && !is_listed(c, STR("HEAD")))
        fits = list(f, STR("HEAD"), env->mem);
    if (fits && c->answer_options && !is_listed(c, STR("OPTIONS")))
        fits = list(f, STR("OPTIONS"), env->mem);
    return fits ? &f->base.handler : filter_no_memory(env);
}

const struct filter_type filter_methods = {
    .choice = {.key = "methods", .section = &section},
    .build = build,
};
