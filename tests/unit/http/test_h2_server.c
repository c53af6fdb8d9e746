// SPDX-License-Identifier: Apache-2.0
// Connections of h2_server and the exchanges on them, through a client's session of nghttp2.
#include "http/h2_server.h"

#include <nghttp2/nghttp2.h>
#include <time.h>

#include "http/h2_server_priv.h"
#include "unit/http/server_rig.h"

#define STREAMS_MAX 64

struct answer {
    int status;
    int interim;
    unsigned nth; // of the heads that came
    bool is_closed;
    uint32_t code; // of the close
    bool has_trailers;
    size_t n;
    char text[256]; // the first of the body
    char fields[512];
};

static struct {
    nghttp2_session *session;
    struct answer answers[STREAMS_MAX];
    bool has_goaway;
    uint32_t goaway_code;
    int32_t goaway_last;
    unsigned n_heads;
    const char *body; // to be sent
    size_t body_left;
    bool ends_tunnel;
} peer;

static struct answer *answer_of(int32_t id)
{
    return &peer.answers[id < 2 * STREAMS_MAX ? id / 2 : 0];
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
    (void)s, (void)flags, (void)arg;
    struct answer *a = answer_of(frame->hd.stream_id);
    if (n_name == 7 && memcmp(name, ":status", 7) == 0) {
        a->interim = a->status;
        a->status = atoi((const char *)value);
        a->nth = ++peer.n_heads;
        return 0;
    }
    a->has_trailers |= a->n > 0;
    size_t at = strlen(a->fields);
    snprintf(a->fields + at, sizeof a->fields - at, "%.*s: %.*s\n", (int)n_name, (const char *)name,
             (int)n_value, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t n,
                   void *arg)
{
    (void)s, (void)flags, (void)arg;
    struct answer *a = answer_of(id);
    size_t room = a->n < sizeof a->text ? sizeof a->text - a->n : 0;
    memcpy(a->text + MIN(a->n, sizeof a->text), data, MIN(n, room));
    a->n += n;
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    (void)s, (void)arg;
    answer_of(id)->is_closed = true;
    answer_of(id)->code = code;
    return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    (void)s, (void)arg;
    if (frame->hd.type != NGHTTP2_GOAWAY)
        return 0;
    peer.has_goaway = true;
    peer.goaway_code = frame->goaway.error_code;
    peer.goaway_last = frame->goaway.last_stream_id;
    return 0;
}

static void open_peer(struct rig *r)
{
    nghttp2_session_callbacks *callbacks;
    memset(&peer, 0, sizeof peer);
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    CHECK(nghttp2_session_client_new(&peer.session, callbacks, NULL) == 0);
    nghttp2_session_callbacks_del(callbacks);
    CHECK(nghttp2_submit_settings(peer.session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    rig_open(r);
    r->entry.h2c = true;
}

static void close_peer(struct rig *r)
{
    nghttp2_session_del(peer.session);
    rig_close(r);
}

static void send_all(struct rig *r)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(peer.session, &bytes)) > 0)
        rig_send(r, str_from((const char *)bytes, (size_t)n));
}

// One turn of both sides.
static void turn(struct rig *r)
{
    send_all(r);
    rig_turn(r);
    if (r->n_got > 0)
        CHECK(nghttp2_session_mem_recv(peer.session, (uint8_t *)r->got, r->n_got) ==
              (ssize_t)r->n_got);
    rig_forget(r);
}

#define UNTIL(r, cond)                                                                             \
    do {                                                                                           \
        int64_t until_ms_ = clock_exact_ns() / 1000000 + RIG_PATIENCE_MS;                          \
        while (!(cond) && clock_exact_ns() / 1000000 < until_ms_)                                  \
            turn(r);                                                                               \
        CHECK(cond);                                                                               \
    } while (0)

