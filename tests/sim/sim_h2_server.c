// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_h2_peer.h"

#define HEAD_BYTES 200 // what a head counts for cuts by what has come
#define RAW_KINDS 9    // the last one isn't HTTP/2 at all
#define NOTICE_NS (2 * SIM_S)

struct sim_h2_conn {
    struct sim_h2_conn *next;
    struct sim_server *server;
    struct sim_end *end;
    struct sim_wire wire;
    struct sim_h2 h2;
    struct served *all;
    uint64_t turn; // changes with each stream, so that late timers can tell
    uint32_t n_open;
    int32_t last_id; // that is served; above it all is refused by GOAWAY
    bool is_leaving, is_final, has_stalled;
};

// A request and its answer.
struct served {
    struct served *next;
    struct sim_h2_conn *conn;
    int32_t id;
    struct sim_plan *plan; // NULL: not known yet, or refused
    char path[64], method[16], protocol[16];
    size_t n_got;
    struct sim_h2_out out;
    bool expects, is_read, is_answering, is_closed, is_stalled;
};

static void close_conn(struct sim_h2_conn *c, bool reset)
{
    if (sim_wire_is_closed(&c->wire))
        return;
    sim_log("#%u server %s", c->end->id, reset ? "resets" : "closes");
    sim_h2_close(&c->h2);
    if (reset)
        sim_wire_reset(&c->wire);
    else
        sim_wire_close(&c->wire);
    c->turn++;
    c->server->n_open--;
}

static bool is_gone(const struct served *st)
{
    return st->is_closed || sim_wire_is_closed(&st->conn->wire);
}

static void reset_stream(struct served *st, uint32_t code)
{
    sim_log("#%u server resets the stream of %u", st->conn->end->id, st->plan ? st->plan->id : 0);
    (void)nghttp2_submit_rst_stream(st->conn->h2.session, NGHTTP2_FLAG_NONE, st->id, code);
}

// An exchange goes wrong here: its stream is reset, or the connection, or nothing more comes.
static void do_fault(struct served *st, enum sim_fault how)
{
    static const uint32_t codes[] = {NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL, NGHTTP2_NO_ERROR,
                                     NGHTTP2_ENHANCE_YOUR_CALM};
    if (how == SIM_CLOSE) {
        reset_stream(st, codes[st->plan->id % ARRAY_LEN(codes)]);
        sim_h2_flush(&st->conn->h2);
    } else if (how == SIM_RESET) {
        close_conn(st->conn, true);
    } else {
        sim_log("#%u server stalls with %u", st->conn->end->id, st->plan->id);
        st->is_stalled = st->conn->has_stalled = true;
    }
}

// --- leaving ---

static void say_final(void *arg, uint64_t tag)
{
    struct sim_h2_conn *c = arg;
    (void)tag;
    if (sim_wire_is_closed(&c->wire) || c->is_final)
        return;
    c->is_final = true;
    c->last_id = nghttp2_session_get_last_proc_stream_id(c->h2.session);
    sim_log("#%u server says GOAWAY, last stream %d", c->end->id, c->last_id);
    (void)nghttp2_submit_goaway(c->h2.session, NGHTTP2_FLAG_NONE, c->last_id, NGHTTP2_NO_ERROR,
                                NULL, 0);
    sim_h2_flush(&c->h2);
}

// RFC 9113 6.8: in two steps nothing is lost; in one, what is on its way is refused.
static void leave(struct sim_h2_conn *c, bool is_abrupt)
{
    if (c->is_leaving)
        return;
    c->is_leaving = true;
    if (is_abrupt) {
        say_final(c, 0);
        return;
    }
    sim_log("#%u server says that it will leave", c->end->id);
    (void)nghttp2_submit_shutdown_notice(c->h2.session);
    sim_h2_flush(&c->h2);
    sim_in(NOTICE_NS, say_final, c, 0);
}

static void close_idle(void *arg, uint64_t turn)
{
    struct sim_h2_conn *c = arg;
    if (c->turn != turn || c->n_open > 0 || sim_wire_is_closed(&c->wire))
        return;
    if (sim_chance(60))
        leave(c, sim_chance(50));
    else
        close_conn(c, sim_chance(30));
}

static void rest(struct sim_h2_conn *c)
{
    const struct sim_server *s = c->server;
    c->turn++;
    if (s->idle_max_ns > 0 && (c->turn > 1 || !s->keeps_fresh))
        sim_in(sim_between(s->idle_min_ns, s->idle_max_ns), close_idle, c, c->turn);
}

// --- answering ---

