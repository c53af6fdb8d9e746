// SPDX-License-Identifier: Apache-2.0
// redirect: sends the client to another URL.
#include "base/ascii.h"
#include "base/num.h"
#include "filter/common.h"

struct redirect_conf {
    struct conf_text to;
    unsigned scheme; // enum scheme
    uint32_t port;
    unsigned code; // index into code_names
    bool permanent;
    struct place place;
};

enum scheme {
    SCHEME_NONE,
    SCHEME_HTTP,
    SCHEME_HTTPS,
};
static const char *const scheme_names[] = {"none", "http", "https", NULL};

static const char *const code_names[] = {"auto", "301", "302", "303", "307", "308", NULL};
static const uint16_t codes[] = {0, 301, 302, 303, 307, 308};
_Static_assert(ARRAY_LEN(codes) + 1 == ARRAY_LEN(code_names), "a number for each name");

// The variables of a template.
#define PART_LIST(X)                                                                               \
    X(SCHEME, "{scheme}")                                                                          \
    X(HOST, "{host}")                                                                              \
    X(PORT, "{port}")                                                                              \
    X(PATH, "{path}")                                                                              \
    X(QUERY, "{query}")

enum part_kind {
    PART_TEXT,
#define X(id, name) PART_##id,
    PART_LIST(X)
#undef X
};

static const struct {
    struct str name;
    enum part_kind kind;
} variables[] = {
#define X(id, name_) {.name = STR_INIT(name_), .kind = PART_##id},
    PART_LIST(X)
#undef X
};

#define PARTS_MAX 16

struct redirect {
    struct filter_base base;
    struct {
        enum part_kind kind;
        struct str text;
    } parts[PARTS_MAX];
    size_t n_parts;
    enum scheme scheme; // what comes by it (and the port) already is not redirected
    uint16_t port;
    uint16_t code; // 0: by method
    bool is_permanent;
    bool needs_host;
    bool is_of_site; // nobody has named it
};

static const struct conf_item items[] = {
    ITEM_TEXT(redirect_conf, to, "to", .since = "0.1", .apply = CONF_LIVE,
              .format = "a URL or path", .example = "\"https://www.example.com{path}{query}\"",
              .doc = "Where to. `{scheme}`, `{host}`, `{port}`, `{path}` and `{query}` (with its "
                     "`?`, or nothing) stand for those of the request; `{host}` is without port."),
    ITEM_ENUM(redirect_conf, scheme, "scheme", .names = scheme_names, .def = "none", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Instead of `to`: the same URL by this scheme. Requests that come by it "
                     "already are not redirected."),
    ITEM_UINT(redirect_conf, port, "port", .def = "0", .min = "0", .max = "65535", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "With `scheme`: the port to go to. 0 is the scheme's usual one."),
    ITEM_ENUM(redirect_conf, code, "code", .names = code_names, .def = "auto", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "The status. `auto` is 301 for GET and HEAD and 308 for other methods, which "
                     "keeps them; 302 and 307 when not `permanent`."),
    ITEM_BOOL(redirect_conf, permanent, "permanent", .def = "true", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether browsers may remember the redirect. Only with `code: auto`."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct redirect_conf *c = value;
    bool has_scheme = c->scheme != SCHEME_NONE;
    if (has_scheme == (c->to.text.len > 0))
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "a redirect needs either 'to' (a URL) or 'scheme', and not both");
    if (c->port != 0 && !has_scheme)
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "'port' belongs to 'scheme'; write it into 'to'");
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "redirect",
    .doc = "Answers with a redirect to another URL.",
    CONF_SECTION_OF(redirect_conf, items),
    .shorthand = "to",
    .place_offset = CONF_PLACE_AT(redirect_conf, place),
    .check = check,
};

static uint16_t usual_port(struct str scheme)
{
    return str_eq(scheme, STR("https")) ? 443 : 80;
}

static struct str path_of(const struct exchange *x)
{
    return x->req.is_asterisk ? STR("/") : x->req.path;
}

