// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "certs/entry.h"
#include "keeper/issue_priv.h"
#include "rt/log.h"

#define LOOK_AGAIN_S 86400
#define STORE_AGAIN_S 600

// --- what is due ---

void issue_keep_error(struct issue_attempt *attempt, struct str error)
{
    size_t n = MIN(error.len, sizeof attempt->error - 1);
    while (n > 0 && n < error.len && ((unsigned char)error.ptr[n] & 0xc0) == 0x80)
        n--; // no half of a UTF-8 sequence
    *str_copy(attempt->error, str_first(error, n)) = '\0';
}

// What is on disk of an authority's failures.
static void read_attempt(struct issue *i, const struct issue_item *item,
                         struct issue_attempt *attempt, struct arena *mem)
{
    struct certs_meta tries;
    struct str key;
    const struct issue_source source = {.issuer = attempt->issuer->name,
                                        .directory = attempt->issuer->directory};
    if (issue_order_get(i->orders, item->need.id, source.issuer, mem, &tries, &key) != ERR_OK ||
        !issue_is_from(&source, &tries) || !issue_has_names(&item->need, &tries))
        return;
    attempt->not_before_s = MAX(attempt->not_before_s, issue_again_s(item->need.id, &tries));
    attempt->n_failures = MAX(attempt->n_failures, tries.n_failures);
    if (tries.last_error.len == 0)
        return;
    issue_keep_error(attempt, tries.last_error);
    attempt->failed_s = tries.last_try_s;
}

// Whom the next order goes to, and when: for each certificate, each authority has its own back-off,
// and limits that it has in common with all.
static void take_turn(struct issue *i, struct issue_item *item, int64_t now_s)
{
    int64_t ready_s[ISSUE_SOURCES_MAX];
    if (item->kind != ISSUE_ORDER || item->is_forced)
        return;
    for (size_t k = 0; k < item->need.n_sources; k++) {
        const struct issue_attempt *a = &item->attempts[k];
        ready_s[k] = a->not_before_s;
        if (item->wanted_s <= now_s)
            ready_s[k] = MAX(ready_s[k], issue_ledger_allows_s(&i->ledger, a->issuer->name,
                                                               item->need.id, now_s));
    }
    item->turn = issue_turn(item->wanted_s, ready_s, item->need.n_sources, now_s, &item->due_s);
}

// Before the next order, its authority may suggest when.
static void plan_info(struct issue_item *item, const struct certs_stored *stored, int64_t now_s)
{
    size_t signer = issue_signer(&item->need, &stored->meta);
    int64_t info_s = MAX(stored->meta.ari_next_s, item->no_info_before_s);
    if (signer == item->need.n_sources || item->due_s <= now_s || info_s >= item->due_s)
        return;
    item->kind = ISSUE_RENEWAL_INFO;
    item->turn = signer;
    item->wanted_s = item->due_s = info_s;
    item->why = "it is asked when to renew";
}

void issue_plan(struct issue *i, struct issue_item *item, int64_t now_s)
{
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    arena_init(&mem, ISSUE_CERT_MEM_BYTES, NULL, 0);
    enum err err = certs_store_get(i->store, item->need.id, now_s, &mem, &stored, &why);
    item->kind = ISSUE_ORDER;
    item->wanted_s = issue_due_s(&item->need, err == ERR_OK ? &stored : NULL, now_s, &item->why);
    if (err == ERR_SYSTEM) { // it may well be there
        item->wanted_s = now_s + STORE_AGAIN_S;
        item->why = "the store can't be read";
    }
    for (size_t k = 0; k < item->need.n_sources; k++)
        read_attempt(i, item, &item->attempts[k], &mem);
    take_turn(i, item, now_s);
    if (err == ERR_OK)
        plan_info(item, &stored, now_s);
    arena_wipe(&mem);
}

const struct issue_issuer *issue_signer_of(const struct issue *i, const struct issue_wants *wants,
                                           const struct issue_item *item)
{
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    const struct issue_issuer *signer = NULL;
    arena_init(&mem, ISSUE_CERT_MEM_BYTES, NULL, 0);
    if (certs_store_get(i->store, item->need.id, time(NULL), &mem, &stored, &why) == ERR_OK)
        signer = issue_wants_signer(wants, item, &stored.meta);
    arena_wipe(&mem);
    return signer;
}

struct issue_task *issue_enqueue(struct issue *i, struct issue_wants *wants,
                                 struct issue_item *item)
{
    const struct issue_issuer *signer =
        item->kind == ISSUE_REVOKE ? issue_signer_of(i, wants, item) : NULL;
    const struct issue_job job = {.kind = item->kind,
                                  .reason = item->reason,
                                  .issuer = signer ? signer : item->attempts[item->turn].issuer,
                                  .need = item->need};
    item->state = ITEM_RUNNING;
    item->task = issue_tasks_start(i, wants, &job, item->number);
    return item->task;
}

// --- for the loop ---