static void go_on(void *arg, uint64_t tag)
{
    struct served *st = arg;
    (void)tag;
    st->out.is_pausing = false;
    if (is_gone(st))
        return;
    (void)nghttp2_session_resume_data(st->conn->h2.session, st->id);
    sim_h2_flush(&st->conn->h2);
}

static void cut_later(void *arg, uint64_t tag)
{
    struct served *st = arg;
    (void)tag;
    if (!is_gone(st))
        do_fault(st, st->plan->cut.how);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct served *st = source->ptr;
    int64_t wait_ns;
    (void)arg;
    bool was_cut = st->out.is_cut;
    ssize_t n = sim_h2_read(&st->out, session, id, to, cap, flags, &wait_ns);
    if (wait_ns > 0)
        sim_in(wait_ns, go_on, st, 0);
    if (st->out.is_cut && !was_cut)
        sim_in(0, cut_later, st, 0);
    return n;
}

static void put_interims(struct served *st)
{
    struct sim_h2_fields f = {.n = 0};
    sim_h2_add(&f, ":status", "103");
    sim_h2_add(&f, "link", "</a.css>");
    for (unsigned i = 0; i < st->plan->n_interim; i++)
        (void)nghttp2_submit_headers(st->conn->h2.session, NGHTTP2_FLAG_NONE, st->id, NULL, f.items,
                                     f.n, NULL);
}

static void put_continue(struct served *st)
{
    struct sim_h2_fields f = {.n = 0};
    sim_h2_add(&f, ":status", "100");
    (void)nghttp2_submit_headers(st->conn->h2.session, NGHTTP2_FLAG_NONE, st->id, NULL, f.items,
                                 f.n, NULL);
}

// A tunnel sends back what comes.
static ssize_t read_tunnel(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap,
                           uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct served *st = source->ptr;
    if (st->out.at == st->n_got && !st->is_read)
        return NGHTTP2_ERR_DEFERRED;
    st->out.n = st->n_got;
    ssize_t n = read_body(session, id, to, cap, flags, source, arg);
    if (!st->is_read)
        *flags &= ~(uint32_t)NGHTTP2_DATA_FLAG_EOF;
    return n;
}

static size_t cut_at(struct served *st)
{
    struct sim_plan *p = st->plan;
    if (p->cut.how == SIM_GO_ON || p->n_cuts == 0)
        return SIZE_MAX;
    p->n_cuts--;
    size_t at = p->cut.at > HEAD_BYTES ? p->cut.at - HEAD_BYTES : 0;
    return MIN(at, p->is_upgrade ? p->tunnel_bytes : p->answer_bytes);
}

static void answer(void *arg, uint64_t tag)
{
    struct served *st = arg;
    struct sim_plan *p = st->plan;
    struct sim_h2_fields f;
    (void)tag;
    if (is_gone(st) || st->is_stalled || st->is_answering)
        return;
    st->is_answering = true;
    bool has_body = p->is_upgrade || (p->answer != SIM_NO_BODY && strcmp(p->method, "HEAD") != 0);
    st->out = (struct sim_h2_out){
        .id = p->id,
        .direction = p->is_upgrade ? SIM_TUNNEL : SIM_DOWN,
        .n = p->answer_bytes,
        .pace = p->pace,
        .cut_at = has_body ? cut_at(st) : SIZE_MAX,
        .has_trailers = p->has_trailers && p->answer == SIM_CHUNKED,
    };
    sim_h2_answer(&f, p);
    if (p->raw && p->id % RAW_KINDS == RAW_KINDS - 1)
        sim_h2_be_rude(&st->conn->h2, p->raw);
    else if (p->raw)
        sim_h2_malformed_answer(&f, p, p->id % RAW_KINDS);
    put_interims(st);
    const nghttp2_data_provider body = {.source = {.ptr = st},
                                        .read_callback = p->is_upgrade ? read_tunnel : read_body};
    (void)nghttp2_submit_response(st->conn->h2.session, st->id, f.items, f.n,
                                  has_body ? &body : NULL);
    sim_h2_flush(&st->conn->h2);
}

static void answer_is_sent(struct served *st)
{
    struct sim_plan *p = st->plan;
    p->n_sent++;
    sim_log("#%u server has answered %u", st->conn->end->id, p->id);
    if (p->drops_rest && !st->is_read)
        reset_stream(st, NGHTTP2_NO_ERROR); // RFC 9113 8.1
}

// --- the request ---

static struct served *served_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct sim_h2_conn *c = arg;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
        (c->is_final && frame->hd.stream_id > c->last_id))
        return 0;
    struct served *st = sim_alloc(sizeof *st);
    *st = (struct served){.next = c->all, .conn = c, .id = frame->hd.stream_id};
    c->all = st;
    c->n_open++;
    c->turn++;
    return nghttp2_session_set_stream_user_data(session, st->id, st);
}

