// SPDX-License-Identifier: Apache-2.0
// What gates ask for. Whoever has taken one over may ask for anything at any rate: each answer is
// about what settings have, and what it costs is bounded here.
#include "keeper/keeper_priv.h"
#include "rt/clock.h"

static void answer_pin(struct keeper *k, const struct gate_petition *m, struct gate_verdict *ret)
{
    struct str server = str_from(m->name, m->name_bytes);
    ret->is_yes = secrets_ask_pin(&k->secrets, server, m->key, ret->key);
}

bool verdicts_take(struct keeper *k, struct gate *g, const struct gate_petition *m)
{
    struct gate_verdict verdict = {.type = GATE_VERDICT, .seq = m->seq};
    if (m->name_bytes == 0 || m->name_bytes > sizeof m->name || m->kind != GATE_PETITION_PIN)
        return false;
    answer_pin(k, m, &verdict);
    gates_tell(g, &verdict, sizeof verdict, -1);
    return true;
}
