// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "certs/entry.h"
#include "codec/date.h"
#include "keeper/issue_ledger.h"
#include "rt/log.h"

#define THREADS_MAX 4 // orders at a time
#define WISH_MEM_BYTES ((size_t)256 << 20)
#define CERT_MEM_BYTES ((size_t)8 << 20)
#define LOOK_AGAIN_S 86400
#define STORE_AGAIN_S 600
#define INFO_AGAIN_S 3600 // when the last answer can't be kept

// A copy of what settings want; orders that are under way keep theirs.
struct wants {
    uint32_t refs; // under issue.lock
    struct arena mem;
    struct issue_issuer *issuers;
    size_t n_issuers;
    struct item *items;
    size_t n_items;
    struct map ids; // to items
};

enum item_state { ITEM_WAITING, ITEM_RUNNING };

// One certificate that is wanted. The loop's, but for what a thread borrows while it runs.
struct item {
    struct issue_need need;
    const struct issue_issuer *issuer;
    enum item_state state;
    int64_t due_s; // of the next order, or the next question when to renew
    enum issue_kind kind;
    enum acme_reason reason;
    bool is_forced;
    uint64_t number; // of who asked for it; 0: nobody
    bool has_next;   // asked for while it was only asked when to renew
    struct issue_order next;
    uint64_t next_number;
    const char *why; // static: what due_s is for
    // Known even where nothing can be written: a full disk must not lead to order after order.
    int64_t n_failures;   // since the last success
    int64_t not_before_s; // of the next try
    int64_t no_info_before_s;
    char error[512]; // of the last failure; empty: none
};

// An order on its way through a thread.
struct task {
    struct list_node node; // in queue, then in done
    struct wants *wants;   // uses
    struct item *item;     // of wants
    uint64_t number;       // of who asked for it; 0: nobody
    struct issue_job job;
    struct issue_outcome outcome;
};

struct issue {
    struct certs_store *store; // borrows
    struct issue_listener listener;
    uint64_t last_number; // of issue_ask
    int orders;           // owns: the folder of orders under way
    int event;            // owns
    struct wants *wants;  // uses; NULL: nothing is wanted
    struct issue_proofs proofs;
    struct issue_ledger ledger;
    struct acme_cancel cancel;
    pthread_mutex_t accounts;
    pthread_mutex_t lock; // the rest
    pthread_cond_t work;
    struct list queue, done; // of struct task
    pthread_t threads[THREADS_MAX];
    unsigned n_threads;
    unsigned n_open; // tasks in queue or being worked on
    bool must_stop;
};

// --- wants ---

static struct str *copy_texts(struct arena *mem, const struct str *texts, size_t n)
{
    struct str *copy = ARENA_ARRAY(mem, struct str, n + 1);
    if (!copy)
        panic("the settings want more certificates than fit");
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_dup(mem, texts[i]);
    return copy;
}

static void copy_issuer(struct arena *mem, const struct issue_issuer *from, struct issue_issuer *to)
{
    *to = *from;
    to->name = arena_dup(mem, from->name);
    to->directory = arena_dup(mem, from->directory);
    to->contacts = copy_texts(mem, from->contacts, from->n_contacts);
    to->profile = arena_dup(mem, from->profile);
    to->preferred_chain = arena_dup(mem, from->preferred_chain);
    to->ca_pem = arena_dup(mem, from->ca_pem);
    to->eab_kid = arena_dup(mem, from->eab_kid);
    to->eab_key = arena_dup(mem, from->eab_key);
    to->dns_hook = arena_dup(mem, from->dns_hook);
}

static const struct issue_issuer *find_issuer(const struct wants *w, struct str name)
{
    for (size_t i = 0; i < w->n_issuers; i++) {
        if (str_eq(w->issuers[i].name, name))
            return &w->issuers[i];
    }
    return NULL;
}

