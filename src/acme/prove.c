// SPDX-License-Identifier: Apache-2.0
#include "acme/order.h"
#include "base/mem.h"
#include "codec/ip.h"
#include "rt/clock.h"

#define RESUME_PATIENCE_MS 5000

// A proof that one authorization wants.
struct proof {
    struct str url; // of the authorization
    struct str challenge_url;
    struct acme_challenge challenge;
    size_t name; // index in the wish
    bool is_presented;
    bool is_asked; // the authority was told before, by a run that ended early
    bool is_ended; // the authority has decided
};

struct proofs {
    struct acme_run *run;
    struct proof *items; // in run->mem
    size_t n;
};

// --- choosing ---

static bool is_same_name(struct str asked, const struct acme_authorization_form *form)
{
    struct ip a, b;
    if (form->is_ip)
        return ip_parse(asked, &a) == ERR_OK && ip_parse(form->name, &b) == ERR_OK && ip_eq(&a, &b);
    bool is_wildcard = str_starts(asked, STR("*."));
    return is_wildcard == form->is_wildcard &&
           str_ieq(is_wildcard ? str_skip(asked, 2) : asked, form->name);
}

static bool find_name(const struct acme_run *run, const struct acme_authorization_form *form,
                      size_t *ret)
{
    for (size_t i = 0; i < run->wish->n_names; i++) {
        if (is_same_name(run->wish->names[i], form)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool is_possible(enum acme_challenge_kind kind, const struct acme_authorization_form *form)
{
    // RFC 8555 8.4 and 8738 7: a wildcard is shown in DNS alone, an address never.
    return form->is_wildcard ? kind == ACME_CHALLENGE_DNS_01
                             : !form->is_ip || kind != ACME_CHALLENGE_DNS_01;
}

static const struct acme_challenge_form *offer_of(const struct acme_authorization_form *form,
                                                  enum acme_challenge_kind kind)
{
    for (size_t i = 0; i < form->n_challenges; i++) {
        const struct acme_challenge_form *c = &form->challenges[i];
        if (c->kind == kind && c->url.len > 0 && is_possible(kind, form))
            return c;
    }
    return NULL;
}

// Of an order that is taken up again: what the authority looks at already. It can't be told twice.
static const struct acme_challenge_form *under_way(const struct acme_run *run,
                                                   const struct acme_authorization_form *form)
{
    for (size_t i = 0; i < run->wish->n_challenges; i++) {
        const struct acme_challenge_form *offer = offer_of(form, run->wish->challenges[i]);
        if (offer && offer->status == ACME_STATUS_PROCESSING)
            return offer;
    }
    return NULL;
}

// The next kind for a name by the wish's order; NONE: there is none left.
static enum acme_challenge_kind next_kind(const struct acme_run *run, size_t name)
{
    const struct acme_name_state *state = &run->names[name];
    for (size_t i = 0; i < run->wish->n_challenges; i++) {
        enum acme_challenge_kind kind = run->wish->challenges[i];
        if ((BIT(kind) & state->offered & ~state->failed) != 0)
            return kind;
    }
    return ACME_CHALLENGE_NONE;
}

static void note_failure(struct acme_run *run, struct proof *p, const struct acme_problem *problem)
{
    struct acme_name_state *state = &run->names[p->name];
    state->failed |= BIT(p->challenge.kind);
    state->has_problem = true;
    state->problem = *problem;
    acme_problem_about(&state->problem, p->challenge.name, p->challenge.kind, run->mem);
    acme_run_step(run, ACME_STEP_NOT_PROVEN, run->wish->names[p->name]);
}

// --- presenting ---

// True: it is put in place. False: that kind has failed.
static bool present(struct acme_run *run, struct proof *p)
{
    const struct acme_solver *solver = run->wish->solver;
    struct acme_problem problem;
    struct text why = {0};
    if (!acme_challenge_fill(&p->challenge, text_str(&run->thumbprint), run->mem)) {
        acme_problem_set(&problem, run->mem, ACME_PROBLEM_BAD_ANSWER, "its token is malformed");
    } else if (solver->present(solver->arg, &p->challenge, &why)) {
        p->is_presented = true;
        acme_run_step(run, ACME_STEP_PRESENTED, run->wish->names[p->name]);
    } else {
        acme_problem_set(&problem, run->mem, ACME_PROBLEM_NOT_PRESENTED, "%s: " STR_FMT,
                         acme_challenge_name(p->challenge.kind), STR_ARG(text_str(&why)));
    }
    text_fini(&why);
    if (!p->is_presented)
        note_failure(run, p, &problem);
    return p->is_presented;
}

static enum acme_result choose(struct acme_run *run, const struct acme_authorization_form *form,
                               struct proof *p)
{
    struct acme_name_state *state = &run->names[p->name];
    enum acme_challenge_kind kind;
    state->offered = 0;
    for (unsigned i = 1; i < ACME_CHALLENGE_COUNT; i++) {
        if (offer_of(form, (enum acme_challenge_kind)i))
            state->offered |= BIT(i);
    }
    const struct acme_challenge_form *asked = under_way(run, form);
    if (asked)
        state->offered = BIT(asked->kind);
    while ((kind = next_kind(run, p->name)) != ACME_CHALLENGE_NONE) {
        const struct acme_challenge_form *offer = offer_of(form, kind);
        p->is_asked = offer == asked;
        p->challenge_url = arena_dup(run->mem, offer->url);
        p->challenge = (struct acme_challenge){
            .kind = kind,
            .name = arena_dup(run->mem, form->name),
            .is_wildcard = form->is_wildcard,
            .token = arena_dup(run->mem, offer->token),
        };
        if (present(run, p))
            return ACME_DONE;
    }
    if (state->has_problem) {
        *run->problem = state->problem;
        return acme_result_of(run->problem);
    }
    acme_problem_set(run->problem, run->mem, ACME_PROBLEM_NO_CHALLENGE,
                     "no kind of challenge fits");
    acme_problem_about(run->problem, run->wish->names[p->name], ACME_CHALLENGE_NONE, run->mem);
    return ACME_FAILED;
}

// The authorization as it is now, in mem.
static enum acme_result fetch(struct acme_run *run, struct str url, struct arena *mem,
                              struct acme_authorization_form *ret, int64_t *ret_retry_after_s)
{
    struct acme_reply reply;
    struct acme_post post = {.url = url, .want = ACME_WANT_JSON};
    enum acme_result result = acme_post(run->a, &post, &reply, run->mem, run->problem);
    if (result != ACME_DONE)
        return result;
    bool is_fine = acme_authorization_read(reply.doc, mem, ret);
    // What is shown to people outlives the next answer.
    if (is_fine && ret->status == ACME_STATUS_INVALID)
        is_fine = acme_authorization_read(reply.doc, run->mem, ret);
    *ret_retry_after_s = MAX(*ret_retry_after_s, reply.answer.fields.retry_after_s);
    acme_reply_fini(&reply);
    if (is_fine)
        return ACME_DONE;
    return ACME_FAIL(run->problem, run->mem, BAD_ANSWER, "an authorization makes no sense");
}

static enum acme_result begin_proof(struct proofs *all, struct str url)
{
    struct acme_run *run = all->run;
    struct acme_authorization_form form;
    struct proof *p = &all->items[all->n];
    int64_t ignored_s = 0;
    *p = (struct proof){.url = url};
    arena_reset(&run->scratch);
    enum acme_result result = acme_order_time(run, "to say what it wants");
    if (result == ACME_DONE)
        result = fetch(run, url, &run->scratch, &form, &ignored_s);
    if (result != ACME_DONE)
        return result;
    if (!find_name(run, &form, &p->name))
        return ACME_FAIL(run->problem, run->mem, BAD_ANSWER,
                         "the authority wants a proof for a name that wasn't asked for");
    if (form.status == ACME_STATUS_VALID) {
        acme_run_step(run, ACME_STEP_ALREADY_PROVEN, run->wish->names[p->name]);
        return ACME_DONE;
    }
    if (form.status != ACME_STATUS_PENDING)
        return ACME_FAIL(run->problem, run->mem, OTHER, "an authorization of the order has ended");
    result = choose(run, &form, p);
    all->n += result == ACME_DONE;
    return result;
}

// --- asking ---

static const struct acme_problem *error_of(const struct acme_authorization_form *form,
                                           const struct proof *p)
{
    for (size_t i = 0; i < form->n_challenges; i++) {
        if (form->challenges[i].kind == p->challenge.kind && form->challenges[i].has_error)
            return &form->challenges[i].error;
    }
    return NULL;
}

static void end_proof(struct acme_run *run, struct proof *p,
                      const struct acme_authorization_form *form)
{
    struct acme_problem unknown;
    const struct acme_problem *error = error_of(form, p);
    p->is_ended = true;
    if (form->status == ACME_STATUS_VALID) {
        run->names[p->name].has_problem = false;
        acme_run_step(run, ACME_STEP_PROVEN, run->wish->names[p->name]);
        return;
    }
    acme_problem_set(&unknown, run->mem, ACME_PROBLEM_OTHER, "the authority gives no reason");
    note_failure(run, p, error ? error : &unknown);
}

static enum acme_result ask(struct acme_run *run, struct proof *p)
{
    struct acme_reply reply;
    struct acme_post post = {.url = p->challenge_url, .payload = STR("{}")};
    enum acme_result result = acme_order_time(run, "to take the proofs");
    if (result == ACME_DONE && !p->is_asked)
        result = acme_post(run->a, &post, &reply, run->mem, run->problem);
    if (result != ACME_DONE)
        return result;
    if (!p->is_asked)
        acme_reply_fini(&reply);
    acme_run_step(run, ACME_STEP_ASKED, run->wish->names[p->name]);
    return ACME_DONE;
}

static enum acme_result look_once(struct proofs *all, size_t *ret_n_open,
                                  int64_t *ret_retry_after_s)
{
    struct acme_run *run = all->run;
    struct acme_authorization_form form;
    *ret_n_open = 0;
    *ret_retry_after_s = 0;
    for (size_t i = 0; i < all->n; i++) {
        struct proof *p = &all->items[i];
        if (p->is_ended)
            continue;
        arena_reset(&run->scratch);
        enum acme_result result = acme_order_time(run, "to look");
        if (result == ACME_DONE)
            result = fetch(run, p->url, &run->scratch, &form, ret_retry_after_s);
        if (result != ACME_DONE)
            return result;
        if (form.status == ACME_STATUS_PENDING || form.status == ACME_STATUS_PROCESSING)
            ++*ret_n_open;
        else
            end_proof(run, p, &form);
    }
    return ACME_DONE;
}

// Until all are decided, or patience ends.
static enum acme_result await_decisions(struct proofs *all, struct deadline patience)
{
    struct acme_run *run = all->run;
    int64_t wait_ms = run->a->options.poll_first_ms;
    for (;;) {
        size_t n_open;
        int64_t retry_after_s;
        enum acme_result result = look_once(all, &n_open, &retry_after_s);
        if (result != ACME_DONE || n_open == 0 || clock_now_ms() >= patience.at_ms)
            return result;
        result = acme_order_pause(run, &wait_ms, retry_after_s, "to look");
        if (result != ACME_DONE)
            return result;
    }
}

static enum acme_result ask_all(struct proofs *all)
{
    enum acme_result result = ACME_DONE;
    // The run that began this order may have asked just before it ended. Asked again, an authority
    // may look twice, the second time when the proof is gone, and take its word back.
    if (all->run->is_resumed && all->n > 0)
        result = await_decisions(all, deadline_in(RESUME_PATIENCE_MS));
    for (size_t i = 0; i < all->n && result == ACME_DONE; i++) {
        if (!all->items[i].is_ended)
            result = ask(all->run, &all->items[i]);
    }
    return result == ACME_DONE ? await_decisions(all, deadline_at(INT64_MAX)) : result;
}

// --- all proofs of an order ---

static enum acme_result settle(struct proofs *all, bool *ret_again)
{
    struct acme_run *run = all->run;
    const struct acme_solver *solver = run->wish->solver;
    struct text why = {0};
    const struct acme_challenge **shown =
        ARENA_ARRAY(run->mem, const struct acme_challenge *, all->n);
    if (!shown)
        return ACME_FAIL(run->problem, run->mem, LOCAL, "no memory");
    for (size_t i = 0; i < all->n; i++)
        shown[i] = &all->items[i].challenge;
    if (!solver->settle || all->n == 0 || solver->settle(solver->arg, shown, all->n, &why)) {
        text_fini(&why);
        return ACME_DONE;
    }
    struct acme_problem problem;
    acme_problem_set(&problem, run->mem, ACME_PROBLEM_NOT_PRESENTED, STR_FMT,
                     STR_ARG(text_str(&why)));
    text_fini(&why);
    *ret_again = true; // with the same order: the authority hasn't looked yet
    for (size_t i = 0; i < all->n; i++) {
        note_failure(run, &all->items[i], &problem);
        *ret_again = *ret_again && next_kind(run, all->items[i].name) != ACME_CHALLENGE_NONE;
    }
    *run->problem = run->names[all->items[0].name].problem;
    return acme_result_of(run->problem);
}

// Another kind of proof doesn't help against everything.
static bool may_go_on(const struct acme_run *run, size_t name)
{
    enum acme_problem_kind kind = run->names[name].problem.kind;
    enum acme_challenge_kind next = next_kind(run, name);
    if (kind == ACME_PROBLEM_CAA || kind == ACME_PROBLEM_REJECTED_IDENTIFIER ||
        kind == ACME_PROBLEM_RATE_LIMITED)
        return false;
    if (kind == ACME_PROBLEM_DNS && next != ACME_CHALLENGE_DNS_01)
        return false; // a name without an address has none for any of them
    return next != ACME_CHALLENGE_NONE;
}

// The one problem, or one that has all of them by name.
static enum acme_result sum_up(struct acme_run *run, bool *ret_again)
{
    struct acme_problem *subs = ARENA_ARRAY(run->mem, struct acme_problem, run->wish->n_names);
    size_t n = 0;
    *ret_again = true;
    for (size_t i = 0; subs && i < run->wish->n_names; i++) {
        if (!run->names[i].has_problem)
            continue;
        subs[n++] = run->names[i].problem;
        *ret_again = *ret_again && may_go_on(run, i);
    }
    if (n == 0) {
        *ret_again = false;
        return ACME_DONE;
    }
    run->order_url.len = 0; // RFC 8555 7.1.6: it is invalid now
    run->is_resumed = false;
    *run->problem = subs[0];
    if (n > 1) {
        acme_problem_set(run->problem, run->mem, ACME_PROBLEM_COMPOUND, "%zu names failed", n);
        run->problem->subs = subs;
        run->problem->n_subs = n;
    }
    return acme_result_of(run->problem);
}

enum acme_result acme_prove(struct acme_run *run, const struct acme_order_form *order,
                            bool *ret_again)
{
    const struct acme_solver *solver = run->wish->solver;
    size_t n = order->n_authorizations;
    struct proofs all = {.run = run, .items = ARENA_ARRAY(run->mem, struct proof, n)};
    struct str *urls = ARENA_ARRAY(run->mem, struct str, n);
    enum acme_result result = ACME_DONE;
    if (n > run->wish->n_names)
        return ACME_FAIL(run->problem, run->mem, BAD_ANSWER,
                         "the order wants more proofs than it has names");
    if (!all.items || !urls)
        return ACME_FAIL(run->problem, run->mem, LOCAL, "no memory");
    for (size_t i = 0; i < n; i++)
        urls[i] = arena_dup(run->mem, order->authorizations[i]);
    for (size_t i = 0; i < run->wish->n_names; i++)
        run->names[i].has_problem = false;
    for (size_t i = 0; i < n && result == ACME_DONE; i++)
        result = begin_proof(&all, urls[i]);
    for (size_t i = 0; i < all.n; i++)
        run->names[all.items[i].name].has_problem = false; // a later kind could be presented
    if (result == ACME_DONE)
        result = settle(&all, ret_again);
    if (result == ACME_DONE)
        result = ask_all(&all);
    for (size_t i = 0; i < all.n; i++)
        solver->clean_up(solver->arg, &all.items[i].challenge);
    return result == ACME_DONE ? sum_up(run, ret_again) : result;
}
