// SPDX-License-Identifier: Apache-2.0
// jwt: settings, building.
#include "codec/url.h"
#include "filter/jwt.h"

static const struct conf_item claim_items[] = {
    ITEM_TEXT(jwt_claim_conf, claim, "claim", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "the name of a claim", .example = "realm_access.roles",
              .doc = "Its name, or the names that lead to it, with dots between."),
};

static const struct conf_section claim_section = {
    .name = "jwt-claim",
    .doc = "The claim that a header field is made of.",
    CONF_SECTION_OF(jwt_claim_conf, claim_items),
    .shorthand = "claim",
};

static const struct conf_item values_items[] = {
    ITEM_TEXTS(jwt_values_conf, values, "values", .since = "0.1", .apply = CONF_LIVE,
               .format = "texts", .example = "[admin, operator]",
               .doc =
                   "The claim is one of these, or a list with one of them in it; `scope` has its "
                   "words with spaces between. Without any, it has to be there."),
};

static const struct conf_section values_section = {
    .name = "jwt-values",
    .doc = "What a claim has to be.",
    CONF_SECTION_OF(jwt_values_conf, values_items),
    .shorthand = "values",
};

static const struct conf_item items[] = {
    ITEM_FILE(jwt_conf, keys, "keys", .since = "0.1", .apply = CONF_LIVE, .format = "a file",
              .example = "/etc/sallyport/jwks.json",
              .doc = "Who signs: a public key or a certificate as PEM, or a JWK set (RFC 7517)."),
    ITEM_TEXT(jwt_conf, jwks_url, "jwks-url", .since = "0.1", .apply = CONF_LIVE, .format = "a URL",
              .example = "https://login.example.com/realms/main/protocol/openid-connect/certs",
              .doc =
                  "Where a JWK set is. It is fetched when the first token comes, again when it "
                  "is older than `refresh`, and when a token names a key that isn't in it. While "
                  "it can't be fetched, the last one stays in use."),
    ITEM_DURATION(jwt_conf, refresh_ms, "refresh", .def = "15m", .min = "1s", .max = "7d",
                  .since = "0.1", .apply = CONF_LIVE, .doc = "How old keys from a URL may become."),
    ITEM_SECRET(jwt_conf, secret, "secret", .since = "0.1", .apply = CONF_LIVE,
                .format = "32 bytes or more",
                .doc =
                    "The secret of HS256, HS384 and HS512; a `file:` or `env:` reference. It has "
                    "32, 48 and 64 bytes at least."),
    ITEM_TEXTS(jwt_conf, algorithms, "algorithms", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of RFC 7518 and RFC 8037", .example = "[RS256, ES256]",
               .doc =
                   "Which are taken: of RS, PS, ES and HS with 256, 384 or 512, and EdDSA. By "
                   "default all that fit the keys. An algorithm never goes with a key of another "
                   "type, and `none` never goes."),
    ITEM_TEXTS(
        jwt_conf, types, "token-type", .since = "0.1", .apply = CONF_LIVE,
        .format = "media types, as in `typ`", .example = "at+jwt",
        .doc = "What `typ` of a token's header has to be: one of these (RFC 8725 3.11). By "
               "default anything, and it may be missing, as many issuers write `JWT` for all "
               "that they sign. Set it where an issuer says `at+jwt` (RFC 9068), so that its ID "
               "tokens are no access tokens."),
    ITEM_TEXTS(jwt_conf, issuers, "issuer", .since = "0.1", .apply = CONF_LIVE, .format = "texts",
               .example = "https://login.example.com/realms/main",
               .doc = "What `iss` has to be: one of these."),
    ITEM_TEXTS(jwt_conf, audiences, "audience", .since = "0.1", .apply = CONF_LIVE,
               .format = "texts", .example = "my-api",
               .doc =
                   "What `aud` has to be, or to have in it: one of these. Set it where an issuer "
                   "signs for others, too."),
    ITEM_MAP(jwt_conf, required, "required", .section = &values_section, .since = "0.1",
             .apply = CONF_LIVE,
             .doc = "Claims that have to be there, by name, and what each has to be. Who lacks one "
                    "gets 403."),
    ITEM_MAP(jwt_conf, headers, "headers", .section = &claim_section, .since = "0.1",
             .apply = CONF_LIVE,
             .doc = "Fields that servers get, by name, and the claim that each is made of; lists "
                    "have commas between, and with a comma in one of their texts servers don't get "
                    "the field. What clients send in these fields is dropped, at every "
                    "entrypoint and on every route."),
    ITEM_TEXT(jwt_conf, user, "user-claim", .def = "sub", .since = "0.1", .apply = CONF_LIVE,
              .format = "the name of a claim", .example = "preferred_username",
              .doc = "The claim that has the user's name, for the access log."),
    ITEM_TEXTS(jwt_conf, from, "from", .def = "authorization", .since = "0.1", .apply = CONF_LIVE,
               .format = "authorization, header:NAME, cookie:NAME, query:NAME; a list for several",
               .example = "[authorization, \"cookie:session\"]",
               .doc =
                   "Where the token is: the first that is there counts, and servers get no tokens "
                   "at the other places. `authorization` is "
                   "`Authorization: Bearer TOKEN`. URLs end up in logs and histories: `query` is "
                   "for what can do nothing else."),
    ITEM_BOOL(jwt_conf, strip, "strip", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Whether servers don't get the token."),
    ITEM_DURATION(jwt_conf, leeway_ms, "leeway", .def = "30s", .min = "0s", .max = "10m",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How far clocks may differ, for `exp`, `nbf` and `iat`."),
    ITEM_BOOL(jwt_conf, needs_expiry, "require-expiry", .def = "yes", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Whether a token without `exp` is refused."),
    ITEM_TEXT(jwt_conf, realm, "realm", .def = "Restricted", .since = "0.1", .apply = CONF_LIVE,
              .format = "a short text", .doc = "What `WWW-Authenticate` says in 401 and 403."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct jwt_conf *c = value;
    if (c->keys.is_set || c->jwks_url.text.len > 0 || c->secret.place.source)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, c->place, "jwt needs 'keys', 'jwks-url' or 'secret'");
}

static const struct conf_section section = {
    .name = "jwt",
    .doc = "Lets only requests with a JSON Web Token pass that one of the keys has signed, that is "
           "in its time, and that says what it has to say. Others get 401, or 403 where a claim is "
           "missing, with the reason in `WWW-Authenticate` (RFC 6750). Without any keys they get "
           "503.",
    CONF_SECTION_OF(jwt_conf, items),
    .place_offset = CONF_PLACE_AT(jwt_conf, place),
    .check = check,
};

// --- what the settings mean ---

static enum err set_algorithms(struct jwt *f, const struct filter_env *env)
{
    const struct conf_texts *names = &f->conf->algorithms;
    enum err err = ERR_OK;
    enum jws_alg alg;
    for (size_t i = 0; i < names->n; i++) {
        if (jws_alg_parse(names->items[i].text, &alg))
            f->algs |= 1u << alg;
        else
            err =
                diag_fail(env->diags, ERR_SYNTAX, names->items[i].place,
                          "'" STR_FMT "' is no algorithm that is taken; allowed are RS256, RS384, "
                          "RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, "
                          "HS512",
                          STR_ARG(str_first(names->items[i].text, 32)));
    }
    if (names->n == 0)
        f->algs = (1u << JWS_ALG_COUNT) - 1;
    return err;
}

static bool parse_place(struct str text, struct jwt_place *ret)
{
    static const struct {
        struct str name;
        bool has_name;
    } kinds[] = {
#define X(id, name_, has_name_) {STR_INIT(name_), has_name_},
        JWT_PLACE_LIST(X)
#undef X
    };
    struct str kind, name;
    bool has_name = str_cut(text, ':', &kind, &name);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_eq(kind, kinds[i].name) || has_name != kinds[i].has_name)
            continue;
        *ret = (struct jwt_place){(enum jwt_place_kind)i, str_trim(name)};
        return !has_name || ret->name.len > 0;
    }
    return false;
}

static enum err set_places(struct jwt *f, const struct filter_env *env)
{
    const struct conf_texts *from = &f->conf->from;
    enum err err = ERR_OK;
    for (size_t i = 0; i < from->n; i++) {
        const struct conf_text *text = &from->items[i];
        if (i == JWT_PLACES_MAX)
            return diag_fail(env->diags, ERR_LIMIT, text->place, "at most %d places are looked at",
                             JWT_PLACES_MAX);
        if (!parse_place(text->text, &f->places[i]))
            err = diag_fail(env->diags, ERR_SYNTAX, text->place,
                            "'" STR_FMT "' is no place for a token; allowed are authorization, "
                            "header:NAME, cookie:NAME and query:NAME",
                            STR_ARG(str_first(text->text, 64)));
        f->n_places++;
    }
    return err;
}

static enum err set_file(struct jwt *f, const struct filter_env *env)
{
    const struct conf_file *file = &f->conf->keys;
    const char *why = NULL;
    if (!file->is_set)
        return ERR_OK;
    bool is_json = str_starts(str_trim(file->content), STR("{"));
    if (is_json) {
        f->sets[0] = jwk_set_parse(file->content, true, &why);
    } else {
        struct jws_key *key = jws_key_of_pem(file->content, &why);
        f->sets[0] = key ? jwk_set_of(key) : NULL;
    }
    if (f->sets[0])
        return ERR_OK;
    if (file->is_lost)
        return ERR_SYNTAX;
    return diag_fail(env->diags, ERR_SYNTAX, file->place, "the file '" STR_FMT "'%s %s",
                     STR_ARG(file->path), is_json ? ":" : "", why);
}

static enum err set_secret(struct jwt *f, const struct filter_env *env)
{
    const struct conf_text *secret = &f->conf->secret;
    const char *why = NULL;
    if (!secret->place.source)
        return ERR_OK;
    struct jws_key *key = jws_key_of_secret(secret->text, &why);
    if (!key)
        return diag_fail(env->diags, ERR_RANGE, secret->place, "what is given %s", why);
    f->sets[1] = jwk_set_of(key);
    return ERR_OK;
}

static enum err set_url(struct jwt *f, const struct filter_env *env)
{
    const struct conf_text *url = &f->conf->jwks_url;
    struct jwt_source *s = &f->source;
    struct url_target t;
    if (url->text.len == 0)
        return ERR_OK;
    if (url_target_parse(url->text, false, &t) != ERR_OK || t.form != URL_ABSOLUTE)
        return diag_fail(env->diags, ERR_SYNTAX, url->place,
                         "'" STR_FMT "' is no URL: write it like https://login.example.com/jwks",
                         STR_ARG(str_first(url->text, 128)));
    struct conf_text server = *url;
    server.text = str_first(url->text, t.scheme.len + STR("://").len + t.authority.len);
    *s = (struct jwt_source){
        .handler = env->services->find(env->services, &server),
        .authority = t.authority,
        .path = t.path,
        .query = t.query,
        .has_query = t.has_query,
        .refresh_ms = f->conf->refresh_ms,
        .who = f->base.who,
    };
    if (!s->handler)
        return ERR_NOT_FOUND;
    if (env->states)
        s->keys = f->fetched = jwt_keys_take(env->states, url->text);
    return ERR_OK;
}

static enum err check_headers(const struct jwt *f, const struct filter_env *env)
{
    const struct conf_map *map = &f->conf->headers;
    enum err err = ERR_OK;
    for (size_t i = 0; i < map->n; i++)
        if (filter_told_check(map->items[i].name, map->items[i].place, env) != ERR_OK)
            err = ERR_SYNTAX;
    if (map->n > FILTER_RESERVED_MAX)
        err = diag_fail(env->diags, ERR_LIMIT, map->items[FILTER_RESERVED_MAX].place,
                        "at most %d fields can be made of claims", FILTER_RESERVED_MAX);
    return err;
}

static size_t reserved(const void *settings, struct str ret[static FILTER_RESERVED_MAX])
{
    const struct jwt_conf *c = settings;
    size_t n = MIN(c->headers.n, (size_t)FILTER_RESERVED_MAX);
    for (size_t i = 0; i < n; i++)
        ret[i] = c->headers.items[i].name;
    return n;
}

// --- the handler ---

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct jwt *f = (const struct jwt *)(const void *)h;
    struct str names = STR_NONE;
    for (size_t i = 0; i < f->conf->headers.n; i++)
        names = arena_concat(x->mem, names, i > 0 ? STR(", ") : STR("; servers get: "),
                             f->conf->headers.items[i].name);
    size_t n = (f->sets[0] ? jwk_set_n(f->sets[0]) : 0) + (f->sets[1] ? 1 : 0);
    struct str url = f->conf->jwks_url.text;
    return arena_printf(x->mem, "asks for a signed token (keys given: %zu%s" STR_FMT ")" STR_FMT, n,
                        url.len > 0 ? ", others from " : "", STR_ARG(url), STR_ARG(names));
}

static void fini(struct handler *h)
{
    struct jwt *f = (struct jwt *)(void *)h;
    for (size_t i = 0; i < ARRAY_LEN(f->sets); i++)
        jwk_set_unref(f->sets[i]);
    if (f->fetched)
        jwt_keys_drop(f->fetched);
}

static const struct handler_type type = {
    .name = "jwt", .serve = jwt_serve, .fini = fini, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct jwt_conf *c = settings;
    struct jwt *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->realm = c->realm.text;
    const char *fault = filter_quoted_fault(c->realm.text);
    enum err of_realm =
        !fault ? ERR_OK : diag_fail(env->diags, ERR_SYNTAX, c->realm.place, "the realm %s", fault);
    const enum err errs[] = {
        of_realm,           set_algorithms(f, env), set_places(f, env),   set_file(f, env),
        set_secret(f, env), set_url(f, env),        check_headers(f, env)};
    for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
        if (errs[i] == ERR_OK)
            continue;
        fini(&f->base.handler);
        return NULL;
    }
    return &f->base.handler;
}

const struct filter_type filter_jwt = {
    .choice = {.key = "jwt", .section = &section},
    .build = build,
    .reserved = reserved,
    .asks_who = true,
};
