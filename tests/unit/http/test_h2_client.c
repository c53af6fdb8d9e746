// SPDX-License-Identifier: Apache-2.0
#include "http/h2_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/env.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "unit/test.h"

#define WIRE_BYTES (512 * 1024)
#define PREFACE_BYTES 24
#define N_MAX 4

enum frame {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
};
#define END_STREAM 1
#define ACK 1
#define END_HEADERS 4
#define OK_HEAD "\x88" // :status 200, indexed

struct rig;

// Three bytes whose length is known, and behind them what the client may yet say.
struct tailed {
    struct body body;
    struct headers trailers;
    bool is_read, may_end;
};

struct call {
    struct rig *r;
    struct arena mem;
    struct exchange x;
    struct body_bytes upload;
    struct tailed tailed;
    struct fiber *fiber;
    enum http_client_end end;
    enum io io;
    char body[256 * 1024];
    size_t n_body;
    bool is_done, sent_body, may_read;
};

struct rig {
    struct rt_loop *loop;
    struct http_env env;
    struct h2_client c;
    int fd; // the server's
    char wire[WIRE_BYTES];
    size_t n_wire;
    unsigned n_changed;
    struct call calls[N_MAX];
};

static void on_changed(struct h2_client *c)
{
    CONTAINER_OF(c, struct rig, c)->n_changed++;
}

static struct rig *rig_new(void)
{
    static const struct http_app app;
    struct rig *r = calloc(1, sizeof *r);
    int fds[2];
    r->loop = loop_new(NULL);
    loop_enter(r->loop);
    http_env_init(&r->env, &app, NULL, 100);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    sock_init(&r->c.stream.sock, fds[0]);
    r->fd = fds[1];
    r->c.changed = on_changed;
    h2_client_start(&r->c, &r->env);
    return r;
}

static void rig_free(struct rig *r)
{
    for (size_t i = 0; i < N_MAX; i++) {
        if (r->calls[i].r)
            arena_fini(&r->calls[i].mem);
    }
    h2_client_fini(&r->c);
    loop_turn(r->loop, 0);
    close(r->fd);
    CHECK_INT(r->env.pieces.n_out, 0);
    http_env_fini(&r->env);
    loop_free(r->loop);
    free(r);
}

// Turns the loop, and takes what has been sent to the server.
static void turn(struct rig *r)
{
    for (int i = 0; i < 20; i++) {
        loop_turn(r->loop, 0);
        ssize_t n;
        while ((n = recv(r->fd, r->wire + r->n_wire, WIRE_BYTES - r->n_wire, MSG_DONTWAIT)) > 0)
            r->n_wire += (size_t)n;
    }
}

static void put(struct rig *r, enum frame type, unsigned flags, uint32_t id, const char *payload,
                size_t n)
{
    char head[9] = {(char)(n >> 16),  (char)(n >> 8),   (char)n,         (char)type, (char)flags,
                    (char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id};
    CHECK_INT(send(r->fd, head, sizeof head, MSG_NOSIGNAL), sizeof head);
    if (n > 0)
        CHECK_INT(send(r->fd, payload, n, MSG_NOSIGNAL), n);
}
#define PUT(r, type, flags, id, literal)                                                           \
    put((r), (type), (flags), (id), (literal), sizeof(literal) - 1)

// How many frames of the kind have come for the stream; *ret_bytes: of payload in all.
static unsigned count(const struct rig *r, enum frame type, uint32_t id, size_t *ret_bytes)
{
    unsigned n = 0;
    *ret_bytes = 0;
    for (size_t at = PREFACE_BYTES; at + 9 <= r->n_wire;) {
        const uint8_t *f = (const uint8_t *)r->wire + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        uint32_t of = (uint32_t)f[5] << 24 | (uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8];
        if (f[3] == (uint8_t)type && of == id) {
            n++;
            *ret_bytes += len;
        }
        at += 9 + len;
    }
    return n;
}

static unsigned n_frames(const struct rig *r, enum frame type, uint32_t id)
{
    size_t ignored;
    return count(r, type, id, &ignored);
}

// Of the last frame that has come for the stream.
static unsigned last_flags(const struct rig *r, uint32_t id)
{
    unsigned flags = 0;
    for (size_t at = PREFACE_BYTES; at + 9 <= r->n_wire;) {
        const uint8_t *f = (const uint8_t *)r->wire + at;
        if (f[8] == id)
            flags = f[4];
        at += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
    }
    return flags;
}

static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    (void)x;
    (void)status;
    (void)headers;
    return ERR_OK;
}