static struct wants *wants_new(const struct issue_wish *wish)
{
    struct wants *w = MEM_NEW(struct wants);
    w->refs = 1;
    arena_init(&w->mem, WISH_MEM_BYTES, NULL, 0);
    w->issuers = ARENA_ARRAY(&w->mem, struct issue_issuer, wish->n_issuers + 1);
    w->items = ARENA_ARRAY(&w->mem, struct item, wish->n_needs + 1);
    if (!w->issuers || !w->items)
        panic("the settings want more certificates than fit");
    for (size_t i = 0; i < wish->n_issuers; i++)
        copy_issuer(&w->mem, &wish->issuers[i], &w->issuers[w->n_issuers++]);
    for (size_t i = 0; i < wish->n_needs; i++) {
        const struct issue_need *need = &wish->needs[i];
        const struct issue_issuer *issuer = find_issuer(w, need->issuer);
        if (!issuer || map_get(&w->ids, need->id))
            continue;
        struct item *item = &w->items[w->n_items++];
        *item = (struct item){.issuer = issuer, .why = ""};
        item->need = (struct issue_need){.id = arena_dup(&w->mem, need->id),
                                         .names = copy_texts(&w->mem, need->names, need->n_names),
                                         .n_names = need->n_names,
                                         .issuer = issuer->name,
                                         .directory = issuer->directory};
        map_set(&w->ids, item->need.id, item);
    }
    return w;
}

static void wants_unref(struct issue *i, struct wants *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&i->lock);
    bool is_last = --w->refs == 0;
    pthread_mutex_unlock(&i->lock);
    if (!is_last)
        return;
    map_fini(&w->ids);
    arena_wipe(&w->mem); // keys of external accounts
    mem_free(w);
}

// --- what is due ---

static struct item *find_item(const struct wants *w, struct str id)
{
    return w ? map_get(&w->ids, id) : NULL;
}

static void keep_error(struct item *item, struct str error)
{
    size_t n = MIN(error.len, sizeof item->error - 1);
    while (n > 0 && n < error.len && ((unsigned char)error.ptr[n] & 0xc0) == 0x80)
        n--; // no half of a UTF-8 sequence
    *str_copy(item->error, str_first(error, n)) = '\0';
}

static void plan(struct issue *i, struct item *item, int64_t now_s)
{
    struct arena mem;
    struct certs_stored stored;
    struct certs_meta tries;
    struct str key;
    const char *why;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    enum err err = certs_store_get(i->store, item->need.id, now_s, &mem, &stored, &why);
    bool is_stored = err == ERR_OK;
    bool has_tries = issue_order_get(i->orders, item->need.id, &mem, &tries, &key) == ERR_OK &&
                     issue_is_from(&item->need, &tries);
    item->kind = ISSUE_ORDER;
    item->due_s = issue_due_s(&item->need, is_stored ? &stored : NULL, has_tries ? &tries : NULL,
                              now_s, &item->why);
    if (has_tries && tries.last_error.len > 0)
        keep_error(item, tries.last_error);
    if (err == ERR_SYSTEM) { // it may well be there
        item->due_s = now_s + STORE_AGAIN_S;
        item->why = "the store can't be read";
    }
    item->due_s = MAX(item->due_s, item->not_before_s);
    bool is_current = is_stored && issue_is_from(&item->need, &stored.meta);
    int64_t info_s = is_current ? MAX(stored.meta.ari_next_s, item->no_info_before_s) : INT64_MAX;
    if (item->due_s > now_s && info_s < item->due_s) {
        item->kind = ISSUE_RENEWAL_INFO;
        item->due_s = info_s;
        item->why = "it is asked when to renew";
    }
    arena_wipe(&mem);
}

// Nothing about it has changed in settings: what is known of it stays, without a look at the disk.
static bool is_same(const struct item *a, const struct item *b)
{
    bool is_same = a->need.n_names == b->need.n_names && str_eq(a->need.issuer, b->need.issuer) &&
                   str_eq(a->need.directory, b->need.directory);
    for (size_t n = 0; is_same && n < a->need.n_names; n++)
        is_same = str_eq(a->need.names[n], b->need.names[n]);
    return is_same;
}

static void take_over(struct item *item, const struct item *was)
{
    const struct issue_need need = item->need;
    const struct issue_issuer *issuer = item->issuer;
    *item = *was;
    item->need = need;
    item->issuer = issuer;
    if (item->has_next)
        item->next.id = need.id;
}

// --- threads ---

