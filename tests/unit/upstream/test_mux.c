// SPDX-License-Identifier: Apache-2.0
#include "upstream/mux.h"

#include "unit/upstream/upstream_rig.h"

#define CONNS_MAX 4
#define FRAME_HEAD_BYTES 9

enum frame {
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
};
#define END_STREAM 1
#define END_HEADERS 4
#define OK_HEAD "\x88"                  // :status 200, indexed
#define STREAMS_MAX(n) "\0\x03\0\0\0" n // of SETTINGS
#define LAST_STREAM(n) "\0\0\0" n "\0\0\0\0"

// A server of HTTP/2 that says what the test has it say.
struct server {
    struct rig r;
    struct rt_addr addr;
    char url[160];
    int fd;
    int conns[CONNS_MAX];
    size_t n_conns;
    unsigned n_requests[CONNS_MAX], n_resets[CONNS_MAX], n_pings[CONNS_MAX];
    bool is_closed[CONNS_MAX];
    size_t n_wire[CONNS_MAX];
    char wire[CONNS_MAX][4096];
};

static struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof *s);
    char buf[128];
    rig_init(&s->r);
    s->fd = test_listen(&s->addr);
    struct str text = addr_text(&s->addr, buf, sizeof buf);
    snprintf(s->url, sizeof s->url, "h2c://" STR_FMT, STR_ARG(text));
    rig_server(&s->r, s->url, 1);
    return s;
}

static void server_free(struct server *s)
{
    for (size_t i = 0; i < s->n_conns; i++)
        close(s->conns[i]);
    close(s->fd);
    rig_fini(&s->r);
    free(s);
}

static void count_frames(struct server *s, size_t conn)
{
    static const size_t preface_bytes = 24;
    const uint8_t *wire = (const uint8_t *)s->wire[conn];
    s->n_requests[conn] = s->n_resets[conn] = s->n_pings[conn] = 0;
    for (size_t at = preface_bytes; at + FRAME_HEAD_BYTES <= s->n_wire[conn];) {
        const uint8_t *f = wire + at;
        s->n_requests[conn] += f[3] == HEADERS;
        s->n_resets[conn] += f[3] == RST_STREAM;
        s->n_pings[conn] += f[3] == PING;
        at += FRAME_HEAD_BYTES + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
    }
}

// Turns the loop, accepts and reads.
static void turn(struct server *s)
{
    loop_turn(s->r.loop, 1);
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        CHECK(s->n_conns < CONNS_MAX);
        s->conns[s->n_conns++] = fd;
    }
    for (size_t i = 0; i < s->n_conns; i++) {
        ssize_t n = recv(s->conns[i], s->wire[i] + s->n_wire[i], sizeof s->wire[i] - s->n_wire[i],
                         MSG_DONTWAIT);
        s->n_wire[i] += n > 0 ? (size_t)n : 0;
        s->is_closed[i] |= n == 0;
        count_frames(s, i);
    }
}

#define AWAIT(s, cond)                                                                             \
    do {                                                                                           \
        int64_t end_ns_ = clock_exact_ns() + (int64_t)SOON_MS * 1000000;                           \
        while (!(cond) && clock_exact_ns() < end_ns_)                                              \
            turn(s);                                                                               \
        CHECK(cond);                                                                               \
    } while (0)

static void put(struct server *s, size_t conn, enum frame type, unsigned flags, uint32_t id,
                const char *payload, size_t n)
{
    char frame[64] = {0, 0, (char)n, (char)type, (char)flags, 0, 0, (char)(id >> 8), (char)id};
    memcpy(frame + FRAME_HEAD_BYTES, payload, n);
    CHECK_INT(send(s->conns[conn], frame, FRAME_HEAD_BYTES + n, MSG_NOSIGNAL),
              FRAME_HEAD_BYTES + n);
}
#define PUT(s, conn, type, flags, id, literal)                                                     \
    put((s), (conn), (type), (flags), (id), (literal), sizeof(literal) - 1)

static struct call *start(struct server *s, struct call *c)
{
    *c = (struct call){.r = &s->r, .method = METHOD_GET};
    call_start(c);
    turn(s);
    return c;
}

static void answer(struct server *s, size_t conn, uint32_t id)
{
    PUT(s, conn, HEADERS, END_HEADERS | END_STREAM, id, OK_HEAD);
}

static void cancel(struct server *s, struct call *c)
{
    fiber_cancel(c->fiber);
    AWAIT(s, c->is_done);
    CHECK_INT(c->err, ERR_CANCELLED);
}

// --- tests ---