static void serve(void *arg)
{
    static const struct exchange_ops ops = {.inform = inform};
    static const struct http_client_options options = {
        .limits = {16384, 65536, 128},
        .head_ms = 60000,
        .body_idle_ms = 60000,
        .until = {INT64_MAX},
    };
    struct call *c = arg;
    struct str piece;
    c->x.ops = &ops;
    c->end = h2_client_serve(&c->r->c, &c->x, &options, &c->sent_body);
    struct body *b = c->end == HTTP_CLIENT_OK ? c->x.resp.body : NULL;
    while (!c->may_read && !fiber_is_cancelled(fiber_self()))
        fiber_yield();
    c->io = IO_EOF;
    while (b && (c->io = body_read(b, &piece, deadline_at(INT64_MAX))) == IO_DONE) {
        CHECK(piece.len <= sizeof c->body - c->n_body);
        memcpy(c->body + c->n_body, piece.ptr, piece.len);
        c->n_body += piece.len;
    }
    body_fini(b);
    c->is_done = true;
}

static enum io read_tailed(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct tailed *t = CONTAINER_OF(b, struct tailed, body);
    if (!t->is_read) {
        *ret_piece = STR("abc");
        t->is_read = b->has_tail = true;
        return IO_DONE;
    }
    if (until.at_ms == BODY_NO_WAIT.at_ms && !t->may_end)
        return IO_AGAIN;
    while (!t->may_end) {
        if (fiber_is_cancelled(fiber_self()))
            return IO_FAIL;
        fiber_yield();
    }
    b->trailers = &t->trailers;
    return IO_EOF;
}

static struct call *prepare(struct rig *r, const char *upload)
{
    struct call *c = r->calls;
    while (c->r)
        c++;
    c->r = r;
    c->may_read = true;
    arena_init(&c->mem, (size_t)1 << 20, NULL, 0);
    c->x = (struct exchange){.mem = &c->mem, .env = &r->env, .server_name = STR("10.0.0.1:80")};
    headers_init(&c->x.req.headers, &c->mem);
    headers_init(&c->x.resp.headers, &c->mem);
    c->x.req.method = upload ? STR("POST") : STR("GET");
    c->x.req.method_id = upload ? METHOD_POST : METHOD_GET;
    c->x.req.path = STR("/");
    c->x.req.authority = STR("example.com");
    if (upload)
        c->x.req.body = body_bytes_init(&c->upload, str_of(upload));
    return c;
}

static struct call *go(struct call *c)
{
    c->fiber = fiber_start(serve, c);
    turn(c->r);
    return c;
}

static struct call *start(struct rig *r, const char *upload)
{
    return go(prepare(r, upload));
}

static struct call *start_tailed(struct rig *r)
{
    static const struct body_ops ops = {.name = "tailed", .read = read_tailed};
    struct call *c = prepare(r, "abc");
    c->tailed = (struct tailed){.body = {.ops = &ops, .length = 3}};
    headers_init(&c->tailed.trailers, &c->mem);
    c->x.req.body = &c->tailed.body;
    return go(c);
}

// --- tests ---

static void answers_come_in_any_order(void)
{
    struct rig *r = rig_new();
    struct call *one = start(r, NULL), *two = start(r, NULL);
    CHECK_INT(n_frames(r, HEADERS, 1), 1);
    CHECK_INT(n_frames(r, HEADERS, 3), 1);
    PUT(r, SETTINGS, 0, 0, "");
    PUT(r, HEADERS, END_HEADERS, 3, OK_HEAD);
    PUT(r, DATA, END_STREAM, 3, "second");
    turn(r);
    CHECK(two->is_done && !one->is_done);
    CHECK_STR(str_from(two->body, two->n_body), STR("second"));
    CHECK_INT(two->x.resp.body->length, 6); // it was whole
    PUT(r, HEADERS, END_HEADERS, 1, OK_HEAD);
    PUT(r, DATA, 0, 1, "fir");
    turn(r);
    CHECK(!one->is_done);
    PUT(r, DATA, END_STREAM, 1, "st");
    turn(r);
    CHECK(one->is_done && one->io == IO_EOF);
    CHECK_STR(str_from(one->body, one->n_body), STR("first"));
    CHECK_INT(r->c.n_calls, 0);
    CHECK_INT(n_frames(r, RST_STREAM, 1) + n_frames(r, RST_STREAM, 3), 0);
    rig_free(r);
}