static void keep(char *to, size_t cap, const uint8_t *text, size_t n)
{
    n = MIN(n, cap - 1);
    memcpy(to, text, n);
    to[n] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
    struct served *st = served_of(session, frame->hd.stream_id);
    struct str key = str_from((const char *)name, n_name);
    (void)flags, (void)arg;
    if (!st)
        return 0;
    if (str_eq(key, STR(":path")))
        keep(st->path, sizeof st->path, value, n_value);
    else if (str_eq(key, STR(":method")))
        keep(st->method, sizeof st->method, value, n_value);
    else if (str_eq(key, STR(":protocol")))
        keep(st->protocol, sizeof st->protocol, value, n_value);
    else if (str_eq(key, STR("expect")))
        st->expects = true;
    return 0;
}

static struct sim_plan *plan_of(const struct served *st)
{
    uint64_t id = 0;
    bool is_plans = strncmp(st->path, "/e/", 3) == 0 &&
                    num_dec(str_of(st->path + 3), UINT32_MAX, &id) == ERR_OK;
    struct sim_plan *p = is_plans ? sim_plan_find((uint32_t)id) : NULL;
    if (!p)
        sim_fail("a server got a request that nobody has made: %s", st->path);
    return p;
}

static void open_tunnel(struct served *st)
{
    if (strcmp(st->method, "CONNECT") != 0 || strcmp(st->protocol, "websocket") != 0)
        sim_fail("exchange %u: '%s %s' asks for a WebSocket", st->plan->id, st->method,
                 st->protocol);
    st->plan->n_executed++;
    sim_in(st->plan->think_ns, answer, st, 0);
}

// Its tunnel has more to send back.
static void echo(struct served *st)
{
    if (st->is_answering && !st->out.is_pausing)
        (void)nghttp2_session_resume_data(st->conn->h2.session, st->id);
}

static void on_request_read(struct served *st)
{
    struct sim_plan *p = st->plan;
    st->is_read = true;
    if (p->is_upgrade) {
        echo(st);
        return;
    }
    p->n_executed++;
    if (st->n_got != (p->request == SIM_NO_BODY ? 0 : p->request_bytes))
        sim_fail("exchange %u: the server got %zu bytes of the request", p->id, st->n_got);
    if (!p->answers_early)
        sim_in(p->think_ns, answer, st, 0);
}

static bool is_cut_inward(struct served *st)
{
    struct sim_plan *p = st->plan;
    if (p->cut_inward.how == SIM_GO_ON || p->n_cuts == 0 ||
        st->n_got + HEAD_BYTES < p->cut_inward.at)
        return false;
    p->n_cuts--;
    st->is_stalled = true;
    return true;
}

static void cut_inward_later(void *arg, uint64_t tag)
{
    struct served *st = arg;
    (void)tag;
    if (!is_gone(st))
        do_fault(st, st->plan->cut_inward.how);
}

