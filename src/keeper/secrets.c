// SPDX-License-Identifier: Apache-2.0
#include "keeper/secrets.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"
#include "rt/sys.h"

#define DAY_S 86400
#define ROTATE_EVERY_MS (12 * 3600 * INT64_C(1000))

static void add_ticket_key(struct secrets *s)
{
    memmove(&s->keys[1], &s->keys[0], sizeof s->keys - sizeof s->keys[0]);
    sys_random(&s->keys[0], sizeof s->keys[0]);
    s->n_keys = MIN(s->n_keys + 1, (size_t)TLS_TICKET_KEYS_MAX);
    s->rotate_at_ms = clock_now_ms() + ROTATE_EVERY_MS;
    s->tickets_version++;
}

void secrets_init(struct secrets *s, const struct secrets_listener *listener)
{
    *s = (struct secrets){.listener = *listener};
}

static void forget_learnt(struct secrets *s)
{
    MAP_FOR(e, &s->learnt)
    mem_free(e->value);
    map_fini(&s->learnt);
}

void secrets_fini(struct secrets *s)
{
    issue_free(s->issue);
    demand_desk_free(s->demand);
    keeper_pins_free(s->pins);
    forget_learnt(s);
    hooks_free(s->hooks);
    keeper_certs_free(s->certs);
    mem_free(s->state);
    explicit_bzero(s, sizeof *s);
}

void secrets_adopt_tickets(struct secrets *s, int fd, int64_t rotate_at_ms)
{
    struct str bytes;
    if (!file_map_sealed(fd, &bytes))
        return;
    if (bytes.len > 0 && bytes.len <= sizeof s->keys && bytes.len % sizeof s->keys[0] == 0) {
        memcpy(s->keys, bytes.ptr, bytes.len);
        s->n_keys = bytes.len / sizeof s->keys[0];
        s->rotate_at_ms = rotate_at_ms;
        s->tickets_version++;
    }
    file_unmap(bytes);
}

static int64_t now_s(void)
{
    return clock_wall_ns() / 1000000000;
}

// Another folder has other keys: what was made in the first is forgotten, not moved.
static void open_state(struct secrets *s, const char *state)
{
    if (s->certs && strcmp(s->state, state) == 0)
        return;
    issue_free(s->issue); // it has the old folder's store
    s->issue = NULL;
    s->beacon = (struct beacon){.version = 0};
    demand_desk_free(s->demand);
    s->demand = NULL;
    keeper_pins_free(s->pins);
    s->pins = NULL;
    s->pins_version++;
    s->has_cookie_key = false;
    keeper_certs_free(s->certs);
    mem_free(s->state);
    s->certs = keeper_certs_new(state);
    s->state = mem_copy(state, strlen(state));
    s->certs_version++;
}

// All of a site's names are covered by files: nothing is to be ordered.
static bool has_files(const struct secrets *s, const struct issue_need *need)
{
    for (size_t i = 0; i < need->n_names; i++) {
        if (!keeper_certs_has_file_for(s->certs, need->names[i]))
            return false;
    }
    return true;
}

static void on_end(void *arg, uint64_t number, const char *error, json_t *account)
{
    const struct secrets *s = arg;
    struct str name;
    bool is_on_demand =
        s->demand && demand_desk_end(s->demand, number, error, now_s(), clock_now_ms(), &name);
    if (is_on_demand && error)
        issue_forget_orders(s->issue, name);
    if (s->listener.on_end)
        s->listener.on_end(s->listener.arg, number, error, account);
}

static void on_step(void *arg, uint64_t number, const char *text)
{
    const struct secrets *s = arg;
    if (s->listener.on_step)
        s->listener.on_step(s->listener.arg, number, text);
}

static void on_change(void *arg, struct str id)
{
    struct secrets *s = arg;
    if (keeper_certs_refresh(s->certs, id, now_s()))
        s->certs_version++;
}

