// SPDX-License-Identifier: Apache-2.0
// Accounts on the loop: a list of what is to be done, of which one at a time is done to an account
// whose key may change, while no order uses it.
#include "base/mem.h"
#include "keeper/issue_account.h"
#include "keeper/issue_priv.h"
#include "keeper/to_json.h"
#include "rt/log.h"

#define ACCOUNT_MEM_BYTES ((size_t)1 << 20)
#define CONTACTS_AGAIN_S 3600

struct ask {
    struct list_node node; // in issue.asks
    enum issue_kind kind;
    struct str issuer; // owns: its name
    uint64_t number;   // of who waits; 0: nobody
    int64_t due_s;
};

static bool changes_key(enum issue_kind kind)
{
    return kind == ISSUE_ACCOUNT_ROLL_OVER || kind == ISSUE_ACCOUNT_DEACTIVATE;
}

static void add_ask(struct issue *i, enum issue_kind kind, struct str issuer, uint64_t number,
                    int64_t due_s)
{
    struct ask *ask = MEM_NEW(struct ask);
    ask->kind = kind;
    ask->issuer = str_from(mem_copy(issuer.ptr, issuer.len), issuer.len);
    ask->number = number;
    ask->due_s = due_s;
    list_push_back(&i->asks, &ask->node);
}

static void free_ask(struct ask *ask)
{
    list_remove(&ask->node);
    mem_free((char *)(uintptr_t)ask->issuer.ptr); // WHY: str is const for those who read it
    mem_free(ask);
}

void issue_accounts_fini(struct issue *i)
{
    LIST_FOR_SAFE (n, &i->asks)
        free_ask(CONTAINER_OF(n, struct ask, node));
}

// --- contacts ---

static bool has_other_contacts(const struct issue *i, const struct issue_issuer *issuer)
{
    struct arena mem;
    struct certs_account_meta meta;
    struct str key;
    const char *why;
    arena_init(&mem, ACCOUNT_MEM_BYTES, NULL, 0);
    bool is_other = certs_account_get(i->store, issuer->name, &mem, &key, &meta, &why) == ERR_OK &&
                    str_eq(meta.directory, issuer->directory) && meta.url.len > 0 &&
                    !str_eq(meta.contact, issue_account_contacts(issuer, &mem));
    arena_wipe(&mem);
    return is_other;
}

// What has changed meanwhile is looked for at its end.
static bool is_telling_contacts(const struct issue *i, struct str issuer)
{
    LIST_FOR (n, &i->open) {
        const struct issue_task *task = CONTAINER_OF(n, struct issue_task, open);
        if (task->job.kind == ISSUE_ACCOUNT_CONTACTS && str_eq(task->job.issuer->name, issuer))
            return true;
    }
    return false;
}

void issue_accounts_want(struct issue *i, int64_t now_s)
{
    LIST_FOR_SAFE (n, &i->asks) {
        struct ask *ask = CONTAINER_OF(n, struct ask, node);
        if (ask->kind == ISSUE_ACCOUNT_CONTACTS)
            free_ask(ask);
    }
    for (size_t k = 0; k < i->wants->n_issuers; k++) {
        const struct issue_issuer *issuer = &i->wants->issuers[k];
        if (!is_telling_contacts(i, issuer->name) && has_other_contacts(i, issuer))
            add_ask(i, ISSUE_ACCOUNT_CONTACTS, issuer->name, 0, now_s);
    }
}

// --- what is due ---

static bool is_used(const struct issue *i, struct str issuer)
{
    LIST_FOR (n, &i->open) {
        const struct issue_task *task = CONTAINER_OF(n, struct issue_task, open);
        if (str_eq(task->job.issuer->name, issuer))
            return true;
    }
    return false;
}

static bool is_changing(const struct issue *i, struct str issuer)
{
    LIST_FOR (n, &i->open) {
        const struct issue_task *task = CONTAINER_OF(n, struct issue_task, open);
        if (changes_key(task->job.kind) && str_eq(task->job.issuer->name, issuer))
            return true;
    }
    return false;
}

bool issue_accounts_is_busy(const struct issue *i, struct str issuer)
{
    LIST_FOR (n, &i->asks) {
        const struct ask *ask = CONTAINER_OF(n, struct ask, node);
        if (changes_key(ask->kind) && str_eq(ask->issuer, issuer))
            return true;
    }
    return is_changing(i, issuer);
}

