// SPDX-License-Identifier: Apache-2.0
#include "keeper/demand.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "gate/demand.h"
#include "keeper/demand_names.h"
#include "rt/log.h"

#define MEM_BYTES ((size_t)64 << 20)
#define CERT_MEM_BYTES ((size_t)8 << 20)
#define WAITING_MAX 64 // names that are asked about or ordered
#define SLOTS 4096u
#define NO_MS (5 * 60 * 1000)      // so long a no holds
#define NOTHING_MS (30 * 1000)     // the same when nobody could say
#define FAILED_MS (60 * 60 * 1000) // after an order that failed: authorities count those
#define ASKS_PER_S 10
#define ASKS_BURST 50
#define ORDERS_BURST 10
#define TOKEN INT64_C(1000000000) // a millionth a second, for a thousandth of a second, is one
#define DAY_S 86400
#define LOOK_MS (10 * 60 * 1000) // for names to forget
#define SAVE_MS 5000             // at most so often
#define TELL_MS 10000            // the same: strangers cause these lines of the log

enum waiting_state {
    WAITING_ASKED,   // a server was asked whether it may have one
    WAITING_WANTED,  // its order is to begin
    WAITING_ORDERED, // it has begun
    WAITING_DECIDED, // to be told
};

struct waiting {
    char name[DEMAND_ASK_NAME_BYTES];
    enum waiting_state state;
    uint64_t number; // WAITING_ORDERED
    bool is_yes;     // WAITING_DECIDED
};

struct slot {
    uint64_t hash;
    int64_t until_ms;
};

struct bucket {
    int64_t tokens; // times TOKEN
    int64_t filled_ms;
};

struct demand_desk {
    struct certs_store *store; // borrows
    struct arena mem;          // of wish and own
    struct demand_wish wish;
    struct map own; // names of the settings
    struct demand_names names;
    struct str *texts;      // owns: of the last demand_desk_add
    struct demand_ask *ask; // owns
    struct waiting waiting[WAITING_MAX];
    size_t n_waiting;
    struct slot refused[SLOTS];
    struct bucket asks, orders;
    bool has_changed; // of what is wanted
    int64_t look_at_ms, save_at_ms, tell_at_ms;
    uint64_t n_asked, n_refused, n_unanswered, n_limited, n_issued, n_failed, n_forgotten;
};

// --- limits ---

static bool take_token(struct bucket *b, uint64_t micro_per_s, int64_t burst, int64_t now_ms)
{
    int64_t passed_ms = MIN(now_ms - b->filled_ms, (int64_t)DAY_S * 1000);
    b->tokens += passed_ms * (int64_t)micro_per_s;
    b->tokens = MIN(b->tokens, burst * TOKEN);
    b->filled_ms = now_ms;
    if (b->tokens < TOKEN)
        return false;
    b->tokens -= TOKEN;
    return true;
}

static struct slot *slot_of(struct demand_desk *d, struct str name)
{
    return &d->refused[hash_str(name) % SLOTS];
}

static bool is_refused(struct demand_desk *d, struct str name, int64_t now_ms)
{
    const struct slot *s = slot_of(d, name);
    return s->hash == hash_str(name) && now_ms < s->until_ms;
}

static void refuse_for(struct demand_desk *d, struct str name, int64_t until_ms)
{
    *slot_of(d, name) = (struct slot){.hash = hash_str(name), .until_ms = until_ms};
}

// --- names on their way ---

static struct waiting *find_waiting(struct demand_desk *d, struct str name)
{
    for (size_t i = 0; i < d->n_waiting; i++) {
        if (str_eq(str_of(d->waiting[i].name), name))
            return &d->waiting[i];
    }
    return NULL;
}

static struct waiting *add_waiting(struct demand_desk *d, struct str name)
{
    ASSERT(d->n_waiting < WAITING_MAX && name.len < DEMAND_ASK_NAME_BYTES);
    struct waiting *w = &d->waiting[d->n_waiting++];
    *w = (struct waiting){.state = WAITING_ASKED};
    *str_copy(w->name, name) = '\0';
    return w;
}

static void decide(struct waiting *w, bool is_yes)
{
    w->state = WAITING_DECIDED;
    w->is_yes = is_yes;
}

static bool may_tell(struct demand_desk *d, int64_t now_ms)
{
    if (now_ms < d->tell_at_ms)
        return false;
    d->tell_at_ms = now_ms + TELL_MS;
    return true;
}

