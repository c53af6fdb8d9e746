// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_peer.h"

#define CLIENTS_MAX 1024

static struct sim_client *clients[CLIENTS_MAX];
static uint32_t n_clients, n_running;

void sim_clients_init(void)
{
    n_clients = n_running = 0;
}

uint32_t sim_clients_running(void)
{
    return n_running;
}

void sim_clients_began(void)
{
    n_running++;
}

void sim_clients_ended(void)
{
    n_running--;
}

uint32_t sim_clients_count(void)
{
    return n_clients;
}

struct sim_client *sim_client_get(uint32_t i)
{
    return clients[i];
}

static struct sim_plan *current(const struct sim_client *c)
{
    return c->i_answer < c->n_plans ? c->plans[c->i_answer] : NULL;
}

static void finish(struct sim_client *c)
{
    if (c->is_done)
        return;
    c->is_done = true;
    c->ended_ms = sim_now_ms();
    n_running--;
}

static void close_end(struct sim_client *c, bool reset)
{
    if (!sim_wire_is_closed(&c->wire)) {
        sim_log("#%u client %s", c->end->id, reset ? "resets" : "closes");
        if (reset)
            sim_wire_reset(&c->wire);
        else
            sim_wire_close(&c->wire);
    }
    finish(c);
}

static void on_event(void *arg, struct sim_end *e);

static void do_fault(struct sim_client *c, enum sim_fault how)
{
    if (how == SIM_STALL) {
        sim_log("#%u client stalls", c->end->id);
        c->is_stalled = true;
        if (c->end->has_fin || c->end->is_reset) // has been told already
            on_event(c, c->end);
    } else {
        close_end(c, how == SIM_RESET);
    }
}

// --- sending ---

// How far the client may send: requests wait for the answers before them, bodies for 100, and
// tunnels for 101.
static size_t gate_of(const struct sim_client *c)
{
    uint32_t i = c->i_answer;
    if (c->in_tunnel)
        return SIZE_MAX;
    if (c->is_told_last)
        return c->sender.at;
    while (i < c->n_plans) {
        const struct sim_plan *p = c->plans[i];
        bool may_go_on = i == c->i_answer && c->may_send_body;
        if ((p->is_upgrade && !c->is_early) || (p->expects && !c->is_eager && !may_go_on))
            return c->heads_end[i];
        if (!c->pipelines)
            return c->ends[i];
        i++;
    }
    const struct sim_plan *last = c->plans[c->n_plans - 1];
    return last->is_upgrade ? c->heads_end[c->n_plans - 1] : SIZE_MAX;
}

static void send_on(struct sim_client *c)
{
    c->sender.gate = gate_of(c);
    if (!c->is_stalled && c->end->state == SIM_END_OPEN)
        sim_sender_go(&c->sender);
}

static void on_sent(void *arg)
{
    struct sim_client *c = arg;
    bool ends_tunnel = c->in_tunnel && c->plans[c->n_plans - 1]->is_upgrade;
    if ((!c->half_closes && !ends_tunnel) || c->has_shut)
        return;
    sim_log("#%u client ends its side", c->end->id);
    c->has_shut = true;
    sim_wire_shut_write(&c->wire);
}

static void on_cut(void *arg)
{
    struct sim_client *c = arg;
    do_fault(c, c->cut_sent.how);
}

static void write_requests(struct sim_client *c)
{
    struct sim_text *t = &c->sender.text;
    c->heads_end = sim_alloc(c->n_plans * sizeof c->heads_end[0]);
    c->ends = sim_alloc(c->n_plans * sizeof c->ends[0]);
    for (uint32_t i = 0; i < c->n_plans; i++) {
        c->heads_end[i] = sim_put_request(t, c->plans[i]);
        if (c->plans[i]->is_upgrade)
            sim_text_pattern(t, c->plans[i]->id, SIM_TUNNEL, c->plans[i]->tunnel_bytes);
        c->ends[i] = t->len;
    }
}

// --- receiving ---

static enum sim_framing framing_of(struct sim_client *c, struct sim_plan *p, uint64_t *ret_length)
{
    unsigned status = p->got_status;
    enum sim_framing framing = sim_reader_framing(&c->reader, ret_length);
    if (strcmp(p->method, "HEAD") == 0 || status == 204 || status == 304)
        return SIM_NO_BODY;
    if (framing == SIM_CHUNKED && p->minor == 0)
        sim_fail("exchange %u: a chunked answer to HTTP/1.0", p->id);
    return framing == SIM_NO_BODY ? SIM_UNTIL_CLOSE : framing;
}

