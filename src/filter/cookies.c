// SPDX-License-Identifier: Apache-2.0
// cookies: what servers' cookies are to be like (RFC 6265, and SameSite of its successor). They are
// read as browsers read them, so that no spelling gets round what is forced here.
#include "base/ascii.h"
#include "filter/common.h"
#include "filter/path_map.h"

struct cookies_conf {
    struct conf_texts names;
    unsigned secure, same_site; // enum secure, enum same_site
    bool http_only;
    struct conf_map paths, domains; // of filter_field_conf
    struct place place;
};

enum secure {
    SECURE_KEEP,
    SECURE_OVER_TLS,
    SECURE_ALWAYS,
};
static const char *const secure_names[] = {"keep", "over-tls", "always", NULL};

enum same_site {
    SAME_SITE_KEEP,
    SAME_SITE_NONE, // from here on, each is stricter than the one before
    SAME_SITE_LAX,
    SAME_SITE_STRICT,
};
static const char *const same_site_names[] = {"keep", "None", "Lax", "Strict", NULL};

struct cookies {
    struct filter_base base;
    const struct cookies_conf *conf; // borrows: the snapshot's
    struct regex **names;            // owns: as many as in conf
};

static const struct conf_item items[] = {
    ITEM_TEXTS(cookies_conf, names, "names", .since = "0.1", .apply = CONF_LIVE,
               .format = "regular expressions", .example = "[session, \"auth_.*\"]",
               .doc = "Expressions that fit whole names of cookies. By default all cookies."),
    ITEM_ENUM(cookies_conf, secure, "secure", .names = secure_names, .def = "over-tls",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Force `Secure`, with which browsers send a cookie by TLS alone: to clients "
                     "that come by TLS, or `always`."),
    ITEM_BOOL(cookies_conf, http_only, "http-only", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Force `HttpOnly`, with which scripts don't see a cookie."),
    ITEM_ENUM(cookies_conf, same_site, "same-site", .names = same_site_names, .def = "keep",
              .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "Force `SameSite`. A stricter one of the server's stays, but for `None`, which "
                  "is for cookies that other sites' pages need, and brings `Secure`."),
    ITEM_MAP(cookies_conf, paths, "paths", .section = &filter_field_section, .since = "0.1",
             .apply = CONF_LIVE, .example = "{ /internal: /app }",
             .doc =
                 "`Path` prefixes, of whole segments, and what takes their place. The first that "
                 "fits is taken."),
    ITEM_MAP(cookies_conf, domains, "domains", .section = &filter_field_section, .since = "0.1",
             .apply = CONF_LIVE, .example = "{ app.internal: \"\" }",
             .doc =
                 "`Domain` values and what takes their place. Empty: the attribute goes, and the "
                 "cookie is the host's alone."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct cookies_conf *c = value;
    if (c->same_site == SAME_SITE_NONE && c->secure == SECURE_KEEP)
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "browsers drop cookies with SameSite=None that aren't Secure");
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "cookies",
    .doc =
        "Forces attributes on the cookies that servers set, and changes their paths and domains.",
    CONF_SECTION_OF(cookies_conf, items),
    .place_offset = CONF_PLACE_AT(cookies_conf, place),
    .check = check,
};

// --- one cookie ---

// What a browser makes of the attributes that are of interest here (RFC 6265 5.2): of several with
// one name the last counts, and an unknown SameSite is none.
struct cookie {
    struct str pair, name; // name may be empty
    struct str path, domain;
    bool is_secure, is_http_only, has_path, has_domain;
    enum same_site same_site;
};

static enum same_site same_site_of(struct str value)
{
    for (unsigned i = SAME_SITE_NONE; i <= SAME_SITE_STRICT; i++)
        if (str_ieq(value, str_of(same_site_names[i])))
            return (enum same_site)i;
    return SAME_SITE_KEEP;
}

// Takes an attribute of interest. False: it is another.
static bool take_attribute(struct cookie *c, struct str attribute)
{
    struct str name, value;
    str_cut(attribute, '=', &name, &value);
    name = str_trim(name);
    value = str_trim(value);
    if (str_ieq(name, STR("Secure"))) {
        c->is_secure = true;
    } else if (str_ieq(name, STR("HttpOnly"))) {
        c->is_http_only = true;
    } else if (str_ieq(name, STR("SameSite"))) {
        c->same_site = same_site_of(value);
    } else if (str_ieq(name, STR("Path"))) {
        c->has_path = true;
        c->path = value;
    } else if (str_ieq(name, STR("Domain"))) {
        c->has_domain = true;
        c->domain = value;
    } else {
        return false;
    }
    return true;
}

static void force(const struct cookies_conf *conf, const struct exchange *x, struct cookie *c)
{
    bool is_tls = str_eq(x->req.scheme, STR("https"));
    if (conf->secure == SECURE_ALWAYS || (conf->secure == SECURE_OVER_TLS && is_tls))
        c->is_secure = true;
    c->is_http_only = c->is_http_only || conf->http_only;
    if (conf->same_site == SAME_SITE_NONE && c->is_secure)
        c->same_site = SAME_SITE_NONE;
    else if (conf->same_site > SAME_SITE_NONE)
        c->same_site = MAX(c->same_site, (enum same_site)conf->same_site);
}

static void map_domain(const struct cookies_conf *conf, struct cookie *c)
{
    struct str bare = str_starts(c->domain, STR(".")) ? str_skip(c->domain, 1) : c->domain;
    for (size_t i = 0; i < conf->domains.n; i++) {
        const struct conf_map_item *item = &conf->domains.items[i];
        if (!str_ieq(item->name, bare))
            continue;
        c->domain = ((const struct filter_field_conf *)item->value)->value.text;
        c->has_domain = c->domain.len > 0;
        return;
    }
}

// ERR_LIMIT: the arena is full.
static enum err map_path(const struct cookies_conf *conf, struct arena *mem, struct cookie *c)
{
    for (size_t i = 0; i < conf->paths.n; i++) {
        const struct conf_map_item *item = &conf->paths.items[i];
        struct str from = str_eq(item->name, STR("/")) ? STR_NONE : item->name;
        if (!path_map_is_below(c->path, from))
            continue;
        struct str to = ((const struct filter_field_conf *)item->value)->value.text;
        if (str_ends(to, STR("/")))
            to = str_first(to, to.len - 1);
        struct str rest = str_skip(c->path, from.len);
        if (str_eq(rest, STR("/")))
            rest = STR_NONE; // "/app" covers "/app/", and itself
        c->path = to.len + rest.len > 0 ? arena_concat(mem, to, rest, STR_NONE) : STR("/");
        return c->path.ptr ? ERR_OK : ERR_LIMIT;
    }
    return ERR_OK;
}

static void put(struct writer *w, const char *name, struct str value)
{
    writer_put(w, STR("; "));
    writer_put(w, str_of(name));
    if (value.len > 0) {
        writer_byte(w, '=');
        writer_put(w, value);
    }
}

// The rest of the attributes as they were, then ours, once each. ERR_LIMIT: the arena is full.
static enum err reshape(const struct cookies_conf *conf, struct exchange *x, struct cookie *c,
                        struct str attributes, struct str *ret)
{
    bool is_bound = str_istarts(c->name, STR("__Host-")); // to its host and the path "/"
    struct str own = c->domain;
    if (c->has_domain && !is_bound)
        map_domain(conf, c);
    if (c->has_path && !is_bound && map_path(conf, x->mem, c) != ERR_OK)
        return ERR_LIMIT;
    size_t cap = c->pair.len + 2 * attributes.len + c->path.len + MAX(c->domain.len, own.len) + 96;
    char *buf = ARENA_ARRAY(x->mem, char, cap);
    if (!buf)
        return ERR_LIMIT;
    struct writer w;
    writer_init(&w, buf, cap);
    writer_put(&w, c->pair);
    for (struct str rest = attributes, one; rest.len > 0;) {
        struct cookie ignored;
        str_cut(rest, ';', &one, &rest);
        one = str_trim(one);
        if (one.len > 0 && !take_attribute(&ignored, one)) {
            writer_put(&w, STR("; "));
            writer_put(&w, one);
        }
    }
    if (c->has_path)
        put(&w, "Path", c->path);
    if (c->has_domain)
        put(&w, "Domain", c->domain);
    if (c->is_secure)
        put(&w, "Secure", STR_NONE);
    if (c->is_http_only)
        put(&w, "HttpOnly", STR_NONE);
    if (c->same_site != SAME_SITE_KEEP)
        put(&w, "SameSite", str_of(same_site_names[c->same_site]));
    ASSERT(!w.overflowed);
    *ret = writer_str(&w);
    return ERR_OK;
}

static bool is_meant(const struct cookies *f, struct str name)
{
    for (size_t i = 0; i < f->conf->names.n; i++)
        if (regex_match(f->names[i], name) == REGEX_YES)
            return true;
    return f->conf->names.n == 0;
}

static enum err shape(const struct cookies *f, struct exchange *x, struct str *value)
{
    struct cookie c = {.same_site = SAME_SITE_KEEP};
    struct str attributes;
    str_cut(*value, ';', &c.pair, &attributes);
    // Without '=' it is all value, and the name is empty (RFC 6265bis 5.6).
    if (!str_cut(c.pair, '=', &c.name, NULL))
        c.name = STR_NONE;
    c.name = str_trim(c.name);
    if (!is_meant(f, c.name))
        return ERR_OK;
    for (struct str rest = attributes, one; rest.len > 0;) {
        str_cut(rest, ';', &one, &rest);
        take_attribute(&c, one);
    }
    force(f->conf, x, &c);
    return reshape(f->conf, x, &c, attributes, value);
}

// --- the filter ---

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct cookies *f = (const struct cookies *)(const void *)h;
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK || !headers_find(&x->resp.headers, FIELD_SET_COOKIE))
        return err;
    struct headers *all = &x->resp.headers;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->items[i].id == FIELD_SET_COOKIE && shape(f, x, &all->items[i].value) != ERR_OK)
            return filter_exhausted(x);
    filter_note(h, x, "shaped cookies", STR_NONE);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct cookies_conf *c = ((const struct cookies *)(const void *)h)->conf;
    return arena_printf(x->mem, "cookies of %s names: secure %s%s, same-site %s",
                        c->names.n > 0 ? "some" : "all", secure_names[c->secure],
                        c->http_only ? ", http-only" : "", same_site_names[c->same_site]);
}