static void room_is_one_before_settings_and_what_they_say_after(void)
{
    struct rig *r = rig_new();
    CHECK_INT(h2_client_room(&r->c), 1);
    PUT(r, SETTINGS, 0, 0, "\0\3\0\0\0\2");
    turn(r);
    CHECK(r->n_changed > 0);
    CHECK_INT(h2_client_room(&r->c), 2);
    start(r, NULL);
    CHECK_INT(h2_client_room(&r->c), 1);
    PUT(r, SETTINGS, 0, 0, "\0\3\0\0\x10\0");
    turn(r);
    CHECK_INT(h2_client_room(&r->c), H2_CLIENT_STREAMS_MAX - 1);
    PUT(r, GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0");
    turn(r);
    CHECK_INT(h2_client_room(&r->c), 0);
    CHECK(!r->c.is_over); // one still runs
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 1, OK_HEAD);
    turn(r);
    CHECK(r->calls[0].is_done && r->calls[0].end == HTTP_CLIENT_OK);
    CHECK(r->c.is_over);
    rig_free(r);
}

static void how_a_stream_ends_tells_whether_it_may_be_sent_again(void)
{
    static const struct {
        enum frame type;
        char payload[9];
        size_t n;
        enum http_client_end end;
    } cases[] = {
        {RST_STREAM, "\0\0\0\7", 4, HTTP_CLIENT_REFUSED},
        {RST_STREAM, "\0\0\0\2", 4, HTTP_CLIENT_CLOSED},
        {RST_STREAM, "\0\0\0\15", 4, HTTP_CLIENT_HTTP_1},
        {GOAWAY, "\0\0\0\0\0\0\0\15", 8, HTTP_CLIENT_HTTP_1},
        {GOAWAY, "\0\0\0\0\0\0\0\0", 8, HTTP_CLIENT_REFUSED},
        {PUSH_PROMISE, "\0\0\0\2\x88", 5, HTTP_CLIENT_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new();
        struct call *c = start(r, "body");
        PUT(r, SETTINGS, 0, 0, "");
        put(r, cases[i].type, cases[i].type == PUSH_PROMISE ? END_HEADERS : 0,
            cases[i].type == GOAWAY ? 0 : 1, cases[i].payload, cases[i].n);
        turn(r);
        CHECK(c->is_done);
        CHECK_INT(c->end, cases[i].end);
        CHECK(!c->sent_body); // it can be had again
        CHECK(c->x.end_detail.len > 0);
        rig_free(r);
    }
}

static void a_closed_connection_is_stale_only_if_it_has_served(void)
{
    for (int n_before = 0; n_before < 2; n_before++) {
        struct rig *r = rig_new();
        PUT(r, SETTINGS, 0, 0, "");
        if (n_before > 0) {
            start(r, NULL);
            PUT(r, HEADERS, END_HEADERS | END_STREAM, 1, OK_HEAD);
        }
        struct call *c = start(r, NULL);
        shutdown(r->fd, SHUT_WR);
        turn(r);
        CHECK(c->is_done);
        CHECK_INT(c->end, n_before > 0 ? HTTP_CLIENT_STALE : HTTP_CLIENT_CLOSED);
        CHECK(r->c.is_over);
        rig_free(r);
    }
}

static void an_upload_waits_for_the_servers_window(void)
{
    static char large[100001];
    memset(large, 'u', sizeof large - 1);
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    struct call *c = start(r, large);
    size_t bytes;
    count(r, DATA, 1, &bytes);
    CHECK_INT(bytes, 65535);
    PUT(r, WINDOW_UPDATE, 0, 1, "\0\1\0\0");
    turn(r);
    count(r, DATA, 1, &bytes);
    CHECK_INT(bytes, 65535); // the connection's own isn't larger yet
    PUT(r, WINDOW_UPDATE, 0, 0, "\0\1\0\0");
    turn(r);
    count(r, DATA, 1, &bytes);
    CHECK_INT(bytes, 100000);
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 1, OK_HEAD);
    turn(r);
    CHECK(c->is_done && c->end == HTTP_CLIENT_OK);
    rig_free(r);
}