// Of a file in the folder of a certificate in the store. The caller's.
static struct text file_of(const struct secrets *s, struct str id, const char *name)
{
    struct text path = {.ptr = NULL};
    text_printf(&path, "%s/certs/" STR_FMT "/%s", s->state, STR_ARG(id), name);
    return path;
}

static void call_hook(const struct secrets *s, struct hooks_call *call)
{
    struct text cert = file_of(s, call->id, "cert.pem"), key = file_of(s, call->id, "key.pem");
    if (call->cert_file.len == 0) {
        call->cert_file = text_str(&cert);
        call->key_file = text_str(&key);
    }
    hooks_call(s->hooks, call);
    text_fini(&cert);
    text_fini(&key);
}

static void on_issued(void *arg, const struct issue_need *need, struct str issuer, bool is_renewal)
{
    const struct secrets *s = arg;
    call_hook(s, &(struct hooks_call){
                     .event = is_renewal ? HOOKS_RENEWED : HOOKS_ISSUED,
                     .id = need->id,
                     .names = need->names,
                     .n_names = need->n_names,
                     .issuer = issuer,
                     .not_after_s = keeper_certs_end_s(s->certs, need->id),
                 });
}

static void on_failed(void *arg, const struct issue_need *need, const char *error)
{
    const struct secrets *s = arg;
    call_hook(s, &(struct hooks_call){
                     .event = HOOKS_FAILED,
                     .id = need->id,
                     .names = need->names,
                     .n_names = need->n_names,
                     .error = str_of(error),
                     .not_after_s = keeper_certs_end_s(s->certs, need->id),
                 });
}

static void on_expiring(void *arg, const struct keeper_certs_expiring *e)
{
    const struct secrets *s = arg;
    log_warn("certificate " STR_FMT " expires in %" PRId64 " days", STR_ARG(e->id),
             MAX(e->leaf->not_after_s - now_s(), INT64_C(0)) / DAY_S);
    call_hook(s, &(struct hooks_call){
                     .event = HOOKS_EXPIRING,
                     .id = e->id,
                     .names = e->leaf->names,
                     .n_names = e->leaf->n_names,
                     .issuer = e->issuer,
                     .cert_file = e->path,
                     .not_after_s = e->leaf->not_after_s,
                 });
}

// Once a day, and when settings come.
static void look_what_expires(struct secrets *s, int64_t now_ms, int64_t *next_ms)
{
    if (!s->certs || s->expires_within_s == 0)
        return;
    if (now_s() >= s->look_at_s) {
        s->look_at_s = now_s() + DAY_S;
        keeper_certs_expiring(s->certs, now_s(), s->expires_within_s, on_expiring, s);
    }
    *next_ms = MIN(*next_ms, now_ms + (s->look_at_s - now_s()) * 1000);
}

static void want_hooks(struct secrets *s, const struct wish *w)
{
    if (!s->hooks)
        s->hooks = hooks_new();
    hooks_want(s->hooks, &w->hooks);
    if (s->expires_within_s != w->expires_within_s)
        s->look_at_s = 0;
    s->expires_within_s = w->expires_within_s;
}

static void want_issue(struct secrets *s, const struct issue_wish *w)
{
    const char *why = NULL;
    struct issue_wish open = *w;
    struct issue_need *needs = MEM_ARRAY(struct issue_need, w->n_needs + 1);
    open.needs = needs;
    open.n_needs = 0;
    for (size_t i = 0; i < w->n_needs; i++) {
        if (!has_files(s, &w->needs[i]))
            needs[open.n_needs++] = w->needs[i];
    }
    // With an authority in the settings others may be asked for by hand.
    bool is_needed = open.n_needs > 0 || open.n_issuers > 0;
    struct certs_store *store = !s->issue && is_needed ? keeper_certs_store(s->certs, &why) : NULL;
    const struct issue_listener listener = {.on_end = on_end,
                                            .on_step = on_step,
                                            .on_change = on_change,
                                            .on_issued = on_issued,
                                            .on_failed = on_failed,
                                            .arg = s};
    if (store)
        s->issue = issue_new(store, &listener, &why);
    if (s->issue)
        issue_want(s->issue, &open, now_s());
    else if (open.n_needs > 0)
        log_error("no certificate can be ordered: %s", why);
    mem_free(needs);
}