static void wake_loop(void *arg)
{
    const struct issue *i = arg;
    uint64_t one = 1;
    ssize_t ignored = write(i->event, &one, sizeof one);
    (void)ignored;
}

static void *run_thread(void *arg)
{
    struct issue *i = arg;
    pthread_setname_np(pthread_self(), "issue");
    pthread_mutex_lock(&i->lock);
    for (;;) {
        struct list_node *n = list_pop_front(&i->queue);
        if (!n && i->must_stop)
            break;
        if (!n) {
            pthread_cond_wait(&i->work, &i->lock);
            continue;
        }
        struct task *task = CONTAINER_OF(n, struct task, node);
        pthread_mutex_unlock(&i->lock);
        issue_run(&task->job, &task->outcome);
        pthread_mutex_lock(&i->lock);
        i->n_open--;
        list_push_back(&i->done, &task->node);
        wake_loop(i);
    }
    pthread_mutex_unlock(&i->lock);
    return NULL;
}

static void enqueue(struct issue *i, struct item *item)
{
    struct task *task = MEM_NEW(struct task);
    task->wants = i->wants;
    task->item = item;
    task->number = item->number;
    task->job = (struct issue_job){.kind = item->kind,
                                   .reason = item->reason,
                                   .issuer = item->issuer,
                                   .need = item->need,
                                   .store = i->store,
                                   .orders = i->orders,
                                   .proofs = &i->proofs,
                                   .accounts = &i->accounts,
                                   .cancel = &i->cancel};
    item->state = ITEM_RUNNING;
    pthread_mutex_lock(&i->lock);
    i->wants->refs++;
    list_push_back(&i->queue, &task->node);
    i->n_open++;
    bool needs_thread = i->n_open > i->n_threads && i->n_threads < THREADS_MAX;
    if (needs_thread && pthread_create(&i->threads[i->n_threads], NULL, run_thread, i) == 0)
        i->n_threads++;
    else if (i->n_threads == 0)
        log_error("no thread for certificates can be started; it is tried again with the next one");
    pthread_cond_signal(&i->work);
    pthread_mutex_unlock(&i->lock);
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
    i->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bool is_fine = i->orders >= 0 && i->event >= 0 &&
                   issue_ledger_open(&i->ledger, certs_store_fd(store), time(NULL));
    for (size_t n = 0; n < diags.n; n++)
        log_warn("state: %s", diags.items[n].text);
    diags_fini(&diags);
    if (!is_fine) {
        *ret_why = "the folder for orders can't be used";
        if (i->orders >= 0)
            close(i->orders);
        if (i->event >= 0)
            close(i->event);
        mem_free(i);
        return NULL;
    }
    issue_proofs_init(&i->proofs, wake_loop, i);
    acme_cancel_init(&i->cancel);
    pthread_mutex_init(&i->accounts, NULL);
    pthread_mutex_init(&i->lock, NULL);
    pthread_cond_init(&i->work, NULL);
    list_init(&i->queue);
    list_init(&i->done);
    return i;
}

static void free_tasks(struct issue *i, struct list *tasks)
{
    struct list_node *n;
    while ((n = list_pop_front(tasks)) != NULL) {
        struct task *task = CONTAINER_OF(n, struct task, node);
        wants_unref(i, task->wants);
        mem_free(task);
    }
}

void issue_free(struct issue *i)
{
    if (!i)
        return;
    struct list waiting;
    list_init(&waiting);
    pthread_mutex_lock(&i->lock);
    i->must_stop = true;
    for (struct list_node *n; (n = list_pop_front(&i->queue)) != NULL;)
        list_push_back(&waiting, n);
    pthread_cond_broadcast(&i->work);
    pthread_mutex_unlock(&i->lock);
    acme_cancel_set(&i->cancel);
    issue_proofs_stop(&i->proofs);
    for (unsigned n = 0; n < i->n_threads; n++)
        pthread_join(i->threads[n], NULL);
    free_tasks(i, &waiting);
    free_tasks(i, &i->done);
    wants_unref(i, i->wants);
    issue_proofs_fini(&i->proofs);
    acme_cancel_fini(&i->cancel);
    issue_ledger_close(&i->ledger);
    pthread_mutex_destroy(&i->accounts);
    pthread_mutex_destroy(&i->lock);
    pthread_cond_destroy(&i->work);
    close(i->orders);
    close(i->event);
    mem_free(i);
}

