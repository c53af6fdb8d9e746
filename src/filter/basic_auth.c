// SPDX-License-Identifier: Apache-2.0
// basic-auth: asks for a name and a password (RFC 7617). Hashes are computed on helper threads, and
// what was right is remembered for a while.
#include "base/ascii.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "filter/auth_cache.h"
#include "filter/common.h"
#include "filter/password.h"
#include "rt/clock.h"
#include "rt/offload.h"

#define CREDENTIALS_MAX 1400 // bytes of base64
#define CHECK_MS 30000       // waiting for a helper thread and for the hash

struct basic_auth_user_conf {
    struct conf_text user;
};

struct basic_auth_conf {
    struct conf_list users; // of basic_auth_user_conf
    struct conf_file users_file;
    struct conf_text realm, user_header;
    bool strip;
    struct place place;
};

struct account {
    struct str name, hash;
};

struct basic_auth {
    struct filter_base base;
    const struct basic_auth_conf *conf; // borrows: the snapshot's
    struct map accounts;                // name → struct account in the snapshot's arena
    const struct account *slowest;      // its hash is checked for unknown users, to cost the same
    struct str challenge;
    struct offload *offload; // borrows; NULL: hashes are computed in place
};

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
                     "is dropped."),
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

// --- the credentials of a request ---

struct credentials {
    struct str user;
    struct str password; // wiped after use
};

enum parse_result {
    PARSE_OK,
    PARSE_NONE,
    PARSE_MALFORMED,
    PARSE_NO_MEMORY,
};

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ' || s.ptr[i] == 127)
            return true;
    return false;
}

static bool is_only_authorization(const struct headers *h, const struct field *first)
{
    for (const struct field *f = headers_next(h, first); f; f = headers_next(h, f))
        if (f->id == FIELD_AUTHORIZATION)
            return false;
    return true;
}

static enum parse_result parse(struct exchange *x, struct credentials *ret)
{
    const struct headers *h = &x->req.headers;
    const struct field *f = headers_find(h, FIELD_AUTHORIZATION);
    if (!f)
        return PARSE_NONE;
    struct str scheme, token;
    str_cut(f->value, ' ', &scheme, &token);
    token = str_trim(token);
    if (!str_ieq(scheme, STR("Basic")))
        return PARSE_NONE;
    if (token.len > CREDENTIALS_MAX || !is_only_authorization(h, f))
        return PARSE_MALFORMED;
    char *buf = ARENA_ARRAY(x->mem, char, token.len / 4 * 3 + 3);
    size_t n = 0;
    if (!buf)
        return PARSE_NO_MEMORY;
    // RFC 7617 2: no control bytes in either.
    if (base64_decode(token, false, buf, &n) != ERR_OK || has_control(str_from(buf, n)) ||
        !str_cut(str_from(buf, n), ':', &ret->user, &ret->password))
        return PARSE_MALFORMED;
    return PARSE_OK;
}

static void wipe(struct credentials *c)
{
    // The bytes are the exchange's own, as parse has decoded them.
    if (c->password.len > 0)
        mem_wipe((void *)(uintptr_t)c->password.ptr, c->password.len);
    c->password = STR_NONE;
}

// --- checking ---

enum verdict {
    VERDICT_RIGHT,
    VERDICT_WRONG,
    VERDICT_BUSY,
    VERDICT_CANCELLED,
};

struct check_job {
    struct offload_job job;
    size_t hash_len, password_len;
    bool is_right;
    char bytes[]; // hash, password
};

static void run_check(struct offload_job *job)
{
    struct check_job *c = CONTAINER_OF(job, struct check_job, job);
    c->is_right = password_verify(str_from(c->bytes, c->hash_len),
                                  str_from(c->bytes + c->hash_len, c->password_len));
}

static void free_check(struct offload_job *job)
{
    struct check_job *c = CONTAINER_OF(job, struct check_job, job);
    mem_wipe(c->bytes, c->hash_len + c->password_len);
    mem_free(c);
}

static enum verdict verify(const struct basic_auth *f, struct str hash, struct str password)
{
    if (!f->offload)
        return password_verify(hash, password) ? VERDICT_RIGHT : VERDICT_WRONG;
    struct check_job *c = mem_alloc(1, sizeof *c + hash.len + password.len);
    c->job.run = run_check;
    c->job.free = free_check;
    c->hash_len = hash.len;
    c->password_len = password.len;
    memcpy(c->bytes, hash.ptr, hash.len);
    if (password.len > 0)
        memcpy(c->bytes + hash.len, password.ptr, password.len);
    bool is_refused = false;
    switch (offload_run(f->offload, &c->job, deadline_in(CHECK_MS), &is_refused)) {
    case FIBER_EXPIRED:
        return VERDICT_BUSY;
    case FIBER_CANCELLED:
        return VERDICT_CANCELLED;
    case FIBER_READY:
        break;
    }
    enum verdict v = is_refused ? VERDICT_BUSY : c->is_right ? VERDICT_RIGHT : VERDICT_WRONG;
    offload_release(&c->job);
    return v;
}