struct issue *issue_new(struct certs_store *store, const struct issue_listener *listener,
                        const char **ret_why)
{
    struct diags diags = {.n = 0};
    struct issue *i = MEM_NEW(struct issue);
    i->store = store;
    i->listener = *listener;
    i->orders = certs_folder_open(certs_store_fd(store), "orders", &diags);
    bool is_fine =
        i->orders >= 0 && issue_ledger_open(&i->ledger, certs_store_fd(store), time(NULL));
    for (size_t n = 0; n < diags.n; n++)
        log_warn("state: %s", diags.items[n].text);
    diags_fini(&diags);
    if (is_fine && issue_tasks_init(i))
        return i;
    *ret_why = "the folder for orders can't be used";
    if (is_fine)
        issue_ledger_close(&i->ledger);
    if (i->orders >= 0)
        close(i->orders);
    mem_free(i);
    return NULL;
}

void issue_free(struct issue *i)
{
    if (!i)
        return;
    issue_tasks_fini(i);
    issue_accounts_fini(i);
    issue_ledger_close(&i->ledger);
    close(i->orders);
    mem_free(i);
}

// Who waits for an order that can't begin any more.
static void end_unwanted(struct issue *i, const struct issue_wants *before)
{
    for (size_t n = 0; before && n < before->n_items; n++) {
        const struct issue_item *was = &before->items[n];
        uint64_t number = was->has_next ? was->next_number : 0;
        if (was->state == ITEM_WAITING)
            number = was->number;
        if (number > 0 && !issue_wants_find(i->wants, was->need.id))
            i->listener.on_end(i->listener.arg, number, "the settings don't want it any more",
                               NULL);
    }
}

void issue_want(struct issue *i, const struct issue_wish *wish, int64_t now_s)
{
    struct issue_wants *before = i->wants;
    i->wants = issue_wants_new(wish);
    for (size_t n = 0; n < i->wants->n_items; n++) {
        struct issue_item *item = &i->wants->items[n];
        const struct issue_item *was = issue_wants_find(before, item->need.id);
        bool is_same = was && issue_wants_is_same(was, item);
        if (was)
            issue_wants_take_over(item, was);
        for (size_t k = 0; was && !is_same && k < item->need.n_sources; k++)
            item->attempts[k].not_before_s = item->attempts[k].n_failures = 0;
        // One that is under way is planned anew when it has ended.
        if (!is_same && item->state == ITEM_WAITING)
            issue_plan(i, item, now_s);
    }
    end_unwanted(i, before);
    issue_tasks_unref(i, before);
    issue_accounts_want(i, now_s);
}

int issue_fd(const struct issue *i)
{
    return i->event;
}

void issue_plan_anew(struct issue *i, struct str id, int64_t now_s)
{
    struct issue_item *item = issue_wants_find(i->wants, id);
    if (item && item->state == ITEM_WAITING && !item->is_forced)
        issue_plan(i, item, now_s);
}

void issue_plan_all_anew(struct issue *i, int64_t now_s)
{
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++)
        issue_plan_anew(i, i->wants->items[n].need.id, now_s);
}

void issue_look(struct issue *i, int64_t now_s)
{
    for (struct issue_task *task; (task = issue_tasks_ended(i)) != NULL;) {
        if (issue_kind_is_account(task->job.kind))
            issue_accounts_take_outcome(i, task, now_s);
        else
            issue_take_outcome(i, task, now_s);
        issue_tasks_free(i, task);
    }
}

static bool is_account_busy(const struct issue *i, const struct issue_item *item)
{
    return item->kind == ISSUE_ORDER &&
           issue_accounts_is_busy(i, item->attempts[item->turn].issuer->name);
}

// No more begin than can be worked on: so the ledger knows of those before, and what somebody asks
// for doesn't wait behind thousands.
void issue_do_what_is_due(struct issue *i, int64_t now_s, int64_t now_ms, int64_t *next_ms)
{
    int64_t next_s = now_s + LOOK_AGAIN_S;
    unsigned n_open = issue_tasks_count(i);
    issue_accounts_do_what_is_due(i, now_s, &next_s);
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++) {
        struct issue_item *item = &i->wants->items[n];
        if (item->state != ITEM_WAITING)
            continue;
        if (item->due_s <= now_s && !item->is_forced && n_open >= ISSUE_THREADS_MAX)
            continue; // the end of another one wakes the loop
        if (item->due_s <= now_s)
            take_turn(i, item, now_s);
        if (item->due_s <= now_s && is_account_busy(i, item))
            continue; // the end of that wakes the loop
        if (item->due_s <= now_s) {
            (void)issue_enqueue(i, i->wants, item);
            n_open++;
        } else {
            next_s = MIN(next_s, item->due_s);
        }
    }
    *next_ms = MIN(*next_ms, now_ms + (next_s - now_s) * 1000);
}

struct issue_proofs *issue_proofs_of(struct issue *i)
{
    return &i->proofs;
}

void issue_forget_orders(struct issue *i, struct str id)
{
    for (size_t n = 0; i->wants && n < i->wants->n_issuers; n++)
        issue_order_forget(i->orders, id, i->wants->issuers[n].name);
}

bool issue_is_done(const struct issue *i, struct str id, int64_t now_s, int64_t *ret_due_s)
{
    const struct issue_item *item = issue_wants_find(i->wants, id);
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    arena_init(&mem, ISSUE_CERT_MEM_BYTES, NULL, 0);
    bool is_stored = item && certs_store_get(i->store, id, now_s, &mem, &stored, &why) == ERR_OK;
    *ret_due_s = is_stored ? issue_due_s(&item->need, &stored, now_s, &why) : now_s;
    arena_wipe(&mem);
    return *ret_due_s > now_s;
}