// The look at the preface counts as begun and ended, like a connection that asks for nothing.
static unsigned n_ended(const struct rig *r)
{
    return r->n_finished - 1;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static ssize_t read_body(nghttp2_session *s, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    (void)s, (void)id, (void)source, (void)arg;
    n = MIN(n, peer.body_left);
    memset(to, 'b', n);
    peer.body_left -= n;
    if (peer.body_left == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

// Says nothing until it is resumed.
static ssize_t read_tunnel(nghttp2_session *s, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    (void)s, (void)id, (void)source, (void)arg;
    n = MIN(n, peer.body_left);
    memset(to, 'b', n);
    peer.body_left -= n;
    if (peer.ends_tunnel)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return n > 0 || peer.ends_tunnel ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static int32_t submit(const char *method, const char *path, const char *priority, size_t n_body)
{
    const nghttp2_nv fields[] = {nv(":method", method), nv(":scheme", "http"),
                                 nv(":authority", "a.example"), nv(":path", path),
                                 nv("priority", priority ? priority : "")};
    const nghttp2_data_provider body = {.read_callback = read_body};
    peer.body_left = n_body;
    int32_t id =
        nghttp2_submit_request(peer.session, NULL, fields, ARRAY_LEN(fields) - (priority == NULL),
                               n_body > 0 ? &body : NULL, NULL);
    CHECK(id > 0);
    return id;
}

static struct answer *ask(const char *method, const char *path, size_t n_body)
{
    return answer_of(submit(method, path, NULL, n_body));
}

static void a_get_is_answered_in_full(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *a = ask("GET", "/hello?a=b", 0);
    UNTIL(&r, a->is_closed);
    CHECK_INT(a->status, 200);
    CHECK_INT(a->code, NGHTTP2_NO_ERROR);
    CHECK_STR(str_from(a->text, a->n), STR("hello\n"));
    CHECK(strstr(a->fields, "content-length: 6\ncontent-type: text/plain\ndate: "));
    RIG_UNTIL(&r, n_ended(&r) == 1);
    CHECK_INT(r.end, EXCHANGE_END_OK);
    CHECK_INT(r.response_bytes, 6);
    CHECK(strcmp(r.target, "/hello?a=b") == 0);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_STATUS_2XX), 1);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_EXCHANGES), 1);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_HTTP2), 1);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_OPEN), 1);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_IDLE), 1);
    CHECK_INT(r.env.buffers.n_out, 0);
    CHECK_INT(r.env.blocks.n_out, 0);
    close_peer(&r);
}

static void answers_of_every_kind_come_through(void)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *text;
        const char *field;
    } cases[] = {
        {"GET", "/pieces", 200, "one,two,three", "date: "},
        {"GET", "/quick", 200, "one,two,three", "date: "},
        {"GET", "/length", 200, "one,two,three", "content-length: 13\n"},
        {"GET", "/empty", 204, "", "date: "},
        {"HEAD", "/hello", 200, "", "content-length: 6\n"},
        {"HEAD", "/length-of-head", 200, "", "content-length: 1234\n"},
        {"GET", "/broken", 502, "502 Bad Gateway\nrequest ", "cache-control: no-store\n"},
        {"GET", "/nothing", 502, "502 Bad Gateway\nrequest ", "cache-control: no-store\n"},
        {"GET", "/none", 404, "404 Not Found\nrequest ", "content-length: "},
        {"OPTIONS", "*", 200, "Host: a.example\n", "date: "},
    };
    struct rig r;
    open_peer(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer *a = ask(cases[i].method, cases[i].path, 0);
        UNTIL(&r, a->is_closed);
        CHECK_INT(a->status, cases[i].status);
        CHECK_INT(a->code, NGHTTP2_NO_ERROR);
        CHECK(str_starts(str_from(a->text, MIN(a->n, sizeof a->text)), str_of(cases[i].text)));
        CHECK(strstr(a->fields, cases[i].field));
    }
    close_peer(&r);
}