// It may have one, as far as names go: now as many as settings want.
static bool may_order(struct demand_desk *d, struct str name, int64_t now_ms)
{
    size_t n = d->names.n;
    for (size_t i = 0; i < d->n_waiting; i++)
        n += d->waiting[i].state == WAITING_WANTED || d->waiting[i].state == WAITING_ORDERED;
    bool has_room = n < d->wish.names_max;
    if (has_room && take_token(&d->orders, d->wish.limit, ORDERS_BURST, now_ms))
        return true;
    d->n_limited++;
    if (may_tell(d, now_ms))
        log_warn("on demand: " STR_FMT " gets no certificate: %s", STR_ARG(name),
                 has_room ? "too many new names lately ('limit')"
                          : "as many names have one as 'names-max' allows");
    return false;
}

// The store may have one: of a list that couldn't be written, or an import.
static bool has_stored(const struct demand_desk *d, struct str name, int64_t now_s)
{
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    bool has = certs_store_get(d->store, name, now_s, &mem, &stored, &why) == ERR_OK &&
               stored.cert.leaf.not_after_s > now_s && tls_cert_covers(&stored.cert.leaf, name);
    arena_wipe(&mem);
    return has;
}

static void order(struct demand_desk *d, struct waiting *w, int64_t now_s, int64_t now_ms)
{
    if (has_stored(d, str_of(w->name), now_s)) {
        demand_names_add(&d->names, str_of(w->name), now_s);
        d->has_changed = true;
        decide(w, true);
        return;
    }
    if (!may_order(d, str_of(w->name), now_ms)) {
        refuse_for(d, str_of(w->name), now_ms + NOTHING_MS);
        decide(w, false);
        return;
    }
    w->state = WAITING_WANTED;
    d->has_changed = true;
}

static bool is_allowed(const struct demand_desk *d, struct str name)
{
    const struct demand_wish *w = &d->wish;
    return w->n_allow > 0 ? demand_allows(w->allow, w->n_allow, name) : w->ask.len > 0;
}

static enum demand_answer begin(struct demand_desk *d, struct str name, int64_t now_s,
                                int64_t now_ms)
{
    if (d->wish.ask.len == 0) {
        order(d, add_waiting(d, name), now_s, now_ms);
        return DEMAND_LATER;
    }
    if (!take_token(&d->asks, ASKS_PER_S * 1000000, ASKS_BURST, now_ms) ||
        !demand_ask_put(d->ask, d->wish.ask, name)) {
        d->n_limited++;
        return DEMAND_NO;
    }
    d->n_asked++;
    add_waiting(d, name);
    return DEMAND_LATER;
}

enum demand_answer demand_desk_ask(struct demand_desk *d, struct str name, int64_t now_s,
                                   int64_t now_ms)
{
    if (!d->wish.is_on || !demand_is_name(name) || certs_is_local_name(name) ||
        map_get(&d->own, name) || !is_allowed(d, name))
        return DEMAND_NO;
    struct demand_name *known = demand_names_find(&d->names, name);
    if (known) {
        d->names.is_dirty |= now_s / DAY_S != known->used_s / DAY_S;
        known->used_s = MAX(known->used_s, now_s);
        return DEMAND_YES;
    }
    if (is_refused(d, name, now_ms))
        return DEMAND_NO;
    if (find_waiting(d, name))
        return DEMAND_LATER;
    if (d->n_waiting == WAITING_MAX) {
        d->n_limited++;
        return DEMAND_NO;
    }
    return begin(d, name, now_s, now_ms);
}

// --- what is wanted ---

static struct str *copy_texts(struct demand_desk *d, const struct str *texts, size_t n)
{
    struct str *copy = ARENA_ARRAY(&d->mem, struct str, n + 1);
    if (!copy)
        panic("the settings have more names than fit");
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_dup(&d->mem, texts[i]);
    return copy;
}

static void copy_wish(struct demand_desk *d, const struct demand_wish *w)
{
    struct issue_source *sources = ARENA_ARRAY(&d->mem, struct issue_source, w->n_sources + 1);
    if (!sources)
        panic("the settings have more issuers than fit");
    for (size_t i = 0; i < w->n_sources; i++)
        sources[i] =
            (struct issue_source){.issuer = arena_dup(&d->mem, w->sources[i].issuer),
                                  .directory = arena_dup(&d->mem, w->sources[i].directory)};
    d->wish = *w;
    d->wish.allow = copy_texts(d, w->allow, w->n_allow);
    d->wish.ask = arena_dup(&d->mem, w->ask);
    d->wish.issuer = arena_dup(&d->mem, w->issuer);
    d->wish.sources = sources;
}

void demand_desk_want(struct demand_desk *d, const struct demand_wish *w,
                      const struct keeper_certs_name *names, size_t n)
{
    map_fini(&d->own);
    arena_fini(&d->mem);
    arena_init(&d->mem, MEM_BYTES, NULL, 0);
    copy_wish(d, w);
    for (size_t i = 0; w->is_on && i < n; i++) {
        for (size_t k = 0; k < names[i].n_names; k++)
            map_set(&d->own, arena_dup(&d->mem, names[i].names[k]), d);
    }
}

