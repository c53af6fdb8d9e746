// SPDX-License-Identifier: Apache-2.0
// What gates ask for. Whoever has taken one over may ask for anything at any rate: each answer is
// about what settings have, and what it costs is bounded here.
#include <string.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "rt/clock.h"

#define AWAITED_MAX 1024

// A gate that waits for the decision on a name.
struct awaiting {
    struct list_node node; // in keeper.awaiting
    pid_t pid;             // of the gate
    uint64_t seq;
    int64_t due_ms;
    char name[DEMAND_ASK_NAME_BYTES];
};

// Certificates go first: who is told yes finds one.
static void send_verdict(struct keeper *k, struct gate *g, const struct gate_verdict *m)
{
    if (m->is_yes && g->asked_seq == 0)
        gates_send_secrets(k, g);
    gates_tell(g, m, sizeof *m, -1);
}

static void answer_pin(struct keeper *k, struct gate *g, const struct gate_petition *m)
{
    struct gate_verdict verdict = {.type = GATE_VERDICT, .seq = m->seq};
    verdict.is_yes =
        secrets_ask_pin(&k->secrets, str_from(m->name, m->name_bytes), m->key, verdict.key);
    gates_tell(g, &verdict, sizeof verdict, -1);
}

static void await_name(struct keeper *k, const struct gate *g, const struct gate_petition *m)
{
    struct awaiting *a = MEM_NEW(struct awaiting);
    a->pid = g->child.pid;
    a->seq = m->seq;
    a->due_ms = clock_now_ms() + GATE_PETITION_MAX_MS;
    *str_copy(a->name, str_from(m->name, m->name_bytes)) = '\0';
    list_push_back(&k->awaiting, &a->node);
    k->n_awaiting++;
}

static void answer_cert(struct keeper *k, struct gate *g, const struct gate_petition *m)
{
    struct gate_verdict verdict = {.type = GATE_VERDICT, .seq = m->seq};
    enum demand_answer answer = secrets_ask_name(&k->secrets, str_from(m->name, m->name_bytes));
    if (answer == DEMAND_LATER && k->n_awaiting < AWAITED_MAX) {
        await_name(k, g, m);
        return;
    }
    verdict.is_yes = answer == DEMAND_YES;
    send_verdict(k, g, &verdict);
}

bool verdicts_take(struct keeper *k, struct gate *g, const struct gate_petition *m)
{
    if (m->name_bytes == 0 || m->name_bytes > sizeof m->name)
        return false;
    switch ((enum gate_petition_kind)m->kind) {
    case GATE_PETITION_PIN:
        answer_pin(k, g, m);
        return true;
    case GATE_PETITION_CERT:
        answer_cert(k, g, m);
        return true;
    }
    return false;
}

static struct gate *gate_of(const struct keeper *k, pid_t pid)
{
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->child.pid == pid && g->state != GATE_ENDING && !g->is_foreign)
            return g;
    }
    return NULL;
}

static void end_awaiting(struct keeper *k, struct awaiting *a, bool is_yes)
{
    struct gate *g = gate_of(k, a->pid);
    struct gate_verdict verdict = {.type = GATE_VERDICT, .seq = a->seq, .is_yes = is_yes};
    if (g)
        send_verdict(k, g, &verdict);
    list_remove(&a->node);
    k->n_awaiting--;
    mem_free(a);
}

// Tells everybody who waits for a name.
static void tell(struct keeper *k, const char *name, bool is_yes)
{
    LIST_FOR_SAFE (n, &k->awaiting) {
        struct awaiting *a = CONTAINER_OF(n, struct awaiting, node);
        if (strcmp(a->name, name) == 0)
            end_awaiting(k, a, is_yes);
    }
}

void verdicts_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms)
{
    char name[DEMAND_ASK_NAME_BYTES];
    bool is_yes;
    while (secrets_turn_names(&k->secrets, now_ms, next_ms))
        reload_want_again(k);
    while (secrets_next_name(&k->secrets, name, &is_yes))
        tell(k, name, is_yes);
    struct list_node *first;
    while ((first = list_first(&k->awaiting)) != NULL) { // in the order of their times
        struct awaiting *a = CONTAINER_OF(first, struct awaiting, node);
        if (now_ms < a->due_ms) {
            *next_ms = MIN(*next_ms, a->due_ms);
            break;
        }
        end_awaiting(k, a, false);
    }
}

void verdicts_fini(struct keeper *k)
{
    struct list_node *n;
    while ((n = list_pop_front(&k->awaiting)) != NULL)
        mem_free(CONTAINER_OF(n, struct awaiting, node));
    k->n_awaiting = 0;
}
