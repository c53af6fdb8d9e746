// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "certs/entry.h"
#include "keeper/issue_priv.h"
#include "rt/log.h"

#define CERT_MEM_BYTES ((size_t)8 << 20)
#define LOOK_AGAIN_S 86400
#define STORE_AGAIN_S 600
#define HOPELESS_AFTER 3  // failures in a row; the third is after some six minutes
#define INFO_AGAIN_S 3600 // when the last answer can't be kept

// --- what is due ---

static void keep_error(struct issue_attempt *attempt, struct str error)
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
    keep_error(attempt, tries.last_error);
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

static void plan(struct issue *i, struct issue_item *item, int64_t now_s)
{
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
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

// The issuer that has signed what the store has. NULL: no issuer of the settings.
static const struct issue_issuer *signer_of(const struct issue *i, const struct issue_wants *wants,
                                            const struct issue_item *item)
{
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    const struct issue_issuer *signer = NULL;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    if (certs_store_get(i->store, item->need.id, time(NULL), &mem, &stored, &why) == ERR_OK)
        signer = issue_wants_signer(wants, item, &stored.meta);
    arena_wipe(&mem);
    return signer;
}

static struct issue_task *enqueue(struct issue *i, struct issue_wants *wants,
                                  struct issue_item *item)
{
    const struct issue_issuer *signer =
        item->kind == ISSUE_REVOKE ? signer_of(i, wants, item) : NULL;
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
            plan(i, item, now_s);
    }
    end_unwanted(i, before);
    issue_tasks_unref(i, before);
    issue_accounts_want(i, now_s);
}

int issue_fd(const struct issue *i)
{
    return i->event;
}

// From k on, the first authority that the ledger lets us ask for a certificate; n_sources: none.
static size_t first_allowed(const struct issue *i, const struct issue_item *item, size_t k,
                            int64_t now_s)
{
    while (k < item->need.n_sources &&
           issue_ledger_allows_s(&i->ledger, item->attempts[k].issuer->name, item->need.id, now_s) >
               now_s)
        k++;
    return k;
}

// What somebody has asked for comes before what is due, and begins with the first authority.
static void take_order(const struct issue *i, struct issue_item *item, const struct issue_order *o,
                       uint64_t number, int64_t now_s)
{
    size_t turn = first_allowed(i, item, 0, now_s);
    item->kind = o->kind;
    item->reason = o->reason;
    item->is_forced = true;
    item->due_s = now_s;
    item->turn = turn < item->need.n_sources ? turn : 0;
    item->number = number;
}

static bool has_failed(const struct issue_task *task)
{
    return task->outcome.result != ACME_DONE && task->outcome.result != ACME_CANCELLED;
}

static void tell(const struct issue_task *task)
{
    struct str id = task->job.need.id, issuer = task->job.issuer->name;
    if (task->job.kind == ISSUE_RENEWAL_INFO)
        return;
    if (task->outcome.result == ACME_DONE)
        log_info("certificate " STR_FMT ": %s by " STR_FMT, STR_ARG(id),
                 task->job.kind == ISSUE_REVOKE ? "revoked" : "issued", STR_ARG(issuer));
    else if (has_failed(task))
        log_error("certificate " STR_FMT ": " STR_FMT " doesn't %s it: %s", STR_ARG(id),
                  STR_ARG(issuer), task->job.kind == ISSUE_REVOKE ? "revoke" : "issue",
                  task->outcome.error);
}

// What an authority has done counts for when it is asked again.
static void note_attempt(struct issue_item *item, const struct issue_task *task, int64_t now_s)
{
    struct issue_attempt *a = issue_wants_attempt(item, task->job.issuer);
    if (!a)
        return;
    a->n_failures = has_failed(task) ? a->n_failures + 1 : 0;
    a->not_before_s = has_failed(task) ? now_s + issue_backoff_s(a->n_failures, item->need.id) : 0;
    a->failed_s = has_failed(task) ? now_s : 0;
    keep_error(a, has_failed(task) ? str_of(task->outcome.error) : STR_NONE);
}

// Somebody waits for a certificate, whoever signs it. False: nobody is left to be asked.
static bool ask_next(const struct issue *i, struct issue_item *item, const struct issue_task *task,
                     int64_t now_s)
{
    const struct issue_attempt *a = issue_wants_attempt(item, task->job.issuer);
    if (!item->is_forced || !has_failed(task) || task->job.kind != ISSUE_ORDER || !a)
        return false;
    size_t next = first_allowed(i, item, (size_t)(a - item->attempts) + 1, now_s);
    if (next == item->need.n_sources)
        return false;
    item->turn = next;
    item->due_s = now_s;
    return true;
}

// What came of a task is the base of the next plan. False: it goes on with another authority.
static bool settle_item(struct issue *i, struct issue_item *item, const struct issue_task *task,
                        int64_t now_s)
{
    item->state = ITEM_WAITING;
    item->task = NULL;
    if (task->job.kind == ISSUE_RENEWAL_INFO)
        item->no_info_before_s = has_failed(task) ? now_s + INFO_AGAIN_S : 0;
    if (task->job.kind == ISSUE_ORDER)
        note_attempt(item, task, now_s);
    bool goes_on = ask_next(i, item, task, now_s);
    if (!goes_on) {
        item->is_forced = false;
        item->number = 0;
        plan(i, item, now_s);
        goes_on = item->kind == ISSUE_ORDER && item->due_s <= now_s;
    }
    if (goes_on && has_failed(task))
        log_info("certificate " STR_FMT ": " STR_FMT " is asked next", STR_ARG(item->need.id),
                 STR_ARG(item->attempts[item->turn].issuer->name));
    if (item->has_next)
        take_order(i, item, &item->next, item->next_number, now_s);
    item->has_next = false;
    return item->number == 0 || item->number != task->number;
}

