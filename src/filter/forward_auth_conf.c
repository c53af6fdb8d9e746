// SPDX-License-Identifier: Apache-2.0
// forward-auth: settings, presets, building.
#include "codec/url.h"
#include "filter/forward_auth.h"

enum forward_auth_preset {
    PRESET_NONE,
    PRESET_AUTHELIA,
    PRESET_AUTHENTIK,
    PRESET_OAUTH2_PROXY,
};
static const char *const preset_names[] = {"none", "authelia", "authentik", "oauth2-proxy", NULL};

// As their documentation has it for Traefik.
static const struct str authelia_fields[] = {
    STR_INIT("Remote-User"),
    STR_INIT("Remote-Groups"),
    STR_INIT("Remote-Email"),
    STR_INIT("Remote-Name"),
};
static const struct str authentik_fields[] = {
    STR_INIT("X-authentik-username"),     STR_INIT("X-authentik-groups"),
    STR_INIT("X-authentik-entitlements"), STR_INIT("X-authentik-email"),
    STR_INIT("X-authentik-name"),         STR_INIT("X-authentik-uid"),
    STR_INIT("X-authentik-jwt"),          STR_INIT("X-authentik-meta-jwks"),
    STR_INIT("X-authentik-meta-outpost"), STR_INIT("X-authentik-meta-provider"),
    STR_INIT("X-authentik-meta-app"),     STR_INIT("X-authentik-meta-version"),
};
static const struct str oauth2_proxy_fields[] = {
    STR_INIT("X-Auth-Request-User"),
    STR_INIT("X-Auth-Request-Email"),
    STR_INIT("X-Auth-Request-Groups"),
    STR_INIT("X-Auth-Request-Preferred-Username"),
};

static const struct preset {
    struct str path;
    const struct str *names;
    size_t n_names;
    struct str user;
} presets[] = {
    [PRESET_NONE] = {.path = STR_INIT("/")},
    [PRESET_AUTHELIA] = {STR_INIT("/api/authz/forward-auth"), authelia_fields,
                         ARRAY_LEN(authelia_fields), STR_INIT("Remote-User")},
    [PRESET_AUTHENTIK] = {STR_INIT("/outpost.goauthentik.io/auth/traefik"), authentik_fields,
                          ARRAY_LEN(authentik_fields), STR_INIT("X-authentik-username")},
    [PRESET_OAUTH2_PROXY] = {STR_INIT("/"), oauth2_proxy_fields, ARRAY_LEN(oauth2_proxy_fields),
                             STR_INIT("X-Auth-Request-User")},
};