static void trailers_come_behind_a_known_length(void)
{
    struct rig *r = rig_new();
    size_t bytes;
    PUT(r, SETTINGS, 0, 0, "");
    struct call *c = start_tailed(r);
    count(r, DATA, 1, &bytes);
    CHECK_INT(bytes, 3); // at once, though the end isn't known
    CHECK_INT(n_frames(r, HEADERS, 1), 1);
    CHECK_INT(headers_add_named(&c->tailed.trailers, STR("x-sum"), STR("42")), ERR_OK);
    c->tailed.may_end = true;
    turn(r);
    CHECK_INT(n_frames(r, HEADERS, 1), 2);
    CHECK_INT(last_flags(r, 1), END_STREAM | END_HEADERS);
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 1, OK_HEAD);
    turn(r);
    CHECK(c->is_done && c->end == HTTP_CLIENT_OK && c->sent_body == false);
    rig_free(r);
}

static void a_known_length_whose_end_comes_late_ends_without_trailers(void)
{
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    struct call *c = start_tailed(r);
    CHECK_INT(last_flags(r, 1), 0);
    c->tailed.may_end = true;
    turn(r);
    CHECK_INT(n_frames(r, HEADERS, 1), 1);
    CHECK_INT(last_flags(r, 1), END_STREAM);
    PUT(r, RST_STREAM, 0, 1, "\0\0\0\7");
    turn(r);
    CHECK(c->is_done && c->end == HTTP_CLIENT_REFUSED && !c->sent_body); // it can be had again
    rig_free(r);
}

static void what_nobody_reads_is_not_given_back_to_the_server(void)
{
    static const char piece[16000];
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    struct call *c = start(r, NULL);
    c->may_read = false;
    PUT(r, HEADERS, END_HEADERS, 1, OK_HEAD);
    for (int i = 0; i < 4; i++)
        put(r, DATA, 0, 1, piece, sizeof piece);
    turn(r);
    CHECK_INT(n_frames(r, WINDOW_UPDATE, 1), 0);
    CHECK_INT(r->env.pieces.n_out, 4);
    c->may_read = true;
    turn(r);
    CHECK_INT(c->n_body, 4 * sizeof piece);
    CHECK(n_frames(r, WINDOW_UPDATE, 1) > 0);
    put(r, DATA, END_STREAM, 1, piece, 1);
    turn(r);
    CHECK(c->is_done && c->io == IO_EOF);
    rig_free(r);
}

static void more_than_a_window_breaks_the_answer(void)
{
    static const char piece[16000];
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    struct call *c = start(r, NULL);
    c->may_read = false;
    PUT(r, HEADERS, END_HEADERS, 1, OK_HEAD);
    for (int i = 0; i < 6; i++) {
        put(r, DATA, 0, 1, piece, sizeof piece);
        turn(r);
    }
    CHECK(r->env.pieces.n_out <= 5);
    c->may_read = true;
    turn(r);
    CHECK(c->is_done && c->io == IO_FAIL);
    CHECK_INT(c->x.end, EXCHANGE_END_SERVER_PROTOCOL);
    rig_free(r);
}

#define OTHERS_WINDOWS (64 * 1024 * 1024 - 100000) // of the worker's other connections

