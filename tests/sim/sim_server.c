// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_h2_peer.h"

#define SERVERS_MAX 64

struct sim_server_conn {
    struct sim_server_conn *next;
    struct sim_server *server;
    struct sim_end *end;
    struct sim_wire wire;
    struct sim_reader reader;
    struct sim_sender sender;
    struct sim_plan *plan; // of the present request; NULL between two
    size_t n_got;          // bytes of the present request
    uint64_t turn;         // counts requests, so that late timers can tell
    bool is_answering, is_read, in_tunnel, has_peer_ended, is_stalled, is_reading_later, is_cut;
};

static struct sim_server *servers[SERVERS_MAX];
static size_t n_servers;

void sim_servers_init(void)
{
    n_servers = 0;
}

uint32_t sim_servers_n_open(void)
{
    uint32_t n = 0;
    for (size_t i = 0; i < n_servers; i++)
        n += servers[i]->n_open;
    return n;
}

static void close_conn(struct sim_server_conn *c, bool reset)
{
    if (sim_wire_is_closed(&c->wire))
        return;
    sim_log("#%u server %s", c->end->id, reset ? "resets" : "closes");
    if (reset)
        sim_wire_reset(&c->wire);
    else
        sim_wire_close(&c->wire);
    c->turn++;
    c->server->n_open--;
}

static void do_fault(struct sim_server_conn *c, enum sim_fault how)
{
    if (how == SIM_STALL) {
        sim_log("#%u server stalls", c->end->id);
        c->is_stalled = true;
    } else {
        close_conn(c, how == SIM_RESET);
    }
}

// --- answering ---

static void read_on(struct sim_server_conn *c);

static void close_idle(void *arg, uint64_t turn)
{
    struct sim_server_conn *c = arg;
    if (c->turn == turn && !c->plan)
        close_conn(c, sim_chance(30));
}

static void await_request(struct sim_server_conn *c)
{
    c->plan = NULL;
    c->turn++;
    c->n_got = 0;
    c->is_answering = c->is_read = false;
    c->sender.text.len = c->sender.at = 0;
    sim_reader_start(&c->reader);
    const struct sim_server *s = c->server;
    if (s->idle_max_ns > 0 && (c->turn > 1 || !s->keeps_fresh))
        sim_in(sim_between(s->idle_min_ns, s->idle_max_ns), close_idle, c, c->turn);
}

static void request_is_over(struct sim_server_conn *c)
{
    struct sim_plan *p = c->plan;
    if (p->closes || p->closes_silently || p->answer == SIM_UNTIL_CLOSE) {
        close_conn(c, false);
        return;
    }
    await_request(c);
}

static void on_sent(void *arg)
{
    struct sim_server_conn *c = arg;
    struct sim_plan *p = c->plan;
    if (c->in_tunnel && c->has_peer_ended)
        close_conn(c, false);
    if (!p || !c->is_answering || c->in_tunnel)
        return;
    c->is_answering = false;
    p->n_sent++;
    sim_log("#%u server has answered %u", c->end->id, p->id);
    if (p->is_upgrade) {
        c->in_tunnel = true;
        read_on(c);
    } else if (p->drops_rest && !c->is_read) {
        close_conn(c, false);
    } else if (c->is_read) {
        request_is_over(c);
    }
}

static void on_cut(void *arg)
{
    struct sim_server_conn *c = arg;
    c->is_cut = true;
    do_fault(c, c->plan->cut.how);
}

static const char sick[] = "HTTP/1.1 503 Sick\r\nContent-Length: 0\r\n\r\n";

static void answer(void *arg, uint64_t turn)
{
    struct sim_server_conn *c = arg;
    struct sim_plan *p = c->plan;
    if (c->turn != turn || sim_wire_is_closed(&c->wire) || c->is_stalled)
        return;
    c->is_answering = true;
    c->sender.text.len = c->sender.at = 0;
    if (c->server->is_sick && !p->is_upgrade)
        sim_text_put(&c->sender.text, sick, sizeof sick - 1);
    else
        sim_put_answer(&c->sender.text, p);
    c->sender.gate = SIZE_MAX;
    c->sender.pace = p->pace;
    bool is_cut = p->cut.how != SIM_GO_ON && p->n_cuts > 0;
    p->n_cuts -= is_cut;
    c->sender.cut_at = is_cut ? MIN(p->cut.at, c->sender.text.len) : SIZE_MAX;
    sim_sender_go(&c->sender);
}

// --- reading ---

static struct sim_plan *plan_of(struct sim_server_conn *c)
{
    struct str head = sim_reader_head(&c->reader);
    const char *at = memmem(head.ptr, head.len, "/e/", 3);
    uint64_t id = 0;
    struct sim_plan *p = NULL;
    if (at) {
        struct str rest = str_skip(head, (size_t)(at + 3 - head.ptr));
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] >= '0' && rest.ptr[n] <= '9')
            n++;
        if (num_dec(str_first(rest, n), UINT32_MAX, &id) == ERR_OK)
            p = sim_plan_find((uint32_t)id);
    }
    if (!p)
        sim_fail("a server got a request that nobody has made: " STR_FMT,
                 (int)MIN(head.len, (size_t)60), head.ptr);
    return p;
}