static const struct conf_item items[] = {
    ITEM_TEXT(forward_auth_conf, address, "address", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a URL, or the name of a service",
              .example = "http://10.0.0.9:9091/verify",
              .doc = "The auth server. A URL may have a path and a query; a service has settings "
                     "of its own for several servers, TLS and time-outs."),
    ITEM_TEXT(forward_auth_conf, path, "path", .since = "0.1", .apply = CONF_LIVE,
              .format = "a path, with a query if need be", .example = "/api/verify?rd=1",
              .doc = "What it is asked for, where the address has no path. By default the "
                     "preset's, or `/`."),
    ITEM_ENUM(forward_auth_conf, preset, "preset", .names = preset_names, .def = "none",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Path, fields for servers and the user's field as an auth server of this kind "
                     "has them, where they aren't given."),
    ITEM_TEXTS(forward_auth_conf, request_headers, "auth-request-headers", .since = "0.1",
               .apply = CONF_LIVE, .format = "names of header fields",
               .example = "[Authorization, Cookie]",
               .doc = "Fields of the request that the auth server gets. By default all, but for "
                      "those that describe the body, conditions and ranges."),
    ITEM_TEXTS(forward_auth_conf, response_headers, "auth-response-headers", .since = "0.1",
               .apply = CONF_LIVE, .format = "names of header fields",
               .example = "[X-User, X-Groups]",
               .doc = "Fields of the auth server's answer that servers get. Those that clients "
                      "send are dropped, with `_` in the place of `-`, too; but for names with a "
                      "meaning of their own, such as `Authorization`, on every route."),
    ITEM_TEXT(forward_auth_conf, response_regex, "auth-response-headers-regex", .since = "0.1",
              .apply = CONF_LIVE, .format = "a regular expression", .example = "^X-Auth-",
              .doc =
                  "More of them: whose names fit the expression, in any case. Those that clients "
                  "send are dropped."),
    ITEM_TEXTS(forward_auth_conf, cookies, "add-auth-cookies-to-response", .since = "0.1",
               .apply = CONF_LIVE, .format = "names of cookies", .example = "[session]",
               .doc = "Cookies that the auth server sets with an answer 2xx, and that clients get "
                      "with the server's answer."),
    ITEM_TEXT(forward_auth_conf, user, "user-header", .since = "0.1", .apply = CONF_LIVE,
              .format = "the name of a header field", .example = "X-User",
              .doc = "The field of the auth server's answer that has the user's name, for the "
                     "access log."),
    ITEM_DURATION(forward_auth_conf, timeout_ms, "timeout", .def = "10s", .min = "10ms",
                  .max = "5m", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "When its whole answer isn't there by then, the client gets 503."),
    ITEM_SIZE(forward_auth_conf, answer_max_bytes, "answer-max", .def = "128KiB", .min = "0",
              .max = "16MiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "The longest body of an answer that goes to clients; it is kept in "
                     "`exchange-memory` of the entrypoint. Instead of longer ones they get 503."),
    ITEM_BOOL(forward_auth_conf, forwards_body, "forward-body", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether the auth server gets the request's body, too: it is read as a whole "
                     "before the auth server is asked. Tunnels (WebSockets) have none."),
    ITEM_SIZE(forward_auth_conf, body_max_bytes, "body-max", .def = "64KiB", .min = "1",
              .max = "16MiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "The longest body that `forward-body` takes; it is kept in `exchange-memory` "
                     "of the entrypoint. Longer ones get 413, and nobody is asked."),
    ITEM_BOOL(forward_auth_conf, keeps_method, "preserve-method", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether the auth server is asked by the request's method. By default it is "
                     "GET; `X-Forwarded-Method` says the request's in both cases."),
};

static const struct conf_section section = {
    .name = "forward-auth",
    .doc = "Asks another server about each request, as a rule by a GET with the request's fields, "
           "`X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`, and `X-Real-IP`. With an "
           "answer 2xx the "
           "request goes on; any other goes to the client, as a login page or a redirect. When "
           "there is no answer, the client gets 503. `trusted-proxies` are believed about the "
           "client's address and the scheme, and nobody about the host.",
    CONF_SECTION_OF(forward_auth_conf, items),
    .shorthand = "address",
    .place_offset = CONF_PLACE_AT(forward_auth_conf, place),
};

// --- what the settings mean ---

static const struct str *names_of(const struct forward_auth_conf *c, struct arena *mem,
                                  size_t *ret_n)
{
    const struct conf_texts *given = &c->response_headers;
    *ret_n = given->n;
    if (given->n == 0) {
        *ret_n = presets[c->preset].n_names;
        return presets[c->preset].names;
    }
    struct str *names = ARENA_ARRAY(mem, struct str, given->n);
    for (size_t i = 0; names && i < given->n; i++)
        names[i] = given->items[i].text;
    return names;
}

static size_t reserved(const void *settings, struct str ret[static FILTER_RESERVED_MAX])
{
    const struct forward_auth_conf *c = settings;
    const struct conf_texts *given = &c->response_headers;
    const struct preset *preset = &presets[c->preset];
    size_t n = 0, n_all = given->n > 0 ? given->n : preset->n_names;
    for (size_t i = 0; i < n_all && n < FILTER_RESERVED_MAX; i++) {
        struct str name = given->n > 0 ? given->items[i].text : preset->names[i];
        if (field_id_of(name) == FIELD_OTHER) // others have a meaning of their own elsewhere
            ret[n++] = name;
    }
    return n;
}

static enum err check_names(const struct conf_texts *names, const struct filter_env *env)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < names->n; i++)
        if (filter_field_check(names->items[i].text, names->items[i].place, FILTER_REQUEST, env) !=
            ERR_OK)
            err = ERR_SYNTAX;
    if (names->n > FILTER_RESERVED_MAX)
        err = diag_fail(env->diags, ERR_LIMIT, names->items[FILTER_RESERVED_MAX].place,
                        "at most %d fields can be listed; an expression in "
                        "'auth-response-headers-regex' has no such limit",
                        FILTER_RESERVED_MAX);
    return err;
}

