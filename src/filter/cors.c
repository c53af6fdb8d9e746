// SPDX-License-Identifier: Apache-2.0
// cors: which pages of other origins may use what is served here (Fetch Standard, 3.2). Preflights
// are answered here; what a server says of CORS itself is replaced.
#include "base/ascii.h"
#include "filter/common.h"

struct cors_conf {
    struct conf_texts origins, patterns, methods, headers, expose;
    bool credentials;
    int64_t max_age_ms;
    struct place place;
};

struct cors {
    struct filter_base base;
    const struct cors_conf *conf; // borrows: the snapshot's
    bool takes_any;               // origins: "*"
    bool takes_any_header;
    struct regex **patterns;             // owns: as many as in conf, those that are broken NULL
    struct str methods, headers, expose; // lists; empty: no such field
    struct str max_age;                  // seconds
};

static const struct conf_item items[] = {
    ITEM_TEXTS(cors_conf, origins, "origins", .since = "0.1", .apply = CONF_LIVE,
               .format = "origins",
               .example = "[https://app.example.com, \"https://*.example.org\"]",
               .doc = "Origins whose pages may use what is served here: exact ones; with `*` for "
                      "the first labels of a host or for the port; or `*` alone for all."),
    ITEM_TEXTS(cors_conf, patterns, "origin-patterns", .since = "0.1", .apply = CONF_LIVE,
               .format = "regular expressions",
               .example = "[\"https://pr-[0-9]+\\\\.example\\\\.dev\"]",
               .doc = "Regular expressions that fit whole origins, beside `origins`."),
    ITEM_TEXTS(cors_conf, methods, "methods", .def = "[GET, HEAD, POST]", .since = "0.1",
               .apply = CONF_LIVE, .format = "methods", .example = "[GET, POST, PUT, DELETE]",
               .doc = "Methods that these pages may use."),
    ITEM_TEXTS(cors_conf, headers, "headers", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of header fields, or `*`",
               .example = "[Content-Type, Authorization]",
               .doc = "Request fields that these pages may set. `*`: whatever they ask for."),
    ITEM_TEXTS(cors_conf, expose, "expose", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of header fields", .example = "[X-Total-Count]",
               .doc = "Fields of answers that these pages may read, beside the simple ones."),
    ITEM_BOOL(cors_conf, credentials, "credentials", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether these pages may send cookies and passwords. Not with `origins: *`."),
    ITEM_DURATION(cors_conf, max_age_ms, "max-age", .def = "10m", .min = "0", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long browsers may remember the answer to a preflight."),
};

static bool is_star(const struct conf_texts *list)
{
    return list->n == 1 && str_eq(list->items[0].text, STR("*"));
}

static enum err check(const void *value, struct diags *diags)
{
    const struct cors_conf *c = value;
    if (c->origins.n == 0 && c->patterns.n == 0)
        return diag_fail(diags, ERR_SYNTAX, c->place, "name `origins`, `origin-patterns`, or both");
    if (is_star(&c->origins) && c->credentials)
        return diag_fail(diags, ERR_SYNTAX, c->origins.items[0].place,
                         "with 'credentials' every page of the web could act for its visitors: "
                         "name the origins");
    const struct conf_texts *stars = is_star(&c->methods)  ? &c->methods
                                     : is_star(&c->expose) ? &c->expose
                                                           : NULL;
    if (stars && c->credentials)
        return diag_fail(diags, ERR_SYNTAX, stars->items[0].place,
                         "with 'credentials' browsers take '*' for a name: write down which");
    if (is_star(&c->origins) && c->patterns.n > 0)
        return diag_fail(diags, ERR_SYNTAX, c->patterns.items[0].place,
                         "'origins' takes all already");
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "cors",
    .doc = "Lets pages of other origins use what is served here (CORS). Preflights are answered at "
           "once, and never reach the server, whose own fields about it are replaced.",
    CONF_SECTION_OF(cors_conf, items),
    .shorthand = "origins",
    .place_offset = CONF_PLACE_AT(cors_conf, place),
    .check = check,
};

// --- origins ---

// What a `*` stands for: a part of a host or a port, which can't end either.
static bool is_part(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT) && s.ptr[i] != '-' && s.ptr[i] != '.' &&
            s.ptr[i] != '_')
            return false;
    return s.len > 0;
}

static bool fits(struct str origin, struct str wanted)
{
    struct str head, tail;
    if (!str_cut(wanted, '*', &head, &tail))
        return str_eq(origin, wanted);
    if (origin.len < head.len + tail.len || !str_starts(origin, head) || !str_ends(origin, tail))
        return false;
    return is_part(str_first(str_skip(origin, head.len), origin.len - head.len - tail.len));
}

