// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_h2_peer.h"

static void give_up_rest(struct sim_h2_client *c)
{
    for (uint32_t i = c->n_sent; i < c->n_plans; i++)
        c->streams[i].plan->must_succeed = false;
}

static void close_client(struct sim_h2_client *c, bool reset)
{
    if (c->is_done)
        return;
    c->is_done = true;
    sim_log("#%u client %s", c->end->id, reset ? "resets" : "closes");
    sim_h2_close(&c->h2);
    if (!sim_wire_is_closed(&c->wire) && reset)
        sim_wire_reset(&c->wire);
    else if (!sim_wire_is_closed(&c->wire))
        sim_wire_close(&c->wire);
    sim_clients_ended();
}

// --- the answer ---

static struct sim_h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
    struct sim_h2_stream *st = stream_of(session, frame->hd.stream_id);
    struct str key = str_from((const char *)name, n_name);
    struct str text = str_from((const char *)value, n_value);
    uint64_t number = 0;
    (void)flags, (void)arg;
    if (!st || st->has_head)
        return 0;
    if (str_eq(key, STR(":status"))) {
        SIM_CHECK(num_dec(text, 999, &number) == ERR_OK);
        st->plan->got_status = (unsigned)number;
    } else if (str_eq(key, STR("x-sim"))) {
        SIM_CHECK(num_dec(text, UINT32_MAX, &number) == ERR_OK);
        st->plan->is_servers = true;
        if (number != st->plan->id)
            sim_fail("exchange %u got the answer of %u", st->plan->id, (unsigned)number);
    }
    return 0;
}

static void resume(struct sim_h2_stream *st)
{
    (void)nghttp2_session_resume_data(st->client->h2.session, st->id);
}

static void take_head(struct sim_h2_stream *st)
{
    struct sim_plan *p = st->plan;
    if (p->got_status < 200) {
        p->got_interim += p->got_status != 100;
        if (st->is_held && p->got_status == 100 && !p->is_upgrade) {
            st->is_held = false;
            resume(st);
        }
        p->got_status = 0;
        return;
    }
    st->has_head = true;
    if (p->is_servers && p->got_status != p->status)
        sim_fail("exchange %u: status %u", p->id, p->got_status);
    if (!st->is_held)
        return;
    st->is_held = false; // a tunnel stands or never will; or 100 was left out
    if (p->is_upgrade && p->got_status != 200)
        st->out.n = 0;
    resume(st);
}