static void trailers_and_interim_answers_come_through(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *trailers = ask("GET", "/trailers", 0), *hints = ask("GET", "/hints", 0);
    UNTIL(&r, trailers->is_closed && hints->is_closed);
    CHECK(trailers->has_trailers && strstr(trailers->fields, "x-sum: 42\n"));
    CHECK(hints->interim == 103 && hints->status == 200);
    CHECK(strstr(hints->fields, "link: </a.css>\n"));
    close_peer(&r);
}

static void a_body_that_breaks_off_resets_the_stream(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *cut = ask("GET", "/cut", 0), *short_ = ask("GET", "/short", 0);
    UNTIL(&r, cut->is_closed && short_->is_closed);
    CHECK_INT(cut->code, NGHTTP2_INTERNAL_ERROR);
    CHECK_INT(short_->code, NGHTTP2_INTERNAL_ERROR);
    RIG_UNTIL(&r, n_ended(&r) == 2);
    CHECK_INT(r.end, EXCHANGE_END_SERVER_GONE);
    close_peer(&r);
}

static void bodies_larger_than_the_windows_go_both_ways(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *up = ask("POST", "/read", 1000000);
    UNTIL(&r, up->is_closed);
    CHECK_STR(str_from(up->text, up->n), STR("1000000\n"));
    struct answer *down = ask("GET", "/large", 0);
    UNTIL(&r, down->is_closed);
    CHECK_INT(down->n, 1024 * 1024);
    struct answer *both = ask("POST", "/echo", 300000);
    UNTIL(&r, both->is_closed);
    CHECK_INT(both->n, 300000);
    CHECK_INT(r.env.h2_held_bytes, 0);
    close_peer(&r);
}

static void a_reset_by_the_client_cancels_the_exchange(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *a = ask("GET", "/wait", 0);
    UNTIL(&r, r.waiting != NULL);
    CHECK(nghttp2_submit_rst_stream(peer.session, NGHTTP2_FLAG_NONE, 1, NGHTTP2_CANCEL) == 0);
    UNTIL(&r, n_ended(&r) == 1);
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_GONE);
    CHECK(a->status == 0 && !peer.has_goaway);
    CHECK_INT(r.env.blocks.n_out, 0);
    close_peer(&r);
}

static void a_connection_that_breaks_cancels_all_its_exchanges(void)
{
    struct rig r;
    open_peer(&r);
    for (int i = 0; i < 5; i++)
        ask("GET", "/wait", 0);
    UNTIL(&r, r.n_served == 5);
    close(r.fd);
    r.fd = -1;
    RIG_UNTIL(&r, n_ended(&r) == 5 && list_is_empty(&r.env.conns));
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_GONE);
    close_peer(&r);
}

static void streams_beyond_the_body_limit_are_told(void)
{
    struct rig r;
    open_peer(&r);
    r.entry.body_max_bytes = 1000;
    struct answer *a = ask("POST", "/read", 5000);
    UNTIL(&r, a->is_closed);
    CHECK_INT(a->status, 413);
    close_peer(&r);
}

static void a_drain_ends_it_after_the_last_stream(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *a = ask("GET", "/wait", 0);
    UNTIL(&r, r.waiting != NULL);
    http_env_drain(&r.env, 5000);
    UNTIL(&r, peer.has_goaway);
    CHECK_INT(peer.goaway_last, INT32_MAX);
    UNTIL(&r, peer.goaway_last == 1); // the ping was answered
    CHECK(!a->is_closed && !r.is_closed);
    fiber_wake(r.waiting);
    UNTIL(&r, a->is_closed);
    CHECK_INT(a->status, 200);
    UNTIL(&r, r.is_closed);
    CHECK_INT(peer.goaway_code, NGHTTP2_NO_ERROR);
    close_peer(&r);
}

// One turn of both sides, of which the client reads nothing.
static void turn_deaf(struct rig *r)
{
    send_all(r);
    loop_turn(r->loop, 2);
}