static void who_waits_for_limits_has_the_place_of_one_that_gave_up_before_them(void)
{
    struct server *s = server_new();
    struct call first, second, third;
    s->r.conf.idle_ms = 0; // one without exchanges would be closed at once
    rig_build(&s->r);
    start(s, &first);
    AWAIT(s, s->n_requests[0] == 1);
    start(s, &second);
    start(s, &third);
    cancel(s, &first);
    AWAIT(s, s->n_requests[0] == 2);
    CHECK(!second.is_done && !third.is_done);
    PUT(s, 0, SETTINGS, 0, 0, "");
    AWAIT(s, s->n_requests[0] == 3);
    answer(s, 0, 3);
    answer(s, 0, 5);
    AWAIT(s, second.is_done && third.is_done);
    CHECK(second.status == 200 && third.status == 200);
    CHECK_INT(s->n_conns, 1);
    server_free(s);
}

static void who_finds_no_room_when_the_limits_are_known_opens_another(void)
{
    struct server *s = server_new();
    struct call calls[3];
    rig_build(&s->r);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        start(s, &calls[i]);
    AWAIT(s, s->n_requests[0] == 1);
    CHECK_INT(s->n_conns, 1);
    PUT(s, 0, SETTINGS, 0, 0, STREAMS_MAX("\x02"));
    AWAIT(s, s->n_requests[1] == 1);
    CHECK_INT(s->n_requests[0], 2);
    answer(s, 0, 1);
    answer(s, 0, 3);
    PUT(s, 1, SETTINGS, 0, 0, "");
    answer(s, 1, 1);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        AWAIT(s, calls[i].is_done);
        CHECK_INT(calls[i].status, 200);
    }
    server_free(s);
}

static void room_on_a_full_connection_goes_to_who_has_queued_longest(void)
{
    struct server *s = server_new();
    struct call calls[3];
    s->r.conf.conns_max = 1;
    rig_build(&s->r);
    start(s, &calls[0]);
    AWAIT(s, s->n_requests[0] == 1);
    PUT(s, 0, SETTINGS, 0, 0, STREAMS_MAX("\x01"));
    turn(s);
    for (size_t i = 1; i < ARRAY_LEN(calls); i++)
        start(s, &calls[i]);
    for (uint32_t i = 0; i < ARRAY_LEN(calls); i++) {
        AWAIT(s, s->n_requests[0] == i + 1);
        answer(s, 0, 2 * i + 1);
        AWAIT(s, calls[i].is_done);
        CHECK_INT(calls[i].status, 200);
        CHECK(i == 2 || !calls[i + 1].is_done);
    }
    CHECK_INT(s->n_conns, 1);
    server_free(s);
}

static void what_a_goaway_leaves_out_goes_over_another_connection(void)
{
    struct server *s = server_new();
    struct call served, left_out, later;
    rig_build(&s->r);
    start(s, &served);
    AWAIT(s, s->n_requests[0] == 1);
    PUT(s, 0, SETTINGS, 0, 0, "");
    turn(s);
    start(s, &left_out);
    AWAIT(s, s->n_requests[0] == 2);
    PUT(s, 0, GOAWAY, 0, 0, LAST_STREAM("\x01"));
    AWAIT(s, s->n_requests[1] == 1);
    PUT(s, 1, SETTINGS, 0, 0, "");
    turn(s);
    start(s, &later);
    AWAIT(s, s->n_requests[1] == 2);
    answer(s, 0, 1);
    answer(s, 1, 1);
    answer(s, 1, 3);
    AWAIT(s, served.is_done && left_out.is_done && later.is_done);
    CHECK(served.status == 200 && left_out.status == 200 && later.status == 200);
    CHECK_INT(s->n_requests[0], 2);
    CHECK_INT(left_out.n_tries, 2);
    server_free(s);
}

static void the_end_of_a_connection_lets_the_queue_open_another(void)
{
    struct server *s = server_new();
    struct call first, second;
    s->r.conf.conns_max = 1;
    s->r.conf.tries = 1;
    rig_build(&s->r);
    start(s, &first);
    AWAIT(s, s->n_requests[0] == 1);
    PUT(s, 0, SETTINGS, 0, 0, STREAMS_MAX("\x01"));
    turn(s);
    start(s, &second);
    shutdown(s->conns[0], SHUT_RDWR);
    AWAIT(s, s->n_requests[1] == 1);
    CHECK(first.is_done && first.status == 502);
    PUT(s, 1, SETTINGS, 0, 0, "");
    answer(s, 1, 1);
    AWAIT(s, second.is_done);
    CHECK_INT(second.status, 200);
    server_free(s);
}

