// SPDX-License-Identifier: Apache-2.0
// What the files of issue share: wants and items, which are the loop's, and tasks.
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "keeper/issue.h"
#include "keeper/issue_ledger.h"

#define ISSUE_THREADS_MAX 4 // orders at a time
#define ISSUE_CERT_MEM_BYTES ((size_t)8 << 20)

enum issue_item_state { ITEM_WAITING, ITEM_RUNNING };

// An authority's part in one certificate. Known even where nothing can be written: a full disk must
// not lead to order after order.
struct issue_attempt {
    const struct issue_issuer *issuer;
    int64_t n_failures;   // since its last success
    int64_t not_before_s; // of the next try
    int64_t failed_s;     // the last failure; 0: none
    char error[512];      // of that; empty: none
};

// One certificate that is wanted. The loop's, but for what a thread borrows while it runs.
struct issue_item {
    struct issue_need need;
    struct issue_attempt *attempts; // of need.sources
    enum issue_item_state state;
    enum issue_kind kind;
    int64_t wanted_s; // when the next order or question is wanted
    int64_t due_s;    // when it may begin
    size_t turn;      // of attempts: whom it goes to
    enum acme_reason reason;
    bool is_forced;
    uint64_t number;         // of who asked for it; 0: nobody
    struct issue_task *task; // borrows: while it runs
    bool has_next;           // asked for while it was only asked when to renew
    struct issue_order next;
    uint64_t next_number;
    const char *why; // static: what wanted_s is for
    bool is_told;    // that nobody issues it, since the last success
    int64_t no_info_before_s;
};

// A copy of what settings want; orders that are under way keep theirs.
struct issue_wants {
    uint32_t refs; // under issue.lock
    struct arena mem;
    struct issue_issuer *issuers;
    size_t n_issuers;
    struct issue_item *items;
    size_t n_items;
    struct map ids; // to items
};

struct issue {
    struct certs_store *store; // borrows
    struct issue_listener listener;
    uint64_t last_number;      // of issue_ask
    int orders;                // owns: the folder of orders under way
    int event;                 // owns
    struct issue_wants *wants; // uses; NULL: nothing is wanted
    struct issue_proofs proofs;
    struct issue_ledger ledger;
    struct acme_cancel cancel;
    pthread_mutex_t accounts;
    pthread_mutex_t lock; // the rest
    pthread_cond_t work;
    struct list queue, done; // of struct issue_task
    struct list notes;       // what tasks have to say
    // The loop's.
    struct list open;   // of struct issue_task: all that haven't been freed
    struct list extras; // of struct issue_task: what settings don't want
    struct list asks;   // of struct ask: what is to be done to accounts
    pthread_t threads[ISSUE_THREADS_MAX];
    unsigned n_threads;
    unsigned n_open; // tasks in queue or being worked on
    bool must_stop;
};

// Work on its way through a thread.
struct issue_task {
    struct list_node node;     // in queue, then in done
    struct list_node open;     // in issue.open
    struct list_node extra;    // in issue.extras
    struct issue *issue;       // borrows
    struct issue_wants *wants; // uses
    uint64_t number;           // of who asked for it; 0: nobody
    struct issue_job job;
    struct issue_outcome outcome;
};

// --- issue.c: what is due ---

// When what comes next for the item, and whom it goes to.
void issue_plan(struct issue *i, struct issue_item *item, int64_t now_s);
struct issue_task *issue_enqueue(struct issue *i, struct issue_wants *wants,
                                 struct issue_item *item);
// The issuer that has signed what the store has. NULL: no issuer of the settings.
const struct issue_issuer *issue_signer_of(const struct issue *i, const struct issue_wants *wants,
                                           const struct issue_item *item);
// Keeps as much of it as there is room for.
void issue_keep_error(struct issue_attempt *attempt, struct str error);

// --- issue_ask.c: what people ask for ---

// From k on, the first authority that the ledger lets us ask for a certificate; n_sources: none.
size_t issue_first_allowed(const struct issue *i, const struct issue_item *item, size_t k,
                           int64_t now_s);
// What somebody has asked for comes before what is due, and begins with the first authority.
void issue_take_order(const struct issue *i, struct issue_item *item, const struct issue_order *o,
                      uint64_t number, int64_t now_s);

// --- issue_outcome.c ---

// A task about a certificate has ended; the caller frees it.
void issue_take_outcome(struct issue *i, const struct issue_task *task, int64_t now_s);

// --- issue_tasks.c: the threads; all but waking is the loop's ---

bool issue_tasks_init(struct issue *i);
// Ends all that runs, and forgets the rest.
void issue_tasks_fini(struct issue *i);
// The job's kind, issuer (of wants), need and reason; the rest of it is filled in.
struct issue_task *issue_tasks_start(struct issue *i, struct issue_wants *wants,
                                     const struct issue_job *job, uint64_t number);
// The tasks that have ended, after their notes were passed on; NULL: no further one.
struct issue_task *issue_tasks_ended(struct issue *i);
void issue_tasks_free(struct issue *i, struct issue_task *task);
unsigned issue_tasks_count(struct issue *i);
void issue_tasks_unref(struct issue *i, struct issue_wants *w);

// --- issue_accounts.c: what is to be done to accounts ---

// Looks which accounts have other contacts than settings say.
void issue_accounts_want(struct issue *i, int64_t now_s);
// A key is about to change, or has been asked to: orders that use it wait.
bool issue_accounts_is_busy(const struct issue *i, struct str issuer);
void issue_accounts_do_what_is_due(struct issue *i, int64_t now_s, int64_t *next_s);
void issue_accounts_take_outcome(struct issue *i, struct issue_task *task, int64_t now_s);
void issue_accounts_fini(struct issue *i);

// --- issue_wants.c ---

struct issue_wants *issue_wants_new(const struct issue_wish *wish);
// Once nobody uses it.
void issue_wants_free(struct issue_wants *w);
// NULL: not wanted. w NULL: nothing is.
struct issue_item *issue_wants_find(const struct issue_wants *w, struct str id);
// By its name; NULL: there is none. w NULL: there are none.
const struct issue_issuer *issue_wants_issuer(const struct issue_wants *w, struct str name);
// NULL: none of the item's is that one.
struct issue_attempt *issue_wants_attempt(const struct issue_item *item,
                                          const struct issue_issuer *issuer);
// The issuer whose authority has made a certificate: one of the item's, else any; NULL: none.
const struct issue_issuer *issue_wants_signer(const struct issue_wants *w,
                                              const struct issue_item *item,
                                              const struct certs_meta *meta);
// What was known of an item stays known; settings may want it otherwise.
void issue_wants_take_over(struct issue_item *item, const struct issue_item *was);
// Nothing about it has changed in settings: what is known of it stays, without a look at the disk.
bool issue_wants_is_same(const struct issue_item *a, const struct issue_item *b);