// NULL with a reason.
static struct keeper_pins *open_pins(struct secrets *s, const char **ret_why)
{
    *ret_why = "no settings have wanted keys to be learnt ('pin: first-use')";
    struct certs_store *store = !s->pins && s->certs ? keeper_certs_store(s->certs, ret_why) : NULL;
    if (store)
        s->pins = keeper_pins_new(certs_store_fd(store));
    return s->pins;
}

static void want_learnt(struct secrets *s, const struct map *servers)
{
    forget_learnt(s);
    MAP_FOR(e, servers)
    {
        char *copy = mem_copy(e->key.ptr, e->key.len);
        map_set(&s->learnt, str_from(copy, e->key.len), copy);
    }
}

// Opened when it is first wanted.
static void want_demand(struct secrets *s, const struct wish *w)
{
    const char *why;
    struct certs_store *store =
        !s->demand && w->demand.is_on ? keeper_certs_store(s->certs, &why) : NULL;
    if (store)
        s->demand = demand_desk_new(store, clock_now_ms());
    else if (!s->demand && w->demand.is_on)
        log_error("there are no certificates on demand: %s", why);
    if (s->demand)
        demand_desk_want(s->demand, &w->demand, w->certs.names, w->certs.n_names);
}

static void begin_orders(struct secrets *s)
{
    struct str name;
    while (demand_desk_next_order(s->demand, &name)) {
        const char *why = "there is no authority";
        uint64_t number;
        const struct issue_order o = {.id = name, .kind = ISSUE_ORDER};
        if (s->issue && issue_ask(s->issue, &o, now_s(), &number, &why))
            demand_desk_ordered(s->demand, name, number);
        else
            demand_desk_not_ordered(s->demand, name, why, clock_now_ms());
    }
}

// What settings want and what is wanted on demand.
static void want_all(struct secrets *s, const struct wish *w)
{
    size_t n_more = s->demand ? demand_desk_n_max(s->demand) : 0;
    struct keeper_certs_wish certs = w->certs;
    struct issue_wish issue = w->issue;
    struct keeper_certs_name *names =
        MEM_ARRAY(struct keeper_certs_name, certs.n_names + n_more + 1);
    struct issue_need *needs = MEM_ARRAY(struct issue_need, issue.n_needs + n_more + 1);
    for (size_t i = 0; i < certs.n_names; i++)
        names[i] = certs.names[i];
    for (size_t i = 0; i < issue.n_needs; i++)
        needs[i] = issue.needs[i];
    certs.names = names;
    issue.needs = needs;
    if (s->demand)
        demand_desk_add(s->demand, names, &certs.n_names, needs, &issue.n_needs);
    if (keeper_certs_want(s->certs, &certs, now_s()))
        s->certs_version++;
    want_issue(s, &issue);
    if (s->demand)
        begin_orders(s);
    mem_free(names);
    mem_free(needs);
}

// Without a folder for it clients stick until the keeper ends.
static void take_cookie_key(struct secrets *s)
{
    const char *why = NULL;
    struct certs_store *store = keeper_certs_store(s->certs, &why);
    if (!store || !certs_cookie_key(certs_store_fd(store), s->cookie_key, &why)) {
        log_error("the key of cookies can't be kept, so that no client will stick to its server "
                  "over a restart: %s",
                  why);
        sys_random(s->cookie_key, sizeof s->cookie_key);
    }
    s->has_cookie_key = true;
    s->cookie_version++;
}

