// SPDX-License-Identifier: Apache-2.0
#include "acme/order.h"

#include "acme/jose.h"
#include "base/mem.h"
#include "codec/ip.h"
#include "codec/json.h"
#include "rt/clock.h"

#define RUN_TIMEOUT_MS 600000
#define PAUSE_MAX_MS 15000
#define ORDERS_MAX (ACME_CHALLENGE_COUNT + 2) // each kind once, one taken up again, one mishap

static const char *const step_texts[] = {
#define X(id, text) text,
    ACME_STEP_LIST(X)
#undef X
};

const char *acme_step_text(enum acme_step step)
{
    return step_texts[step];
}

void acme_run_step(struct acme_run *run, enum acme_step step, struct str detail)
{
    const struct acme_solver *s = run->wish->solver;
    if (s->step)
        s->step(s->arg, step, detail);
}

enum acme_result acme_order_time(struct acme_run *run, const char *what)
{
    if (clock_now_ms() < run->until.at_ms)
        return ACME_DONE;
    return ACME_FAIL(run->problem, run->mem, TIMEOUT, "the authority took too long %s", what);
}

enum acme_result acme_order_pause(struct acme_run *run, int64_t *wait_ms, int64_t retry_after_s,
                                  const char *what)
{
    int64_t wanted_ms = MAX(*wait_ms, retry_after_s * 1000);
    *wait_ms = MIN(*wait_ms + *wait_ms / 2, PAUSE_MAX_MS);
    if (wanted_ms > run->until.at_ms - clock_now_ms()) {
        enum acme_result result =
            ACME_FAIL(run->problem, run->mem, TIMEOUT, "the authority took too long %s", what);
        run->problem->retry_after_s = retry_after_s;
        return result;
    }
    return acme_pause(run->a, wanted_ms, run->mem, run->problem);
}

// --- an order ---

static void put_identifiers(struct text *to, const struct str *names, size_t n)
{
    struct ip ip;
    text_put(to, STR("\"identifiers\":["));
    for (size_t i = 0; i < n; i++) {
        bool is_ip = ip_parse(names[i], &ip) == ERR_OK;
        text_printf(to, "%s{\"type\":\"%s\",\"value\":", i > 0 ? "," : "", is_ip ? "ip" : "dns");
        json_text_str(to, names[i]);
        text_byte(to, '}');
    }
    text_byte(to, ']');
}

static enum acme_result check_profile(struct acme_run *run, const struct acme_directory *d)
{
    struct str wanted = run->wish->profile;
    bool is_there = wanted.len == 0;
    for (size_t i = 0; i < d->n_profiles && !is_there; i++)
        is_there = str_eq(d->profiles[i].name, wanted);
    if (is_there)
        return ACME_DONE;
    struct text all = {0};
    for (size_t i = 0; i < d->n_profiles; i++)
        text_printf(&all, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(d->profiles[i].name));
    enum acme_result result =
        ACME_FAIL(run->problem, run->mem, INVALID_PROFILE,
                  "there is no profile '" STR_FMT "'; the authority has: " STR_FMT, STR_ARG(wanted),
                  STR_ARG(all.len > 0 ? text_str(&all) : STR("none")));
    text_fini(&all);
    return result;
}

static enum acme_result take_order(struct acme_run *run, struct acme_reply *reply,
                                   struct acme_order_form *ret)
{
    arena_reset(&run->scratch);
    bool is_fine = acme_order_read(reply->doc, &run->scratch, ret);
    if (is_fine && ret->has_error) {
        const json_t *error = json_object_get(reply->doc, "error");
        acme_problem_read(error, 0, run->mem, &ret->error);
    }
    acme_reply_fini(reply);
    if (is_fine)
        return ACME_DONE;
    return ACME_FAIL(run->problem, run->mem, BAD_ANSWER, "the order makes no sense");
}

enum acme_result acme_order_fetch(struct acme_run *run, struct acme_order_form *ret,
                                  int64_t *ret_retry_after_s)
{
    struct acme_reply reply;
    struct acme_post post = {.url = text_str(&run->order_url), .want = ACME_WANT_JSON};
    enum acme_result result = acme_post(run->a, &post, &reply, run->mem, run->problem);
    if (result != ACME_DONE)
        return result;
    *ret_retry_after_s = reply.answer.fields.retry_after_s;
    return take_order(run, &reply, ret);
}