static void where_windows_are_many_a_stream_has_a_piece(void)
{
    static const char piece[16368];
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    PUT(r, SETTINGS, ACK, 0, "");
    r->env.h2_window_bytes = OTHERS_WINDOWS;
    struct call *before = start(r, NULL);
    CHECK_INT(n_frames(r, SETTINGS, 0), 2); // ours, and what acknowledges the server's
    struct call *after = start(r, NULL);
    CHECK_INT(n_frames(r, SETTINGS, 0), 3);
    PUT(r, SETTINGS, ACK, 0, "");
    turn(r);
    CHECK_INT(r->env.h2_window_bytes, OTHERS_WINDOWS + 2 * sizeof piece);
    for (int round = 0; round < 3; round++) { // as they are read, both go on
        before->may_read = after->may_read = false;
        for (uint32_t id = 1; id <= 3; id += 2) {
            if (round == 0)
                PUT(r, HEADERS, END_HEADERS, id, OK_HEAD);
            put(r, DATA, round == 2 ? END_STREAM : 0, id, piece, sizeof piece);
        }
        turn(r);
        CHECK(r->env.pieces.n_out <= 4);
        before->may_read = after->may_read = true;
        turn(r);
        CHECK_INT(before->n_body, (size_t)(round + 1) * sizeof piece);
        CHECK_INT(after->n_body, (size_t)(round + 1) * sizeof piece);
    }
    CHECK(before->is_done && before->io == IO_EOF && after->is_done && after->io == IO_EOF);
    CHECK_INT(r->env.h2_window_bytes, OTHERS_WINDOWS);
    r->env.h2_window_bytes = 0;
    start(r, NULL);
    CHECK_INT(n_frames(r, SETTINGS, 0), 4);
    CHECK_INT(r->env.h2_window_bytes, 65535);
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 5, OK_HEAD);
    turn(r);
    CHECK_INT(r->env.h2_window_bytes, 0);
    rig_free(r);
}

static void what_came_under_a_larger_window_counts_until_it_is_read(void)
{
    static const char piece[16000], all[65535 - 4 * 16000];
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    PUT(r, SETTINGS, ACK, 0, "");
    struct call *full = start(r, NULL), *empty = start(r, NULL);
    full->may_read = false;
    PUT(r, HEADERS, END_HEADERS, 1, OK_HEAD);
    for (int i = 0; i < 4; i++)
        put(r, DATA, 0, 1, piece, sizeof piece);
    put(r, DATA, 0, 1, all, sizeof all);
    turn(r);
    r->env.h2_window_bytes += OTHERS_WINDOWS;
    struct call *last = start(r, NULL);
    CHECK_INT(n_frames(r, SETTINGS, 0), 3);
    CHECK_INT(r->env.h2_window_bytes - OTHERS_WINDOWS, 2 * 65535 + 16368);
    PUT(r, SETTINGS, ACK, 0, ""); // nothing more comes under the old ones
    turn(r);
    CHECK_INT(r->env.h2_window_bytes - OTHERS_WINDOWS, 65535 + 2 * 16368);
    full->may_read = true;
    turn(r);
    CHECK_INT(full->n_body, 65535);
    CHECK_INT(r->env.h2_window_bytes - OTHERS_WINDOWS, 4 * 16368); // it has grown since
    fiber_cancel(full->fiber);
    fiber_cancel(empty->fiber);
    fiber_cancel(last->fiber);
    turn(r);
    CHECK(full->is_done && empty->is_done && last->is_done);
    CHECK_INT(r->env.h2_window_bytes, OTHERS_WINDOWS);
    CHECK_INT(r->c.window_bytes, 0);
    rig_free(r);
}

static void windows_grow_back_on_a_connection_that_is_never_idle(void)
{
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    PUT(r, SETTINGS, ACK, 0, "");
    r->env.h2_window_bytes = OTHERS_WINDOWS + 100000;
    struct call *first = start(r, NULL);
    PUT(r, SETTINGS, ACK, 0, "");
    turn(r);
    CHECK_INT(n_frames(r, SETTINGS, 0), 3);
    r->env.h2_window_bytes -= OTHERS_WINDOWS + 100000;
    struct call *second = start(r, NULL);
    CHECK_INT(n_frames(r, SETTINGS, 0), 4);
    CHECK_INT(r->env.h2_window_bytes, 2 * 65535);
    r->env.h2_window_bytes += OTHERS_WINDOWS + 100000;
    struct call *third = start(r, NULL);
    CHECK_INT(n_frames(r, SETTINGS, 0), 5);
    r->env.h2_window_bytes -= OTHERS_WINDOWS + 100000;
    struct call *fourth = start(r, NULL); // the server hasn't taken the last two
    CHECK_INT(n_frames(r, SETTINGS, 0), 5);
    struct call *all[] = {first, second, third, fourth};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        fiber_cancel(all[i]->fiber);
        turn(r);
        CHECK(all[i]->is_done);
    }
    CHECK_INT(r->env.h2_window_bytes, 0);
    rig_free(r);
}