static unsigned read_status(struct sim_client *c)
{
    struct str head = sim_reader_head(&c->reader);
    uint64_t status = 0;
    bool is_right = head.len > 12 && memcmp(head.ptr, "HTTP/1.1 ", 9) == 0 &&
                    num_dec(str_from(head.ptr + 9, 3), 599, &status) == ERR_OK;
    if (!is_right)
        sim_fail("client %u: not an answer's head: " STR_FMT, c->id, (int)MIN(head.len, (size_t)60),
                 head.ptr);
    return (unsigned)status;
}

static void check_is_own(struct sim_client *c, struct sim_plan *p)
{
    struct str id_text = sim_reader_field(&c->reader, "X-Sim");
    uint64_t id = 0;
    p->is_servers = id_text.len > 0;
    if (!p->is_servers)
        return;
    SIM_CHECK(num_dec(id_text, UINT32_MAX, &id) == ERR_OK);
    if (id != p->id)
        sim_fail("exchange %u got the answer of %u", p->id, (unsigned)id);
    if (p->got_status != (p->is_upgrade ? 101 : p->status))
        sim_fail("exchange %u: status %u", p->id, p->got_status);
    c->reader.has_pattern = true;
    c->reader.id = p->id;
    c->reader.direction = SIM_DOWN;
    const char *wanted = sim_websocket_accept(sim_websocket_key(p));
    struct str accept = sim_reader_field(&c->reader, "Sec-WebSocket-Accept");
    if (p->is_websocket && !str_eq(accept, str_of(wanted)))
        sim_fail("exchange %u: the WebSocket's key isn't accepted", p->id);
}

// Requests behind the answer that said it was the last: never sent, or never answered.
static void give_up_rest(struct sim_client *c)
{
    for (uint32_t i = c->i_answer; i < c->n_plans; i++)
        c->plans[i]->must_succeed = false;
}

static void answer_ended(struct sim_client *c)
{
    struct sim_plan *p = current(c);
    ASSERT(p != NULL);
    p->outcome = SIM_ANSWERED;
    p->got_bytes = c->reader.n_body;
    p->ended_ms = sim_now_ms();
    sim_log("#%u client has answer %u: %u%s, %zu bytes", c->end->id, p->id, p->got_status,
            p->is_servers ? "" : " of the worker", p->got_bytes);
    c->i_answer++;
    c->may_send_body = false;
    if (c->is_told_last)
        give_up_rest(c);
    sim_reader_start(&c->reader);
    if (c->i_answer == c->n_plans && !c->stays && !c->in_tunnel)
        close_end(c, false);
    else
        send_on(c);
}

static enum sim_read take_head(struct sim_client *c)
{
    struct sim_plan *p = current(c);
    ASSERT(p != NULL);
    unsigned status = read_status(c);
    if (c->sender.at <= (c->i_answer > 0 ? c->ends[c->i_answer - 1] : 0))
        sim_fail("exchange %u: answer %u to what wasn't asked", p->id, status);
    if (c->is_told_last)
        sim_fail("exchange %u: answer %u behind the one that said it was the last", p->id, status);
    if (status >= 100 && status < 200 && status != 101) {
        p->got_interim += status != 100;
        c->may_send_body |= status == 100;
        sim_reader_start(&c->reader);
        send_on(c);
        return SIM_READ_MORE;
    }
    if (p->got_status != 0)
        sim_fail("exchange %u: a second answer, %u", p->id, status);
    p->got_status = status;
    c->is_told_last = str_eq(sim_reader_field(&c->reader, "Connection"), STR("close"));
    check_is_own(c, p);
    if (status == 101) {
        SIM_CHECK(p->is_upgrade && c->i_answer == c->n_plans - 1);
        c->in_tunnel = true;
        sim_reader_body(&c->reader, SIM_UNTIL_CLOSE, 0);
        c->reader.direction = SIM_TUNNEL;
        p->ended_ms = sim_now_ms();
        send_on(c);
        return SIM_READ_MORE;
    }
    uint64_t length;
    enum sim_framing framing = framing_of(c, p, &length);
    return sim_reader_body(&c->reader, framing, length);
}

static void take_bytes(struct sim_client *c, const char *bytes, size_t n)
{
    while (n > 0 && !c->is_done) {
        if (!current(c)) {
            sim_fail("client %u: %zu bytes behind the last answer", c->id, n);
            return;
        }
        size_t used = 0;
        enum sim_read what = sim_reader_feed(&c->reader, bytes, n, &used);
        bytes += used;
        n -= used;
        if (what == SIM_READ_HEAD)
            what = take_head(c);
        if (what == SIM_READ_END)
            answer_ended(c);
    }
}