static void stop_listening(struct rig *r)
{
    const nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 25};
    CHECK(nghttp2_submit_settings(peer.session, NGHTTP2_FLAG_NONE, &window, 1) == 0);
    CHECK(nghttp2_session_set_local_window_size(peer.session, NGHTTP2_FLAG_NONE, 0, 1 << 25) == 0);
    for (int i = 0; i < 16; i++)
        ask("GET", "/large", 0);
    uint64_t n_out;
    do {
        n_out = rig_counter(r, HTTP_COUNTER_BYTES_OUT);
        turn_deaf(r);
    } while (r->n_served < 16 || n_out < rig_counter(r, HTTP_COUNTER_BYTES_OUT));
}

static void what_comes_after_the_last_goaway_is_not_served_while_that_waits_for_room(void)
{
    struct rig r;
    open_peer(&r);
    stop_listening(&r);
    const struct h2_conn *c = CONTAINER_OF(
        CONTAINER_OF(list_first(&r.env.conns), struct http_conn, node), struct h2_conn, conn);
    r.entry.requests_max = 1;
    struct answer *last = ask("GET", "/hello", 0);
    while (c->goaway != H2_GOAWAY_FINAL)
        turn_deaf(&r);
    uint64_t n_exchanges = rig_counter(&r, HTTP_COUNTER_EXCHANGES);
    struct answer *late = ask("POST", "/hello", 0);
    UNTIL(&r, last->is_closed && late->is_closed);
    CHECK_INT(last->status, 200);
    CHECK_INT(late->code, NGHTTP2_REFUSED_STREAM);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_EXCHANGES), n_exchanges);
    CHECK(peer.has_goaway && peer.goaway_last == 33);
    close_peer(&r);
}