// True: it is on its way, or can't be any more.
static bool start(struct issue *i, const struct ask *ask)
{
    const struct issue_issuer *issuer = issue_wants_issuer(i->wants, ask->issuer);
    if (!issuer) {
        if (ask->number > 0)
            i->listener.on_end(i->listener.arg, ask->number,
                               "the settings don't have this issuer any more", NULL);
        return true;
    }
    if (changes_key(ask->kind) ? is_used(i, ask->issuer) : is_changing(i, ask->issuer))
        return false; // the end of that wakes the loop
    issue_tasks_start(i, i->wants, &(struct issue_job){.kind = ask->kind, .issuer = issuer},
                      ask->number);
    return true;
}

void issue_accounts_do_what_is_due(struct issue *i, int64_t now_s, int64_t *next_s)
{
    LIST_FOR_SAFE (n, &i->asks) {
        struct ask *ask = CONTAINER_OF(n, struct ask, node);
        if (ask->due_s > now_s)
            *next_s = MIN(*next_s, ask->due_s);
        else if (start(i, ask))
            free_ask(ask);
    }
}

// --- what came of it ---

static const char *done_text(enum issue_kind kind)
{
    return kind == ISSUE_ACCOUNT_CONTACTS    ? "has the new contacts"
           : kind == ISSUE_ACCOUNT_ROLL_OVER ? "has a new key"
                                             : "is deactivated, and forgotten here";
}

void issue_accounts_take_outcome(struct issue *i, struct issue_task *task, int64_t now_s)
{
    struct str issuer = task->job.issuer->name;
    enum issue_kind kind = task->job.kind;
    bool is_done = task->outcome.result == ACME_DONE;
    bool is_change = kind != ISSUE_ACCOUNT_SHOW;
    if (is_done && is_change)
        log_info("the account at " STR_FMT " %s", STR_ARG(issuer), done_text(kind));
    else if (!is_done && is_change && task->outcome.result != ACME_CANCELLED)
        log_error("the account at " STR_FMT " can't be changed: %s", STR_ARG(issuer),
                  task->outcome.error);
    const struct issue_issuer *wanted = issue_wants_issuer(i->wants, issuer);
    bool is_fit = is_done || (task->outcome.result != ACME_CANCELLED && task->outcome.is_passing);
    if (kind == ISSUE_ACCOUNT_CONTACTS && is_fit && wanted && has_other_contacts(i, wanted))
        add_ask(i, kind, issuer, 0, now_s + (is_done ? 0 : CONTACTS_AGAIN_S));
    if (task->number > 0)
        i->listener.on_end(i->listener.arg, task->number, is_done ? NULL : task->outcome.error,
                           task->outcome.account);
}

static json_t *account_json(const struct issue *i, const struct issue_issuer *issuer)
{
    struct arena mem;
    struct certs_account_meta meta;
    struct str key;
    const char *why;
    json_t *j = NULL;
    arena_init(&mem, ACCOUNT_MEM_BYTES, NULL, 0);
    if (certs_account_get(i->store, issuer->name, &mem, &key, &meta, &why) == ERR_OK) {
        j = json_object();
        json_object_set_new(j, "issuer", to_json_text(issuer->name));
        json_object_set_new(j, "directory", to_json_text(meta.directory));
        json_object_set_new(j, "url", to_json_text(meta.url));
        json_object_set_new(j, "contact", to_json_text(meta.contact));
        json_object_set_new(j, "created", to_json_time(meta.created_s));
    }
    arena_wipe(&mem);
    return j;
}

json_t *issue_accounts(const struct issue *i)
{
    json_t *list = json_array();
    for (size_t k = 0; i->wants && k < i->wants->n_issuers; k++) {
        json_t *j = account_json(i, &i->wants->issuers[k]);
        if (j)
            json_array_append_new(list, j);
    }
    return list;
}

bool issue_ask_account(struct issue *i, enum issue_kind kind, struct str issuer, int64_t now_s,
                       uint64_t *ret_number, const char **ret_why)
{
    *ret_why = "the settings have no such issuer";
    if (!issue_wants_issuer(i->wants, issuer))
        return false;
    *ret_number = ++i->last_number;
    add_ask(i, kind, issuer, *ret_number, now_s);
    return true;
}