static void end_answer(struct sim_h2_stream *st)
{
    struct sim_plan *p = st->plan;
    st->has_end = true;
    p->outcome = SIM_ANSWERED;
    p->ended_ms = sim_now_ms();
    sim_log("#%u client has answer %u: %u%s, %zu bytes", st->client->end->id, p->id, p->got_status,
            p->is_servers ? "" : " of the worker", p->got_bytes);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct sim_h2_client *c = arg;
    struct sim_h2_stream *st = stream_of(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        sim_log("#%u client gets GOAWAY: %s, last stream %d; %.*s", c->end->id,
                nghttp2_http2_strerror(frame->goaway.error_code), frame->goaway.last_stream_id,
                (int)frame->goaway.opaque_data_len, (const char *)frame->goaway.opaque_data);
        c->has_goaway = true;
        give_up_rest(c);
    }
    if (st && frame->hd.type == NGHTTP2_HEADERS && !st->has_head)
        take_head(st);
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (st && may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        end_answer(st);
    return 0;
}

static void reset_stream(struct sim_h2_stream *st)
{
    struct sim_h2_client *c = st->client;
    sim_log("#%u client resets the stream of %u", c->end->id, st->plan->id);
    (void)nghttp2_submit_rst_stream(c->h2.session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t n, void *arg)
{
    struct sim_h2_client *c = arg;
    struct sim_h2_stream *st = stream_of(session, id);
    (void)flags;
    if (st && st->plan->is_servers)
        sim_h2_check(st->plan->id, st->plan->is_upgrade ? SIM_TUNNEL : SIM_DOWN,
                     st->plan->got_bytes, data, n);
    if (st)
        st->plan->got_bytes += n;
    sim_h2_give_back(&c->h2, id, n, st && st->has_no_window);
    if (st && st->got_max != SIZE_MAX && st->plan->got_bytes >= st->got_max) {
        st->got_max = SIZE_MAX;
        reset_stream(st);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct sim_h2_client *c = arg;
    struct sim_h2_stream *st = stream_of(session, id);
    if (!st || st->is_closed)
        return 0;
    struct sim_plan *p = st->plan;
    st->is_closed = true;
    c->n_closed++;
    if (st->has_end)
        return 0;
    sim_log("#%u stream of %u is closed: %s", c->end->id, p->id, nghttp2_http2_strerror(code));
    p->outcome = st->has_head ? SIM_CUT : SIM_UNANSWERED;
    p->ended_ms = sim_now_ms();
    if (code != NGHTTP2_REFUSED_STREAM)
        return 0;
    p->must_succeed = false;
    if (p->n_heads > 0) // RFC 9113 8.7: nothing was done with it
        sim_fail("exchange %u was refused, and came to a server", p->id);
    return 0;
}

static void look_over(void *arg, uint64_t tag);

// A request that waited for room on the connection, where GOAWAY came first.
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    struct sim_h2_client *c = arg;
    (void)session, (void)error;
    for (uint32_t i = 0; i < c->n_sent && frame->hd.type == NGHTTP2_HEADERS; i++) {
        struct sim_h2_stream *st = &c->streams[i];
        if (st->id != frame->hd.stream_id || st->is_closed)
            continue;
        st->is_closed = true;
        st->plan->must_succeed = false;
        c->n_closed++;
        sim_in(0, look_over, c, 0);
    }
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session, (void)arg;
    sim_h2_check_sent(frame);
    return 0;
}

// --- requests ---

static void go_on(void *arg, uint64_t tag)
{
    struct sim_h2_stream *st = arg;
    (void)tag;
    st->out.is_pausing = false;
    if (st->is_closed || st->client->is_done)
        return;
    resume(st);
    sim_h2_flush(&st->client->h2);
}

static void reset_later(void *arg, uint64_t tag)
{
    struct sim_h2_stream *st = arg;
    (void)tag;
    if (st->is_closed || st->client->is_done)
        return;
    reset_stream(st);
    sim_h2_flush(&st->client->h2);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct sim_h2_stream *st = source->ptr;
    int64_t wait_ns;
    (void)arg;
    if (st->is_held)
        return NGHTTP2_ERR_DEFERRED;
    bool was_cut = st->out.is_cut;
    ssize_t n = sim_h2_read(&st->out, session, id, to, cap, flags, &wait_ns);
    if (wait_ns > 0)
        sim_in(wait_ns, go_on, st, 0);
    if (st->out.is_cut && !was_cut)
        sim_in(0, reset_later, st, 0);
    return n;
}

static void send_request(struct sim_h2_client *c, struct sim_h2_stream *st)
{
    struct sim_plan *p = st->plan;
    struct sim_h2_fields f;
    bool has_body = (p->request != SIM_NO_BODY || p->is_upgrade) && !p->raw_request;
    st->out = (struct sim_h2_out){
        .id = p->id,
        .direction = p->is_upgrade ? SIM_TUNNEL : SIM_UP,
        .n = p->is_upgrade ? p->tunnel_bytes : p->request_bytes,
        .pace = st->send_pace,
        .cut_at = st->reset_at,
        .has_trailers = p->has_trailers && p->request == SIM_CHUNKED,
    };
    st->is_held = p->is_upgrade || (p->expects && !c->is_eager);
    if (p->raw_request)
        sim_h2_malformed_request(&f, p, p->id);
    else
        sim_h2_request(&f, p, c->tls != NULL);
    const nghttp2_data_provider body = {.source = {.ptr = st}, .read_callback = read_body};
    st->id = nghttp2_submit_request(c->h2.session, NULL, f.items, f.n, has_body ? &body : NULL, st);
    c->n_sent++;
    if (st->id < 0) {
        sim_fail("client %u: nghttp2 takes no request: %s", c->id, nghttp2_strerror(st->id));
        return;
    }
    if (c->n_harmless > 0) {
        c->n_harmless--;
        sim_h2_harmless(&c->h2, c->id + c->n_harmless);
    }
}

static void send_later(void *arg, uint64_t tag);

static void send_requests(struct sim_h2_client *c)
{
    while (!c->has_goaway && !c->is_pausing && c->n_sent < c->n_plans &&
           c->n_sent - c->n_closed < c->at_a_time &&
           nghttp2_session_check_request_allowed(c->h2.session)) {
        send_request(c, &c->streams[c->n_sent]);
        if (c->gap_ns > 0) {
            c->is_pausing = true;
            sim_in(c->gap_ns, send_later, c, 0);
        }
    }
}

static void send_later(void *arg, uint64_t tag)
{
    struct sim_h2_client *c = arg;
    (void)tag;
    c->is_pausing = false;
    if (c->is_done)
        return;
    send_requests(c);
    sim_h2_flush(&c->h2);
}

// --- life ---

static void leave(void *arg, uint64_t tag)
{
    struct sim_h2_client *c = arg;
    (void)tag;
    if (c->is_done)
        return;
    if (!c->is_rude)
        (void)nghttp2_session_terminate_session(c->h2.session, NGHTTP2_NO_ERROR);
    sim_h2_flush(&c->h2);
    close_client(c, false);
}

static void look_over(void *arg, uint64_t tag)
{
    struct sim_h2_client *c = arg;
    (void)tag;
    bool is_answered = c->n_closed == c->n_plans && !c->stays;
    bool is_told = c->has_goaway && c->n_closed == c->n_sent;
    if (is_answered || is_told)
        sim_in(0, leave, c, 0);
}

static void settled(void *arg)
{
    send_requests(arg);
    look_over(arg, 0);
}

static void cut_plans(struct sim_h2_client *c)
{
    for (uint32_t i = 0; i < c->n_sent; i++) {
        struct sim_h2_stream *st = &c->streams[i];
        if (st->is_closed || st->has_end)
            continue;
        st->plan->outcome = st->has_head ? SIM_CUT : SIM_UNANSWERED;
        st->plan->ended_ms = sim_now_ms();
    }
}

static void ended(void *arg, bool is_orderly)
{
    struct sim_h2_client *c = arg;
    sim_log("#%u client sees the %s", c->end->id, is_orderly ? "end" : "reset");
    cut_plans(c);
    if (!c->end->other->is_accepted && !c->listener->is_open) { // with the listening socket
        c->n_sent = 0;
        give_up_rest(c);
    }
    close_client(c, false);
}

static void fault(void *arg, enum sim_fault how)
{
    struct sim_h2_client *c = arg;
    if (how == SIM_STALL) {
        sim_log("#%u client stalls", c->end->id);
        if (c->end->has_fin || c->end->is_reset)
            ended(c, !c->end->is_reset);
        return;
    }
    cut_plans(c);
    close_client(c, how == SIM_RESET);
}

static const struct sim_h2_ops ops = {.settled = settled, .ended = ended, .fault = fault};

static void on_wire_cut(void *arg, enum sim_fault how)
{
    struct sim_h2_client *c = arg;
    if (c->is_done)
        return;
    c->h2.is_stalled = true;
    fault(c, how);
}

static void on_event(void *arg, struct sim_end *e)
{
    struct sim_h2_client *c = arg;
    if (c->is_done)
        return;
    if (e->state == SIM_END_REFUSED) {
        c->n_sent = 0;
        if (!c->listener->is_open)
            give_up_rest(c);
        close_client(c, false);
        return;
    }
    if (c->h2.is_stalled && (e->is_reset || e->has_fin)) {
        ended(c, !e->is_reset);
        return;
    }
    if (e->state == SIM_END_OPEN)
        sim_h2_go(&c->h2);
}

static void be_hostile(void *arg, uint64_t tag)
{
    struct sim_h2_client *c = arg;
    (void)tag;
    if (c->is_done)
        return;
    sim_log("#%u client sends what isn't allowed", c->end->id);
    sim_h2_hostile(&c->h2, c->hostile_kind);
    sim_h2_flush(&c->h2);
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *to;
    if (nghttp2_session_callbacks_new(&to) != 0)
        panic("nghttp2 has no memory");
    nghttp2_session_callbacks_set_on_header_callback(to, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(to, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(to, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(to, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(to, on_not_sent);
    return to;
}

static struct sim_listener nobody; // was never opened: refuses

static void start(void *arg, uint64_t tag)
{
    struct sim_h2_client *c = arg;
    struct sim_listener **l = (struct sim_listener **)(uintptr_t)tag;
    c->listener = *l ? *l : &nobody;
    c->end = sim_net_dial(c->listener, on_event, c);
    c->wire = (struct sim_wire){.end = c->end};
    if (c->tls)
        c->wire.tls = sim_tls_new(c->end, c->tls, on_event, on_wire_cut, c);
    c->h2.wire = &c->wire;
    c->h2.ops = &ops;
    c->h2.arg = c;
    sim_h2_open(&c->h2, false, &c->wish, make_callbacks());
    sim_log("#%u client %u of HTTP/2 dials", c->end->id, c->id);
    for (uint32_t i = 0; i < c->n_plans; i++) {
        struct sim_plan *p = c->streams[i].plan;
        p->began_ms = sim_now_ms();
        sim_log("#%u client %u: %u %s %s, %zu up, %zu down%s", c->end->id, c->id, p->id, p->method,
                p->host, p->request_bytes, p->answer_bytes,
                p->raw_request  ? ", malformed"
                : p->is_upgrade ? ", upgrade"
                                : "");
    }
    send_requests(c);
    if (c->hostile_ns > 0)
        sim_in(c->hostile_ns, be_hostile, c, 0);
}

struct sim_h2_client *sim_h2_client_new(struct sim_plan **plans, uint32_t n_plans)
{
    struct sim_h2_client *c = sim_alloc(sizeof *c);
    c->id = plans[0]->id;
    c->streams = sim_alloc(n_plans * sizeof c->streams[0]);
    for (uint32_t i = 0; i < n_plans; i++)
        c->streams[i] = (struct sim_h2_stream){
            .client = c, .plan = plans[i], .reset_at = SIZE_MAX, .got_max = SIZE_MAX};
    c->n_plans = c->at_a_time = n_plans;
    c->wish = sim_h2_plain;
    return c;
}

void sim_h2_client_start(struct sim_h2_client *c, struct sim_listener **l, int64_t at_ns)
{
    sim_clients_began();
    sim_at(at_ns, start, c, (uint64_t)(uintptr_t)l);
}
