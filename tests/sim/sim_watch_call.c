// SPDX-License-Identifier: Apache-2.0
#include "http/h2_client_priv.h"
#include "sim/sim.h"
#include "sim/sim_watch_priv.h"

// In a file of its own, as http/h2_server_priv.h has a struct h2_chunk, too.
void sim_watch_h2_call(struct tally *t, struct list_node *node)
{
    const struct h2_call *call = CONTAINER_OF(node, struct h2_call, node);
    size_t held = 0;
    for (const struct h2_chunk *chunk = call->first; chunk; chunk = chunk->next) {
        t->n_chunks++;
        held += chunk->end - chunk->at;
    }
    SIM_CHECK(held == call->held);
    if (call->waiter)
        sim_watch_fiber(t, call->waiter, "waiting for an answer of HTTP/2");
    if (call->is_pump_waiting)
        sim_watch_fiber(t, call->pump, "sending a body of HTTP/2");
    if (call->waiter && call->interims)
        sim_fail("an interim answer isn't passed on");
}