static void take_head(struct served *st)
{
    struct sim_plan *p = plan_of(st);
    if (!p)
        return;
    if (p->n_refusals > 0) {
        p->n_refusals--;
        sim_log("#%u server refuses %u", st->conn->end->id, p->id);
        (void)nghttp2_submit_rst_stream(st->conn->h2.session, NGHTTP2_FLAG_NONE, st->id,
                                        st->conn->server->prefers_http_1 ? NGHTTP2_HTTP_1_1_REQUIRED
                                                                         : NGHTTP2_REFUSED_STREAM);
        return;
    }
    st->plan = p;
    p->n_heads++;
    sim_log("#%u server has request %u", st->conn->end->id, p->id);
    if (p->n_heads > 1 && !sim_plan_is_idempotent(p))
        sim_fail("exchange %u: a %s was sent to servers twice", p->id, p->method);
    if (p->has_ended_unsent)
        sim_fail("exchange %u: a server gets it, and it has ended before it was sent", p->id);
    if (p->is_upgrade) {
        open_tunnel(st);
        return;
    }
    if (strcmp(st->method, p->method) != 0)
        sim_fail("exchange %u: the method has changed to %s", p->id, st->method);
    if (is_cut_inward(st)) {
        sim_in(0, cut_inward_later, st, 0);
        return;
    }
    if (st->expects && !p->ignores_expect && !p->answers_early)
        put_continue(st);
    if (p->answers_early)
        sim_in(p->think_ns, answer, st, 0);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct served *st = served_of(session, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    (void)arg;
    if (!st || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        take_head(st);
    if (ends && st->plan && !st->is_stalled)
        on_request_read(st);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t n, void *arg)
{
    struct sim_h2_conn *c = arg;
    struct served *st = served_of(session, id);
    (void)flags;
    if (st && st->plan && !st->is_stalled) {
        sim_h2_check(st->plan->id, st->plan->is_upgrade ? SIM_TUNNEL : SIM_UP, st->n_got, data, n);
        st->n_got += n;
        if (st->plan->is_upgrade)
            echo(st);
        if (is_cut_inward(st))
            sim_in(0, cut_inward_later, st, 0);
    }
    sim_h2_give_back(&c->h2, id, n, st && st->is_stalled);
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct served *st = served_of(session, frame->hd.stream_id);
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    (void)arg;
    sim_h2_check_sent(frame);
    if (st && st->plan && may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        answer_is_sent(st);
    return 0;
}

static void leave_later(void *arg, uint64_t is_abrupt)
{
    struct sim_h2_conn *c = arg;
    if (!sim_wire_is_closed(&c->wire))
        leave(c, is_abrupt != 0);
}

static void close_later(void *arg, uint64_t tag)
{
    (void)tag;
    close_conn(arg, false);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct sim_h2_conn *c = arg;
    struct served *st = served_of(session, id);
    if (!st)
        return 0;
    st->is_closed = true;
    c->n_open--;
    const struct sim_plan *p = st->plan;
    if (code != NGHTTP2_NO_ERROR && p)
        sim_log("#%u stream of %u is closed: %s", c->end->id, p->id, nghttp2_http2_strerror(code));
    if (p && p->closes_silently)
        sim_in(0, close_later, c, 0);
    else if (p && p->closes)
        sim_in(0, leave_later, c, !p->must_succeed);
    if (c->n_open == 0)
        rest(c);
    return 0;
}

// --- connections ---

static void settled(void *arg)
{
    (void)arg;
}

static void ended(void *arg, bool is_orderly)
{
    close_conn(arg, !is_orderly);
}

static void fault(void *arg, enum sim_fault how)
{
    close_conn(arg, how == SIM_RESET);
}

static const struct sim_h2_ops ops = {.settled = settled, .ended = ended, .fault = fault};

static void on_event(void *arg, struct sim_end *e)
{
    struct sim_h2_conn *c = arg;
    if (e->is_reset)
        close_conn(c, true);
    else
        sim_h2_go(&c->h2);
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *to;
    if (nghttp2_session_callbacks_new(&to) != 0)
        panic("nghttp2 has no memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(to, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(to, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(to, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(to, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(to, on_sent);
    return to;
}

static void be_hostile(void *arg, uint64_t tag)
{
    struct sim_h2_conn *c = arg;
    (void)tag;
    if (sim_wire_is_closed(&c->wire) || c->server->hostile_percent == 0)
        return;
    sim_log("#%u server sends what isn't allowed", c->end->id);
    c->has_stalled = true; // if the worker bears it
    sim_h2_hostile(&c->h2, (uint32_t)sim_rand());
    sim_h2_flush(&c->h2);
}

static void on_wire_cut(void *arg, enum sim_fault how)
{
    struct sim_h2_conn *c = arg;
    if (sim_wire_is_closed(&c->wire))
        return;
    if (how == SIM_STALL)
        c->h2.is_stalled = c->has_stalled = true;
    else
        close_conn(c, how == SIM_RESET);
}

void sim_h2_server_adopt(struct sim_server *s, const struct sim_wire *w)
{
    struct sim_h2_conn *c = sim_alloc(sizeof *c);
    struct sim_h2_wish wish = sim_h2_some_wish(true);
    wish.streams_max = sim_chance(50) ? 0 : 1 + sim_below(20);
    wish.takes_websockets = s->takes_websockets;
    *c = (struct sim_h2_conn){.next = s->h2_conns, .server = s, .end = w->end, .wire = *w};
    c->h2 = (struct sim_h2){.wire = &c->wire, .ops = &ops, .arg = c, .read_pace = s->read_pace};
    s->h2_conns = c;
    s->n_open++;
    sim_wire_hear(&c->wire, on_event, on_wire_cut, c);
    sim_h2_open(&c->h2, true, &wish, make_callbacks());
    for (uint32_t i = sim_below(4); i > 0; i--)
        sim_h2_harmless(&c->h2, i);
    rest(c);
    if (sim_chance(s->reset_percent))
        close_conn(c, true);
    else if (sim_chance(s->hostile_percent))
        sim_in(sim_between(0, SIM_S), be_hostile, c, 0);
    sim_h2_flush(&c->h2);
}

void sim_h2_server_reset(struct sim_server *s, bool only_stalled)
{
    for (struct sim_h2_conn *c = s->h2_conns; c; c = c->next) {
        if (c->has_stalled || !only_stalled)
            close_conn(c, true);
    }
}