void secrets_want(struct secrets *s, const struct wish *w)
{
    want_learnt(s, &w->learnt);
    if (w->certs.has_tls || w->learnt.n > 0 || w->has_sticky)
        open_state(s, w->state);
    if (!s->certs)
        return;
    if (w->has_sticky && !s->has_cookie_key)
        take_cookie_key(s);
    const char *why;
    if (w->learnt.n > 0 && !open_pins(s, &why))
        log_error("keys of servers can't be learnt: %s", why);
    if (s->n_keys == 0)
        add_ticket_key(s);
    want_hooks(s, w);
    want_demand(s, w);
    want_all(s, w);
}

int secrets_fd(const struct secrets *s)
{
    return s->certs ? keeper_certs_fd(s->certs) : -1;
}

int secrets_issue_fd(const struct secrets *s)
{
    return s->issue ? issue_fd(s->issue) : -1;
}

void secrets_look(struct secrets *s)
{
    if (s->issue)
        issue_look(s->issue, now_s());
    if (s->certs && keeper_certs_look(s->certs, now_s()))
        s->certs_version++;
}

uint64_t secrets_challenges_version(const struct secrets *s)
{
    return s->issue ? issue_proofs_version(issue_proofs_of(s->issue)) : 0;
}

void secrets_challenges_are_in_place(struct secrets *s, uint64_t version)
{
    if (s->issue)
        issue_proofs_are_in_place(issue_proofs_of(s->issue), version);
}

int secrets_pack_challenges(const struct secrets *s, uint64_t *ret_version)
{
    return issue_proofs_pack(issue_proofs_of(s->issue), ret_version);
}

void secrets_do_what_is_due(struct secrets *s, int64_t now_ms, int64_t *next_ms)
{
    if (s->issue)
        issue_do_what_is_due(s->issue, now_s(), now_ms, next_ms);
    look_what_expires(s, now_ms, next_ms);
    if (s->issue)
        beacon_do_what_is_due(&s->beacon, issue_proofs_of(s->issue), now_ms, next_ms);
    if (s->n_keys == 0)
        return;
    if (now_ms >= s->rotate_at_ms)
        add_ticket_key(s);
    *next_ms = MIN(*next_ms, s->rotate_at_ms);
}

static const char no_authority[] =
    "the settings name no authority: certificates come from files and the local CA";

bool secrets_ask(struct secrets *s, const struct issue_order *o, uint64_t *ret_number,
                 const char **ret_why)
{
    *ret_why = no_authority;
    return s->issue && issue_ask(s->issue, o, now_s(), ret_number, ret_why);
}

bool secrets_ask_extra(struct secrets *s, const struct issue_extra *x, uint64_t *ret_number,
                       const char **ret_why)
{
    *ret_why = no_authority;
    return s->issue && issue_ask_extra(s->issue, x, now_s(), ret_number, ret_why);
}

bool secrets_ask_account(struct secrets *s, enum issue_kind kind, struct str issuer,
                         uint64_t *ret_number, const char **ret_why)
{
    *ret_why = no_authority;
    return s->issue && issue_ask_account(s->issue, kind, issuer, now_s(), ret_number, ret_why);
}

json_t *secrets_accounts(const struct secrets *s)
{
    return s->issue ? issue_accounts(s->issue) : json_array();
}

struct str secrets_find(const struct secrets *s, struct str name)
{
    return s->issue ? issue_find(s->issue, name) : STR_NONE;
}

bool secrets_is_done(const struct secrets *s, struct str id, int64_t *ret_due_s)
{
    return s->issue && issue_is_done(s->issue, id, now_s(), ret_due_s);
}

json_t *secrets_show(const struct secrets *s, struct str name, struct str id)
{
    json_t *list = s->certs ? keeper_certs_show(s->certs, name, id, now_s()) : json_array();
    json_t *plan = s->issue ? issue_show(s->issue, id, now_s()) : NULL;
    size_t i;
    json_t *cert;
    json_array_foreach(list, i, cert)
    {
        const char *source = json_string_value(json_object_get(cert, "source"));
        if (plan && source && strcmp(source, "store") == 0)
            json_object_set(cert, "plan", plan);
    }
    json_decref(plan);
    return list;
}