static bool is_allowed(const struct cors *f, struct str origin)
{
    if (f->takes_any)
        return true;
    for (size_t i = 0; i < f->conf->origins.n; i++)
        if (fits(origin, f->conf->origins.items[i].text))
            return true;
    for (size_t i = 0; i < f->conf->patterns.n; i++)
        if (regex_match(f->patterns[i], origin) == REGEX_YES)
            return true;
    return false;
}

// The one Origin of a request; empty: none, or more than one, which no browser sends.
static struct str origin_of(const struct exchange *x)
{
    const struct field *found = headers_find(&x->req.headers, FIELD_ORIGIN);
    for (const struct field *f = found; f; f = headers_next(&x->req.headers, f))
        if (f != found && f->id == FIELD_ORIGIN)
            return STR_NONE;
    return found ? found->value : STR_NONE;
}

// --- answers ---

static enum err put(struct exchange *x, const char *name, struct str value)
{
    return value.len > 0 ? headers_add_named(&x->resp.headers, str_of(name), value) : ERR_OK;
}

// What every answer to an origin that is allowed has.
static enum err allow_origin(const struct cors *f, struct exchange *x, struct str origin)
{
    enum err err = put(x, "Access-Control-Allow-Origin", f->takes_any ? STR("*") : origin);
    if (err == ERR_OK && f->conf->credentials)
        err = put(x, "Access-Control-Allow-Credentials", STR("true"));
    return err;
}

// Only names: the value goes into a field of ours.
static bool is_list_of_names(struct str list)
{
    for (size_t i = 0; i < list.len; i++)
        if (!ascii_is(list.ptr[i], ASCII_TOKEN) && list.ptr[i] != ',' && list.ptr[i] != ' ')
            return false;
    return true;
}

static enum err allow_preflight(const struct cors *f, struct exchange *x, struct str origin)
{
    struct str headers = f->headers;
    const struct field *asked =
        headers_find_named(&x->req.headers, STR("Access-Control-Request-Headers"));
    if (f->takes_any_header)
        headers = asked && is_list_of_names(asked->value) ? asked->value : STR_NONE;
    enum err err = allow_origin(f, x, origin);
    if (err == ERR_OK)
        err = put(x, "Access-Control-Allow-Methods", f->methods);
    if (err == ERR_OK)
        err = put(x, "Access-Control-Allow-Headers", headers);
    return err == ERR_OK ? put(x, "Access-Control-Max-Age", f->max_age) : err;
}

static bool is_preflight(const struct exchange *x, struct str origin)
{
    return x->req.method_id == METHOD_OPTIONS && origin.len > 0 &&
           headers_find_named(&x->req.headers, STR("Access-Control-Request-Method"));
}

static enum err answer_preflight(const struct handler *h, struct exchange *x, struct str origin)
{
    const struct cors *f = (const struct cors *)(const void *)h;
    bool may = is_allowed(f, origin);
    filter_note(h, x, may ? "allowed a preflight" : "refused a preflight", origin);
    if (may) {
        if (exchange_respond(x, 204, STR_NONE, STR_NONE) != ERR_OK ||
            allow_preflight(f, x, origin) != ERR_OK)
            return filter_exhausted(x);
        exchange_end_filtered(x);
    } else {
        exchange_fail(x, 403, EXCHANGE_END_FILTERED, STR_FMT ": the origin isn't allowed",
                      STR_ARG(f->base.who));
    }
    if (filter_vary(x, STR("Origin")) != ERR_OK ||
        filter_vary(x, STR("Access-Control-Request-Method")) != ERR_OK ||
        filter_vary(x, STR("Access-Control-Request-Headers")) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static void drop_own_fields(struct headers *h)
{
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        if (str_istarts(f->name, STR("Access-Control-")))
            headers_drop(h, f);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct cors *f = (const struct cors *)(const void *)h;
    struct str origin = origin_of(x);
    if (is_preflight(x, origin))
        return answer_preflight(h, x, origin);
    bool may = f->takes_any || (origin.len > 0 && is_allowed(f, origin));
    filter_note(h, x, origin.len == 0 ? "no origin" : may ? "allowed" : "not allowed", origin);
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK)
        return err;
    drop_own_fields(&x->resp.headers);
    if (may && allow_origin(f, x, origin) == ERR_OK)
        err = put(x, "Access-Control-Expose-Headers", f->expose);
    // Where every origin gets the same, caches need not tell them apart.
    if (err == ERR_OK && !f->takes_any)
        err = filter_vary(x, STR("Origin"));
    return err == ERR_OK ? ERR_OK : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct cors *f = (const struct cors *)(const void *)h;
    struct str origin = origin_of(x);
    if (origin.len == 0)
        return f->takes_any ? STR("allows every origin") : STR("passes on: no origin");
    const char *what = is_allowed(f, origin) ? "allows" : "doesn't allow";
    return arena_printf(x->mem, "%s%s " STR_FMT,
                        is_preflight(x, origin) ? "answers a preflight: " : "", what,
                        STR_ARG(origin));
}

static void release(struct handler *h)
{
    struct cors *f = (struct cors *)(void *)h;
    for (size_t i = 0; f->patterns && i < f->conf->patterns.n; i++)
        regex_fini(f->patterns[i]);
}

static const struct handler_type type = {
    .name = "cors", .serve = serve, .explain = explain, .fini = release};

// --- building ---

// "https://*.example.com", "http://localhost:*": lower case, as browsers send them.
static const char *origin_fault(struct str s)
{
    if (str_eq(s, STR("null")))
        return "is what sandboxed pages of anybody say; nobody can be told by it";
    size_t at = str_search(s, STR("://"));
    if (at == STR_NPOS || at == 0)
        return "is no origin: write a scheme, as in https://app.example.com";
    struct str host = str_skip(s, at + 3);
    size_t star = str_find(host, '*');
    if (host.len == 0 || str_find(host, '/') != STR_NPOS)
        return "is no origin: it ends with the host or the port, without a path";
    for (size_t i = 0; i < s.len; i++)
        if (ascii_is(s.ptr[i], ASCII_UPPER) || !ascii_is(s.ptr[i], ASCII_TARGET))
            return "is no origin as browsers send it: it is in lower case, IDNs are xn--…";
    if (star == STR_NPOS)
        return NULL;
    bool is_labels = star == 0 && host.len > 2 && host.ptr[1] == '.';
    bool is_port = star + 1 == host.len && star > 1 && host.ptr[star - 1] == ':';
    bool is_one = str_find(str_skip(host, star + 1), '*') == STR_NPOS;
    return is_one && (is_labels || is_port)
               ? NULL
               : "has a '*' that is neither the first label of the host nor the port";
}

static enum err check_origins(const struct cors *f, struct diags *diags)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !f->takes_any && i < f->conf->origins.n; i++) {
        const struct conf_text *o = &f->conf->origins.items[i];
        const char *fault = origin_fault(o->text);
        if (fault)
            err =
                diag_fail(diags, ERR_SYNTAX, o->place, "'" STR_FMT "' %s", STR_ARG(o->text), fault);
    }
    return err;
}

