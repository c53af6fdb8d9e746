// SPDX-License-Identifier: Apache-2.0
// security-headers: tells browsers what they may not do with a site's answers, and takes out what
// tells of the server. Strict-Transport-Security isn't here: it is a promise of the site (hsts).
#include "filter/common.h"

struct security_headers_conf {
    bool content_type_options, replace;
    unsigned frame_options, referrer_policy, opener, embedder, resource; // indices of names
    struct conf_texts frame_ancestors, remove;
    struct conf_text permissions, csp, csp_report_only;
    struct place place;
};

// Fields that are sent unless settings or servers say otherwise.
#define FIELDS_MAX 10

struct security_headers {
    struct filter_base base;
    const struct security_headers_conf *conf; // borrows: the snapshot's
    struct field fields[FIELDS_MAX];
    size_t n_fields;
    struct str ancestors; // a Content-Security-Policy of its own; empty: none
};

static const char *const frame_names[] = {"off", "DENY", "SAMEORIGIN", NULL};
static const char *const referrer_names[] = {"off",
                                             "no-referrer",
                                             "no-referrer-when-downgrade",
                                             "origin",
                                             "origin-when-cross-origin",
                                             "same-origin",
                                             "strict-origin",
                                             "strict-origin-when-cross-origin",
                                             "unsafe-url",
                                             NULL};
static const char *const opener_names[] = {
    "off", "unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups", NULL};
static const char *const embedder_names[] = {"off", "unsafe-none", "require-corp", "credentialless",
                                             NULL};
static const char *const resource_names[] = {"off", "same-site", "same-origin", "cross-origin",
                                             NULL};

static const struct conf_item items[] = {
    ITEM_BOOL(security_headers_conf, content_type_options, "content-type-options", .def = "yes",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "`X-Content-Type-Options: nosniff`: browsers believe `Content-Type`."),
    ITEM_ENUM(security_headers_conf, frame_options, "frame-options", .names = frame_names,
              .def = "SAMEORIGIN", .since = "0.1", .apply = CONF_LIVE,
              .doc = "`X-Frame-Options`: who may show pages in a frame. Not sent where "
                     "`frame-ancestors` is given, which says it better."),
    ITEM_TEXTS(security_headers_conf, frame_ancestors, "frame-ancestors", .since = "0.1",
               .apply = CONF_LIVE, .format = "sources of CSP",
               .example = "[\"'self'\", \"https://portal.example.com\"]",
               .doc = "Who may show pages in a frame, as a `Content-Security-Policy` of its own: "
                      "it holds beside one that servers send."),
    ITEM_ENUM(security_headers_conf, referrer_policy, "referrer-policy", .names = referrer_names,
              .def = "strict-origin-when-cross-origin", .since = "0.1", .apply = CONF_LIVE,
              .doc = "`Referrer-Policy`: how much of its address a page tells where links lead."),
    ITEM_TEXT(security_headers_conf, permissions, "permissions-policy",
              .def = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), "
                     "usb=()",
              .since = "0.1", .apply = CONF_LIVE, .format = "a policy, or `off`",
              .example = "\"geolocation=(self), camera=()\"",
              .doc = "`Permissions-Policy`: what of the device a page may use. Allow here what an "
                     "application needs, such as the microphone for calls."),
    ITEM_ENUM(security_headers_conf, opener, "cross-origin-opener-policy", .names = opener_names,
              .def = "same-origin-allow-popups", .since = "0.1", .apply = CONF_LIVE,
              .doc = "`Cross-Origin-Opener-Policy`: whether pages of others that open this one "
                     "keep a hold of its window."),
    ITEM_ENUM(security_headers_conf, resource, "cross-origin-resource-policy",
              .names = resource_names, .def = "same-site", .since = "0.1", .apply = CONF_LIVE,
              .doc = "`Cross-Origin-Resource-Policy`: whose pages may embed what is served here."),
    ITEM_ENUM(security_headers_conf, embedder, "cross-origin-embedder-policy",
              .names = embedder_names, .def = "off", .since = "0.1", .apply = CONF_LIVE,
              .doc = "`Cross-Origin-Embedder-Policy`: whether pages may embed only what allows it. "
                     "Needed for shared memory, and breaks much else."),
    ITEM_TEXT(security_headers_conf, csp, "content-security-policy", .def = "off", .since = "0.1",
              .apply = CONF_LIVE, .format = "a policy, or `off`",
              .example = "\"default-src 'self'; object-src 'none'\"",
              .doc = "`Content-Security-Policy`. There is none that fits every application: try "
                     "one as `content-security-policy-report-only` first."),
    ITEM_TEXT(security_headers_conf, csp_report_only, "content-security-policy-report-only",
              .def = "off", .since = "0.1", .apply = CONF_LIVE, .format = "a policy, or `off`",
              .example = "\"default-src 'self'; report-uri /csp\"",
              .doc = "`Content-Security-Policy-Report-Only`: browsers tell what a policy would "
                     "stop, and stop nothing."),
    ITEM_BOOL(security_headers_conf, replace, "replace", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether these fields take the place of a server's own. By default a server "
                     "that sends one knows what its pages need, and keeps it."),
    ITEM_TEXTS(security_headers_conf, remove, "remove",
               .def = "[Server, X-Powered-By, X-AspNet-Version, X-AspNetMvc-Version, X-Generator, "
                      "X-Runtime, X-Version, X-Backend, X-Backend-Server, X-Server, X-Served-By, "
                      "X-Varnish, Via]",
               .since = "0.1", .apply = CONF_LIVE, .format = "names of header fields",
               .example = "[Server, X-Powered-By]",
               .doc = "Fields of servers that tell what they are. `[]` leaves them all."),
};