static enum acme_result post_order(struct acme_run *run, struct acme_order_form *ret)
{
    const struct acme_order_wish *wish = run->wish;
    const struct acme_directory *d;
    struct acme_reply reply;
    struct text payload = {0};
    enum acme_result result = acme_directory(run->a, &d, run->mem, run->problem);
    if (result == ACME_DONE)
        result = check_profile(run, d);
    if (result != ACME_DONE)
        return result;
    text_byte(&payload, '{');
    put_identifiers(&payload, wish->names, wish->n_names);
    if (wish->profile.len > 0) {
        text_put(&payload, STR(",\"profile\":"));
        json_text_str(&payload, wish->profile);
    }
    if (wish->replaces.len > 0 && d->renewal_info.len > 0 && !run->omits_replaces) {
        text_put(&payload, STR(",\"replaces\":"));
        json_text_str(&payload, wish->replaces);
    }
    text_byte(&payload, '}');
    struct acme_post post = {
        .url = d->new_order, .payload = text_str(&payload), .want = ACME_WANT_JSON};
    result = acme_post(run->a, &post, &reply, run->mem, run->problem);
    text_fini(&payload);
    if (result != ACME_DONE)
        return result;
    run->order_url.len = 0;
    text_put(&run->order_url, reply.answer.fields.location);
    result = take_order(run, &reply, ret);
    if (result == ACME_DONE && run->order_url.len == 0)
        return ACME_FAIL(run->problem, run->mem, BAD_ANSWER, "the order has no address");
    if (result == ACME_DONE)
        acme_run_step(run, ACME_STEP_ORDERED, text_str(&run->order_url));
    return result;
}

static enum acme_result begin_order(struct acme_run *run, struct acme_order_form *ret)
{
    int64_t ignored_s;
    if (run->order_url.len > 0) {
        enum acme_result result = acme_order_fetch(run, ret, &ignored_s);
        bool is_gone = result == ACME_DONE
                           ? ret->status == ACME_STATUS_INVALID
                           : run->problem->status >= 400 && run->problem->status < 500 &&
                                 result == ACME_FAILED;
        if (!is_gone)
            return result;
        run->is_resumed = false;
        run->order_url.len = 0;
    }
    enum acme_result result = post_order(run, ret);
    // RFC 9773 5: another order has replaced the certificate already.
    if (result == ACME_FAILED && run->problem->kind == ACME_PROBLEM_ALREADY_REPLACED &&
        !run->omits_replaces) {
        run->omits_replaces = true;
        result = post_order(run, ret);
    }
    return result;
}

// Until the order is in one of the states: BIT(enum acme_status). INVALID ends it, too.
static enum acme_result await_order(struct acme_run *run, unsigned states, const char *what,
                                    struct acme_order_form *order, int64_t retry_after_s)
{
    enum acme_result result = ACME_DONE;
    int64_t wait_ms = run->a->options.poll_first_ms;
    while (result == ACME_DONE && (BIT(order->status) & states) == 0) {
        if (order->status == ACME_STATUS_INVALID) {
            *run->problem = order->error;
            if (!order->has_error)
                acme_problem_set(run->problem, run->mem, ACME_PROBLEM_OTHER,
                                 "the authority ended the order without a reason");
            run->order_url.len = 0;
            return acme_result_of(run->problem);
        }
        result = acme_order_pause(run, &wait_ms, retry_after_s, what);
        if (result == ACME_DONE)
            result = acme_order_fetch(run, order, &retry_after_s);
    }
    return result;
}

static enum acme_result finalize(struct acme_run *run, struct acme_order_form *order)
{
    struct str der;
    struct text payload = {0};
    struct acme_reply reply;
    if (order->finalize.len == 0)
        return ACME_FAIL(run->problem, run->mem, BAD_ANSWER, "the order can't be finalized");
    if (!tls_csr_make(run->wish->key, run->wish->names, run->wish->n_names, run->mem, &der))
        return ACME_FAIL(run->problem, run->mem, LOCAL, "no certificate request can be made");
    text_put(&payload, STR("{\"csr\":\""));
    jose_put_base64url(&payload, der);
    text_put(&payload, STR("\"}"));
    struct acme_post post = {
        .url = order->finalize, .payload = text_str(&payload), .want = ACME_WANT_JSON};
    enum acme_result result = acme_post(run->a, &post, &reply, run->mem, run->problem);
    text_fini(&payload);
    if (result != ACME_DONE)
        return result;
    acme_run_step(run, ACME_STEP_FINALIZED, STR_NONE);
    return take_order(run, &reply, order);
}