// The connection is over: what is the answer that was on its way?
static void connection_ended(struct sim_client *c, bool is_orderly)
{
    struct sim_plan *p = current(c);
    c->saw_end = is_orderly;
    c->saw_reset = !is_orderly;
    if (p && c->reader.n_head > 0) {
        bool is_whole = is_orderly && c->reader.framing == SIM_UNTIL_CLOSE && p->got_status != 0 &&
                        !c->is_stalled;
        p->outcome = is_whole ? SIM_ANSWERED : SIM_CUT;
        p->got_bytes = c->reader.n_body;
        p->ended_ms = sim_now_ms();
        c->i_answer += is_whole;
    }
    sim_log("#%u client sees the %s", c->end->id, is_orderly ? "end" : "reset");
    if (!c->end->other->is_accepted && !c->listener->is_open) // with the listening socket
        give_up_rest(c);
    close_end(c, false);
}

static void read_later(void *arg, uint64_t tag);

static void read_on(struct sim_client *c)
{
    char bytes[16 * 1024];
    while (!c->is_done && !c->is_stalled && !c->is_reading_later) {
        size_t n = sizeof bytes;
        if (c->read_pace.piece_bytes > 0 && n > c->read_pace.piece_bytes)
            n = c->read_pace.piece_bytes;
        if (c->cut_received.how != SIM_GO_ON && n > c->cut_received.at - c->n_received)
            n = c->cut_received.at - c->n_received;
        if (n == 0) {
            do_fault(c, c->cut_received.how);
            return;
        }
        ssize_t got = sim_wire_read(&c->wire, bytes, n);
        if (got == -EAGAIN)
            return;
        if (got <= 0) {
            connection_ended(c, got == 0);
            return;
        }
        c->n_received += (size_t)got;
        take_bytes(c, bytes, (size_t)got);
        if (c->read_pace.gap_ns > 0) {
            c->is_reading_later = true;
            sim_in(c->read_pace.gap_ns, read_later, c, 0);
        }
    }
}

static void read_later(void *arg, uint64_t tag)
{
    struct sim_client *c = arg;
    (void)tag;
    c->is_reading_later = false;
    if (!c->is_done)
        read_on(c);
}

// --- life ---

static void on_event(void *arg, struct sim_end *e)
{
    struct sim_client *c = arg;
    if (c->is_done)
        return;
    if (e->state == SIM_END_REFUSED) {
        c->was_refused = true;
        if (!c->listener->is_open)
            give_up_rest(c);
        close_end(c, false);
        return;
    }
    if (c->is_stalled && (e->is_reset || e->has_fin)) {
        connection_ended(c, !e->is_reset);
        return;
    }
    read_on(c);
    if (!c->is_done)
        send_on(c);
}

static const char *const framing_names[] = {"none", "length", "chunks", "to the end"};

static void on_wire_cut(void *arg, enum sim_fault how)
{
    struct sim_client *c = arg;
    if (!c->is_done)
        do_fault(c, how);
}

static struct sim_listener nobody; // was never opened: refuses

static void start(void *arg, uint64_t tag)
{
    struct sim_client *c = arg;
    struct sim_listener **l = (struct sim_listener **)(uintptr_t)tag;
    c->listener = *l ? *l : &nobody;
    c->end = sim_net_dial(c->listener, on_event, c);
    c->wire = (struct sim_wire){.end = c->end};
    c->sender.wire = &c->wire;
    if (c->tls)
        c->wire.tls = sim_tls_new(c->end, c->tls, on_event, on_wire_cut, c);
    sim_log("#%u client %u dials", c->end->id, c->id);
    for (uint32_t i = 0; i < c->n_plans; i++) {
        struct sim_plan *p = c->plans[i];
        p->began_ms = sim_now_ms();
        sim_log("#%u client %u: %u %s %s, %s of %zu up, %s of %zu down%s%s%s", c->end->id, c->id,
                p->id, p->method, p->host, framing_names[p->request], p->request_bytes,
                framing_names[p->answer], p->answer_bytes, p->expects ? ", expects" : "",
                p->is_upgrade ? ", upgrade" : "", p->answers_early ? ", early" : "");
    }
}

struct sim_client *sim_client_new(struct sim_plan **plans, uint32_t n_plans)
{
    ASSERT(n_clients < CLIENTS_MAX);
    struct sim_client *c = sim_alloc(sizeof *c);
    c->id = n_clients;
    c->plans = sim_alloc(n_plans * sizeof(struct sim_plan *));
    memcpy(c->plans, plans, n_plans * sizeof(struct sim_plan *));
    c->n_plans = n_plans;
    clients[n_clients++] = c;
    return c;
}

void sim_client_start(struct sim_client *c, struct sim_listener **l, int64_t at_ns)
{
    n_running++;
    write_requests(c);
    c->sender.pace = c->send_pace;
    c->sender.cut_at = c->cut_sent.how != SIM_GO_ON ? c->cut_sent.at : SIZE_MAX;
    c->sender.on_sent = on_sent;
    c->sender.on_cut = on_cut;
    c->sender.arg = c;
    sim_reader_start(&c->reader);
    sim_at(at_ns, start, c, (uint64_t)(uintptr_t)l);
}