// Who waits for an order that can't begin any more.
static void end_unwanted(struct issue *i, const struct wants *before)
{
    for (size_t n = 0; before && n < before->n_items; n++) {
        const struct item *was = &before->items[n];
        uint64_t number = was->has_next ? was->next_number : 0;
        if (was->state == ITEM_WAITING)
            number = was->number;
        if (number > 0 && !find_item(i->wants, was->need.id))
            i->listener.on_end(i->listener.arg, number, "the settings don't want it any more");
    }
}

void issue_want(struct issue *i, const struct issue_wish *wish, int64_t now_s)
{
    struct wants *before = i->wants;
    i->wants = wants_new(wish);
    for (size_t n = 0; n < i->wants->n_items; n++) {
        struct item *item = &i->wants->items[n];
        const struct item *was = find_item(before, item->need.id);
        if (was)
            take_over(item, was);
        // One that is under way is planned anew when it has ended.
        if (!was || (!is_same(was, item) && was->state == ITEM_WAITING)) {
            item->not_before_s = item->n_failures = 0;
            plan(i, item, now_s);
        }
    }
    end_unwanted(i, before);
    wants_unref(i, before);
}

int issue_fd(const struct issue *i)
{
    return i->event;
}

// What somebody has asked for comes before what is due.
static void take_order(struct item *item, const struct issue_order *o, uint64_t number,
                       int64_t now_s)
{
    item->kind = o->kind;
    item->reason = o->reason;
    item->is_forced = true;
    item->due_s = now_s;
    item->number = number;
}

static void tell(const struct task *task)
{
    const struct issue_need *need = &task->item->need;
    if (task->job.kind == ISSUE_RENEWAL_INFO)
        return;
    if (task->outcome.result == ACME_DONE)
        log_info("certificate " STR_FMT ": %s by " STR_FMT, STR_ARG(need->id),
                 task->job.kind == ISSUE_REVOKE ? "revoked" : "issued",
                 STR_ARG(task->item->issuer->name));
    else if (task->outcome.result != ACME_CANCELLED)
        log_error("certificate " STR_FMT ": " STR_FMT " doesn't %s it: %s", STR_ARG(need->id),
                  STR_ARG(task->item->issuer->name),
                  task->job.kind == ISSUE_REVOKE ? "revoke" : "issue", task->outcome.error);
}

// What came of a task is the base of the next plan.
static void settle_item(struct issue *i, struct item *item, const struct task *task, int64_t now_s)
{
    bool has_failed = task->outcome.result != ACME_DONE && task->outcome.result != ACME_CANCELLED;
    item->state = ITEM_WAITING;
    item->is_forced = false;
    item->number = 0;
    if (task->job.kind == ISSUE_RENEWAL_INFO) {
        item->no_info_before_s = has_failed ? now_s + INFO_AGAIN_S : 0;
    } else {
        item->n_failures = has_failed ? item->n_failures + 1 : 0;
        item->not_before_s =
            has_failed ? now_s + issue_backoff_s(item->n_failures, item->need.id) : 0;
        keep_error(item, has_failed ? str_of(task->outcome.error) : STR_NONE);
    }
    plan(i, item, now_s);
    if (item->has_next)
        take_order(item, &item->next, item->next_number, now_s);
    item->has_next = false;
}

void issue_plan_anew(struct issue *i, struct str id, int64_t now_s)
{
    struct item *item = find_item(i->wants, id);
    if (item && item->state == ITEM_WAITING && !item->is_forced)
        plan(i, item, now_s);
}