// `null` is what sandboxed pages of anybody say, and .invalid is nobody's (RFC 6761 6.4).
static enum err check_patterns(const struct cors *f, struct diags *diags)
{
    static const struct str strangers[] = {STR_INIT("null"), STR_INIT("https://a.invalid")};
    enum err err = ERR_OK;
    for (size_t i = 0; f->conf->credentials && i < f->conf->patterns.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(strangers); k++)
            if (regex_match(f->patterns[i], strangers[k]) == REGEX_YES)
                err = diag_fail(diags, ERR_SYNTAX, f->conf->patterns.items[i].place,
                                "'" STR_FMT "' fits '" STR_FMT "', and so pages of anybody, who "
                                "with 'credentials' could act for their visitors",
                                STR_ARG(f->conf->patterns.items[i].text), STR_ARG(strangers[k]));
    return err;
}

// The names as a list: "a, b".
static enum err join(const struct conf_texts *names, const struct filter_env *env, struct str *ret)
{
    *ret = STR_NONE;
    for (size_t i = 0; i < names->n; i++) {
        const struct conf_text *name = &names->items[i];
        if (!ascii_is_token(name->text))
            return diag_fail(env->diags, ERR_SYNTAX, name->place, "'" STR_FMT "' is no name",
                             STR_ARG(name->text));
        *ret = i > 0 ? arena_concat(env->mem, *ret, STR(", "), name->text) : name->text;
        if (!ret->ptr) {
            filter_no_memory(env);
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

static enum err build_lists(struct cors *f, const struct filter_env *env)
{
    const struct cors_conf *c = f->conf;
    enum err methods = join(&c->methods, env, &f->methods);
    enum err headers = f->takes_any_header ? ERR_OK : join(&c->headers, env, &f->headers);
    enum err expose = join(&c->expose, env, &f->expose);
    f->max_age = arena_printf(env->mem, "%lld", (long long)(c->max_age_ms / 1000));
    return methods != ERR_OK ? methods : headers != ERR_OK ? headers : expose;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct cors_conf *c = settings;
    struct cors *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->takes_any = is_star(&c->origins);
    f->takes_any_header = is_star(&c->headers);
    enum err origins = check_origins(f, env->diags);
    enum err lists = build_lists(f, env);
    enum err patterns = filter_regexes(&c->patterns, REGEX_WHOLE, env, &f->patterns);
    if (patterns == ERR_OK)
        patterns = check_patterns(f, env->diags);
    if (origins == ERR_OK && lists == ERR_OK && patterns == ERR_OK)
        return &f->base.handler;
    release(&f->base.handler);
    return NULL;
}

const struct filter_type filter_cors = {
    .choice = {.key = "cors", .section = &section},
    .build = build,
};