static void on_request_read(struct sim_server_conn *c)
{
    struct sim_plan *p = c->plan;
    c->is_read = true;
    p->n_executed++;
    if (c->reader.n_body != (p->request == SIM_NO_BODY ? 0 : p->request_bytes))
        sim_fail("exchange %u: the server got %zu bytes of the request", p->id, c->reader.n_body);
    if (!p->answers_early)
        sim_in(p->think_ns, answer, c, c->turn);
    else if (!c->is_answering && p->n_sent > 0)
        request_is_over(c);
}

// Somebody asks how the server is, which is no plan's.
static bool is_check(const struct sim_server_conn *c)
{
    static const char begin[] = "GET " SIM_HEALTH_PATH " ";
    struct str head = sim_reader_head(&c->reader);
    return head.len > sizeof begin && memcmp(head.ptr, begin, sizeof begin - 1) == 0;
}

static void take_check(struct sim_server_conn *c)
{
    static const char well[] = "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n";
    c->server->n_checks++;
    sim_log("#%u server is asked how it is", c->end->id);
    if (c->server->is_sick)
        (void)!sim_wire_write(&c->wire, sick, sizeof sick - 1);
    else
        (void)!sim_wire_write(&c->wire, well, sizeof well - 1);
    await_request(c);
}

static enum sim_read take_head(struct sim_server_conn *c)
{
    if (is_check(c)) {
        take_check(c);
        return SIM_READ_MORE;
    }
    struct sim_plan *p = plan_of(c);
    if (!p) {
        close_conn(c, true);
        return SIM_READ_MORE;
    }
    c->plan = p;
    p->n_heads++;
    sim_log("#%u server has request %u", c->end->id, p->id);
    struct str key = sim_reader_field(&c->reader, "Sec-WebSocket-Key");
    p->ws_key = key.len > 0 ? sim_printf(STR_FMT, STR_ARG(key)) : NULL;
    if (p->n_heads > 1 && !sim_plan_is_idempotent(p))
        sim_fail("exchange %u: a %s was sent to servers twice", p->id, p->method);
    if (p->has_ended_unsent)
        sim_fail("exchange %u: a server gets it, and it has ended before it was sent", p->id);
    if (strncmp(sim_reader_head(&c->reader).ptr, p->method, strlen(p->method)) != 0)
        sim_fail("exchange %u: the method has changed", p->id);
    c->reader.has_pattern = true;
    c->reader.id = p->id;
    c->reader.direction = SIM_UP;
    uint64_t length;
    enum sim_framing framing = sim_reader_framing(&c->reader, &length);
    bool expects = sim_reader_field(&c->reader, "Expect").len > 0;
    if (expects && !p->ignores_expect && !p->answers_early) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        (void)!sim_wire_write(&c->wire, go_on, sizeof go_on - 1);
    }
    if (p->answers_early)
        sim_in(p->think_ns, answer, c, c->turn);
    return sim_reader_body(&c->reader, framing, length);
}

static void take_bytes(struct sim_server_conn *c, const char *bytes, size_t n)
{
    while (n > 0 && !sim_wire_is_closed(&c->wire)) {
        if (c->is_read && c->plan->raw) { // whose end is in the eye of the beholder
            close_conn(c, true);
            return;
        }
        if (c->is_read) {
            sim_fail("#%u: %zu bytes came before the answer was there", c->end->id, n);
            return;
        }
        size_t used = 0;
        enum sim_read what = sim_reader_feed(&c->reader, bytes, n, &used);
        bytes += used;
        n -= used;
        c->n_got += used;
        if (what == SIM_READ_HEAD)
            what = take_head(c);
        if (what == SIM_READ_END)
            on_request_read(c);
    }
}

// Sends back what comes.
static void echo(struct sim_server_conn *c, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != sim_byte(c->plan->id, SIM_TUNNEL, c->reader.n_body + i))
            sim_fail("tunnel %u: byte %zu is wrong", c->plan->id, c->reader.n_body + i);
    }
    c->reader.n_body += n;
    sim_text_put(&c->sender.text, bytes, n);
    sim_sender_go(&c->sender);
}

static void peer_ended(struct sim_server_conn *c, bool is_orderly)
{
    c->has_peer_ended = true;
    if (c->in_tunnel && is_orderly && c->sender.at < c->sender.text.len)
        return; // what is left is sent first
    close_conn(c, !is_orderly);
}

