// SPDX-License-Identifier: Apache-2.0
// Random clients of HTTP/2.
#include "base/num.h"
#include "sim/sim_choose.h"
#include "sim/sim_h2_peer.h"

#define STREAMS_MAX 12
#define TINY_MAX_BYTES 5000 // of bodies that come byte by byte
#define REFUSALS_MAX 2      // of five that the worker bears

// What one stream does wrong: it is given up, or nobody takes its answer.
static void choose_stream_fault(struct sim_h2_stream *st)
{
    switch (sim_below(3)) {
    case 0:
        st->reset_at = sim_below((uint32_t)st->plan->request_bytes + 1);
        break;
    case 1:
        st->got_max = 1 + sim_below((uint32_t)st->plan->answer_bytes + 1);
        break;
    default:
        st->has_no_window = true;
    }
    st->plan->must_succeed = false;
}

static void choose_stream(const struct mood *m, struct sim_h2_stream *st)
{
    struct sim_plan *p = st->plan;
    st->send_pace = some_pace(p->request_bytes + p->tunnel_bytes);
    if (sim_chance(m->client_faults / 2))
        choose_stream_fault(st);
    // A body that was read can't be had again.
    bool may_refuse = choose_host_is_shared(p->host) && (!m->is_calm || p->request == SIM_NO_BODY);
    if (may_refuse && sim_chance(20))
        p->n_refusals = 1 + sim_below(REFUSALS_MAX);
}

// What goes wrong on the wire.
static void choose_wire(const struct mood *m, struct sim_h2_client *c, size_t n_up, size_t n_down)
{
    c->h2.read_pace = some_pace(n_down);
    if (!sim_chance(m->client_faults))
        return;
    switch (sim_below(3)) {
    case 0:
        c->h2.cut_sent = some_cut(n_up);
        break;
    case 1:
        c->h2.cut_received = some_cut(n_down);
        break;
    default:
        c->hostile_ns = some_ms(0, 1000);
        c->hostile_kind = (uint32_t)sim_rand();
    }
}

void choose_h2_client(const struct mood *m, struct world *w)
{
    struct sim_plan *plans[STREAMS_MAX];
    uint32_t n = 1 + sim_below(STREAMS_MAX);
    size_t n_up = 0, n_down = 0;
    struct sim_listener **door = m->has_other && sim_chance(30) ? &w->other : &w->listener;
    bool is_tls = m->is_tls && door == &w->listener;
    const char *host = is_tls ? choose_host() : NULL; // one connection is for one host
    for (uint32_t i = 0; i < n; i++) {
        plans[i] = choose_plan(m, sim_chance(20), false);
        plans[i]->host = host ? host : plans[i]->host;
        n_up += plans[i]->request_bytes + plans[i]->tunnel_bytes + 100;
        n_down += plans[i]->answer_bytes + plans[i]->tunnel_bytes + 200;
    }
    struct sim_h2_client *c = sim_h2_client_new(plans, n);
    c->at_a_time = 1 + sim_below(n);
    c->gap_ns = sim_chance(50) ? 0 : some_ms(0, 20);
    c->stays = sim_chance(15);
    c->is_eager = sim_chance(30);
    c->is_rude = sim_chance(30);
    c->wish = sim_h2_some_wish(m->is_calm);
    if (c->wish.window_bytes == 1 && n_up + n_down > TINY_MAX_BYTES)
        c->wish.window_bytes = 4000;
    c->n_harmless = sim_chance(30) ? sim_below(5) : 0;
    for (uint32_t i = 0; i < n; i++)
        choose_stream(m, &c->streams[i]);
    choose_wire(m, c, n_up, n_down);
    if (is_tls) {
        struct sim_tls_wish *wish = choose_wish(m, plans[0]->host);
        wish->speaks_h2 = true;
        c->tls = wish;
    }
    sim_h2_client_start(c, door, sim_now_ns() + some_ms(0, m->start_within_ms));
}