void issue_look(struct issue *i, int64_t now_s)
{
    uint64_t ignored;
    if (read(i->event, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
        return;
    for (;;) {
        pthread_mutex_lock(&i->lock);
        struct list_node *n = list_pop_front(&i->done);
        pthread_mutex_unlock(&i->lock);
        if (!n)
            return;
        struct task *task = CONTAINER_OF(n, struct task, node);
        struct item *item = find_item(i->wants, task->item->need.id);
        bool is_done = task->outcome.result == ACME_DONE;
        tell(task);
        if (is_done && task->job.kind == ISSUE_ORDER)
            issue_ledger_add(&i->ledger, task->item->issuer->name, task->item->need.id, now_s);
        if (item)
            settle_item(i, item, task, now_s);
        if (is_done && task->job.kind != ISSUE_RENEWAL_INFO)
            i->listener.on_change(i->listener.arg, task->item->need.id);
        if (task->number > 0)
            i->listener.on_end(i->listener.arg, task->number, is_done ? NULL : task->outcome.error);
        wants_unref(i, task->wants);
        mem_free(task);
    }
}

static unsigned count_open(struct issue *i)
{
    pthread_mutex_lock(&i->lock);
    unsigned n = i->n_open;
    pthread_mutex_unlock(&i->lock);
    return n;
}

// No more begin than can be worked on: so the ledger knows of those before, and what somebody asks
// for doesn't wait behind thousands.
void issue_do_what_is_due(struct issue *i, int64_t now_s, int64_t now_ms, int64_t *next_ms)
{
    int64_t next_s = now_s + LOOK_AGAIN_S;
    unsigned n_open = count_open(i);
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++) {
        struct item *item = &i->wants->items[n];
        if (item->state != ITEM_WAITING)
            continue;
        int64_t due_s = item->due_s;
        if (due_s <= now_s && !item->is_forced && n_open >= THREADS_MAX)
            continue; // the end of another one wakes the loop
        if (due_s <= now_s && !item->is_forced && item->kind == ISSUE_ORDER)
            due_s = issue_ledger_allows_s(&i->ledger, item->issuer->name, item->need.id, now_s);
        if (due_s <= now_s) {
            enqueue(i, item);
            n_open++;
        } else {
            next_s = MIN(next_s, due_s);
        }
    }
    *next_ms = MIN(*next_ms, now_ms + (next_s - now_s) * 1000);
}

struct issue_proofs *issue_proofs_of(struct issue *i)
{
    return &i->proofs;
}

bool issue_ask(struct issue *i, const struct issue_order *o, int64_t now_s, uint64_t *ret_number,
               const char **ret_why)
{
    struct item *item = find_item(i->wants, o->id);
    bool is_order = o->kind == ISSUE_ORDER;
    if (!item)
        *ret_why = "no site in the settings wants a certificate of this name from an authority";
    else if (item->state != ITEM_WAITING && (item->kind != ISSUE_RENEWAL_INFO || item->has_next))
        *ret_why = "it is being worked on already";
    else if (is_order && !o->force && (item->kind != ISSUE_ORDER || item->due_s > now_s))
        *ret_why = "it isn't due yet; --force orders it all the same";
    else if (is_order &&
             issue_ledger_allows_s(&i->ledger, item->issuer->name, o->id, now_s) > now_s)
        *ret_why = "too many certificates for these names were ordered lately: the authority would "
                   "refuse further ones for a week";
    else {
        *ret_number = ++i->last_number;
        if (item->state == ITEM_RUNNING) {
            item->has_next = true;
            item->next = *o;
            item->next_number = *ret_number;
        } else {
            take_order(item, o, *ret_number, now_s);
        }
        return true;
    }
    return false;
}

json_t *issue_report(const struct issue *i, int64_t now_s)
{
    json_t *list = json_array();
    for (size_t n = 0; i->wants && n < i->wants->n_items; n++) {
        const struct item *item = &i->wants->items[n];
        char due[DATE_ISO_BYTES];
        date_iso(item->due_s * 1000000000, due);
        const char *state = item->state == ITEM_RUNNING                        ? "ordering"
                            : item->kind != ISSUE_ORDER || item->due_s > now_s ? "waiting"
                                                                               : "due";
        json_t *j =
            json_pack("{s:s%, s:s%, s:s, s:s%, s:s}", "id", item->need.id.ptr, item->need.id.len,
                      "issuer", item->issuer->name.ptr, item->issuer->name.len, "state", state,
                      "due", due, sizeof due, "why", item->why);
        json_object_set_new(j, "last_error",
                            item->error[0] ? json_string(item->error) : json_null());
        json_array_append_new(list, j);
    }
    return list;
}