size_t demand_desk_n_max(const struct demand_desk *d)
{
    return d->names.n + d->n_waiting;
}

static bool is_wanted(const struct demand_desk *d, struct str name)
{
    return !map_get(&d->own, name) && is_allowed(d, name);
}

static void add_need(const struct demand_desk *d, struct str *name, struct issue_need *needs,
                     size_t *n_needs)
{
    needs[(*n_needs)++] = (struct issue_need){.id = *name, // such a name is its own id
                                              .names = name,
                                              .n_names = 1,
                                              .sources = d->wish.sources,
                                              .n_sources = d->wish.n_sources};
}

void demand_desk_add(struct demand_desk *d, struct keeper_certs_name *names, size_t *n_names,
                     struct issue_need *needs, size_t *n_needs)
{
    size_t n = 0;
    struct str *texts;
    if (!d->wish.is_on)
        return;
    mem_free(d->texts);
    d->texts = texts = MEM_ARRAY(struct str, demand_desk_n_max(d) + 1);
    for (size_t i = 0; i < d->names.n; i++) {
        texts[n] = str_of(d->names.items[i].name);
        if (!is_wanted(d, texts[n]))
            continue;
        names[(*n_names)++] = (struct keeper_certs_name){.id = texts[n],
                                                         .names = &texts[n],
                                                         .n_names = 1,
                                                         .issuer = d->wish.issuer,
                                                         .is_on_demand = true};
        add_need(d, &texts[n++], needs, n_needs);
    }
    for (size_t i = 0; i < d->n_waiting; i++) {
        const struct waiting *w = &d->waiting[i];
        texts[n] = str_of(w->name);
        if (w->state == WAITING_WANTED || w->state == WAITING_ORDERED)
            add_need(d, &texts[n++], needs, n_needs);
    }
}

// --- orders ---

bool demand_desk_next_order(struct demand_desk *d, struct str *ret_name)
{
    for (size_t i = 0; i < d->n_waiting; i++) {
        if (d->waiting[i].state != WAITING_WANTED)
            continue;
        *ret_name = str_of(d->waiting[i].name);
        return true;
    }
    return false;
}

void demand_desk_ordered(struct demand_desk *d, struct str name, uint64_t number)
{
    struct waiting *w = find_waiting(d, name);
    ASSERT(w && w->state == WAITING_WANTED);
    w->state = WAITING_ORDERED;
    w->number = number;
}

static void fail(struct demand_desk *d, struct waiting *w, int64_t now_ms)
{
    d->n_failed++;
    d->has_changed = true;
    refuse_for(d, str_of(w->name), now_ms + FAILED_MS);
    decide(w, false);
}

void demand_desk_not_ordered(struct demand_desk *d, struct str name, const char *why,
                             int64_t now_ms)
{
    struct waiting *w = find_waiting(d, name);
    ASSERT(w && w->state == WAITING_WANTED);
    log_warn("on demand: " STR_FMT " can't be ordered: %s", STR_ARG(name), why);
    fail(d, w, now_ms);
}

bool demand_desk_end(struct demand_desk *d, uint64_t number, const char *error, int64_t now_s,
                     int64_t now_ms, struct str *ret_name)
{
    struct waiting *w = NULL;
    for (size_t i = 0; i < d->n_waiting; i++) {
        if (d->waiting[i].state == WAITING_ORDERED && d->waiting[i].number == number)
            w = &d->waiting[i];
    }
    if (!w)
        return false;
    *ret_name = str_of(w->name);
    if (error) {
        fail(d, w, now_ms);
        return true;
    }
    d->n_issued++;
    d->has_changed = true;
    d->save_at_ms = now_ms; // or a restart would order it again
    demand_names_add(&d->names, str_of(w->name), now_s);
    decide(w, true);
    return true;
}

bool demand_desk_next(struct demand_desk *d, char ret_name[static DEMAND_ASK_NAME_BYTES],
                      bool *ret_is_yes)
{
    for (size_t i = 0; i < d->n_waiting; i++) {
        struct waiting *w = &d->waiting[i];
        if (w->state != WAITING_DECIDED)
            continue;
        memcpy(ret_name, w->name, sizeof w->name);
        *ret_is_yes = w->is_yes;
        *w = d->waiting[--d->n_waiting];
        return true;
    }
    return false;
}

void demand_desk_drop(struct demand_desk *d, struct str name)
{
    struct demand_name *known = demand_names_find(&d->names, name);
    if (!known)
        return;
    demand_names_remove(&d->names, known);
    d->has_changed = true;
}

// --- time ---