static void more_than_a_piece_breaks_the_answer_then(void)
{
    static const char piece[16000];
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    PUT(r, SETTINGS, ACK, 0, "");
    r->env.h2_window_bytes = OTHERS_WINDOWS + 100000;
    struct call *c = start(r, NULL);
    PUT(r, SETTINGS, ACK, 0, "");
    c->may_read = false;
    PUT(r, HEADERS, END_HEADERS, 1, OK_HEAD);
    for (int i = 0; i < 2; i++)
        put(r, DATA, 0, 1, piece, sizeof piece);
    turn(r);
    c->may_read = true;
    turn(r);
    CHECK(c->is_done && c->io == IO_FAIL);
    CHECK_INT(c->x.end, EXCHANGE_END_SERVER_PROTOCOL);
    r->env.h2_window_bytes -= OTHERS_WINDOWS + 100000;
    CHECK_INT(r->env.h2_window_bytes, 0);
    rig_free(r);
}

// Runs one exchange that is cancelled or served, and forgets it.
static void run_one(struct rig *r, uint32_t id, bool is_cancelled)
{
    struct call *c = start(r, NULL);
    if (is_cancelled)
        fiber_cancel(c->fiber);
    else
        PUT(r, HEADERS, END_HEADERS | END_STREAM, id, OK_HEAD);
    turn(r);
    CHECK(c->is_done);
    arena_fini(&c->mem);
    *c = (struct call){.r = NULL};
}

static void who_has_had_many_resets_is_left_before_it_minds(void)
{
    for (int serves = 0; serves < 2; serves++) {
        struct rig *r = rig_new();
        uint32_t id = 1;
        PUT(r, SETTINGS, 0, 0, "");
        turn(r);
        for (int i = 0; i < 100; i++, id += 2) {
            CHECK(h2_client_room(&r->c) > 0);
            run_one(r, id, true);
            if (serves)
                run_one(r, id += 2, false); // each makes up for one
        }
        CHECK_INT(h2_client_room(&r->c) > 0, serves);
        CHECK_INT(n_frames(r, GOAWAY, 0), !serves);
        CHECK_INT(r->c.is_over, !serves);
        rig_free(r);
    }
}

static void a_cancelled_exchange_cancels_its_stream_alone(void)
{
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    struct call *one = start(r, NULL), *two = start(r, NULL);
    fiber_cancel(one->fiber);
    turn(r);
    CHECK(one->is_done && one->end == HTTP_CLIENT_CANCELLED);
    CHECK_INT(n_frames(r, RST_STREAM, 1), 1);
    CHECK_INT(n_frames(r, RST_STREAM, 3), 0);
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 1, OK_HEAD); // was on its way
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 3, OK_HEAD);
    turn(r);
    CHECK(two->is_done && two->end == HTTP_CLIENT_OK);
    rig_free(r);
}

static void a_silent_connection_is_asked_and_ends_without_an_answer(void)
{
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    turn(r);
    h2_client_probe(&r->c, 10);
    turn(r);
    CHECK_INT(n_frames(r, PING, 0), 0); // it was heard just now
    r->c.heard_ms -= 60000;
    struct call *c = start(r, NULL);
    h2_client_probe(&r->c, 10);
    turn(r);
    CHECK_INT(n_frames(r, PING, 0), 1);
    for (int i = 0; i < 1000 && !r->c.is_over; i++)
        loop_turn(r->loop, 20);
    CHECK(r->c.is_over);
    turn(r);
    CHECK(c->is_done && c->end == HTTP_CLIENT_CLOSED);
    rig_free(r);
}