static enum err set_target(struct forward_auth *f, struct str target, struct place place,
                           const struct filter_env *env)
{
    struct url_target t;
    if (target.len == 0 || target.ptr[0] != '/' || url_target_parse(target, false, &t) != ERR_OK)
        return diag_fail(env->diags, ERR_SYNTAX, place,
                         "'" STR_FMT "' is no path: write it like /verify or /verify?rd=1",
                         STR_ARG(str_first(target, 128)));
    f->path = t.path;
    f->query = t.query;
    f->has_query = t.has_query;
    return ERR_OK;
}

// "http://auth:9091/verify?rd=1" is a service and what it is asked for.
static enum err set_address(struct forward_auth *f, const struct filter_env *env)
{
    const struct forward_auth_conf *c = f->conf;
    struct conf_text to = c->address;
    struct str target = STR_NONE;
    size_t scheme = str_search(to.text, STR("://"));
    if (scheme != STR_NPOS) {
        struct str rest = str_skip(to.text, scheme + 3);
        size_t slash = str_find(rest, '/');
        target = slash == STR_NPOS ? STR_NONE : str_skip(rest, slash);
        f->authority = str_first(rest, MIN(slash, rest.len));
        to.text = str_first(to.text, to.text.len - target.len);
    } else if (str_starts(to.text, STR("unix:"))) {
        f->authority = STR("localhost");
    }
    f->service = env->services->find(env->services, &to);
    enum err err = f->service ? ERR_OK : ERR_NOT_FOUND;
    bool has_target = target.len > 1;
    if (has_target && c->path.text.len > 0)
        err = diag_fail(env->diags, ERR_SYNTAX, c->path.place,
                        "the address has a path already: give it in one place");
    struct str path = has_target             ? target
                      : c->path.text.len > 0 ? c->path.text
                                             : presets[c->preset].path;
    struct place place = has_target ? c->address.place : c->path.place;
    enum err of_target = set_target(f, path, place, env);
    return err == ERR_OK ? of_target : err;
}

static enum err set_regex(struct forward_auth *f, const struct filter_env *env)
{
    const struct conf_text *given = &f->conf->response_regex;
    char why[REGEX_WHY_BYTES];
    size_t at = 0;
    if (given->text.len == 0)
        return ERR_OK;
    f->regex = regex_compile(given->text, REGEX_IGNORE_CASE, env->mem, &at, why);
    if (f->regex)
        return ERR_OK;
    return diag_fail(env->diags, ERR_SYNTAX, given->place, "in the expression '" STR_FMT "': %s",
                     STR_ARG(str_first(given->text, 128)),
                     at == SIZE_MAX ? "the memory for settings is used up" : why);
}

// --- the handler ---

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct forward_auth *f = (const struct forward_auth *)(const void *)h;
    struct str names = STR_NONE;
    for (size_t i = 0; i < f->n_names; i++)
        names = arena_concat(x->mem, names, i > 0 ? STR(", ") : STR_NONE, f->names[i]);
    return arena_printf(x->mem,
                        "asks " STR_FMT " for " STR_FMT "; servers get: " STR_FMT "%s" STR_FMT,
                        STR_ARG(f->service->name), STR_ARG(f->path),
                        STR_ARG(names.len > 0 ? names : STR("no fields")),
                        f->regex ? " and what fits " : "", STR_ARG(f->conf->response_regex.text));
}

static void fini(struct handler *h)
{
    regex_fini(((struct forward_auth *)(void *)h)->regex);
}

static const struct handler_type type = {
    .name = "forward-auth", .serve = forward_auth_serve, .fini = fini, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct forward_auth_conf *c = settings;
    struct forward_auth *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->user = c->user.text.len > 0 ? c->user.text : presets[c->preset].user;
    f->names = names_of(c, env->mem, &f->n_names);
    if (!f->names && f->n_names > 0)
        return filter_no_memory(env);
    enum err errs[] = {set_address(f, env), check_names(&c->response_headers, env),
                       check_names(&c->request_headers, env), set_regex(f, env)};
    for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
        if (errs[i] != ERR_OK) {
            fini(&f->base.handler);
            return NULL;
        }
    }
    return &f->base.handler;
}

const struct filter_type filter_forward_auth = {
    .choice = {.key = "forward-auth", .section = &section},
    .build = build,
    .reserved = reserved,
    .asks_who = true,
};