static void take_answers(struct demand_desk *d, int64_t now_s, int64_t now_ms)
{
    char name[DEMAND_ASK_NAME_BYTES], why[DEMAND_ASK_WHY_BYTES];
    enum demand_said said;
    while (demand_ask_take(d->ask, name, &said, why)) {
        struct waiting *w = find_waiting(d, str_of(name));
        if (!w || w->state != WAITING_ASKED)
            continue;
        if (said == DEMAND_SAID_YES && d->wish.is_on && is_wanted(d, str_of(name))) {
            order(d, w, now_s, now_ms);
            continue;
        }
        if (said == DEMAND_SAID_NOTHING && may_tell(d, now_ms))
            log_warn("on demand: whether %s may have a certificate can't be learnt: %s", name, why);
        d->n_unanswered += said == DEMAND_SAID_NOTHING;
        d->n_refused += said == DEMAND_SAID_NO;
        refuse_for(d, str_of(name), now_ms + (said == DEMAND_SAID_NO ? NO_MS : NOTHING_MS));
        decide(w, false);
    }
}

// A name that nobody wants any more isn't renewed, and its certificate goes.
static void forget_unused(struct demand_desk *d, int64_t now_s)
{
    for (size_t i = d->names.n; d->wish.is_on && i-- > 0;) {
        struct demand_name *item = &d->names.items[i];
        const char *why;
        if (now_s - item->used_s < d->wish.forget_s)
            continue;
        log_info("on demand: %s is forgotten: nobody has asked for it in %lld days", item->name,
                 (long long)((now_s - item->used_s) / DAY_S));
        if (!map_get(&d->own, str_of(item->name)) &&
            certs_store_forget(d->store, str_of(item->name), &why) == ERR_SYSTEM)
            log_warn("on demand: the certificate of %s can't be removed: %s", item->name, why);
        demand_names_remove(&d->names, item);
        d->n_forgotten++;
        d->has_changed = true;
    }
}

bool demand_desk_turn(struct demand_desk *d, int64_t now_s, int64_t now_ms, int64_t *next_ms)
{
    take_answers(d, now_s, now_ms);
    if (now_ms >= d->look_at_ms) {
        d->look_at_ms = now_ms + LOOK_MS;
        forget_unused(d, now_s);
    }
    if (d->names.is_dirty && now_ms >= d->save_at_ms) {
        d->save_at_ms = now_ms + SAVE_MS;
        if (!demand_names_save(&d->names, certs_store_fd(d->store)))
            log_warn("on demand: which names have certificates can't be kept: %s", strerror(errno));
    }
    if (d->names.is_dirty)
        *next_ms = MIN(*next_ms, d->save_at_ms);
    *next_ms = MIN(*next_ms, d->look_at_ms);
    bool has_changed = d->has_changed;
    d->has_changed = false;
    return has_changed;
}

// --- its life ---

struct demand_desk *demand_desk_new(struct certs_store *store, int64_t now_ms)
{
    struct demand_desk *d = MEM_NEW(struct demand_desk);
    const char *why;
    d->store = store;
    d->ask = demand_ask_new();
    d->asks.filled_ms = d->orders.filled_ms = now_ms;
    d->asks.tokens = ASKS_BURST * TOKEN;
    d->orders.tokens = ORDERS_BURST * TOKEN;
    d->look_at_ms = now_ms;
    arena_init(&d->mem, MEM_BYTES, NULL, 0);
    if (!demand_names_open(&d->names, certs_store_fd(store), &why))
        log_error("on demand: the file 'demand' of the state folder can't be used, its names are "
                  "asked for anew: %s",
                  why);
    return d;
}

void demand_desk_free(struct demand_desk *d)
{
    if (!d)
        return;
    if (!demand_names_save(&d->names, certs_store_fd(d->store)))
        log_warn("on demand: which names have certificates can't be kept: %s", strerror(errno));
    demand_ask_free(d->ask);
    demand_names_close(&d->names);
    map_fini(&d->own);
    arena_fini(&d->mem);
    mem_free(d->texts);
    mem_free(d);
}

int demand_desk_fd(const struct demand_desk *d)
{
    return demand_ask_fd(d->ask);
}

json_t *demand_desk_report(const struct demand_desk *d)
{
    if (!d || !d->wish.is_on)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "names",
                     (json_int_t)d->names.n, "waiting", (json_int_t)d->n_waiting, "asked",
                     (json_int_t)d->n_asked, "refused", (json_int_t)d->n_refused, "unanswered",
                     (json_int_t)d->n_unanswered, "limited", (json_int_t)d->n_limited, "issued",
                     (json_int_t)d->n_issued, "failed", (json_int_t)d->n_failed, "forgotten",
                     (json_int_t)d->n_forgotten);
}
