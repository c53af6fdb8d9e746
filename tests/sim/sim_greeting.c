// SPDX-License-Identifier: Apache-2.0
// Connections to servers that speak TLS, up to the end of their handshakes: then ALPN has chosen
// what is spoken inside, and the peer for that goes on.
#include <errno.h>

#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_h2_peer.h"

struct sim_greeting {
    struct sim_greeting *next;
    struct sim_server *server;
    struct sim_wire wire;
    bool is_over, is_stalled;
};

static struct str protocols_of(enum sim_speech speech)
{
    switch (speech) {
    case SIM_SPEAKS_HTTP_1:
        return STR("\x08http/1.1");
    case SIM_SPEAKS_HTTP_2:
        return STR("\x02h2");
    case SIM_SPEAKS_BOTH:
        return STR("\x02h2\x08http/1.1");
    case SIM_SPEAKS_UNASKED:
        break;
    }
    return STR_NONE;
}

static void end(struct sim_greeting *g, bool reset)
{
    if (g->is_over)
        return;
    sim_log("#%u server %s in the handshake", g->wire.end->id, reset ? "resets" : "closes");
    g->is_over = true;
    g->server->n_open--;
    if (reset)
        sim_wire_reset(&g->wire);
    else
        sim_wire_close(&g->wire);
}

static void on_event(void *arg, struct sim_end *e)
{
    struct sim_greeting *g = arg;
    if (g->is_over)
        return;
    if (e->is_reset || (g->is_stalled && e->has_fin)) {
        end(g, e->is_reset);
        return;
    }
    int result = g->is_stalled ? -EAGAIN : sim_wire_shake(&g->wire);
    if (result == -EAGAIN)
        return;
    if (result < 0) {
        end(g, false);
        return;
    }
    g->is_over = true;
    g->server->n_open--;
    if (sim_wire_speaks_h2(&g->wire))
        sim_h2_server_adopt(g->server, &g->wire);
    else
        sim_server_adopt(g->server, &g->wire);
    if (!e->is_closed)
        e->fn(e->arg, e); // what came with the end of the handshake
}

static void on_cut(void *arg, enum sim_fault how)
{
    struct sim_greeting *g = arg;
    if (how == SIM_STALL)
        g->is_stalled = true;
    else
        end(g, how == SIM_RESET);
}

// What goes wrong on the wire, in the handshake or behind it.
static void choose_fault(struct sim_tls_wish *wish)
{
    static const enum sim_fault hows[] = {SIM_CLOSE, SIM_RESET, SIM_STALL};
    if (sim_chance(70))
        wish->cut = (struct sim_cut){hows[sim_below(ARRAY_LEN(hows))],
                                     sim_below(sim_chance(70) ? 1500 : 8000)};
    else
        wish->flip_at = 1 + sim_below(3000);
}

void sim_server_greet(struct sim_server *s, struct sim_end *e)
{
    struct sim_greeting *g = sim_alloc(sizeof *g);
    *g = (struct sim_greeting){.next = s->greetings, .server = s, .wire = {.end = e}};
    struct sim_tls_wish wish = s->fault ? *s->fault : (struct sim_tls_wish){.is_server = true};
    wish.protocols = protocols_of(s->speech);
    wish.is_rude = s->is_rude;
    if (sim_chance(s->tls_faults_percent))
        choose_fault(&wish);
    if (s->shakes_slowly)
        wish.pace = (struct sim_pace){1 + sim_below(400), sim_between(1000, SIM_MS)};
    s->greetings = g;
    s->n_open++;
    g->wire.tls = sim_tls_new(e, &wish, on_event, on_cut, g);
}

size_t sim_greetings_n_sent(const struct sim_server *s)
{
    size_t n = 0;
    for (const struct sim_greeting *g = s->greetings; g; g = g->next)
        n = MAX(n, sim_tls_n_sent(g->wire.tls));
    return n;
}

void sim_greetings_reset(struct sim_server *s, bool only_stalled)
{
    for (struct sim_greeting *g = s->greetings; g; g = g->next) {
        if (g->is_stalled || !only_stalled)
            end(g, true);
    }
}