static void any_frame_is_a_sign_of_life(void)
{
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    turn(r);
    r->c.heard_ms -= 60000;
    h2_client_probe(&r->c, 10000);
    turn(r);
    CHECK(r->c.probe_ms != 0);
    PUT(r, PING, 1, 0, "\0\0\0\0\0\0\0\0");
    turn(r);
    CHECK_INT(r->c.probe_ms, 0);
    CHECK(!r->c.is_over);
    rig_free(r);
}

struct listening {
    struct h2_client *c;
    enum fiber_wake wake;
    bool is_done;
};

static void listen_to(void *arg)
{
    struct listening *l = arg;
    l->wake = h2_client_hear(l->c);
    l->is_done = true;
}

static void who_listens_for_a_sign_of_life_hears_it_or_its_absence(void)
{
    enum { NOT_ASKED, ANSWERED, ENDED, SILENT, N_CASES };
    for (int i = 0; i < N_CASES; i++) {
        struct rig *r = rig_new();
        struct listening l = {.c = &r->c};
        PUT(r, SETTINGS, 0, 0, "");
        turn(r);
        r->c.heard_ms -= i == NOT_ASKED ? 0 : 60000;
        h2_client_probe(&r->c, i == SILENT ? 2000 : 60000);
        fiber_start(listen_to, &l);
        turn(r);
        CHECK(l.is_done == (i == NOT_ASKED));
        if (i == ANSWERED)
            PUT(r, PING, ACK, 0, "\0\0\0\0\0\0\0\0");
        if (i == ENDED)
            shutdown(r->fd, SHUT_WR);
        for (int n = 0; n < 3000 && !l.is_done; n++)
            loop_turn(r->loop, 10);
        CHECK(l.is_done);
        CHECK_INT(l.wake, i == SILENT ? FIBER_EXPIRED : FIBER_READY);
        CHECK_INT(h2_client_room(&r->c), i == SILENT || i == ENDED ? 0 : H2_CLIENT_STREAMS_MAX);
        if (i == SILENT) {
            r->n_changed = 0;
            PUT(r, PING, ACK, 0, "\0\0\0\0\0\0\0\0");
            turn(r);
            CHECK(r->n_changed > 0); // those who wait for room are told
            CHECK_INT(h2_client_room(&r->c), H2_CLIENT_STREAMS_MAX);
        }
        rig_free(r);
    }
}

static void leaving_says_goodbye_and_ends_with_the_last_exchange(void)
{
    struct rig *r = rig_new();
    PUT(r, SETTINGS, 0, 0, "");
    struct call *c = start(r, NULL);
    h2_client_leave(&r->c);
    turn(r);
    CHECK_INT(n_frames(r, GOAWAY, 0), 1);
    CHECK(!r->c.is_over);
    PUT(r, HEADERS, END_HEADERS | END_STREAM, 1, OK_HEAD);
    turn(r);
    CHECK(c->is_done && c->end == HTTP_CLIENT_OK);
    CHECK(r->c.is_over);
    rig_free(r);
}

TEST_MAIN(TEST(answers_come_in_any_order),
          TEST(room_is_one_before_settings_and_what_they_say_after),
          TEST(how_a_stream_ends_tells_whether_it_may_be_sent_again),
          TEST(a_closed_connection_is_stale_only_if_it_has_served),
          TEST(an_upload_waits_for_the_servers_window),
          TEST(what_nobody_reads_is_not_given_back_to_the_server),
          TEST(more_than_a_window_breaks_the_answer),
          TEST(where_windows_are_many_a_stream_has_a_piece),
          TEST(what_came_under_a_larger_window_counts_until_it_is_read),
          TEST(windows_grow_back_on_a_connection_that_is_never_idle),
          TEST(more_than_a_piece_breaks_the_answer_then),
          TEST(who_has_had_many_resets_is_left_before_it_minds),
          TEST(a_cancelled_exchange_cancels_its_stream_alone),
          TEST(a_silent_connection_is_asked_and_ends_without_an_answer),
          TEST(any_frame_is_a_sign_of_life), TEST(trailers_come_behind_a_known_length),
          TEST(a_known_length_whose_end_comes_late_ends_without_trailers),
          TEST(who_listens_for_a_sign_of_life_hears_it_or_its_absence),
          TEST(leaving_says_goodbye_and_ends_with_the_last_exchange))