void issue_plan_anew(struct issue *i, struct str id, int64_t now_s)
{
    struct issue_item *item = issue_wants_find(i->wants, id);
    if (item && item->state == ITEM_WAITING && !item->is_forced)
        plan(i, item, now_s);
}

void issue_plan_all_anew(struct issue *i, int64_t now_s)
{
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++)
        issue_plan_anew(i, i->wants->items[n].need.id, now_s);
}

// What each authority that was asked says.
static struct text say_why(const struct issue_item *item, const struct issue_task *task)
{
    struct text why = {.ptr = NULL};
    bool has_others = item && item->need.n_sources > 1 && task->job.kind == ISSUE_ORDER;
    for (size_t k = 0; has_others && k < item->need.n_sources; k++) {
        const struct issue_attempt *a = &item->attempts[k];
        if (a->error[0])
            text_printf(&why, "%s" STR_FMT ": %s", why.len > 0 ? "\n" : "",
                        STR_ARG(a->issuer->name), a->error);
    }
    if (why.len == 0)
        text_put(&why, str_of(task->outcome.error));
    return why;
}

static void answer(const struct issue *i, const struct issue_item *item,
                   const struct issue_task *task)
{
    struct text why = say_why(item, task);
    i->listener.on_end(i->listener.arg, task->number,
                       task->outcome.result == ACME_DONE ? NULL : why.ptr, NULL);
    text_fini(&why);
}

// Another try doesn't help, or hasn't for a while; and nobody else is left to be asked now.
static bool is_hopeless(const struct issue_item *item, const struct issue_task *task, int64_t now_s)
{
    const struct issue_attempt *a = issue_wants_attempt(item, task->job.issuer);
    bool has_next = item->kind == ISSUE_ORDER && item->due_s <= now_s;
    return has_failed(task) && task->job.kind == ISSUE_ORDER && !has_next && a &&
           (!task->outcome.is_passing || a->n_failures >= HOPELESS_AFTER);
}

// For hooks.
static void tell_listener(const struct issue *i, struct issue_item *item,
                          const struct issue_task *task, int64_t now_s)
{
    bool is_issued = task->outcome.result == ACME_DONE && task->job.kind == ISSUE_ORDER;
    if (is_issued)
        i->listener.on_issued(i->listener.arg, &task->job.need, task->job.issuer->name,
                              task->outcome.is_renewal);
    if (!item)
        return;
    item->is_told = item->is_told && !is_issued;
    if (item->is_told || !is_hopeless(item, task, now_s))
        return;
    struct text why = say_why(item, task);
    item->is_told = true;
    i->listener.on_failed(i->listener.arg, &item->need, why.ptr);
    text_fini(&why);
}

static void take_outcome(struct issue *i, const struct issue_task *task, int64_t now_s)
{
    bool is_extra = list_node_is_linked(&task->extra);
    struct issue_item *item = is_extra ? NULL : issue_wants_find(i->wants, task->job.need.id);
    bool is_done = task->outcome.result == ACME_DONE;
    tell(task);
    if (is_done && task->job.kind == ISSUE_ORDER)
        issue_ledger_add(&i->ledger, task->job.issuer->name, task->job.need.id, now_s);
    bool has_ended = !item || settle_item(i, item, task, now_s);
    if (is_done && task->job.kind != ISSUE_RENEWAL_INFO)
        i->listener.on_change(i->listener.arg, task->job.need.id);
    tell_listener(i, item, task, now_s);
    if (task->number > 0 && has_ended)
        answer(i, item, task);
}

void issue_look(struct issue *i, int64_t now_s)
{
    for (struct issue_task *task; (task = issue_tasks_ended(i)) != NULL;) {
        if (issue_kind_is_account(task->job.kind))
            issue_accounts_take_outcome(i, task, now_s);
        else
            take_outcome(i, task, now_s);
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
            (void)enqueue(i, i->wants, item);
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
    if (is_order && first_allowed(i, item, 0, now_s) == item->need.n_sources)
        return too_many;
    return NULL;
}

void issue_forget_orders(struct issue *i, struct str id)
{
    for (size_t n = 0; i->wants && n < i->wants->n_issuers; n++)
        issue_order_forget(i->orders, id, i->wants->issuers[n].name);
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
    list_push_back(&i->extras, &enqueue(i, wants, item)->extra);
    issue_tasks_unref(i, wants); // the task has it
}

// It was asked for by hand, or settings have lost its site or its authority: what the store knows
// is enough.
static bool revoke_extra(struct issue *i, const struct issue_order *o, int64_t now_s,
                         uint64_t *ret_number, const char **ret_why)
{
    struct arena mem;
    struct certs_stored stored;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
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
    bool is_lost = !is_order && (!item || !signer_of(i, i->wants, item));
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
        take_order(i, item, o, *ret_number, now_s);
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

bool issue_is_done(const struct issue *i, struct str id, int64_t now_s, int64_t *ret_due_s)
{
    const struct issue_item *item = issue_wants_find(i->wants, id);
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    bool is_stored = item && certs_store_get(i->store, id, now_s, &mem, &stored, &why) == ERR_OK;
    *ret_due_s = is_stored ? issue_due_s(&item->need, &stored, now_s, &why) : now_s;
    arena_wipe(&mem);
    return *ret_due_s > now_s;
}
