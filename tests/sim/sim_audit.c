// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_audit.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "gate/access_log.h"
#include "gate/snapshot.h"
#include "http/exchange.h"
#include "rt/clock.h"
#include "sim/sim_message.h"

#define RECORDS 8192     // more than a scenario has connections
#define STREAMS_MAX 4096 // of HTTP/2 at a time

// The exchanges of one connection, which its peer's port tells; or of HTTP/2 the one at this place
// of the memory.
struct record {
    const struct exchange *x; // of HTTP/2; NULL: free
    uint32_t n_begun, n_finished;
    const void *snapshot; // of the present one
    const struct http_entry *entry;
};

static struct {
    const struct http_app *inner;
    struct http_app outer;
    struct record *records; // by port, modulo their number
    struct record *streams; // of HTTP/2, those that run now
    uint32_t n_open;
    sim_audit_fn *on_served;
    void *on_served_arg;
} audit;

static struct record *record_of(const struct exchange *x)
{
    if (x->req.version != HTTP_2)
        return &audit.records[x->peer_port % RECORDS];
    struct record *unused = NULL;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        if (audit.streams[i].x == x)
            return &audit.streams[i];
        if (!audit.streams[i].x && !unused)
            unused = &audit.streams[i];
    }
    ASSERT(unused != NULL);
    *unused = (struct record){.x = x};
    return unused;
}

static void begin(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    audit.inner->begin(env, l, x);
    struct record *r = record_of(x);
    if (r->n_begun != r->n_finished)
        sim_fail("port %u: an exchange begins in another", x->peer_port);
    r->n_begun++;
    r->snapshot = x->snapshot;
    r->entry = x->entry;
    audit.n_open++;
}

static void check_still_its_own(const struct exchange *x, const char *where)
{
    const struct record *r = record_of(x);
    if (r->n_begun != r->n_finished + 1)
        sim_fail("port %u: %s without a begin", x->peer_port, where);
    if (r->snapshot != x->snapshot || r->entry != x->entry)
        sim_fail("port %u: %s with another snapshot than at its begin", x->peer_port, where);
}

static struct sim_plan *plan_of(const struct exchange *x)
{
    uint64_t id;
    bool is_plans = str_starts(x->req.path, STR("/e/")) &&
                    num_dec(str_skip(x->req.path, 3), UINT32_MAX, &id) == ERR_OK;
    return is_plans ? sim_plan_find((uint32_t)id) : NULL;
}

static enum err serve(struct http_env *env, struct exchange *x)
{
    check_still_its_own(x, "served");
    enum err err = audit.inner->serve(env, x);
    check_still_its_own(x, "answered");
    if (audit.on_served && err == ERR_OK)
        audit.on_served(audit.on_served_arg, x, plan_of(x));
    return err;
}

static void check_times(const struct exchange *x)
{
    const struct exchange_times *t = &x->times;
    bool is_in_order = t->accepted > 0 && t->accepted <= t->finished &&
                       (t->head_read == 0 || t->head_read >= t->accepted) &&
                       (t->answer_head == 0 || t->answer_head >= t->head_read);
    if (!is_in_order)
        sim_fail("port %u: the times of an exchange aren't in order", x->peer_port);
}

// What the worker says is complete had all its bytes.
static void check_size(const struct exchange *x, const struct sim_plan *p)
{
    bool is_known = x->end == EXCHANGE_END_OK && !x->resp.is_internal && !p->raw &&
                    !p->is_upgrade && p->answer != SIM_UNTIL_CLOSE && x->resp.status == p->status;
    if (!is_known)
        return;
    bool has_body = p->answer != SIM_NO_BODY && strcmp(p->method, "HEAD") != 0;
    size_t wanted = has_body ? p->answer_bytes : 0;
    if (x->response_bytes != wanted)
        sim_fail("exchange %u ended well with %u of %zu bytes", p->id, (unsigned)x->response_bytes,
                 wanted);
}

// The line is written here as the worker does: all that it names must still be there.
static void check_line(const struct exchange *x)
{
    const struct snapshot *s = x->snapshot;
    static char line[ACCESS_LOG_LINE_MAX_BYTES]; // a fiber's stack is small
    if (!s->access_log)
        return;
    size_t n = access_log_write(s->access_log, x, clock_wall_ns(), line, sizeof line);
    if (n < 2 || line[n - 1] != '\n' || memchr(line, '\n', n) != line + n - 1)
        sim_fail("port %u: not a line of the access log", x->peer_port);
}

static void finish(struct http_env *env, struct exchange *x)
{
    check_still_its_own(x, "finished");
    check_times(x);
    check_line(x);
    struct sim_plan *p = plan_of(x);
    sim_log("port %u: exchange %d has ended: %u, %s; " STR_FMT, x->peer_port, p ? (int)p->id : -1,
            x->resp.status, exchange_end_name(x->end), STR_ARG(x->end_detail));
    if (p) {
        if (p->n_finished++ > 0)
            sim_fail("exchange %u has ended twice", p->id);
        p->finished_status = x->resp.status;
        p->has_ended_unsent = x->n_tries == 0;
        check_size(x, p);
    }
    struct record *r = record_of(x);
    r->n_finished++;
    r->x = NULL;
    audit.n_open--;
    audit.inner->finish(env, x);
    SIM_CHECK(x->snapshot == NULL);
}

struct http_env *sim_env_of(const struct http_stats *stats)
{
    // WHY: the env isn't const, the worker only lends its counters as such.
    return (struct http_env *)((uintptr_t)stats - offsetof(struct http_env, stats));
}

void sim_audit_start(const struct http_stats *stats)
{
    struct http_env *env = sim_env_of(stats);
    audit.inner = env->app;
    audit.outer = *audit.inner;
    audit.outer.begin = begin;
    audit.outer.serve = serve;
    audit.outer.finish = finish;
    audit.records = sim_alloc(RECORDS * sizeof audit.records[0]);
    audit.streams = sim_alloc(STREAMS_MAX * sizeof audit.streams[0]);
    audit.n_open = 0;
    audit.on_served = NULL;
    env->app = &audit.outer;
}

void sim_audit_look(sim_audit_fn *fn, void *arg)
{
    audit.on_served = fn;
    audit.on_served_arg = arg;
}

uint32_t sim_audit_n_open(void)
{
    return audit.n_open;
}

void sim_audit_end(void)
{
    for (uint32_t port = 0; port < RECORDS; port++) {
        const struct record *r = &audit.records[port];
        if (r->n_begun != r->n_finished)
            sim_fail("port %u modulo %d: %u exchanges have begun, %u have ended", port, RECORDS,
                     r->n_begun, r->n_finished);
    }
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        if (audit.streams[i].x)
            sim_fail("an exchange of HTTP/2 hasn't ended");
    }
}