static void read_later(void *arg, uint64_t tag)
{
    struct sim_server_conn *c = arg;
    (void)tag;
    c->is_reading_later = false;
    if (!sim_wire_is_closed(&c->wire))
        read_on(c);
}

static void read_on(struct sim_server_conn *c)
{
    char bytes[16 * 1024];
    const struct sim_server *s = c->server;
    while (!sim_wire_is_closed(&c->wire) && !c->is_stalled && !c->is_reading_later) {
        size_t n = sizeof bytes;
        if (s->read_pace.piece_bytes > 0)
            n = MIN(n, s->read_pace.piece_bytes);
        ssize_t got = sim_wire_read(&c->wire, bytes, n);
        if (got == -EAGAIN)
            return;
        if (got <= 0) {
            peer_ended(c, got == 0);
            return;
        }
        if (c->in_tunnel)
            echo(c, bytes, (size_t)got);
        else
            take_bytes(c, bytes, (size_t)got);
        if (s->read_pace.gap_ns > 0 && !sim_wire_is_closed(&c->wire)) {
            c->is_reading_later = true;
            sim_in(s->read_pace.gap_ns, read_later, c, 0);
        }
    }
}

// A cut by what has been received: looks before reading more.
static bool is_cut_inward(struct sim_server_conn *c)
{
    struct sim_plan *p = c->plan;
    if (!p || p->cut_inward.how == SIM_GO_ON || p->n_cuts == 0 || c->n_got < p->cut_inward.at)
        return false;
    p->n_cuts--;
    c->is_cut = true;
    do_fault(c, p->cut_inward.how);
    return true;
}

static void on_event(void *arg, struct sim_end *e)
{
    struct sim_server_conn *c = arg;
    if (e->is_reset || (c->is_stalled && e->has_fin)) {
        close_conn(c, e->is_reset);
        return;
    }
    read_on(c);
    if (sim_wire_is_closed(&c->wire) || is_cut_inward(c) || c->is_stalled)
        return;
    sim_sender_go(&c->sender);
    if (!sim_wire_is_closed(&c->wire) && c->in_tunnel && e->has_fin)
        read_on(c);
}

static void on_wire_cut(void *arg, enum sim_fault how)
{
    struct sim_server_conn *c = arg;
    if (!sim_wire_is_closed(&c->wire))
        do_fault(c, how);
}

void sim_server_adopt(struct sim_server *s, const struct sim_wire *w)
{
    struct sim_server_conn *c = sim_alloc(sizeof *c);
    c->server = s;
    c->end = w->end;
    c->wire = *w;
    c->sender.wire = &c->wire;
    c->sender.on_sent = on_sent;
    c->sender.on_cut = on_cut;
    c->sender.arg = c;
    c->sender.cut_at = SIZE_MAX;
    c->next = s->conns;
    s->conns = c;
    s->n_open++;
    sim_wire_hear(&c->wire, on_event, on_wire_cut, c);
    await_request(c);
    if (sim_chance(s->reset_percent))
        close_conn(c, true);
}

static bool on_connect(void *arg, struct sim_end *e)
{
    struct sim_server *s = arg;
    struct sim_wire plain = {.end = e};
    if (sim_chance(s->refuse_percent))
        return false;
    s->n_accepted++;
    if (s->speaks_tls)
        sim_server_greet(s, e);
    else if (s->speech == SIM_SPEAKS_HTTP_2)
        sim_h2_server_adopt(s, &plain);
    else
        sim_server_adopt(s, &plain);
    return true;
}

struct sim_server *sim_server_new(uint32_t place)
{
    ASSERT(n_servers < SERVERS_MAX);
    struct sim_server *s = sim_alloc(sizeof *s);
    s->place = place;
    servers[n_servers++] = s;
    sim_net_serve(place, on_connect, s);
    return s;
}

static void start_again(void *arg, uint64_t tag)
{
    struct sim_server *s = arg;
    (void)tag;
    sim_net_set_reach(s->place, SIM_REACH_OPEN);
}

void sim_server_restart(struct sim_server *s, int64_t down_ns)
{
    sim_log("server %u restarts", s->place);
    for (struct sim_server_conn *c = s->conns; c; c = c->next)
        close_conn(c, true);
    sim_h2_server_reset(s, false);
    sim_greetings_reset(s, false);
    sim_net_set_reach(s->place, SIM_REACH_REFUSED);
    sim_in(down_ns, start_again, s, 0);
}

void sim_server_calm(struct sim_server *s)
{
    sim_net_set_reach(s->place, SIM_REACH_OPEN);
    s->refuse_percent = s->reset_percent = s->hostile_percent = 0;
    s->tls_faults_percent = 0;
    s->idle_max_ns = 0;
    for (struct sim_server_conn *c = s->conns; c; c = c->next) {
        if (c->is_stalled)
            close_conn(c, true);
    }
    sim_h2_server_reset(s, true);
    sim_greetings_reset(s, true);
}
