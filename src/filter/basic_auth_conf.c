// SPDX-License-Identifier: Apache-2.0
// basic-auth: settings, accounts, building.
#include "base/mem.h"
#include "filter/basic_auth.h"
#include "filter/password.h"

#define GUESSERS_MAX 100000 // clients that are told apart, with up to 64 bytes of memory each

// --- settings ---

static const struct conf_item user_items[] = {
    ITEM_SECRET(basic_auth_user_conf, user, "user", .is_required = true, .since = "0.1",
                .apply = CONF_LIVE, .format = "NAME:HASH",
                .doc = "A name and the hash of its password, as `htpasswd -nB NAME` or `sallyport "
                       "hash-password` prints them. bcrypt, yescrypt, SHA-512 and all else that "
                       "crypt(3) knows, `$apr1$` and `{SHA}`."),
};

static const struct conf_section user_section = {
    .name = "basic-auth-user",
    .doc = "One account.",
    CONF_SECTION_OF(basic_auth_user_conf, user_items),
    .shorthand = "user",
};

static const struct conf_item items[] = {
    ITEM_LIST(basic_auth_conf, users, "users", .section = &user_section, .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Who may pass: a list of `NAME:HASH`; each may be a `file:` or `env:` "
                     "reference."),
    ITEM_FILE(basic_auth_conf, users_file, "users-file", .since = "0.1", .apply = CONF_LIVE,
              .format = "a file", .example = "/etc/sallyport/users",
              .doc = "A file of such lines, as htpasswd makes it. `#` begins a comment."),
    ITEM_TEXT(basic_auth_conf, realm, "realm", .def = "Restricted", .since = "0.1",
              .apply = CONF_LIVE, .format = "a short text",
              .doc = "What browsers show when they ask for the password."),
    ITEM_BOOL(basic_auth_conf, strip, "strip", .def = "true", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Whether servers don't get the `Authorization` field."),
    ITEM_TEXT(basic_auth_conf, user_header, "user-header", .since = "0.1", .apply = CONF_LIVE,
              .format = "the name of a header field", .example = "X-User",
              .doc = "A field in which servers get the name of the user. What a client sends in it "
                     "is dropped, at every entrypoint and on every route."),
    ITEM_RATE(basic_auth_conf, failures, "failures", .def = "30/m", .min = "1/d", .max = "1000/s",
              .zero = "any", .since = "0.1", .apply = CONF_LIVE,
              .doc = "How many wrong passwords a client may send in the long run; of IPv6 a /64 is "
                     "one client. Beyond, it gets 429 and no password of its is looked at, but for "
                     "what was right lately."),
    ITEM_UINT(basic_auth_conf, failures_burst, "failures-burst", .def = "20", .min = "1",
              .max = "10000", .since = "0.1", .apply = CONF_LIVE,
              .doc = "So many of them at once, after a pause."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct basic_auth_conf *c = value;
    if (c->users.n == 0 && !c->users_file.is_set)
        return diag_fail(diags, ERR_SYNTAX, c->place, "basic-auth needs 'users' or 'users-file'");
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "basic-auth",
    .doc = "Lets only users with a password pass. Use it where the client's side is encrypted: the "
           "password comes with every request.",
    CONF_SECTION_OF(basic_auth_conf, items),
    .shorthand = "users",
    .place_offset = CONF_PLACE_AT(basic_auth_conf, place),
    .check = check,
};

// --- the handler ---

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct basic_auth *f = (const struct basic_auth *)(const void *)h;
    return arena_printf(x->mem, "asks for name and password (accounts: %zu)", f->accounts.n);
}

static void fini(struct handler *h)
{
    struct basic_auth *f = (struct basic_auth *)(void *)h;
    map_fini(&f->accounts);
    if (f->guessers)
        filter_state_unref(&f->guessers->base);
}

static const struct handler_type type = {
    .name = "basic-auth", .serve = basic_auth_serve, .fini = fini, .explain = explain};

// --- building ---

// "NAME:HASH"; where: what to call the place in messages, such as "line 3 of /etc/users: ".
static enum err add_account(struct basic_auth *f, struct str line, struct place place,
                            struct str where, const struct filter_env *env)
{
    struct str name, hash;
    // The line isn't shown: it may be a password.
    if (!str_cut(line, ':', &name, &hash) || name.len == 0 || filter_has_control(name))
        return diag_fail(env->diags, ERR_SYNTAX, place, STR_FMT "expected NAME:HASH",
                         STR_ARG(where));
    const char *fault = password_hash_fault(hash);
    if (fault)
        return diag_fail(env->diags, ERR_SYNTAX, place, STR_FMT "what follows '" STR_FMT ":' %s",
                         STR_ARG(where), STR_ARG(str_first(name, 64)), fault);
    struct account *a = ARENA_NEW(env->mem, struct account);
    if (!a) {
        filter_no_memory(env);
        return ERR_LIMIT;
    }
    *a = (struct account){.name = name, .hash = hash};
    if (map_set(&f->accounts, name, a))
        diag_warn(env->diags, place,
                  STR_FMT "the user '" STR_FMT "' is there twice: the last counts", STR_ARG(where),
                  STR_ARG(str_first(name, 64)));
    if (!f->slowest || password_cost(hash) > password_cost(f->slowest->hash))
        f->slowest = a;
    return ERR_OK;
}

static enum err add_file(struct basic_auth *f, const struct conf_file *file,
                         const struct filter_env *env)
{
    enum err err = file->is_lost ? ERR_SYNTAX : ERR_OK;
    struct str rest = file->content, line;
    for (unsigned n = 1; rest.len > 0; n++) {
        str_cut(rest, '\n', &line, &rest);
        if (str_ends(line, STR("\r")))
            line.len--;
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        struct str where =
            arena_printf(env->mem, "line %u of " STR_FMT ": ", n, STR_ARG(file->path));
        enum err one = add_account(f, line, file->place, where, env);
        if (one != ERR_OK)
            err = one;
    }
    return err;
}

static enum err add_all(struct basic_auth *f, const struct filter_env *env)
{
    const struct basic_auth_conf *c = f->conf;
    enum err err = ERR_OK;
    for (size_t i = 0; i < c->users.n; i++) {
        const struct conf_text *user =
            &((const struct basic_auth_user_conf *)c->users.items[i])->user;
        bool is_given = user->text.len > 0 || user->place.source; // else an error already
        enum err one = is_given ? add_account(f, str_trim(user->text), user->place, STR_NONE, env)
                                : ERR_SYNTAX;
        if (one != ERR_OK)
            err = one;
    }
    if (c->users_file.is_set) {
        enum err one = add_file(f, &c->users_file, env);
        if (one != ERR_OK)
            err = one;
    }
    if (err == ERR_OK && f->accounts.n == 0)
        err = diag_fail(env->diags, ERR_SYNTAX, c->place, "there is no user who could pass");
    return err;
}

static enum err check_texts(const struct basic_auth_conf *c, const struct filter_env *env)
{
    enum err err = ERR_OK;
    const char *fault = filter_quoted_fault(c->realm.text);
    if (fault)
        err = diag_fail(env->diags, ERR_SYNTAX, c->realm.place, "the realm %s", fault);
    if (c->user_header.text.len > 0 &&
        filter_told_check(c->user_header.text, c->user_header.place, env) != ERR_OK)
        err = ERR_SYNTAX;
    return err;
}

static struct filter_state *make_guessers(uint32_t room)
{
    struct guessers *g = MEM_NEW(struct guessers);
    g->table = rate_table_new(room);
    return &g->base;
}

static void end_guessers(struct filter_state *s)
{
    struct guessers *g = CONTAINER_OF(s, struct guessers, base);
    rate_table_free(g->table);
    mem_free(g);
}

static const struct filter_state_type guessers_type = {.make = make_guessers, .end = end_guessers};

// Filters of this name go on with the same count.
static void set_limit(struct basic_auth *f, const struct filter_env *env)
{
    const struct basic_auth_conf *c = f->conf;
    if (c->failures == 0 || !env->states)
        return;
    f->rate = (struct rate){.interval_ns = (int64_t)(1e21 / (double)c->failures),
                            .burst = c->failures_burst};
    f->guessers = CONTAINER_OF(
        filter_states_take(env->states, &guessers_type, f->base.handler.name, GUESSERS_MAX),
        struct guessers, base);
}

static size_t reserved(const void *settings, struct str ret[static FILTER_RESERVED_MAX])
{
    const struct basic_auth_conf *c = settings;
    ret[0] = c->user_header.text;
    return ret[0].len > 0 ? 1 : 0;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct basic_auth_conf *c = settings;
    struct basic_auth *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->offload = env->offload;
    f->challenge = arena_printf(env->mem, "Basic realm=\"" STR_FMT "\", charset=\"UTF-8\"",
                                STR_ARG(c->realm.text));
    if (!f->challenge.ptr)
        return filter_no_memory(env);
    set_limit(f, env);
    enum err accounts = add_all(f, env);
    enum err texts = check_texts(c, env);
    if (accounts == ERR_OK && texts == ERR_OK)
        return &f->base.handler;
    fini(&f->base.handler);
    return NULL;
}

const struct filter_type filter_basic_auth = {
    .choice = {.key = "basic-auth", .section = &section},
    .build = build,
    .reserved = reserved,
    .asks_who = true,
};
