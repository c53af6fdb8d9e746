// SPDX-License-Identifier: Apache-2.0
// What follows from a task that has ended: for its certificate, for who waits for it, for hooks.
#include "base/text.h"
#include "keeper/issue_priv.h"
#include "rt/log.h"

#define HOPELESS_AFTER 3  // failures in a row; the third is after some six minutes
#define INFO_AGAIN_S 3600 // when the last answer can't be kept

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
    issue_keep_error(a, has_failed(task) ? str_of(task->outcome.error) : STR_NONE);
}

// Somebody waits for a certificate, whoever signs it. False: nobody is left to be asked.
static bool ask_next(const struct issue *i, struct issue_item *item, const struct issue_task *task,
                     int64_t now_s)
{
    const struct issue_attempt *a = issue_wants_attempt(item, task->job.issuer);
    if (!item->is_forced || !has_failed(task) || task->job.kind != ISSUE_ORDER || !a)
        return false;
    size_t next = issue_first_allowed(i, item, (size_t)(a - item->attempts) + 1, now_s);
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
        issue_plan(i, item, now_s);
        goes_on = item->kind == ISSUE_ORDER && item->due_s <= now_s;
    }
    if (goes_on && has_failed(task))
        log_info("certificate " STR_FMT ": " STR_FMT " is asked next", STR_ARG(item->need.id),
                 STR_ARG(item->attempts[item->turn].issuer->name));
    if (item->has_next)
        issue_take_order(i, item, &item->next, item->next_number, now_s);
    item->has_next = false;
    return item->number == 0 || item->number != task->number;
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

void issue_take_outcome(struct issue *i, const struct issue_task *task, int64_t now_s)
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
