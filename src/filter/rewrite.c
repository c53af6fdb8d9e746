// SPDX-License-Identifier: Apache-2.0
// rewrite: another path for the server, by a regular expression.
#include "base/ascii.h"
#include "codec/url.h"
#include "filter/substitute.h"

struct rewrite_conf {
    struct conf_text from, to;
    bool ignore_case, with_query;
    struct place place;
};

struct rewrite {
    struct filter_base base;
    const struct rewrite_conf *conf; // borrows: the snapshot's
    struct regex *from;              // owns
    struct substitute to;
};

static const struct conf_item items[] = {
    ITEM_TEXT(rewrite_conf, from, "from", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
              .format = "a regular expression", .example = "\"^/wiki/([^/]+)$\"",
              .doc =
                  "What to find in the canonical path, in which needless escapes are decoded and "
                  "others are in upper case. Requests in which it isn't found pass as they are."),
    ITEM_TEXT(rewrite_conf, to, "to", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
              .format = "a text with $1", .example = "/index.php?title=$1",
              .doc =
                  "What takes the place of each match. `$1` to `$9` and `${name}` are groups; "
                  "`${1}` stands before letters and digits, `$$` is a dollar. What follows a "
                  "`?` goes in front of the request's own query, and groups there are one "
                  "value, whatever the client put into them, and so is what is left of the path."),
    ITEM_BOOL(rewrite_conf, with_query, "with-query", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Look at path and query together (`/path?query`), and replace in both."),
    ITEM_BOOL(rewrite_conf, ignore_case, "ignore-case", .def = "no", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Find letters in any case."),
};

static const struct conf_section section = {
    .name = "rewrite",
    .doc = "Changes the path by a regular expression before the server sees it. The result is made "
           "canonical; one with dot segments, or that is no path, is refused with 400. Locations "
           "and cookies aren't mapped back: where it is a prefix that changes, `strip-prefix` and "
           "`replace-path` do that.",
    CONF_SECTION_OF(rewrite_conf, items),
    .place_offset = CONF_PLACE_AT(rewrite_conf, place),
};

// What a request becomes.
struct outcome {
    enum substitute_end end;
    const char *fault; // the result can't be sent; NULL: it can
    struct str path, query;
    bool has_query;
};

static bool is_query(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_TARGET) || s.ptr[i] == '#')
            return false;
    return true;
}

// Splits what was made, and makes it as canonical as what clients send.
static void take(const struct rewrite *f, const struct exchange *x, struct str made,
                 struct outcome *o)
{
    static const struct url_path_policy policy = {.keep_dots = true};
    const struct request *r = &x->req;
    struct str path;
    o->has_query = str_cut(made, '?', &path, &o->query);
    // WHY: "/app//host/" without "/app" must not become "//host/", which names a host.
    while (str_starts(path, STR("//")) && !str_starts(r->path, STR("//")))
        path = str_skip(path, 1);
    if (!f->conf->with_query && !o->has_query) {
        o->has_query = r->has_query;
        o->query = r->query;
    } else if (!f->conf->with_query && r->query.len > 0) {
        o->query = o->query.len > 0 ? arena_concat(x->mem, o->query, STR("&"), r->query) : r->query;
    }
    if (path.len == 0) // "/app" without "/app" is the root, as URLs without a path are
        path = STR("/");
    enum err err = url_path_canon(path, &policy, x->mem, &o->path);
    if (err == ERR_LIMIT || (o->query.len > 0 && !o->query.ptr))
        o->end = SUBSTITUTE_NO_ROOM;
    else if (err != ERR_OK || !is_query(o->query))
        o->fault = "the rewritten path is none";
    else if (url_path_has_dots(o->path)) // only the client can have brought them in
        o->fault = "the rewritten path has a dot segment";
}

static struct outcome rewrite(const struct rewrite *f, const struct exchange *x)
{
    const struct request *r = &x->req;
    struct str subject = r->path, made;
    struct outcome o = {.end = SUBSTITUTE_NONE};
    if (r->is_asterisk)
        return o;
    if (f->conf->with_query && r->has_query)
        subject = arena_concat(x->mem, r->path, STR("?"), r->query);
    if (!subject.ptr) {
        o.end = SUBSTITUTE_NO_ROOM;
        return o;
    }
    o.end = substitute_all(&f->to, f->from, subject, !f->conf->with_query, x->mem, &made);
    if (o.end == SUBSTITUTE_BROKEN)
        o.fault = "the expression gave up, or the result is too long";
    if (o.end == SUBSTITUTE_DONE)
        take(f, x, made, &o);
    return o;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct rewrite *f = (const struct rewrite *)(const void *)h;
    struct outcome o = rewrite(f, x);
    if (o.end == SUBSTITUTE_NO_ROOM)
        return filter_exhausted(x);
    if (o.fault) {
        filter_note(h, x, "refused", str_of(o.fault));
        exchange_fail(x, 400, EXCHANGE_END_FILTERED, STR_FMT ": %s", STR_ARG(f->base.who), o.fault);
        return ERR_OK;
    }
    if (o.end == SUBSTITUTE_NONE) {
        filter_note(h, x, "passed", STR_NONE);
    } else {
        x->req.path = o.path;
        x->req.query = o.query;
        x->req.has_query = o.has_query;
        filter_note(h, x, "rewrote", o.path);
    }
    return handler_serve(h->next, x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct rewrite *f = (const struct rewrite *)(const void *)h;
    struct outcome o = rewrite(f, x);
    if (o.fault)
        return arena_printf(x->mem, "answers 400: %s", o.fault);
    if (o.end != SUBSTITUTE_DONE)
        return STR("lets the path pass");
    x->req.path = o.path;
    x->req.query = o.query;
    x->req.has_query = o.has_query;
    return arena_printf(x->mem, "makes it " STR_FMT "%s" STR_FMT, STR_ARG(o.path),
                        o.has_query ? "?" : "", STR_ARG(o.query));
}

static void release(struct handler *h)
{
    regex_fini(((struct rewrite *)(void *)h)->from);
}

static const struct handler_type type = {
    .name = "rewrite", .serve = serve, .explain = explain, .fini = release};

static enum err check_template(const struct conf_text *to, struct diags *diags)
{
    for (size_t i = 0; i < to->text.len; i++)
        if (!ascii_is(to->text.ptr[i], ASCII_TARGET) || to->text.ptr[i] == '#')
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "'" STR_FMT "' has a byte that paths can't hold; escape it as %%XX",
                             STR_ARG(to->text));
    return ERR_OK;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct rewrite_conf *c = settings;
    struct rewrite *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->from = filter_regex(&c->from, c->ignore_case ? REGEX_IGNORE_CASE : 0, env);
    if (f->from && check_template(&c->to, env->diags) == ERR_OK &&
        substitute_parse(&c->to, f->from, env, &f->to) == ERR_OK)
        return &f->base.handler;
    release(&f->base.handler);
    return NULL;
}

const struct filter_type filter_rewrite = {
    .choice = {.key = "rewrite", .section = &section},
    .build = build,
};
