// SPDX-License-Identifier: Apache-2.0
#include "client_rig.h"

#include <fcntl.h>
#include <netinet/in.h>

#include "http/replay.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define HEAD_END "\r\n\r\n"
#define POST_HEAD "POST /a HTTP/1.1\r\nHost: example.com\r\n"

static char large[64 * 1024 + 1];

static void fill_large(void)
{
    memset(large, 'u', sizeof large - 1);
}

// Waits for the server's connection to be closed by the client, and forgets it: ready for another.
static void reconnect(struct rig *r)
{
    unsigned n_served = r->c.n_exchanges;
    sock_close(&r->server);
    h1_client_fini(&r->c);
    rig_connect(r);
    r->c.n_exchanges = n_served;
    r->is_client_done = r->is_server_done = false;
    r->n_wire = 0;
}

static void a_body_at_hand_goes_with_the_head_and_can_be_sent_again(void)
{
    struct rig *r = rig_new(METHOD_POST);
    r->c.n_exchanges = 1;
    RIG_UPLOAD(r, 5, "hello");
    for (int i = 0; i < 2; i++) {
        RIG_RUN(r, {SERVER_READS, "hello"}, {SERVER_CLOSES, NULL});
        CHECK_INT(r->end, HTTP_CLIENT_STALE);
        CHECK(!r->sent_body);
        reconnect(r);
    }
    RIG_RUN(r, {SERVER_READS, "hello"}, {SERVER_SENDS, OK_EMPTY});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK(!r->sent_body);
    CHECK_STR(rig_wire(r), STR(POST_HEAD "Content-Length: 5\r\n\r\nhello"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void a_longer_body_is_sent_by_its_pump(void)
{
    struct rig *r = rig_new(METHOD_POST);
    RIG_UPLOAD(r, 10, "hello", "world");
    RIG_RUN(r, {SERVER_READS, "helloworld"}, {SERVER_SENDS, OK_EMPTY});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK(r->sent_body);
    CHECK_STR(rig_wire(r), STR(POST_HEAD "Content-Length: 10\r\n\r\nhelloworld"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void a_body_of_unknown_length_is_chunked(void)
{
    for (int is_slow = 0; is_slow < 2; is_slow++) {
        struct rig *r = rig_new(METHOD_POST);
        struct test_body *t = RIG_UPLOAD(r, -1, "abc", "defghijklmnopqrs");
        t->is_slow = is_slow;
        struct headers trailers;
        headers_init(&trailers, &r->mem);
        CHECK_INT(headers_add_named(&trailers, STR("X-Sum"), STR("7")), ERR_OK);
        t->body.trailers = is_slow ? &trailers : NULL;
        RIG_RUN(r, {SERVER_READS, is_slow ? "\r\nX-Sum: 7\r\n\r\n" : "\r\n0\r\n\r\n"},
                {SERVER_SENDS, OK_EMPTY});
        CHECK_INT(r->end, HTTP_CLIENT_OK);
        struct str body;
        CHECK(str_cut(rig_wire(r), '\r', NULL, NULL));
        body = str_skip(rig_wire(r), str_search(rig_wire(r), STR(HEAD_END)) + 4);
        CHECK_STR(body, is_slow ? STR("3\r\nabc\r\n10\r\ndefghijklmnopqrs\r\n0\r\nX-Sum: 7\r\n\r\n")
                                : STR("3\r\nabc\r\n10\r\ndefghijklmnopqrs\r\n0\r\n\r\n"));
        CHECK(str_search(rig_wire(r), STR("\r\nTransfer-Encoding: chunked\r\n")) != STR_NPOS);
        CHECK_INT(r->n_reusable, 1);
        rig_free(r);
    }
}

static void a_length_of_nothing_is_kept(void)
{
    struct rig *r = rig_new(METHOD_POST);
    CHECK_INT(headers_add(&r->x.req.headers, FIELD_CONTENT_LENGTH, STR("0")), ERR_OK);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_EMPTY});
    CHECK_STR(rig_wire(r), STR(POST_HEAD "Content-Length: 0\r\n\r\n"));
    rig_free(r);
}

static void an_empty_chunked_body_ends_with_the_head(void)
{
    struct rig *r = rig_new(METHOD_POST);
    RIG_UPLOAD(r, -1, NULL);
    RIG_RUN(r, {SERVER_READS, "\r\n\r\n0\r\n\r\n"}, {SERVER_SENDS, OK_EMPTY});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

// --- Expect: 100-continue ---

static void the_body_waits_for_the_servers_continue(void)
{
    struct rig *r = rig_new(METHOD_POST);
    r->x.req.expects_continue = true;
    RIG_UPLOAD(r, 5, "hello");
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, "HTTP/1.1 100 Continue\r\n\r\n"},
            {SERVER_READS, "hello"}, {SERVER_SENDS, OK_EMPTY});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->n_informs, 1);
    CHECK_INT(r->informed[0], 100);
    CHECK_STR(rig_wire(r), STR(POST_HEAD "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void a_refusal_instead_of_continue_leaves_the_body_untaken(void)
{
    struct rig *r = rig_new(METHOD_POST);
    r->x.req.expects_continue = true;
    RIG_UPLOAD(r, 5, "hello");
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->x.resp.status, 413);
    CHECK(!r->sent_body);
    CHECK_INT(r->upload.i, 0);
    CHECK_INT(r->n_done, 1);
    CHECK_INT(r->n_reusable, 0);
    rig_free(r);
}

static void a_server_that_never_says_continue_gets_the_body_anyway(void)
{
    struct rig *r = rig_new(METHOD_POST);
    r->x.req.expects_continue = true;
    r->options.head_ms = 30;
    RIG_UPLOAD(r, 5, "hello");
    RIG_RUN(r, {SERVER_READS, "hello"}, {SERVER_SENDS, OK_EMPTY});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->informed[0], 100); // our own: the client may be waiting for it
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

// --- early answers ---

static void an_early_answer_ends_the_upload(void)
{
    static const char *const answers[] = {
        OK_HELLO,
        "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct rig *r = rig_new(METHOD_POST);
        RIG_UPLOAD(r, 100, "abcde")->is_stuck = true;
        RIG_RUN(r, {SERVER_READS, "abcde"}, {SERVER_SENDS, answers[i]});
        CHECK_INT(r->end, HTTP_CLIENT_OK);
        CHECK_INT(r->body_end, IO_EOF);
        CHECK(r->sent_body);
        CHECK_INT(r->x.end, EXCHANGE_END_OK);
        CHECK_INT(r->n_done, 1);
        CHECK_INT(r->n_reusable, 0);
        rig_free(r);
    }
}

static void both_directions_stream_at_once(void)
{
    struct rig *r = rig_new(METHOD_POST);
    RIG_UPLOAD(r, -1, "abcde", "fghij")->is_slow = true;
    RIG_RUN(r, {SERVER_READS, "abcde"},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nABCDE\r\n"},
            {SERVER_READS, "fghij\r\n0\r\n\r\n"}, {SERVER_SENDS, "5\r\nFGHIJ\r\n0\r\n\r\n"});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_STR(rig_body(r), STR("ABCDEFGHIJ"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void an_early_answer_does_not_send_again_what_is_kept_of_the_upload(void)
{
    struct rig *r = rig_new(METHOD_PUT);
    int small = 1; // as small as the kernel has them: the upload waits for the server to read
    CHECK(setsockopt(r->c.stream.sock.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    fill_large();
    RIG_UPLOAD(r, 3 * (int64_t)(sizeof large - 1) + 8, "first", large, large, large, "end");
    replay_record(&r->x, (uint64_t)1024 * 1024);
    RIG_RUN(r, {SERVER_READS, HEAD_END "first"},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
            {SERVER_READS, "end"}, {SERVER_SENDS, "0\r\n\r\n"});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_STR(rig_body(r), STR("hello"));
    struct str head = STR("PUT /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 196616\r\n\r\n");
    CHECK_INT(r->n_wire, head.len + 196616);
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void an_upload_in_progress_keeps_a_silent_answer_alive(void)
{
    struct rig *r = rig_new(METHOD_POST);
    r->options.head_ms = 20;
    RIG_UPLOAD(r, 100, "abcde")->is_stuck = true;
    RIG_RUN(r, {SERVER_READS, "abcde"}, {SERVER_AWAITS, NULL}, {SERVER_SENDS, OK_HELLO});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_STR(rig_body(r), STR("hello"));
    rig_free(r);
}

// A pair of TCP sockets: resets as the net knows them.
static void rig_connect_tcp(struct rig *r)
{
    sock_close(&r->c.stream.sock);
    sock_close(&r->server);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    CHECK(bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(client, (struct sockaddr *)&at, len) == 0);
    int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
    CHECK(fcntl(client, F_SETFL, O_NONBLOCK) == 0);
    sock_init(&r->c.stream.sock, client);
    sock_init(&r->server, server);
}

static void an_answer_gets_through_although_the_server_reads_no_more(void)
{
    struct rig *r = rig_new(METHOD_POST);
    rig_connect_tcp(r);
    fill_large();
    RIG_UPLOAD(r, 7 * (int64_t)(sizeof large - 1), large, large, large, large, large, large, large);
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 413 Too Large\r\nConnection: close\r\n"
                           "Content-Length: 5\r\n\r\nhello"},
            {SERVER_CLOSES, NULL});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->x.resp.status, 413);
    CHECK_STR(rig_body(r), STR("hello"));
    CHECK_INT(r->n_done, 1);
    CHECK_INT(r->n_reusable, 0);
    rig_free(r);
}

// --- what goes wrong ---

static void a_client_that_fails_in_its_body_ends_the_exchange(void)
{
    struct rig *r = rig_new(METHOD_POST);
    RIG_UPLOAD(r, 100, "abcde")->is_cut = true;
    RIG_RUN(r, {SERVER_READS, "abcde"}, {SERVER_READS_TO_END, NULL});
    CHECK_INT(r->end, HTTP_CLIENT_BODY);
    CHECK_INT(r->x.end, EXCHANGE_END_CLIENT_GONE);
    CHECK(r->sent_body);
    CHECK_INT(r->n_done, 1);
    rig_free(r);
}

static void a_body_shorter_than_its_length_is_a_failure(void)
{
    for (int is_slow = 0; is_slow < 2; is_slow++) {
        struct rig *r = rig_new(METHOD_POST);
        RIG_UPLOAD(r, 100, "abcde")->is_slow = is_slow;
        RIG_RUN(r, {SERVER_READS_TO_END, NULL});
        CHECK_INT(r->end, HTTP_CLIENT_BODY);
        CHECK(r->x.end != EXCHANGE_END_OK);
        rig_free(r);
    }
}

static void a_server_that_takes_nothing_times_out(void)
{
    struct rig *r = rig_new(METHOD_POST);
    r->options.body_idle_ms = 20;
    fill_large();
    RIG_UPLOAD(r, 8 * (int64_t)(sizeof large - 1), large, large, large, large, large, large, large,
               large);
    RIG_RUN(r, {0, NULL});
    CHECK_INT(r->end, HTTP_CLIENT_TIMEOUT);
    CHECK_STR(r->x.end_detail, STR("server 10.0.0.1:80: takes no more of the request's body"));
    rig_free(r);
}

static void a_server_that_goes_away_in_the_upload_is_noticed(void)
{
    for (unsigned n_served = 0; n_served < 2; n_served++) {
        struct rig *r = rig_new(METHOD_POST);
        r->c.n_exchanges = n_served;
        RIG_UPLOAD(r, 100, "abcde")->is_stuck = true;
        RIG_RUN(r, {SERVER_READS, "abcde"}, {SERVER_CLOSES, NULL});
        CHECK_INT(r->end, n_served > 0 ? HTTP_CLIENT_STALE : HTTP_CLIENT_CLOSED);
        CHECK(r->sent_body);
        CHECK_INT(r->x.end, EXCHANGE_END_OK);
        rig_free(r);
    }
}

// Its only piece comes in the moment in which the pump is stopped.
static enum io read_at_the_last_moment(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct test_body *t = CONTAINER_OF(b, struct test_body, body);
    if (until.at_ms == BODY_NO_WAIT.at_ms)
        return IO_AGAIN;
    while (!fiber_is_cancelled(fiber_self()))
        fiber_yield();
    if (t->i++ > 0)
        return IO_FAIL;
    *ret_piece = STR("hello");
    return IO_DONE;
}

static void a_piece_taken_at_the_last_moment_counts_as_sent(void)
{
    static const struct body_ops ops = {.name = "late", .read = read_at_the_last_moment};
    struct rig *r = rig_new(METHOD_PUT);
    r->c.n_exchanges = 1;
    RIG_UPLOAD(r, -1, "")->body.ops = &ops;
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_CLOSES, NULL});
    CHECK_INT(r->end, HTTP_CLIENT_STALE);
    CHECK(r->sent_body);
    rig_free(r);
}

static void without_a_free_fiber_the_body_is_sent_all_the_same(void)
{
    struct rig *r = rig_new(METHOD_POST);
    http_env_fini(&r->env);
    loop_turn(r->loop, 0);
    arena_reset(&r->mem);
    // Only the server's and the client's fiber fit.
    sock_close(&r->server);
    h1_client_fini(&r->c);
    loop_free(r->loop);
    r->loop = loop_new(&(struct loop_options){.fibers_max = 2});
    loop_enter(r->loop);
    static const struct http_app app;
    http_env_init(&r->env, &app, NULL, 100);
    rig_connect(r);
    rig_request(r, METHOD_POST);
    RIG_UPLOAD(r, 10, "hello", "world")->is_slow = true;
    RIG_RUN(r, {SERVER_READS, "helloworld"}, {SERVER_SENDS, OK_HELLO});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_STR(rig_body(r), STR("hello"));
    rig_free(r);
}

// --- splicing ---

// A body whose bytes are on a socket.
struct raw_body {
    struct body body;
    struct rt_sock sock;
    uint64_t left;
    unsigned n_spliced;
    char piece[1024];
};

static enum io raw_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct raw_body *t = CONTAINER_OF(b, struct raw_body, body);
    if (t->left == 0)
        return IO_EOF;
    size_t n = 0;
    size_t wanted = MIN(t->left, sizeof t->piece);
    enum io io = until.at_ms == BODY_NO_WAIT.at_ms
                     ? sock_try_read(&t->sock, t->piece, wanted, &n)
                     : sock_read(&t->sock, t->piece, wanted, until, &n);
    t->left -= n;
    *ret_piece = str_from(t->piece, n);
    return io;
}

static bool raw_raw(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left)
{
    struct raw_body *t = CONTAINER_OF(b, struct raw_body, body);
    *ret_sock = &t->sock;
    *ret_left = t->left;
    return true;
}

static void raw_moved(struct body *b, uint64_t n)
{
    struct raw_body *t = CONTAINER_OF(b, struct raw_body, body);
    t->left -= n;
    t->n_spliced++;
}

static void a_large_plain_body_is_spliced(void)
{
    static const struct body_ops ops = {
        .name = "raw", .read = raw_read, .raw = raw_raw, .raw_moved = raw_moved};
    struct rig *r = rig_new(METHOD_POST);
    rig_connect_tcp(r);
    fill_large();
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    struct raw_body t = {.body = {.ops = &ops, .length = sizeof large - 1},
                         .left = sizeof large - 1};
    sock_init(&t.sock, fds[0]);
    CHECK(write(fds[1], large, sizeof large - 1) == sizeof large - 1);
    r->x.req.body = &t.body;
    RIG_RUN(r, {SERVER_READS, large}, {SERVER_SENDS, OK_HELLO});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK(t.n_spliced > 0);
    CHECK_INT(t.left, 0);
    CHECK(str_ends(rig_wire(r), str_of(large)));
    CHECK_INT(r->n_reusable, 1);
    sock_close(&t.sock);
    close(fds[1]);
    rig_free(r);
}

// Reads the answer's first piece, then splices the rest to a pair's other end.
static void splice_answer(void *arg)
{
    struct rig *r = arg;
    r->client = fiber_self();
    r->end = h1_client_serve(&r->c, &r->x, &r->options, &r->sent_body);
    struct body *b = r->x.resp.body;
    struct str piece;
    CHECK_INT(body_read(b, &piece, deadline_at(INT64_MAX)), IO_DONE);
    uint64_t n_moved = piece.len, left = 0;
    struct rt_sock *from;
    struct rt_sock sink;
    int fds[2];
    static char sunk[256 * 1024];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    sock_init(&sink, fds[0]);
    while (b->ops->raw(b, &from, &left)) {
        size_t n;
        bool from_failed;
        CHECK_INT(sock_splice(from, &sink, left, 1000, deadline_at(INT64_MAX), &n, &from_failed),
                  IO_DONE);
        b->ops->raw_moved(b, n);
        n_moved += n;
        CHECK(read(fds[1], sunk, sizeof sunk) > 0);
    }
    CHECK_INT(n_moved, b->length);
    r->body_end = body_read(b, &piece, deadline_at(INT64_MAX));
    body_fini(b);
    sock_close(&sink);
    close(fds[1]);
    r->is_client_done = true;
}

static void the_rest_of_a_large_answer_may_be_spliced(void)
{
    struct rig *r = rig_new(METHOD_GET);
    rig_connect_tcp(r);
    fill_large();
    r->script = (const struct step[]){
        {SERVER_READS, HEAD_END},
        {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 131072\r\n\r\n"},
        {SERVER_SENDS, large},
        {SERVER_SENDS, large},
        {0, NULL},
    };
    CHECK(fiber_start(rig_server, r) && fiber_start(splice_answer, r));
    rig_turn_until(r, &r->is_client_done);
    rig_turn_until(r, &r->is_server_done);
    CHECK_INT(r->body_end, IO_EOF);
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

// Pulls the answer's body; notes the longest piece.
static void pull_answer(void *arg)
{
    struct rig *r = arg;
    r->client = fiber_self();
    r->end = h1_client_serve(&r->c, &r->x, &r->options, &r->sent_body);
    struct body *b = r->x.resp.body;
    struct str piece;
    while ((r->body_end = body_read(b, &piece, deadline_at(INT64_MAX))) == IO_DONE) {
        CHECK(piece.len <= HTTP_LARGE_BYTES);
        r->n_longest = MAX(r->n_longest, piece.len);
        for (size_t i = 0; i < piece.len && !test_failed; i++)
            CHECK(piece.ptr[i] == large[(r->n_body + i) % strlen(large)]);
        r->n_body += piece.len;
    }
    body_fini(b);
    r->is_client_done = true;
}

static size_t longest_piece(uint32_t n_large_buffers)
{
    struct rig *r = rig_new(METHOD_GET);
    rig_connect_tcp(r);
    fill_large();
    r->env.large.out_max = n_large_buffers;
    r->script = (const struct step[]){
        {SERVER_READS, HEAD_END},
        {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 262144\r\n\r\n"},
        {SERVER_SENDS, large},
        {SERVER_SENDS, large},
        {SERVER_SENDS, large},
        {SERVER_SENDS, large},
        {0, NULL},
    };
    CHECK(fiber_start(rig_server, r) && fiber_start(pull_answer, r));
    rig_turn_until(r, &r->is_client_done);
    rig_turn_until(r, &r->is_server_done);
    CHECK_INT(r->body_end, IO_EOF);
    CHECK_INT(r->n_body, 262144);
    CHECK_INT(r->n_reusable, 1);
    CHECK_INT(r->env.large.n_out, 0);
    size_t longest = r->n_longest;
    rig_free(r);
    return longest;
}

static void a_long_answer_is_read_in_larger_pieces_while_there_are_buffers(void)
{
    CHECK(longest_piece(1) > HTTP_BUFFER_BYTES);
    CHECK(longest_piece(0) <= HTTP_BUFFER_BYTES);
}

TEST_MAIN(TEST(a_body_at_hand_goes_with_the_head_and_can_be_sent_again),
          TEST(a_longer_body_is_sent_by_its_pump), TEST(a_body_of_unknown_length_is_chunked),
          TEST(a_length_of_nothing_is_kept), TEST(an_empty_chunked_body_ends_with_the_head),
          TEST(the_body_waits_for_the_servers_continue),
          TEST(a_refusal_instead_of_continue_leaves_the_body_untaken),
          TEST(a_server_that_never_says_continue_gets_the_body_anyway),
          TEST(an_early_answer_ends_the_upload), TEST(both_directions_stream_at_once),
          TEST(an_early_answer_does_not_send_again_what_is_kept_of_the_upload),
          TEST(an_upload_in_progress_keeps_a_silent_answer_alive),
          TEST(an_answer_gets_through_although_the_server_reads_no_more),
          TEST(a_client_that_fails_in_its_body_ends_the_exchange),
          TEST(a_body_shorter_than_its_length_is_a_failure),
          TEST(a_server_that_takes_nothing_times_out),
          TEST(a_server_that_goes_away_in_the_upload_is_noticed),
          TEST(a_piece_taken_at_the_last_moment_counts_as_sent),
          TEST(without_a_free_fiber_the_body_is_sent_all_the_same),
          TEST(a_large_plain_body_is_spliced), TEST(the_rest_of_a_large_answer_may_be_spliced),
          TEST(a_long_answer_is_read_in_larger_pieces_while_there_are_buffers))