static enum verdict check_credentials(const struct basic_auth *f, const struct credentials *c,
                                      struct str *ret_how)
{
    const struct account *account = map_get(&f->accounts, c->user);
    struct auth_tag tag;
    bool is_cacheable = account && auth_tag_make(account->name, c->password, account->hash, &tag);
    if (is_cacheable && auth_cache_has(&tag, clock_now_ms())) {
        *ret_how = STR("known password");
        return VERDICT_RIGHT;
    }
    enum verdict v = verify(f, account ? account->hash : f->slowest->hash, c->password);
    if (v == VERDICT_RIGHT && is_cacheable)
        auth_cache_put(&tag, clock_now_ms());
    *ret_how = account ? STR("password checked") : STR("unknown user");
    return v == VERDICT_RIGHT && !account ? VERDICT_WRONG : v;
}

// --- answering ---

static enum err deny(const struct handler *h, struct exchange *x, struct str why)
{
    const struct basic_auth *f = (const struct basic_auth *)(const void *)h;
    filter_note(h, x, "denied", why);
    exchange_fail(x, 401, EXCHANGE_END_FILTERED, STR_FMT ": " STR_FMT, STR_ARG(f->base.who),
                  STR_ARG(why));
    if (headers_set(&x->resp.headers, FIELD_WWW_AUTHENTICATE, f->challenge) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static enum err refuse_busy(const struct handler *h, struct exchange *x)
{
    filter_note(h, x, "refused", STR("too many passwords to check"));
    exchange_fail(x, 503, EXCHANGE_END_RESOURCES, "too many passwords to check at a time");
    if (headers_set(&x->resp.headers, FIELD_RETRY_AFTER, STR("1")) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

// Servers believe the field: the client's own must not reach them.
static enum err tell_user(struct headers *h, struct str name, struct str user)
{
    headers_remove_twins(h, name);
    return headers_add_named(h, name, user);
}

static enum err let_pass(const struct handler *h, struct exchange *x, struct str user,
                         struct str how)
{
    const struct basic_auth *f = (const struct basic_auth *)(const void *)h;
    x->user = user;
    if (f->conf->strip)
        headers_remove(&x->req.headers, FIELD_AUTHORIZATION);
    struct str field = f->conf->user_header.text;
    if (field.len > 0 && tell_user(&x->req.headers, field, str_trim(user)) != ERR_OK)
        return filter_exhausted(x);
    filter_note(h, x, "passed", how);
    return handler_serve(h->next, x);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct basic_auth *f = (const struct basic_auth *)(const void *)h;
    struct credentials c = {.user = STR_NONE};
    switch (parse(x, &c)) {
    case PARSE_OK:
        break;
    case PARSE_NONE:
        return deny(h, x, STR("no credentials"));
    case PARSE_MALFORMED:
        return deny(h, x, STR("malformed credentials"));
    case PARSE_NO_MEMORY:
        return filter_exhausted(x);
    }
    struct str how;
    enum verdict v = check_credentials(f, &c, &how);
    wipe(&c);
    switch (v) {
    case VERDICT_RIGHT:
        return let_pass(h, x, c.user, how);
    case VERDICT_WRONG:
        exchange_note_offence(x, EXCHANGE_OFFENCE_WRONG_PASSWORD);
        return deny(h, x, str_eq(how, STR("unknown user")) ? how : STR("wrong password"));
    case VERDICT_BUSY:
        return refuse_busy(h, x);
    case VERDICT_CANCELLED:
        break;
    }
    return ERR_CANCELLED;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct basic_auth *f = (const struct basic_auth *)(const void *)h;
    return arena_printf(x->mem, "asks for name and password (accounts: %zu)", f->accounts.n);
}

static void fini(struct handler *h)
{
    struct basic_auth *f = (struct basic_auth *)(void *)h;
    map_fini(&f->accounts);
}

static const struct handler_type type = {
    .name = "basic-auth", .serve = serve, .fini = fini, .explain = explain};

// --- building ---

// "NAME:HASH"; where: what to call the place in messages, such as "line 3 of /etc/users: ".
static enum err add_account(struct basic_auth *f, struct str line, struct place place,
                            struct str where, const struct filter_env *env)
{
    struct str name, hash;
    // The line isn't shown: it may be a password.
    if (!str_cut(line, ':', &name, &hash) || name.len == 0 || has_control(name))
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
    enum err err = ERR_OK;
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
    if (c->user_header.text.len > 0 && filter_field_check(c->user_header.text, c->user_header.place,
                                                          FILTER_REQUEST, env) != ERR_OK)
        err = ERR_SYNTAX;
    return err;
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
};
