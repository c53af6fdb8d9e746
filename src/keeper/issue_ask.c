// SPDX-License-Identifier: Apache-2.0
// What people ask for: orders and revocations at once, also of what settings don't want.
#include <time.h>

#include "certs/entry.h"
#include "keeper/issue_priv.h"

size_t issue_first_allowed(const struct issue *i, const struct issue_item *item, size_t k,
                           int64_t now_s)
{
    while (k < item->need.n_sources &&
           issue_ledger_allows_s(&i->ledger, item->attempts[k].issuer->name, item->need.id, now_s) >
               now_s)
        k++;
    return k;
}

void issue_take_order(const struct issue *i, struct issue_item *item, const struct issue_order *o,
                      uint64_t number, int64_t now_s)
{
    size_t turn = issue_first_allowed(i, item, 0, now_s);
    item->kind = o->kind;
    item->reason = o->reason;
    item->is_forced = true;
    item->due_s = now_s;
    item->turn = turn < item->need.n_sources ? turn : 0;
    item->number = number;
}

static const char too_many[] = "too many certificates for these names were ordered lately: the "
                               "authority would refuse further ones for a week";

static const char *why_not(const struct issue *i, const struct issue_item *item,
                           const struct issue_order *o, int64_t now_s)
{
    bool is_order = o->kind == ISSUE_ORDER;
    if (!item)
        return "no site in the settings wants a certificate of this name from an authority";
    if (item->state != ITEM_WAITING && (item->kind != ISSUE_RENEWAL_INFO || item->has_next))
        return "it is being worked on already";
    if (is_order && !o->force && (item->kind != ISSUE_ORDER || item->due_s > now_s))
        return "it isn't due yet; --force orders it all the same";
    if (is_order && issue_first_allowed(i, item, 0, now_s) == item->need.n_sources)
        return too_many;
    return NULL;
}

static struct issue_task *find_extra(const struct issue *i, struct str id)
{
    LIST_FOR (n, &i->extras) {
        struct issue_task *task = CONTAINER_OF(n, struct issue_task, extra);
        if (str_eq(task->job.need.id, id))
            return task;
    }
    return NULL;
}

// What settings don't want, at once.
static void start_extra(struct issue *i, const struct issue_issuer *issuer, struct str id,
                        const struct str *names, size_t n_names, const struct issue_order *o,
                        uint64_t *ret_number)
{
    const struct issue_source source = {.issuer = issuer->name, .directory = issuer->directory};
    const struct issue_need need = {
        .id = id, .names = names, .n_names = n_names, .sources = &source, .n_sources = 1};
    struct issue_wants *wants = issue_wants_new(
        &(struct issue_wish){.issuers = issuer, .n_issuers = 1, .needs = &need, .n_needs = 1});
    struct issue_item *item = &wants->items[0];
    item->kind = o->kind;
    item->reason = o->reason;
    item->number = *ret_number = ++i->last_number;
    list_push_back(&i->extras, &issue_enqueue(i, wants, item)->extra);
    issue_tasks_unref(i, wants); // the task has it
}

// It was asked for by hand, or settings have lost its site or its authority: what the store knows
// is enough.
static bool revoke_extra(struct issue *i, const struct issue_order *o, int64_t now_s,
                         uint64_t *ret_number, const char **ret_why)
{
    struct arena mem;
    struct certs_stored stored;
    arena_init(&mem, ISSUE_CERT_MEM_BYTES, NULL, 0);
    bool is_known = certs_store_get(i->store, o->id, now_s, &mem, &stored, ret_why) == ERR_OK;
    if (is_known && stored.meta.directory.len == 0) {
        *ret_why = "it isn't known which authority it is from";
        is_known = false;
    }
    if (is_known) {
        const struct certs_meta *meta = &stored.meta;
        const struct issue_issuer *known = issue_wants_issuer(i->wants, meta->issuer);
        const struct issue_issuer bare = {.name = meta->issuer, .directory = meta->directory};
        bool is_same = known && str_eq(known->directory, meta->directory);
        start_extra(i, is_same ? known : &bare, o->id, meta->names, meta->n_names, o, ret_number);
    }
    arena_wipe(&mem);
    return is_known;
}

// One more waits for its end, whoever signs it.
static void join(struct issue *i, struct issue_item *item, struct issue_task *task,
                 uint64_t *ret_number)
{
    if (task->number == 0)
        task->number = ++i->last_number;
    if (item) {
        item->number = task->number;
        item->is_forced = true;
    }
    *ret_number = task->number;
}

bool issue_ask(struct issue *i, const struct issue_order *o, int64_t now_s, uint64_t *ret_number,
               const char **ret_why)
{
    struct issue_item *item = issue_wants_find(i->wants, o->id);
    bool is_order = o->kind == ISSUE_ORDER;
    if (item && is_order && item->state == ITEM_RUNNING && item->kind == ISSUE_ORDER) {
        join(i, item, item->task, ret_number);
        return true;
    }
    bool is_lost = !is_order && (!item || !issue_signer_of(i, i->wants, item));
    if (is_lost && !find_extra(i, o->id) && (!item || item->state == ITEM_WAITING))
        return revoke_extra(i, o, now_s, ret_number, ret_why);
    const char *why = why_not(i, item, o, now_s);
    if (why) {
        *ret_why = why;
        return false;
    }
    *ret_number = ++i->last_number;
    if (item->state == ITEM_RUNNING) {
        item->has_next = true;
        item->next = *o;
        item->next.id = item->need.id;
        item->next_number = *ret_number;
    } else {
        issue_take_order(i, item, o, *ret_number, now_s);
    }
    return true;
}

bool issue_ask_extra(struct issue *i, const struct issue_extra *x, int64_t now_s,
                     uint64_t *ret_number, const char **ret_why)
{
    const struct issue_issuer *known = issue_wants_issuer(i->wants, x->issuer);
    struct issue_task *running = find_extra(i, x->id);
    if (x->issuer.len == 0 && i->wants && i->wants->n_issuers > 0)
        known = &i->wants->issuers[0];
    if (running) {
        join(i, NULL, running, ret_number);
        return true;
    }
    *ret_why = "the settings have no such issuer";
    if (!known)
        return false;
    *ret_why = too_many;
    if (issue_ledger_allows_s(&i->ledger, known->name, x->id, now_s) > now_s)
        return false;
    struct issue_issuer issuer = *known;
    if (x->key_kind != TLS_KEY_OTHER)
        issuer.key_kind = x->key_kind;
    if (x->challenge != ACME_CHALLENGE_NONE) {
        issuer.challenges[0] = x->challenge;
        issuer.n_challenges = 1;
    }
    start_extra(i, &issuer, x->id, x->names, x->n_names, &(struct issue_order){.kind = ISSUE_ORDER},
                ret_number);
    return true;
}
