// SPDX-License-Identifier: Apache-2.0
// redirect: sends the client to another URL.
#include "base/ascii.h"
#include "base/num.h"
#include "codec/url.h"
#include "filter/substitute.h"

struct redirect_conf {
    struct conf_text to, from;
    unsigned of; // enum subject
    bool ignore_case;
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

// What `from` is looked for in.
enum subject {
    SUBJECT_PATH,
    SUBJECT_TARGET,
    SUBJECT_URL,
};
static const char *const subject_names[] = {"path", "path-and-query", "url", NULL};

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
    PART_GROUP, // of the expression in `from`
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
    struct regex *from; // owns; NULL: every request is redirected
    enum subject of;
    struct {
        enum part_kind kind;
        int group;
        struct str text;
    } parts[PARTS_MAX];
    size_t n_parts;
    enum scheme scheme; // what comes by it (and the port) already is not redirected
    uint16_t port;
    uint16_t code; // 0: by method
    bool is_permanent;
    bool needs_host;
    bool has_open_host; // a group is part of the host that it leads to
    bool is_of_site;    // nobody has named it
};

static const struct conf_item items[] = {
    ITEM_TEXT(redirect_conf, to, "to", .since = "0.1", .apply = CONF_LIVE,
              .format = "a URL or path", .example = "\"https://www.example.com{path}{query}\"",
              .doc = "Where to. `{scheme}`, `{host}`, `{port}`, `{path}` and `{query}` (with its "
                     "`?`, or nothing) stand for those of the request; `{host}` is without port."),
    ITEM_TEXT(redirect_conf, from, "from", .since = "0.1", .apply = CONF_LIVE,
              .format = "a regular expression", .example = "\"^/blog/([0-9]+)\"",
              .doc = "Redirect only requests in which this is found. Its groups stand in `to` as "
                     "`$1` to `$9` and `${name}`; `$$` is a dollar."),
    ITEM_ENUM(redirect_conf, of, "of", .names = subject_names, .def = "path", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "What `from` is looked for in: the canonical path, that with the query, or "
                     "the URL (`https://host:port/path?query`, the port where it isn't the usual "
                     "one)."),
    ITEM_BOOL(redirect_conf, ignore_case, "ignore-case", .def = "no", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Find letters of `from` in any case."),
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
    if (c->from.text.len > 0 && has_scheme)
        return diag_fail(diags, ERR_SYNTAX, c->from.place, "'from' belongs to 'to'");
    if (c->from.text.len == 0 && (c->of != SUBJECT_PATH || c->ignore_case))
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "'of' and 'ignore-case' are about 'from', which isn't there");
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
                       const struct str *groups, struct writer *w)
{
    switch (f->parts[i].kind) {
    case PART_TEXT:
        writer_put(w, f->parts[i].text);
        break;
    case PART_GROUP:
        writer_put(w, groups[f->parts[i].group]);
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

// With a client's text in it, the host must still be one.
static bool has_sound_host(struct str url)
{
    struct url_target t;
    struct url_authority a;
    return url_target_parse(url, false, &t) == ERR_OK && t.form == URL_ABSOLUTE &&
           url_authority_parse(t.authority, &a) == ERR_OK;
}

// The Location for this request; ptr NULL when the arena is full or the request gives none.
static struct str location(const struct redirect *f, struct exchange *x, const struct str *groups)
{
    size_t room = x->req.scheme.len + x->req.host.len + x->req.path.len + x->req.query.len + 16;
    size_t cap = 0;
    for (size_t i = 0; i < f->n_parts; i++)
        cap += f->parts[i].text.len + (f->parts[i].kind == PART_TEXT ? 0 : room);
    char *buf = ARENA_ARRAY(x->mem, char, cap + 1);
    if (!buf)
        return STR_NONE;
    struct writer w;
    writer_init(&w, buf, cap + 1);
    for (size_t i = 0; i < f->n_parts; i++)
        write_part(f, i, x, groups, &w);
    struct str url = writer_str(&w);
    // WHY: "{path}" may begin with "//host", which a browser takes for another site.
    if (f->parts[0].kind != PART_TEXT || !str_starts(f->parts[0].text, STR("//")))
        while (str_starts(url, STR("//")))
            url = str_skip(url, 1);
    // Browsers take a backslash for a slash.
    bool is_sound = !w.overflowed && is_target(url) && !str_starts(url, STR("/\\")) &&
                    (!f->has_open_host || has_sound_host(url));
    return is_sound ? url : STR_NONE;
}

// What the expression is looked for in; ptr is NULL when the arena is full.
static struct str subject_of(const struct redirect *f, const struct exchange *x)
{
    const struct request *r = &x->req;
    struct str path = path_of(x);
    if (f->of == SUBJECT_PATH)
        return path;
    struct str target = r->has_query ? arena_concat(x->mem, path, STR("?"), r->query) : path;
    if (f->of == SUBJECT_TARGET || !target.ptr)
        return target;
    if (r->port == 0 || r->port == usual_port(r->scheme))
        return arena_printf(x->mem, STR_FMT "://" STR_FMT STR_FMT, STR_ARG(r->scheme),
                            STR_ARG(r->host), STR_ARG(target));
    return arena_printf(x->mem, STR_FMT "://" STR_FMT ":%u" STR_FMT, STR_ARG(r->scheme),
                        STR_ARG(r->host), r->port, STR_ARG(target));
}

// Whether the request is one to redirect.
static enum regex_result find(const struct redirect *f, const struct exchange *x,
                              struct str groups[static REGEX_GROUPS_MAX])
{
    if (!f->from)
        return REGEX_YES;
    struct str subject = subject_of(f, x);
    return subject.ptr ? regex_find(f->from, subject, 0, groups) : REGEX_BROKEN;
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

static enum err refuse(const struct handler *h, struct exchange *x, const char *why)
{
    filter_note(h, x, "refused", str_of(why));
    exchange_fail(x, 400, EXCHANGE_END_FILTERED, "a redirect: %s", why);
    return ERR_OK;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct redirect *f = (const struct redirect *)(const void *)h;
    if (is_there_already(f, x)) {
        if (!f->is_of_site) // nearly all requests of the site: nothing to tell
            filter_note(h, x, "passed", x->req.scheme);
        return handler_serve(h->next, x);
    }
    struct str groups[REGEX_GROUPS_MAX];
    enum regex_result found = find(f, x, groups);
    if (found == REGEX_NO) {
        filter_note(h, x, "passed", STR("not found"));
        return handler_serve(h->next, x);
    }
    if (found == REGEX_BROKEN)
        return refuse(h, x, "the expression gave up");
    if (f->needs_host && x->req.host.len == 0)
        return refuse(h, x, "no host to redirect to");
    struct str url = location(f, x, groups);
    if (!url.ptr && f->from)
        return refuse(h, x, "no URL comes of it");
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
    struct str groups[REGEX_GROUPS_MAX];
    if (find(f, x, groups) != REGEX_YES)
        return STR("passes on: the expression isn't found");
    struct str url = location(f, x, groups);
    if (!url.ptr)
        return STR("answers 400: no URL comes of it");
    return arena_printf(x->mem, "redirects with %u to " STR_FMT, status_of(f, x), STR_ARG(url));
}

static void release(struct handler *h)
{
    regex_fini(((struct redirect *)(void *)h)->from);
}

static const struct handler_type type = {
    .name = "redirect", .serve = serve, .explain = explain, .fini = release};

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

// "https://" and what follows it up to the first '/': there a group chooses the host.
static bool is_in_host(const struct redirect *f)
{
    size_t n_slashes = 0;
    for (size_t i = 0; i < f->n_parts; i++) {
        if (f->parts[i].kind == PART_PATH)
            return false;
        for (size_t k = 0; k < f->parts[i].text.len; k++)
            n_slashes += f->parts[i].text.ptr[k] == '/';
    }
    struct str first = f->parts[0].text;
    return n_slashes == 2 && (!str_starts(first, STR("/")) || str_starts(first, STR("//")));
}

// "$1".
static bool parse_group(struct redirect *f, struct str *rest)
{
    int group;
    struct str text = STR_NONE;
    if (!substitute_take(rest, f->from, &group, &text))
        return false;
    if (group < 0)
        return add_part(f, PART_TEXT, text);
    f->has_open_host = f->has_open_host || is_in_host(f);
    if (!add_part(f, PART_GROUP, STR_NONE))
        return false;
    f->parts[f->n_parts - 1].group = group;
    return true;
}

static bool parse_variable(struct redirect *f, struct str *rest)
{
    if (f->from && rest->ptr[0] == '$')
        return parse_group(f, rest);
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
        if (f->from)
            n = MIN(n, str_find(rest, '$'));
        struct str text = str_first(rest, n);
        rest = str_skip(rest, n);
        if (text.len > 0 && (!is_target(text) || str_find(text, '}') != STR_NPOS))
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "'" STR_FMT "' has a byte that URLs can't hold; escape it as %%XX",
                             STR_ARG(text));
        if (!add_part(f, PART_TEXT, text) || (rest.len > 0 && !parse_variable(f, &rest)))
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "in 'to' there are {scheme}, {host}, {port}, {path} and {query}, "
                             "groups of 'from' as $1, ${1} and ${name}, and %d parts at most",
                             PARTS_MAX);
    }
    if (f->has_open_host && f->of != SUBJECT_URL)
        return diag_fail(diags, ERR_SYNTAX, to->place,
                         "in '" STR_FMT "' a part of the path would choose the host: put a '/' in "
                         "front of it, or look at the host as well, by 'of: url'",
                         STR_ARG(to->text));
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
    f->of = (enum subject)c->of;
    if (c->scheme != SCHEME_NONE)
        return scheme_parts(f, c, env->mem) ? &f->base.handler : filter_no_memory(env);
    if (c->from.text.len > 0) {
        f->from = filter_regex(&c->from, c->ignore_case ? REGEX_IGNORE_CASE : 0, env);
        if (!f->from)
            return NULL;
    }
    if (check_start(&c->to, env->diags) == ERR_OK &&
        parse_template(f, &c->to, env->diags) == ERR_OK)
        return &f->base.handler;
    release(&f->base.handler);
    return NULL;
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
