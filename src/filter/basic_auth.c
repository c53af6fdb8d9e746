// SPDX-License-Identifier: Apache-2.0
// basic-auth: asks for a name and a password (RFC 7617). Hashes are computed on helper threads, and
// what was right is remembered for a while. Who is wrong often has to wait, so that guessing
// doesn't keep these threads from others.
#include "filter/basic_auth.h"

#include <string.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/list.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "filter/auth_cache.h"
#include "filter/password.h"
#include "http/request_key.h"
#include "rt/clock.h"
#include "rt/offload.h"

#define CREDENTIALS_MAX 1400 // bytes of base64
#define NS_PER_S INT64_C(1000000000)
#define CHECK_MS 30000 // waiting for a helper thread and for the hash

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
    if (base64_decode(token, false, buf, &n) != ERR_OK || filter_has_control(str_from(buf, n)) ||
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
    VERDICT_GUESSING, // wrong too often: it isn't looked at
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

// --- one check for all that ask the same at a time ---
//
// A browser sends a page's requests at once, and none of them finds the password among those that
// are known: the first has it checked, the others of its worker wait for what comes out.

struct shared_check {
    struct list_node node;
    struct auth_tag tag;
    struct list waiters; // of struct check_waiter
};

struct check_waiter {
    struct list_node node;
    struct fiber *fiber; // borrows
    bool is_done;
    enum verdict verdict;
};

// Of this worker; on their fibers' stacks.
static struct list *running_checks(void)
{
    static _Thread_local struct list running;
    if (!running.head.next)
        list_init(&running);
    return &running;
}

static struct shared_check *find_check(const struct auth_tag *tag)
{
    LIST_FOR (n, running_checks()) {
        struct shared_check *c = CONTAINER_OF(n, struct shared_check, node);
        if (memcmp(c->tag.bytes, tag->bytes, sizeof tag->bytes) == 0)
            return c;
    }
    return NULL;
}

static enum verdict wait_for_check(struct shared_check *c)
{
    struct check_waiter w = {.fiber = fiber_self()};
    const struct deadline until = deadline_in(CHECK_MS);
    enum fiber_wake why = FIBER_READY;
    list_push_back(&c->waiters, &w.node);
    while (!w.is_done && why == FIBER_READY)
        why = fiber_wait(until);
    if (!w.is_done)
        list_remove(&w.node);
    if (why == FIBER_CANCELLED)
        return VERDICT_CANCELLED;
    return w.is_done ? w.verdict : VERDICT_BUSY;
}

// tag: NULL: it is too long for one.
static enum verdict verify_shared(const struct basic_auth *f, const struct auth_tag *tag,
                                  struct str hash, struct str password)
{
    if (!tag)
        return verify(f, hash, password);
    struct shared_check c = {.tag = *tag};
    list_init(&c.waiters);
    list_push_back(running_checks(), &c.node);
    enum verdict v = verify(f, hash, password);
    list_remove(&c.node);
    struct list_node *n;
    while ((n = list_pop_front(&c.waiters)) != NULL) {
        struct check_waiter *w = CONTAINER_OF(n, struct check_waiter, node);
        w->is_done = true;
        w->verdict = v;
        fiber_wake(w->fiber);
    }
    return v;
}

// Each is counted before it is looked at, so that many at once are no way around the limit, and
// what wasn't wrong is taken back.
static enum verdict verify_counted(const struct basic_auth *f, const struct exchange *x,
                                   const struct auth_tag *tag, struct str hash, struct str password,
                                   int64_t *ret_wait_ns)
{
    static const struct request_key by_client = {
        .parts = {{.kind = REQUEST_KEY_CLIENT_IP}}, .n = 1, .v4_bits = 32, .v6_bits = 64};
    if (!f->guessers)
        return verify_shared(f, tag, hash, password);
    uint64_t client = request_key_hash(&by_client, x);
    struct rate_verdict count =
        rate_table_take(f->guessers->table, client, &f->rate, 0, clock_now_ns());
    *ret_wait_ns = count.wait_ns;
    if (!count.is_within)
        return VERDICT_GUESSING;
    enum verdict v = verify_shared(f, tag, hash, password);
    if (v == VERDICT_RIGHT || v == VERDICT_BUSY)
        rate_table_give(f->guessers->table, client, &f->rate);
    return v;
}

static enum verdict check_credentials(const struct basic_auth *f, const struct exchange *x,
                                      const struct credentials *c, struct str *ret_how,
                                      int64_t *ret_wait_ns)
{
    const struct account *account = map_get(&f->accounts, c->user);
    struct str hash = account ? account->hash : f->slowest->hash;
    struct auth_tag tag;
    bool has_tag = auth_tag_make(c->user, c->password, hash, &tag);
    bool is_cacheable = account && has_tag;
    if (is_cacheable && auth_cache_has(&tag, clock_now_ms())) {
        *ret_how = STR("known password");
        return VERDICT_RIGHT;
    }
    // What was waited for has been counted by who had it checked, and may have ended with that one.
    enum verdict v = VERDICT_CANCELLED;
    struct shared_check *running;
    while (v == VERDICT_CANCELLED && has_tag && (running = find_check(&tag)) != NULL) {
        v = wait_for_check(running);
        if (v == VERDICT_CANCELLED && fiber_is_cancelled(fiber_self()))
            return v;
    }
    if (v == VERDICT_CANCELLED)
        v = verify_counted(f, x, has_tag ? &tag : NULL, hash, c->password, ret_wait_ns);
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

static enum err refuse_guessing(const struct handler *h, struct exchange *x, int64_t wait_ns)
{
    filter_note(h, x, "denied", STR("too many wrong passwords"));
    exchange_fail(x, 429, EXCHANGE_END_FILTERED, STR_FMT ": too many wrong passwords",
                  STR_ARG(((const struct filter_base *)(const void *)h)->who));
    struct str wait =
        arena_printf(x->mem, "%lld", (long long)((wait_ns + NS_PER_S - 1) / NS_PER_S));
    if (!wait.ptr || headers_set(&x->resp.headers, FIELD_RETRY_AFTER, wait) != ERR_OK)
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

enum err basic_auth_serve(const struct handler *h, struct exchange *x)
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
    int64_t wait_ns = 0;
    enum verdict v = check_credentials(f, x, &c, &how, &wait_ns);
    wipe(&c);
    switch (v) {
    case VERDICT_RIGHT:
        return let_pass(h, x, c.user, how);
    case VERDICT_WRONG:
        exchange_note_offence(x, EXCHANGE_OFFENCE_WRONG_PASSWORD);
        return deny(h, x, str_eq(how, STR("unknown user")) ? how : STR("wrong password"));
    case VERDICT_GUESSING:
        return refuse_guessing(h, x, wait_ns);
    case VERDICT_BUSY:
        return refuse_busy(h, x);
    case VERDICT_CANCELLED:
        break;
    }
    return ERR_CANCELLED;
}
