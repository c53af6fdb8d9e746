// SPDX-License-Identifier: Apache-2.0
// Settings of redirect, and its handlers made of them.
#include "base/ascii.h"
#include "codec/url.h"
#include "filter/redirect.h"
#include "filter/substitute.h"

static const char *const scheme_names[] = {"none", "http", "https", NULL};

static const char *const subject_names[] = {"path", "path-and-query", "url", NULL};

static const char *const code_names[] = {"auto", "301", "302", "303", "307", "308", NULL};
static const uint16_t codes[] = {0, 301, 302, 303, 307, 308};
_Static_assert(ARRAY_LEN(codes) + 1 == ARRAY_LEN(code_names), "a number for each name");

static const struct {
    struct str name;
    enum redirect_part kind;
} variables[] = {
#define X(id, name_) {.name = STR_INIT(name_), .kind = REDIRECT_PART_##id},
    REDIRECT_PART_LIST(X)
#undef X
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
                     "one). A URL that would be redirected to itself passes."),
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
    bool has_scheme = c->scheme != REDIRECT_SCHEME_NONE;
    if (has_scheme == (c->to.text.len > 0))
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "a redirect needs either 'to' (a URL) or 'scheme', and not both");
    if (c->port != 0 && !has_scheme)
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "'port' belongs to 'scheme'; write it into 'to'");
    if (c->from.text.len > 0 && has_scheme)
        return diag_fail(diags, ERR_SYNTAX, c->from.place, "'from' belongs to 'to'");
    if (c->from.text.len == 0 && (c->of != REDIRECT_OF_PATH || c->ignore_case))
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

static bool add_part(struct redirect *f, enum redirect_part kind, struct str text)
{
    if (kind == REDIRECT_PART_TEXT && text.len == 0)
        return true;
    if (f->n_parts == REDIRECT_PARTS_MAX)
        return false;
    f->parts[f->n_parts].kind = kind;
    f->parts[f->n_parts++].text = text;
    f->needs_host = f->needs_host || kind == REDIRECT_PART_HOST;
    return true;
}

// "https://" and what follows it up to the first '/': there a group chooses the host.
static bool is_in_host(const struct redirect *f)
{
    size_t n_slashes = 0;
    for (size_t i = 0; i < f->n_parts; i++) {
        if (f->parts[i].kind == REDIRECT_PART_PATH)
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
        return add_part(f, REDIRECT_PART_TEXT, text);
    f->has_open_host = f->has_open_host || is_in_host(f);
    if (!add_part(f, REDIRECT_PART_GROUP, STR_NONE))
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
        if (text.len > 0 && (!ascii_all(text, ASCII_TARGET) || str_find(text, '}') != STR_NPOS))
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "'" STR_FMT "' has a byte that URLs can't hold; escape it as %%XX",
                             STR_ARG(text));
        if (!add_part(f, REDIRECT_PART_TEXT, text) || (rest.len > 0 && !parse_variable(f, &rest)))
            return diag_fail(diags, ERR_SYNTAX, to->place,
                             "in 'to' there are {scheme}, {host}, {port}, {path} and {query}, "
                             "groups of 'from' as $1, ${1} and ${name}, and %d parts at most",
                             REDIRECT_PARTS_MAX);
    }
    if (f->has_open_host && f->of != REDIRECT_OF_URL)
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
    if (c->port != 0 && c->port != url_usual_port(scheme)) {
        port = arena_printf(mem, ":%u", c->port);
        if (!port.ptr)
            return false;
    }
    f->scheme = scheme;
    f->port = (uint16_t)c->port;
    return start.ptr && add_part(f, REDIRECT_PART_TEXT, start) &&
           add_part(f, REDIRECT_PART_HOST, STR_NONE) && add_part(f, REDIRECT_PART_TEXT, port) &&
           add_part(f, REDIRECT_PART_PATH, STR_NONE) && add_part(f, REDIRECT_PART_QUERY, STR_NONE);
}

static void release(struct handler *h)
{
    regex_fini(((struct redirect *)(void *)h)->from);
}

static const struct handler_type type = {
    .name = "redirect", .serve = redirect_serve, .explain = redirect_explain, .fini = release};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct redirect_conf *c = settings;
    struct redirect *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->code = codes[c->code];
    f->is_permanent = c->permanent;
    f->of = (enum redirect_subject)c->of;
    if (c->scheme != REDIRECT_SCHEME_NONE)
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
        .name = "redirect-to-https", .serve = redirect_serve, .explain = redirect_explain};
    const struct redirect_conf conf = {.scheme = REDIRECT_SCHEME_HTTPS, .port = port};
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