static void a_client_that_broke_the_rules_is_not_listened_to(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *before = ask("GET", "/hello", 0);
    UNTIL(&r, before->is_closed);
    uint64_t n_before = r.env.stats.counters[HTTP_COUNTER_EXCHANGES];
    for (int i = 0; i < 2000; i++) // more than one read's worth
        CHECK(nghttp2_submit_ping(peer.session, NGHTTP2_FLAG_NONE, NULL) == 0);
    ask("GET", "/hello", 0);
    UNTIL(&r, r.is_closed || peer.has_goaway);
    CHECK_INT(peer.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    CHECK_INT(r.env.stats.counters[HTTP_COUNTER_EXCHANGES], n_before);
    CHECK_INT(r.env.stats.client_h2_errors[H2_ERROR_FLOOD], 1);
    close_peer(&r);
}

static struct answer *ask_tunnel(void)
{
    const nghttp2_nv fields[] = {nv(":method", "CONNECT"), nv(":protocol", "websocket"),
                                 nv(":scheme", "http"), nv(":authority", "a.example"),
                                 nv(":path", "/upgrade")};
    const nghttp2_data_provider body = {.read_callback = read_tunnel};
    peer.body_left = 0;
    int32_t id = nghttp2_submit_request(peer.session, NULL, fields, ARRAY_LEN(fields), &body, NULL);
    CHECK(id > 0);
    return answer_of(id);
}

static void send_to_tunnel(int32_t id, size_t n)
{
    peer.body_left = n;
    CHECK(nghttp2_session_resume_data(peer.session, id) == 0);
}

static uint32_t n_fibers(const struct rig *r)
{
    struct loop_stats stats;
    loop_stats(r->loop, &stats);
    return stats.n_fibers;
}

static void a_quiet_tunnel_holds_neither_fiber_nor_buffer(void)
{
    struct rig r;
    char text[64];
    open_peer(&r);
    struct answer *a = ask_tunnel();
    UNTIL(&r, a->status == 200);
    for (size_t round = 1; round <= 2; round++) {
        CHECK_INT(n_fibers(&r), 0);
        CHECK_INT(r.env.buffers.n_out + r.env.pieces.n_out, 0);
        send_to_tunnel(1, 5);
        ssize_t n = 0;
        UNTIL(&r, n > 0 || (n = read(r.server_fd, text, sizeof text)) > 0);
        CHECK_STR(str_from(text, (size_t)MAX(n, 0)), STR("bbbbb"));
        CHECK(write(r.server_fd, "late", 4) == 4);
        UNTIL(&r, a->n == 4 * round);
        turn(&r);
    }
    CHECK_INT(r.env.stats.counters[HTTP_COUNTER_TUNNELS_OPEN], 1);
    close(r.server_fd);
    r.server_fd = -1;
    peer.ends_tunnel = true;
    send_to_tunnel(1, 0);
    UNTIL(&r, a->is_closed && n_ended(&r) == 1);
    CHECK_INT(a->code, NGHTTP2_NO_ERROR);
    CHECK_INT(r.n_released, 1);
    CHECK_INT(r.request_bytes, 10);
    CHECK_INT(r.response_bytes, 8);
    CHECK_INT(r.env.stats.counters[HTTP_COUNTER_TUNNELS_OPEN], 0);
    CHECK_INT(r.env.blocks.n_out, 0);
    close_peer(&r);
}

static void a_reset_ends_a_quiet_tunnel(void)
{
    for (int by_connection = 0; by_connection < 2; by_connection++) {
        struct rig r;
        open_peer(&r);
        struct answer *a = ask_tunnel();
        UNTIL(&r, a->status == 200);
        if (by_connection) {
            close(r.fd);
            r.fd = -1;
        } else {
            CHECK(nghttp2_submit_rst_stream(peer.session, NGHTTP2_FLAG_NONE, 1, NGHTTP2_CANCEL) ==
                  0);
            turn(&r);
        }
        RIG_UNTIL(&r, n_ended(&r) == 1);
        CHECK_INT(r.n_released, 1);
        CHECK_INT(n_fibers(&r), 0);
        close(r.server_fd);
        r.server_fd = -1;
        close_peer(&r);
    }
}

static void an_idle_connection_ends_with_goaway(void)
{
    struct rig r;
    open_peer(&r);
    r.entry.idle_ms = 20;
    struct answer *a = ask("GET", "/hello", 0);
    UNTIL(&r, a->is_closed);
    UNTIL(&r, r.is_closed);
    CHECK(peer.has_goaway && peer.goaway_last == 1);
    close_peer(&r);
}

#define STOOD_STILL_MS 50

// Bytes come while the worker has no turn, until its times are over.
static void stand_still(struct rig *r, struct str bytes)
{
    CHECK_INT(send(r->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
    struct timespec t = {.tv_nsec = 2 * STOOD_STILL_MS * 1000000};
    nanosleep(&t, NULL);
}

static void the_rest_of_a_head_counts_that_came_while_the_worker_stood_still(void)
{
    struct rig r;
    open_peer(&r);
    struct answer *before = ask("GET", "/hello", 0);
    UNTIL(&r, before->is_closed);
    turn(&r); // its SETTINGS are acknowledged
    r.entry.head_ms = STOOD_STILL_MS;
    uint64_t n_before = rig_counter(&r, HTTP_COUNTER_EXCHANGES);
    struct answer *a = ask("GET", "/hello", 0);
    const uint8_t *bytes;
    ssize_t n = nghttp2_session_mem_send(peer.session, &bytes);
    struct str frame = str_from((const char *)bytes, (size_t)n);
    rig_send(&r, str_from(frame.ptr, H2_FRAME_HEAD_BYTES + 1));
    while (rig_counter(&r, HTTP_COUNTER_EXCHANGES) == n_before)
        loop_turn(r.loop, 0);
    stand_still(&r, str_skip(frame, H2_FRAME_HEAD_BYTES + 1));
    UNTIL(&r, a->is_closed || peer.has_goaway);
    CHECK_INT(a->status, 200);
    CHECK(!peer.has_goaway);
    close_peer(&r);
}

static void a_body_counts_that_came_while_the_worker_stood_still(void)
{
    struct rig r;
    open_peer(&r);
    r.entry.body_idle_ms = STOOD_STILL_MS;
    const nghttp2_nv fields[] = {nv(":method", "POST"), nv(":scheme", "http"),
                                 nv(":authority", "a.example"), nv(":path", "/echo")};
    const nghttp2_data_provider body = {.read_callback = read_tunnel};
    int32_t id = nghttp2_submit_request(peer.session, NULL, fields, ARRAY_LEN(fields), &body, NULL);
    struct answer *a = answer_of(id);
    while (r.n_served == 0)
        turn_deaf(&r);
    peer.body_left = 5;
    peer.ends_tunnel = true;
    CHECK(nghttp2_session_resume_data(peer.session, id) == 0);
    const uint8_t *bytes;
    ssize_t n = nghttp2_session_mem_send(peer.session, &bytes);
    stand_still(&r, str_from((const char *)bytes, (size_t)n));
    UNTIL(&r, a->is_closed);
    CHECK_INT(a->status, 200);
    CHECK_INT(a->n, 5);
    close_peer(&r);
}

// RFC 9218 4.1, 7.1, 10: also of heads, while the socket takes nothing; the order in which they
// were asked for decides among equals. A reset takes one out.
static void the_most_urgent_head_goes_first(void)
{
    static const struct {
        const char *path, *priority, *update;
        unsigned nth; // 0: reset
    } cases[] = {
        {"/empty", "u=7", NULL, 6},  {"/hello", NULL, NULL, 4},  {"/empty", "u=7", "u=1", 2},
        {"/hello", "u=0", "u=5", 5}, {"/empty", "u=0", NULL, 1}, {"/empty", "u=2", NULL, 3},
        {"/empty", "u=0", NULL, 0},
    };
    struct rig r;
    struct answer *answers[ARRAY_LEN(cases)];
    int32_t id = 0;
    open_peer(&r);
    struct answer *first = ask("GET", "/hello", 0); // with it comes that updates are understood
    UNTIL(&r, first->is_closed);
    stop_listening(&r);
    unsigned n_served = r.n_served;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        id = submit("GET", cases[i].path, cases[i].priority, 0);
        answers[i] = answer_of(id);
        turn_deaf(&r); // nghttp2 would send the update first
        if (cases[i].update)
            CHECK(nghttp2_submit_priority_update(peer.session, NGHTTP2_FLAG_NONE, id,
                                                 (const uint8_t *)cases[i].update,
                                                 strlen(cases[i].update)) == 0);
    }
    while (r.n_served < n_served + ARRAY_LEN(cases))
        turn_deaf(&r);
    CHECK(nghttp2_submit_rst_stream(peer.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL) == 0);
    turn_deaf(&r);
    turn_deaf(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        UNTIL(&r, answers[i]->is_closed);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned nth = answers[i]->nth > 0;
        for (size_t j = 0; j < ARRAY_LEN(cases); j++)
            nth += answers[j]->nth > 0 && answers[j]->nth < answers[i]->nth;
        CHECK_INT(nth, cases[i].nth);
    }
    close_peer(&r);
}

TEST_MAIN(TEST(a_get_is_answered_in_full), TEST(the_most_urgent_head_goes_first),
          TEST(answers_of_every_kind_come_through), TEST(trailers_and_interim_answers_come_through),
          TEST(a_body_that_breaks_off_resets_the_stream),
          TEST(bodies_larger_than_the_windows_go_both_ways),
          TEST(a_reset_by_the_client_cancels_the_exchange),
          TEST(a_connection_that_breaks_cancels_all_its_exchanges),
          TEST(streams_beyond_the_body_limit_are_told), TEST(a_drain_ends_it_after_the_last_stream),
          TEST(a_client_that_broke_the_rules_is_not_listened_to),
          TEST(a_quiet_tunnel_holds_neither_fiber_nor_buffer), TEST(a_reset_ends_a_quiet_tunnel),
          TEST(what_comes_after_the_last_goaway_is_not_served_while_that_waits_for_room),
          TEST(an_idle_connection_ends_with_goaway),
          TEST(the_rest_of_a_head_counts_that_came_while_the_worker_stood_still),
          TEST(a_body_counts_that_came_while_the_worker_stood_still))