static void a_slow_connection_keeps_nobody_waiting_for_longer_than_half_of_the_time(void)
{
    struct server *s = server_new();
    struct call calls[3];
    s->r.conf.connect_ms = 2000;
    rig_build(&s->r);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        start(s, &calls[i]);
    AWAIT(s, s->n_requests[1] == 1); // the first one's limits aren't known yet
    CHECK_INT(s->n_requests[0], 1);
    CHECK_INT(s->n_conns, 2);
    PUT(s, 0, SETTINGS, 0, 0, ""); // also for who waits for the second one's
    AWAIT(s, s->n_requests[0] == 2);
    CHECK_INT(s->n_conns, 2);
    answer(s, 0, 1);
    answer(s, 0, 3);
    PUT(s, 1, SETTINGS, 0, 0, "");
    answer(s, 1, 1);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        AWAIT(s, calls[i].is_done);
        CHECK_INT(calls[i].status, 200);
    }
    server_free(s);
}

static struct mux *first_mux(struct server *s)
{
    const struct service *service = service_of(s->r.service);
    struct worker_server *ws = worker_server_of(s->r.worker, service->servers[0].state);
    struct list_node *n = list_first(&ws->targets[0]->muxes);
    CHECK(n != NULL);
    return CONTAINER_OF(n, struct mux, client.node);
}

// A connection that has served one exchange, and was silent since.
static struct server *silent_server(void)
{
    struct server *s = server_new();
    struct call c;
    s->r.conf.connect_ms = 1000;
    rig_build(&s->r);
    start(s, &c);
    AWAIT(s, s->n_requests[0] == 1);
    PUT(s, 0, SETTINGS, 0, 0, "");
    answer(s, 0, 1);
    AWAIT(s, c.is_done);
    first_mux(s)->client.heard_ms -= 60000;
    return s;
}

static void what_cannot_be_repeated_waits_for_a_sign_of_life(void)
{
    struct server *s = silent_server();
    struct call get, post = {.r = &s->r, .method = METHOD_POST};
    call_start(&post);
    AWAIT(s, s->n_pings[0] == 1);
    CHECK_INT(s->n_requests[0], 1);
    start(s, &get); // at once
    AWAIT(s, s->n_requests[0] == 2);
    PUT(s, 0, PING, 1, 0, "\0\0\0\0\0\0\0\0");
    AWAIT(s, s->n_requests[0] == 3);
    answer(s, 0, 3);
    answer(s, 0, 5);
    AWAIT(s, get.is_done && post.is_done);
    CHECK(get.status == 200 && post.status == 200);
    CHECK_INT(s->n_conns, 1);
    server_free(s);
}

static void what_cannot_be_repeated_goes_elsewhere_without_a_sign_of_life(void)
{
    struct server *s = silent_server();
    struct call post = {.r = &s->r, .method = METHOD_POST};
    call_start(&post);
    AWAIT(s, s->n_requests[1] == 1);
    CHECK_INT(s->n_requests[0], 1);
    PUT(s, 1, SETTINGS, 0, 0, "");
    answer(s, 1, 1);
    AWAIT(s, post.is_done);
    CHECK_INT(post.status, 200);
    AWAIT(s, s->is_closed[0]);
    server_free(s);
}

static void an_idle_connection_is_closed_after_its_time(void)
{
    struct server *s = server_new();
    struct call c;
    s->r.conf.idle_ms = 20;
    rig_build(&s->r);
    start(s, &c);
    AWAIT(s, s->n_requests[0] == 1);
    PUT(s, 0, SETTINGS, 0, 0, "");
    answer(s, 0, 1);
    AWAIT(s, c.is_done);
    CHECK_INT(c.status, 200);
    AWAIT(s, s->is_closed[0]);
    server_free(s);
}

TEST_MAIN(TEST(who_waits_for_limits_has_the_place_of_one_that_gave_up_before_them),
          TEST(who_finds_no_room_when_the_limits_are_known_opens_another),
          TEST(room_on_a_full_connection_goes_to_who_has_queued_longest),
          TEST(what_a_goaway_leaves_out_goes_over_another_connection),
          TEST(the_end_of_a_connection_lets_the_queue_open_another),
          TEST(a_slow_connection_keeps_nobody_waiting_for_longer_than_half_of_the_time),
          TEST(what_cannot_be_repeated_waits_for_a_sign_of_life),
          TEST(what_cannot_be_repeated_goes_elsewhere_without_a_sign_of_life),
          TEST(an_idle_connection_is_closed_after_its_time))