static void release(struct handler *h)
{
    struct cookies *f = (struct cookies *)(void *)h;
    for (size_t i = 0; f->names && i < f->conf->names.n; i++)
        regex_fini(f->names[i]);
}

static const struct handler_type type = {
    .name = "cookies", .serve = serve, .explain = explain, .fini = release};

// An attribute's value can't hold what would begin another one.
static bool is_attribute(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_TARGET) || s.ptr[i] == ';' || s.ptr[i] == ',')
            return false;
    return true;
}

static enum err check_map(const struct conf_map *map, bool is_of_paths, struct diags *diags)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_map_item *item = &map->items[i];
        const struct conf_text *to = &((const struct filter_field_conf *)item->value)->value;
        bool is_path = str_starts(item->name, STR("/")) && str_starts(to->text, STR("/")) &&
                       (item->name.len == 1 || !str_ends(item->name, STR("/")));
        if (!is_attribute(to->text) || (is_of_paths && !is_path))
            err = diag_fail(diags, ERR_SYNTAX, item->place, "'" STR_FMT "' to '" STR_FMT "': %s",
                            STR_ARG(item->name), STR_ARG(to->text),
                            is_of_paths ? "both are paths, the first without a '/' at its end"
                                        : "a domain has no such bytes");
    }
    return err;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct cookies_conf *c = settings;
    struct cookies *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    enum err names = filter_regexes(&c->names, REGEX_WHOLE, env, &f->names);
    enum err paths = check_map(&c->paths, true, env->diags);
    enum err domains = check_map(&c->domains, false, env->diags);
    if (names == ERR_OK && paths == ERR_OK && domains == ERR_OK)
        return &f->base.handler;
    release(&f->base.handler);
    return NULL;
}

const struct filter_type filter_cookies = {
    .choice = {.key = "cookies", .section = &section},
    .build = build,
    .is_preset = true,
};