static void write_part(const struct redirect *f, size_t i, const struct exchange *x,
                       struct writer *w)
{
    switch (f->parts[i].kind) {
    case PART_TEXT:
        writer_put(w, f->parts[i].text);
        break;
    case PART_SCHEME:
        writer_put(w, x->req.scheme);
        break;
    case PART_HOST:
        writer_put(w, x->req.host);
        break;
    case PART_PORT:
        writer_dec(w, x->req.port != 0 ? x->req.port : usual_port(x->req.scheme));
        break;
    case PART_PATH:
        writer_put(w, path_of(x));
        break;
    case PART_QUERY:
        if (x->req.has_query)
            writer_byte(w, '?');
        writer_put(w, x->req.query);
        break;
    }
}

static bool is_target(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_TARGET))
            return false;
    return s.len > 0;
}

// The Location for this request; ptr NULL when the arena is full or the request gives none.
static struct str location(const struct redirect *f, struct exchange *x)
{
    size_t room = x->req.scheme.len + x->req.host.len + x->req.path.len + x->req.query.len + 8;
    size_t cap = 0;
    for (size_t i = 0; i < f->n_parts; i++)
        cap += f->parts[i].text.len + (f->parts[i].kind == PART_TEXT ? 0 : room);
    char *buf = ARENA_ARRAY(x->mem, char, cap + 1);
    if (!buf)
        return STR_NONE;
    struct writer w;
    writer_init(&w, buf, cap + 1);
    for (size_t i = 0; i < f->n_parts; i++)
        write_part(f, i, x, &w);
    struct str url = writer_str(&w);
    // WHY: "{path}" may begin with "//host", which a browser takes for another site.
    if (f->parts[0].kind != PART_TEXT || !str_starts(f->parts[0].text, STR("//")))
        while (str_starts(url, STR("//")))
            url = str_skip(url, 1);
    return w.overflowed || !is_target(url) ? STR_NONE : url;
}

static bool is_there_already(const struct redirect *f, const struct exchange *x)
{
    if (f->scheme == SCHEME_NONE)
        return false;
    struct str scheme = str_of(scheme_names[f->scheme]);
    if (!str_eq(x->req.scheme, scheme))
        return false;
    uint16_t usual = usual_port(scheme);
    uint16_t is = x->req.port != 0 ? x->req.port : usual;
    return f->port == 0 || f->port == is;
}

static unsigned status_of(const struct redirect *f, const struct exchange *x)
{
    if (f->code != 0)
        return f->code;
    bool is_plain = x->req.method_id == METHOD_GET || x->req.method_id == METHOD_HEAD;
    if (f->is_permanent)
        return is_plain ? 301 : 308;
    return is_plain ? 302 : 307;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct redirect *f = (const struct redirect *)(const void *)h;
    if (is_there_already(f, x)) {
        if (!f->is_of_site) // nearly all requests of the site: nothing to tell
            filter_note(h, x, "passed", x->req.scheme);
        return handler_serve(h->next, x);
    }
    if (f->needs_host && x->req.host.len == 0) {
        filter_note(h, x, "refused", STR("no host to redirect to"));
        exchange_fail(x, 400, EXCHANGE_END_FILTERED, "a redirect to the request's host, without");
        return ERR_OK;
    }
    struct str url = location(f, x);
    if (!url.ptr || exchange_respond(x, status_of(f, x), STR_NONE, STR_NONE) != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_LOCATION, url) != ERR_OK)
        return filter_exhausted(x);
    x->end = EXCHANGE_END_FILTERED;
    filter_note(h, x, "redirected", url);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct redirect *f = (const struct redirect *)(const void *)h;
    if (is_there_already(f, x))
        return arena_printf(x->mem, "passes on: comes by " STR_FMT, STR_ARG(x->req.scheme));
    struct str url = location(f, x);
    return arena_printf(x->mem, "redirects with %u to " STR_FMT, status_of(f, x), STR_ARG(url));
}

static const struct handler_type type = {.name = "redirect", .serve = serve, .explain = explain};