static enum acme_result complete_order(struct acme_run *run, struct acme_certificate *ret,
                                       bool *ret_again)
{
    struct acme_order_form order;
    enum acme_result result = begin_order(run, &order);
    if (result == ACME_DONE && order.status == ACME_STATUS_PENDING) {
        result = acme_prove(run, &order, ret_again);
        if (result == ACME_DONE)
            result = await_order(
                run, BIT(ACME_STATUS_READY) | BIT(ACME_STATUS_PROCESSING) | BIT(ACME_STATUS_VALID),
                "to take the proofs", &order, 0);
    }
    if (result == ACME_DONE && order.status == ACME_STATUS_READY)
        result = finalize(run, &order);
    if (result == ACME_DONE)
        result = await_order(run, BIT(ACME_STATUS_VALID), "to make the certificate", &order, 0);
    if (result == ACME_DONE && order.certificate.len == 0)
        return ACME_FAIL(run->problem, run->mem, BAD_ANSWER, "the order has no certificate");
    if (result != ACME_DONE)
        return result;
    return acme_chain_fetch(run, arena_dup(run->mem, order.certificate), ret);
}

static enum acme_result run_order(struct acme_run *run, struct acme_certificate *ret,
                                  bool *ret_again)
{
    enum acme_result result = complete_order(run, ret, ret_again);
    if (result != ACME_FAILED || !run->is_resumed || *ret_again)
        return result;
    enum acme_problem_kind kind = run->problem->kind;
    // One that was taken up again may be for another key or other names, or half gone.
    if (run->order_url.len == 0 || kind == ACME_PROBLEM_WRONG_CERTIFICATE ||
        kind == ACME_PROBLEM_BAD_ANSWER || kind == ACME_PROBLEM_OTHER) {
        run->is_resumed = false;
        run->order_url.len = 0;
        *ret_again = true;
    }
    return result;
}

// --- the run ---

static enum acme_result begin_run(struct acme_run *run)
{
    const struct acme_order_wish *wish = run->wish;
    char thumbprint[JOSE_THUMBPRINT_BYTES + 1];
    if (!run->a->key)
        return ACME_FAIL(run->problem, run->mem, ACCOUNT_DOES_NOT_EXIST, "no account is in use");
    if (wish->n_names == 0 || wish->n_names > ACME_NAMES_MAX)
        return ACME_FAIL(run->problem, run->mem, BAD_INPUT, "there are no names, or too many");
    run->names = ARENA_ARRAY(run->mem, struct acme_name_state, wish->n_names);
    if (!run->names || !jose_thumbprint(run->a->key, thumbprint))
        return ACME_FAIL(run->problem, run->mem, LOCAL, "no memory, or the key can't be used");
    memset(run->names, 0, wish->n_names * sizeof run->names[0]);
    text_put(&run->thumbprint, str_of(thumbprint));
    text_put(&run->order_url, wish->order_url);
    run->is_resumed = wish->order_url.len > 0;
    return ACME_DONE;
}

enum acme_result acme_order_run(struct acme *a, const struct acme_order_wish *wish,
                                struct arena *mem, struct acme_certificate *ret,
                                struct acme_problem *reterr)
{
    struct acme_run run = {
        .a = a,
        .wish = wish,
        .mem = mem,
        .problem = reterr,
        .until = deadline_in(wish->timeout_ms > 0 ? wish->timeout_ms : RUN_TIMEOUT_MS),
    };
    arena_init(&run.scratch, ACME_MEM_BYTES, NULL, 0);
    enum acme_result result = begin_run(&run);
    bool again = result == ACME_DONE;
    for (size_t i = 0; i < ORDERS_MAX && again; i++) {
        again = false;
        result = run_order(&run, ret, &again);
    }
    arena_fini(&run.scratch);
    text_fini(&run.order_url);
    text_fini(&run.thumbprint);
    return result;
}