static bool is_off(const struct conf_text *t)
{
    return t->text.len == 0 || str_eq(t->text, STR("off"));
}

static enum err check(const void *value, struct diags *diags)
{
    const struct security_headers_conf *c = value;
    bool names_ancestors = str_search(c->csp.text, STR("frame-ancestors")) != STR_NPOS;
    if (c->frame_ancestors.n > 0 && names_ancestors)
        return diag_fail(diags, ERR_SYNTAX, c->csp.place,
                         "the policy has frame-ancestors, and so does 'frame-ancestors': both "
                         "would hold; leave one out");
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "security-headers",
    .doc = "Adds the header fields that keep browsers from what is seldom wanted, and takes out "
           "those that tell of the server. `use: [security-headers]` does it with the defaults, "
           "without an entry under `filters`.",
    CONF_SECTION_OF(security_headers_conf, items),
    .place_offset = CONF_PLACE_AT(security_headers_conf, place),
    .check = check,
};

static enum err add_fields(const struct security_headers *f, struct headers *h)
{
    for (size_t i = 0; i < f->n_fields; i++) {
        const struct field *field = &f->fields[i];
        if (!f->conf->replace && headers_find_named(h, field->name))
            continue;
        if (headers_set_named(h, field->name, field->value) != ERR_OK)
            return ERR_LIMIT;
    }
    if (f->ancestors.len == 0)
        return ERR_OK;
    return headers_add_named(h, STR("Content-Security-Policy"), f->ancestors);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct security_headers *f = (const struct security_headers *)(const void *)h;
    filter_note(h, x, "applied", STR_NONE);
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < f->conf->remove.n; i++)
        headers_remove_named(&x->resp.headers, f->conf->remove.items[i].text);
    if (x->resp.status == 101) // no page comes of it
        return ERR_OK;
    return add_fields(f, &x->resp.headers) == ERR_OK ? ERR_OK : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct security_headers *f = (const struct security_headers *)(const void *)h;
    return arena_printf(x->mem, "adds %zu fields%s, removes %zu",
                        f->n_fields + (f->ancestors.len > 0),
                        f->conf->replace ? "" : " where the server has none", f->conf->remove.n);
}

static const struct handler_type type = {
    .name = "security-headers", .serve = serve, .explain = explain};

static void add(struct security_headers *f, const char *name, struct str value)
{
    ASSERT(f->n_fields < FIELDS_MAX);
    f->fields[f->n_fields++] = (struct field){.name = str_of(name), .value = value};
}

static void add_choice(struct security_headers *f, const char *name, const char *const *names,
                       unsigned index)
{
    if (index > 0)
        add(f, name, str_of(names[index]));
}

static enum err add_text(struct security_headers *f, const char *name, const struct conf_text *t,
                         struct diags *diags)
{
    if (is_off(t))
        return ERR_OK;
    const char *fault = filter_value_fault(t->text);
    if (fault)
        return diag_fail(diags, ERR_SYNTAX, t->place, "the value of %s %s", name, fault);
    add(f, name, t->text);
    return ERR_OK;
}

// A source can't hold what would begin another directive or policy (CSP Level 3, 2.3).
static bool is_source(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] == ';' || s.ptr[i] == ',' || s.ptr[i] == '\x7f')
            return false;
    return s.len > 0;
}

static enum err build_ancestors(struct security_headers *f, const struct filter_env *env)
{
    const struct conf_texts *list = &f->conf->frame_ancestors;
    struct str text = list->n > 0 ? STR("frame-ancestors") : STR_NONE;
    for (size_t i = 0; i < list->n; i++) {
        const struct conf_text *one = &list->items[i];
        if (!is_source(one->text))
            return diag_fail(env->diags, ERR_SYNTAX, one->place,
                             "'" STR_FMT "' is no source: 'self', 'none', or an origin such as "
                             "https://portal.example.com",
                             STR_ARG(one->text));
        text = arena_concat(env->mem, text, STR(" "), one->text);
        if (!text.ptr) {
            filter_no_memory(env);
            return ERR_LIMIT;
        }
    }
    f->ancestors = text;
    return ERR_OK;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct security_headers_conf *c = settings;
    struct security_headers *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    if (c->content_type_options)
        add(f, "X-Content-Type-Options", STR("nosniff"));
    if (c->frame_ancestors.n == 0)
        add_choice(f, "X-Frame-Options", frame_names, c->frame_options);
    add_choice(f, "Referrer-Policy", referrer_names, c->referrer_policy);
    add_choice(f, "Cross-Origin-Opener-Policy", opener_names, c->opener);
    add_choice(f, "Cross-Origin-Resource-Policy", resource_names, c->resource);
    add_choice(f, "Cross-Origin-Embedder-Policy", embedder_names, c->embedder);
    enum err err = build_ancestors(f, env);
    if (add_text(f, "Permissions-Policy", &c->permissions, env->diags) != ERR_OK ||
        add_text(f, "Content-Security-Policy", &c->csp, env->diags) != ERR_OK ||
        add_text(f, "Content-Security-Policy-Report-Only", &c->csp_report_only, env->diags) !=
            ERR_OK)
        err = ERR_SYNTAX;
    for (size_t i = 0; i < c->remove.n; i++) {
        const struct conf_text *field = &c->remove.items[i];
        if (filter_field_check(field->text, field->place, FILTER_RESPONSE, env) != ERR_OK)
            err = ERR_SYNTAX;
    }
    return err == ERR_OK ? &f->base.handler : NULL;
}

const struct filter_type filter_security_headers = {
    .choice = {.key = "security-headers", .section = &section},
    .build = build,
    .is_preset = true,
};