static bool add_part(struct redirect *f, enum part_kind kind, struct str text)
{
    if (kind == PART_TEXT && text.len == 0)
        return true;
    if (f->n_parts == PARTS_MAX)
        return false;
    f->parts[f->n_parts].kind = kind;
    f->parts[f->n_parts++].text = text;
    f->needs_host = f->needs_host || kind == PART_HOST;
    return true;
}

static bool parse_variable(struct redirect *f, struct str *rest)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (!str_starts(*rest, variables[i].name))
            continue;
        *rest = str_skip(*rest, variables[i].name.len);
        return add_part(f, variables[i].kind, STR_NONE);
    }
    return false;
}

static enum err parse_template(struct redirect *f, const struct conf_text *to, struct diags *diags)
{
    for (struct str rest = to->text; rest.len > 0;) {
        size_t n = MIN(str_find(rest, '{'), rest.len);
        struct str text = str_first(rest, n);
        rest = str_skip(rest, n);
        if (text.len > 0 && (!is_target(text) || str_find(text, '}') != STR_NPOS))
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "'" STR_FMT "' has a byte that URLs can't hold; escape it as %%XX",
                             STR_ARG(text));
        if (!add_part(f, PART_TEXT, text) || (rest.len > 0 && !parse_variable(f, &rest)))
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "in 'to' there are {scheme}, {host}, {port}, {path} and {query}, and "
                             "%d parts at most",
                             PARTS_MAX);
    }
    return ERR_OK;
}

static enum err check_start(const struct conf_text *to, struct diags *diags)
{
    static const struct str starts[] = {STR_INIT("http://"), STR_INIT("https://"),
                                        STR_INIT("{scheme}://"), STR_INIT("/"), STR_INIT("{path}")};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (str_starts(to->text, starts[i]))
            return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, to->place,
                     "'" STR_FMT
                     "' begins with none of http://, https://, {scheme}://, / and {path}",
                     STR_ARG(to->text));
}

// scheme: https as parts.
static bool scheme_parts(struct redirect *f, const struct redirect_conf *c, struct arena *mem)
{
    struct str scheme = str_of(scheme_names[c->scheme]);
    struct str start = arena_printf(mem, STR_FMT "://", STR_ARG(scheme));
    struct str port = STR_NONE;
    if (c->port != 0 && c->port != usual_port(scheme)) {
        port = arena_printf(mem, ":%u", c->port);
        if (!port.ptr)
            return false;
    }
    f->scheme = (enum scheme)c->scheme;
    f->port = (uint16_t)c->port;
    return start.ptr && add_part(f, PART_TEXT, start) && add_part(f, PART_HOST, STR_NONE) &&
           add_part(f, PART_TEXT, port) && add_part(f, PART_PATH, STR_NONE) &&
           add_part(f, PART_QUERY, STR_NONE);
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct redirect_conf *c = settings;
    struct redirect *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->code = codes[c->code];
    f->is_permanent = c->permanent;
    if (c->scheme != SCHEME_NONE) {
        if (!scheme_parts(f, c, env->mem))
            return filter_no_memory(env);
    } else if (check_start(&c->to, env->diags) != ERR_OK ||
               parse_template(f, &c->to, env->diags) != ERR_OK) {
        return NULL;
    }
    return &f->base.handler;
}

struct handler *filter_to_https(uint16_t port, const struct handler *next,
                                const struct filter_env *env)
{
    static const struct handler_type site_type = {
        .name = "redirect-to-https", .serve = serve, .explain = explain};
    const struct redirect_conf conf = {.scheme = SCHEME_HTTPS, .port = port};
    struct redirect *f = filter_new(env, sizeof *f, &site_type, STR("https"), next);
    if (!f)
        return NULL;
    f->is_permanent = true;
    f->is_of_site = true;
    if (!scheme_parts(f, &conf, env->mem))
        return filter_no_memory(env);
    f->port = 0; // by https at whatever port: it is there already
    return &f->base.handler;
}

const struct filter_type filter_redirect = {
    .choice = {.key = "redirect", .section = &section},
    .build = build,
};
