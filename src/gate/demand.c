// SPDX-License-Identifier: Apache-2.0
#include "gate/demand.h"

#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "rt/clock.h"

#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63
#define SLOTS 4096u                   // of each table; a name that meets another takes its place
#define REFUSED_MS 30000              // so long a no is believed
#define TELL_USE_MS (6 * 3600 * 1000) // the keeper counts in days
#define ASKS_PER_S 20                 // of the keeper, by all workers
#define ASKS_BURST 100

// What was heard of names: hashes, which strangers can't choose (base/hash.h).
struct slot {
    uint64_t hash;
    int64_t until_ms;
};

struct demand {
    struct petitions *petitions; // borrows
    pthread_mutex_t lock;        // the rest
    struct slot refused[SLOTS];
    struct slot used[SLOTS]; // told
    int64_t tokens_milli;    // asks that may be made now, times 1000
    int64_t filled_ms;
};

// --- names ---

static bool is_label(struct str label)
{
    bool is_fine = label.len > 0 && label.len <= LABEL_MAX_BYTES && label.ptr[0] != '-' &&
                   label.ptr[label.len - 1] != '-';
    for (size_t i = 0; is_fine && i < label.len; i++) {
        char c = label.ptr[i];
        is_fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return is_fine;
}

bool demand_is_name(struct str name)
{
    struct str label = name, rest = name;
    size_t n = 0;
    if (name.len > NAME_MAX_BYTES)
        return false;
    for (bool goes_on = true; goes_on; n++) {
        goes_on = str_cut(rest, '.', &label, &rest);
        if (!is_label(label))
            return false;
    }
    bool has_letter = false;
    for (size_t i = 0; i < label.len; i++)
        has_letter |= label.ptr[i] >= 'a';
    return n >= 2 && has_letter;
}

bool demand_allows(const struct str *allow, size_t n, struct str name)
{
    struct str parent = STR_NONE;
    (void)str_cut(name, '.', NULL, &parent);
    for (size_t i = 0; i < n; i++) {
        bool is_wildcard = str_starts(allow[i], STR("*."));
        if (is_wildcard ? str_eq(str_skip(allow[i], 2), parent) : str_eq(allow[i], name))
            return true;
    }
    return false;
}

bool demand_is_for(const struct demand_rules *r, const struct tls_store *store, struct str name,
                   bool *ret_has)
{
    struct str parent;
    if (!r || !demand_is_name(name) ||
        (r->n_allow > 0 && !demand_allows(r->allow, r->n_allow, name)))
        return false;
    const struct tls_entry *own = store ? tls_store_find_own(store, name) : NULL;
    *ret_has = own != NULL;
    if (own) { // one of the local CA is a site's that waits for its own
        const struct tls_chain *chain = own->ecdsa ? own->ecdsa : own->rsa;
        return !chain->is_local_ca;
    }
    bool is_covered = store && tls_store_find_exact(store, name);
    return !is_covered || (str_cut(name, '.', NULL, &parent) && map_get(&r->wildcards, parent));
}

// --- asking ---

struct demand *demand_new(struct petitions *petitions)
{
    struct demand *d = MEM_NEW(struct demand);
    d->petitions = petitions;
    d->tokens_milli = ASKS_BURST * 1000;
    d->filled_ms = clock_now_ms();
    int failed = pthread_mutex_init(&d->lock, NULL);
    ASSERT(failed == 0);
    return d;
}

void demand_free(struct demand *d)
{
    if (!d)
        return;
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}

static void lock(struct demand *d)
{
    int failed = pthread_mutex_lock(&d->lock);
    ASSERT(failed == 0);
}

static void unlock(struct demand *d)
{
    int failed = pthread_mutex_unlock(&d->lock);
    ASSERT(failed == 0);
}

// The next three under the lock.
static bool is_in(const struct slot *table, uint64_t hash, int64_t now_ms)
{
    const struct slot *s = &table[hash % SLOTS];
    return s->hash == hash && now_ms < s->until_ms;
}

static void put_in(struct slot *table, uint64_t hash, int64_t until_ms)
{
    table[hash % SLOTS] = (struct slot){.hash = hash, .until_ms = until_ms};
}

static bool take_token(struct demand *d, int64_t now_ms)
{
    int64_t more = (now_ms - d->filled_ms) * ASKS_PER_S;
    d->tokens_milli = MIN(d->tokens_milli + more, (int64_t)ASKS_BURST * 1000);
    d->filled_ms = now_ms;
    if (d->tokens_milli < 1000)
        return false;
    d->tokens_milli -= 1000;
    return true;
}

static struct gate_petition about(struct str name)
{
    struct gate_petition m = {.kind = GATE_PETITION_CERT, .name_bytes = (uint32_t)name.len};
    ASSERT(name.len <= sizeof m.name); // demand_is_name
    memcpy(m.name, name.ptr, name.len);
    return m;
}

bool demand_wait(struct demand *d, const struct demand_rules *r, struct str name)
{
    uint64_t hash = hash_str(name);
    int64_t now_ms = clock_now_ms();
    struct gate_verdict verdict;
    lock(d);
    bool may_ask = !is_in(d->refused, hash, now_ms) && take_token(d, now_ms);
    unlock(d);
    if (!may_ask || petitions_ask(d->petitions, about(name), deadline_in(r->wait_ms), &verdict))
        return false;
    lock(d);
    if (verdict.is_yes)
        put_in(d->used, hash, clock_now_ms() + TELL_USE_MS);
    else
        put_in(d->refused, hash, clock_now_ms() + REFUSED_MS);
    unlock(d);
    return verdict.is_yes;
}

void demand_note_use(struct demand *d, struct str name)
{
    uint64_t hash = hash_str(name);
    int64_t now_ms = clock_now_ms();
    lock(d);
    bool must_tell = !is_in(d->used, hash, now_ms) && take_token(d, now_ms);
    if (must_tell)
        put_in(d->used, hash, now_ms + TELL_USE_MS);
    unlock(d);
    if (must_tell)
        petitions_tell(d->petitions, about(name));
}