bool secrets_light_beacon(struct secrets *s, const char **ret_why)
{
    *ret_why = no_authority;
    if (s->issue)
        beacon_light(&s->beacon, issue_proofs_of(s->issue), now_s(), clock_now_ms());
    return s->issue != NULL;
}

bool secrets_beacon_is_seen(const struct secrets *s)
{
    return s->issue && s->beacon.version > 0 &&
           issue_proofs_are_seen(issue_proofs_of(s->issue), s->beacon.version);
}

bool secrets_forget(struct secrets *s, struct str id, const char **ret_why)
{
    struct certs_store *store = s->certs ? keeper_certs_store(s->certs, ret_why) : NULL;
    if (!s->certs)
        *ret_why = "no settings want TLS: there is no store";
    if (!store || certs_store_forget(store, id, ret_why) != ERR_OK)
        return false;
    if (s->demand)
        demand_desk_drop(s->demand, id);
    on_change(s, id);
    if (s->issue)
        issue_plan_anew(s->issue, id, now_s());
    return true;
}

bool secrets_ask_pin(struct secrets *s, struct str server, const uint8_t key[static TLS_PIN_BYTES],
                     uint8_t ret[static TLS_PIN_BYTES])
{
    const char *why;
    if (!map_get(&s->learnt, server))
        return false; // of settings that are no longer in force, or a gate that isn't ours any more
    if (open_pins(s, &why))
        return keeper_pins_ask(s->pins, server, key, now_s(), ret);
    log_error("server " STR_FMT ": its key can't be learnt: %s", STR_ARG(server), why);
    return false;
}

bool secrets_forget_pin(struct secrets *s, struct str server, const char **ret_why)
{
    if (!open_pins(s, ret_why) || !keeper_pins_forget(s->pins, server, ret_why))
        return false;
    s->pins_version++;
    return true;
}

json_t *secrets_report_pins(const struct secrets *s)
{
    return keeper_pins_report(s->pins);
}

void secrets_refresh(struct secrets *s)
{
    if (!s->certs)
        return;
    on_change(s, STR_NONE);
    if (s->issue)
        issue_plan_all_anew(s->issue, now_s());
}

enum demand_answer secrets_ask_name(struct secrets *s, struct str name)
{
    return s->demand ? demand_desk_ask(s->demand, name, now_s(), clock_now_ms()) : DEMAND_NO;
}

bool secrets_turn_names(struct secrets *s, int64_t now_ms, int64_t *next_ms)
{
    return s->demand && demand_desk_turn(s->demand, now_s(), now_ms, next_ms);
}

bool secrets_next_name(struct secrets *s, char ret_name[static DEMAND_ASK_NAME_BYTES],
                       bool *ret_is_yes)
{
    return s->demand && demand_desk_next(s->demand, ret_name, ret_is_yes);
}

int secrets_demand_fd(const struct secrets *s)
{
    return s->demand ? demand_desk_fd(s->demand) : -1;
}

json_t *secrets_report_demand(const struct secrets *s)
{
    return s->demand ? demand_desk_report(s->demand) : json_null();
}

json_t *secrets_report_orders(const struct secrets *s)
{
    return s->issue ? issue_report(s->issue, now_s()) : json_array();
}

int secrets_pack_certs(const struct secrets *s)
{
    return keeper_certs_packed(s->certs);
}

int secrets_pack_tickets(const struct secrets *s)
{
    return file_sealed("sallyport tickets",
                       str_from((const char *)s->keys, s->n_keys * sizeof s->keys[0]));
}

int secrets_pack_cookie_key(const struct secrets *s)
{
    return file_sealed("sallyport cookies",
                       str_from((const char *)s->cookie_key, sizeof s->cookie_key));
}

json_t *secrets_report(const struct secrets *s)
{
    return s->certs ? keeper_certs_report(s->certs, now_s()) : json_array();
}
