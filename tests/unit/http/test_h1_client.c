// SPDX-License-Identifier: Apache-2.0
#include "client_rig.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
#define HEAD_END "\r\n\r\n"

static void an_answer_comes_with_its_head_and_body(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->x.req.has_query = true;
    r->x.req.query = STR("b=c");
    CHECK_INT(headers_add(&r->x.req.headers, FIELD_HOST, STR("forged")), ERR_OK);
    CHECK_INT(headers_add(&r->x.req.headers, FIELD_ACCEPT, STR("*/*")), ERR_OK);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_HELLO});
    CHECK_STR(rig_wire(r), STR("GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n"));
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->x.resp.status, 200);
    CHECK_INT(r->x.resp.body->length, 5);
    CHECK_STR(headers_get(&r->x.resp.headers, FIELD_CONTENT_LENGTH), STR("5"));
    CHECK_STR(headers_find_named(&r->x.resp.headers, STR("x-a"))->value, STR("b"));
    CHECK_STR(rig_body(r), STR("hello"));
    CHECK_INT(r->body_end, IO_EOF);
    CHECK_INT(r->n_done, 1);
    CHECK_INT(r->n_reusable, 1);
    CHECK(r->x.times.sent > 0 && r->x.times.answer_head > 0);
    rig_free(r);
}

static void options_choose_host_and_path(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->options.host = STR("inner.example");
    r->options.path = STR("/app/a");
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_HELLO});
    CHECK_STR(rig_wire(r), STR("GET /app/a HTTP/1.1\r\nHost: inner.example\r\n\r\n"));
    rig_free(r);
}

static void the_asterisk_form_stays_one(void)
{
    struct rig *r = rig_new(METHOD_OPTIONS);
    r->x.req.is_asterisk = true;
    r->x.req.path = STR("*");
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, "HTTP/1.1 204 No Content\r\n\r\n"});
    CHECK_STR(rig_wire(r), STR("OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void a_connection_serves_many_exchanges(void)
{
    struct rig *r = rig_new(METHOD_GET);
    for (unsigned i = 1; i <= 3; i++) {
        rig_request(r, METHOD_GET);
        CHECK(h1_client_is_clean(&r->c, false));
        RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_HELLO});
        CHECK_INT(r->end, HTTP_CLIENT_OK);
        CHECK_STR(rig_body(r), STR("hello"));
        CHECK_INT(r->n_reusable, i);
        CHECK_INT(r->c.n_exchanges, i);
        CHECK_INT(r->env.buffers.n_out, 0);
    }
    rig_free(r);
}

static void turn_until_waiting(struct rig *r, const char *sent)
{
    r->script = (const struct step[STEPS_MAX]){{SERVER_READS, sent}};
    CHECK(fiber_start(rig_server, r) && fiber_start(rig_client, r));
    rig_turn_until(r, &r->is_server_done);
    for (int i = 0; i < 3; i++)
        loop_turn(r->loop, 0);
}

static void a_server_that_is_waited_for_costs_no_buffer(void)
{
    struct rig *r = rig_new(METHOD_GET);
    turn_until_waiting(r, HEAD_END);
    CHECK_INT(r->env.buffers.n_out, 0);
    RIG_SERVE(r, {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"});
    CHECK_STR(rig_body(r), STR("he"));
    CHECK_INT(r->env.buffers.n_out, 0);
    RIG_SERVE(r, {SERVER_SENDS, "llo"});
    rig_turn_until(r, &r->is_client_done);
    CHECK_STR(rig_body(r), STR("hello"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void without_a_buffer_for_the_answer_the_exchange_ends(void)
{
    static const struct {
        const char *sent; // before there is none
        enum http_client_end end;
        enum exchange_end why;
        struct str detail;
    } cases[] = {
        {"", HTTP_CLIENT_RESOURCES, EXCHANGE_END_OK,
         STR_INIT("server 10.0.0.1:80: no buffer for the answer")},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", HTTP_CLIENT_OK, EXCHANGE_END_RESOURCES,
         STR_INIT("server 10.0.0.1:80: no buffer for the answer's body")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new(METHOD_GET);
        turn_until_waiting(r, HEAD_END);
        if (cases[i].sent[0] != '\0')
            RIG_SERVE(r, {SERVER_SENDS, cases[i].sent});
        r->env.buffers.out_max = 0;
        RIG_SERVE(r, {SERVER_SENDS, "more"});
        rig_turn_until(r, &r->is_client_done);
        CHECK_INT(r->end, cases[i].end);
        CHECK_INT(r->x.end, cases[i].why);
        CHECK_STR(r->x.end_detail, cases[i].detail);
        CHECK_INT(r->n_reusable, 0);
        rig_free(r);
    }
}

static void a_large_head_is_sent_and_read(void)
{
    struct rig *r = rig_new(METHOD_GET);
    static char value[40 * 1024];
    memset(value, 'v', sizeof value);
    CHECK_INT(headers_add_named(&r->x.req.headers, STR("X-Large"), str_from(value, sizeof value)),
              ERR_OK);
    static char answer[50 * 1024];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Large: %.*s\r\n\r\nab", 40 * 1024, value);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, answer});
    CHECK(r->n_wire > sizeof value);
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(headers_find_named(&r->x.resp.headers, STR("x-large"))->value.len, sizeof value);
    CHECK_STR(rig_body(r), STR("ab"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void an_endless_head_is_refused(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->options.limits.head_max_bytes = 20 * 1024;
    static char answer[64 * 1024];
    memset(answer, 'v', sizeof answer - 1);
    memcpy(answer, "HTTP/1.1 200 OK\r\nX: ", 20);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, answer});
    CHECK_INT(r->end, HTTP_CLIENT_PROTOCOL);
    CHECK_INT(r->env.stats.server_errors[H1_ERROR_HEAD_LENGTH], 1);
    rig_free(r);
}

// --- framing of answers ---

struct answer_case {
    const char *name;
    enum method method;
    const char *wire;
    bool ends; // the server ends after it
    enum http_client_end end;
    int status;
    int64_t length; // of the body; -2: no body
    const char *body;
    enum io body_end;
    bool is_reusable;
};

static const struct answer_case answers[] = {
    {"length", METHOD_GET, OK_HELLO, false, HTTP_CLIENT_OK, 200, 5, "hello", IO_EOF, true},
    {"length 0", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, HTTP_CLIENT_OK,
     200, -2, "", IO_EOF, true},
    {"close asked", METHOD_GET,
     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", false, HTTP_CLIENT_OK,
     200, 2, "ab", IO_EOF, false},
    {"http/1.0", METHOD_GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", false,
     HTTP_CLIENT_OK, 200, 2, "ab", IO_EOF, false},
    {"http/1.0 keep-alive", METHOD_GET,
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", false,
     HTTP_CLIENT_OK, 200, 2, "ab", IO_EOF, true},
    {"until close", METHOD_GET, "HTTP/1.1 200 OK\r\n\r\nall of it", true, HTTP_CLIENT_OK, 200, -1,
     "all of it", IO_EOF, false},
    {"chunked", METHOD_GET,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
     false, HTTP_CLIENT_OK, 200, -1, "abcdefg", IO_EOF, true},
    {"head", METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", false, HTTP_CLIENT_OK,
     200, -2, "", IO_EOF, true},
    {"204", METHOD_GET, "HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_CLIENT_OK, 204, -2, "",
     IO_EOF, true},
    {"304", METHOD_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
     HTTP_CLIENT_OK, 304, -2, "", IO_EOF, true},
    {"leftover", METHOD_GET, OK_HELLO "HTTP", false, HTTP_CLIENT_OK, 200, 5, "hello", IO_EOF,
     false},
    {"leftover after 204", METHOD_GET, "HTTP/1.1 204 No Content\r\n\r\nx", false, HTTP_CLIENT_OK,
     204, -2, "", IO_EOF, false},
    {"cut length", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", true,
     HTTP_CLIENT_OK, 200, 9, "hello", IO_FAIL, false},
    {"cut chunk", METHOD_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
     true, HTTP_CLIENT_OK, 200, -1, "hello", IO_FAIL, false},
    {"no last chunk", METHOD_GET,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true, HTTP_CLIENT_OK,
     200, -1, "hello", IO_FAIL, false},
    {"bad chunk", METHOD_GET,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nx\r\n", false, HTTP_CLIENT_OK,
     200, -1, "ab", IO_FAIL, false},
    {"bad trailer", METHOD_GET,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", false,
     HTTP_CLIENT_OK, 200, -1, "", IO_FAIL, false},
};

static void answers_end_where_their_framing_says(void)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const struct answer_case *a = &answers[i];
        struct rig *r = rig_new(a->method);
        bool had_failed = test_failed;
        test_failed = false;
        RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, a->wire},
                {a->ends ? SERVER_ENDS : (enum server_does)0, NULL});
        CHECK_INT(r->end, a->end);
        CHECK_INT(r->x.resp.status, a->status);
        CHECK_INT(r->x.resp.body ? r->x.resp.body->length : -2, a->length);
        CHECK_STR(rig_body(r), str_of(a->body));
        CHECK_INT(r->body_end, a->body_end);
        CHECK_INT(r->n_done, 1);
        CHECK_INT(r->n_reusable, a->is_reusable);
        CHECK_INT(r->x.end != EXCHANGE_END_OK, a->body_end == IO_FAIL);
        rig_free(r);
        if (test_failed)
            printf("# case %s\n", a->name);
        test_failed |= had_failed;
    }
}

static void a_cut_body_is_the_servers_fault(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"},
            {SERVER_ENDS, NULL});
    CHECK_INT(r->x.end, EXCHANGE_END_SERVER_GONE);
    CHECK_STR(r->x.end_detail,
              STR("server 10.0.0.1:80: closed in the middle of the answer's body"));
    rig_free(r);
}

static void a_bad_chunk_is_counted_and_named(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"});
    CHECK_INT(r->body_end, IO_FAIL);
    CHECK_INT(r->x.end, EXCHANGE_END_SERVER_PROTOCOL);
    CHECK_INT(r->env.stats.server_errors[H1_ERROR_CHUNK_SIZE], 1);
    CHECK_STR(r->x.end_detail, STR("server 10.0.0.1:80: malformed answer: a malformed chunk size "
                                   "(RFC 9112 7.1)"));
    rig_free(r);
}

static void trailers_come_after_the_body(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->x.req.takes_trailers = true;
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                           "2\r\nab\r\n0\r\nX-Sum: 7\r\n\r\n"});
    CHECK(memmem(r->wire, r->n_wire, "Connection: TE\r\nTE: trailers\r\n", 30));
    CHECK_INT(r->body_end, IO_EOF);
    CHECK(r->x.resp.body->trailers);
    CHECK_STR(headers_find_named(r->x.resp.body->trailers, STR("x-sum"))->value, STR("7"));
    CHECK_STR(headers_get(&r->x.resp.headers, FIELD_TRAILER), STR("X-Sum"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void answers_arrive_in_any_pieces(void)
{
    static const char wire[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nab\r\n3\r\ncde\r\n0\r\nX-Sum: 7\r\n\r\n";
    for (size_t cut = 1; cut < sizeof wire - 1; cut++) {
        struct rig *r = rig_new(METHOD_GET);
        char first[sizeof wire] = {0};
        memcpy(first, wire, cut);
        r->n_watched = 0;
        // The second part comes only when the client has seen the first.
        r->script = (const struct step[]){{SERVER_SENDS, first}, {0, NULL}};
        CHECK(fiber_start(rig_client, r) && fiber_start(rig_server, r));
        rig_turn_until(r, &r->is_server_done);
        for (int i = 0; i < 3; i++)
            loop_turn(r->loop, 0);
        r->is_server_done = false;
        r->script = (const struct step[]){{SERVER_SENDS, wire + cut}, {0, NULL}};
        CHECK(fiber_start(rig_server, r) != NULL);
        rig_turn_until(r, &r->is_client_done);
        rig_turn_until(r, &r->is_server_done);
        CHECK_STR(rig_body(r), STR("abcde"));
        CHECK_INT(r->n_reusable, 1);
        rig_free(r);
    }
}

static void hop_by_hop_fields_of_answers_are_removed(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
                           "Content-Length: 0\r\n\r\n"});
    CHECK(!headers_find(&r->x.resp.headers, FIELD_CONNECTION));
    CHECK(!headers_find(&r->x.resp.headers, FIELD_KEEP_ALIVE));
    CHECK(!headers_find_named(&r->x.resp.headers, STR("X-Hop")));
    rig_free(r);
}

// --- refused answers ---

static const struct {
    const char *wire;
    enum h1_error error;
} malformed[] = {
    {"SSH-2.0-OpenSSH_9.2\r\n", H1_ERROR_VERSION},
    {"HTTP/1.1 20 OK\r\n\r\n", H1_ERROR_STATUS},
    {"HTTP/2.0 200 OK\r\n\r\n", H1_ERROR_VERSION_MAJOR},
    {"HTTP/1.1 200 OK\nA: b\n\n", H1_ERROR_BARE_LF},
    {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", H1_ERROR_FOLD},
    {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", H1_ERROR_FIELD_SPACE},
    {"HTTP/1.1 200 OK\r\nA\r\n\r\n", H1_ERROR_FIELD_COLON},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", H1_ERROR_LENGTH_DIFFERS},
    {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", H1_ERROR_LENGTH_FORM},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     H1_ERROR_LENGTH_AND_CODING},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", H1_ERROR_CODING_UNKNOWN},
};

static void malformed_answers_are_refused_counted_and_named(void)
{
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        struct rig *r = rig_new(METHOD_GET);
        RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, malformed[i].wire});
        CHECK_INT(r->end, HTTP_CLIENT_PROTOCOL);
        CHECK_INT(r->n_done, 1);
        CHECK_INT(r->n_reusable, 0);
        if (r->env.stats.server_errors[malformed[i].error] != 1) {
            printf("# '%s': " STR_FMT "\n", malformed[i].wire, STR_ARG(r->x.end_detail));
            test_failed = true;
        }
        char wanted[256];
        snprintf(wanted, sizeof wanted, "server 10.0.0.1:80: malformed answer: %s (RFC %s)",
                 h1_error_text(malformed[i].error), h1_error_section(malformed[i].error));
        CHECK_STR(r->x.end_detail, str_of(wanted));
        rig_free(r);
    }
}

// --- interim answers ---

static void interim_answers_are_passed_on(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                           "HTTP/1.1 102 Processing\r\n\r\n" OK_HELLO});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->n_informs, 2);
    CHECK_INT(r->informed[0], 103);
    CHECK_INT(r->informed[1], 102);
    CHECK_STR(rig_body(r), STR("hello"));
    CHECK_INT(r->n_reusable, 1);
    rig_free(r);
}

static void endless_interim_answers_are_refused(void)
{
    struct rig *r = rig_new(METHOD_GET);
    static char wire[4096];
    for (int i = 0; i < 40; i++)
        strcat(wire, "HTTP/1.1 102 Processing\r\n\r\n");
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, wire});
    CHECK_INT(r->end, HTTP_CLIENT_PROTOCOL);
    CHECK_INT(r->n_informs, 32);
    rig_free(r);
}

// --- ends of connections ---

static void a_closed_connection_is_stale_only_when_it_had_served(void)
{
    static const struct {
        unsigned n_served;
        const char *sent;
        enum http_client_end end;
    } cases[] = {
        {0, "", HTTP_CLIENT_CLOSED},
        {1, "", HTTP_CLIENT_STALE},
        {1, "HTTP/1.1 2", HTTP_CLIENT_CLOSED},
        {1, "HTTP/1.1 103 Early Hints\r\n\r\n", HTTP_CLIENT_CLOSED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int is_reset = 0; is_reset < 2; is_reset++) {
            struct rig *r = rig_new(METHOD_GET);
            r->c.n_exchanges = cases[i].n_served;
            RIG_RUN(r, {is_reset ? SERVER_SENDS : SERVER_READS, is_reset ? "" : HEAD_END},
                    {SERVER_SENDS, cases[i].sent}, {SERVER_CLOSES, NULL});
            CHECK_INT(r->end, cases[i].end);
            CHECK_INT(r->n_done, 1);
            CHECK_INT(r->n_reusable, 0);
            CHECK(!r->sent_body);
            rig_free(r);
        }
    }
}

// Wherever a server dies, nothing cut is taken for whole, and nothing is left behind.
static void a_server_that_ends_at_any_byte_is_seen_to_have_ended(void)
{
    static const struct {
        const char *head, *body;
    } cases[] = {
        {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 7\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n_head = strlen(cases[i].head), n_all = n_head + strlen(cases[i].body);
        for (size_t n = 0; n <= n_all; n++) {
            char wire[256];
            snprintf(wire, MIN(n + 1, sizeof wire), "%s%s", cases[i].head, cases[i].body);
            struct rig *r = rig_new(METHOD_GET);
            r->c.n_exchanges = 1;
            RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, wire}, {SERVER_CLOSES, NULL});
            CHECK_INT(r->end, n == 0       ? HTTP_CLIENT_STALE
                              : n < n_head ? HTTP_CLIENT_CLOSED
                                           : HTTP_CLIENT_OK);
            CHECK_INT(r->body_end, n >= n_head && n < n_all ? IO_FAIL : IO_EOF);
            CHECK_INT(r->n_done, 1);
            CHECK_INT(r->n_reusable, n == n_all);
            rig_free(r);
        }
    }
}

static void an_idle_connection_that_was_closed_is_not_clean(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_HELLO});
    CHECK(h1_client_is_clean(&r->c, false));
    sock_close(&r->server);
    loop_turn(r->loop, 100);
    CHECK(!h1_client_is_clean(&r->c, false));
    rig_free(r);
}

static void an_idle_connection_with_unasked_bytes_is_not_clean(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_HELLO});
    CHECK(write(r->server.fd, "x", 1) == 1);
    loop_turn(r->loop, 100);
    CHECK(!h1_client_is_clean(&r->c, false));
    rig_free(r);
}

static void a_silent_server_times_out_and_the_client_is_watched(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->options.head_ms = 70;
    RIG_RUN(r, {SERVER_READS, HEAD_END});
    CHECK_INT(r->end, HTTP_CLIENT_TIMEOUT);
    CHECK_INT(r->n_watched, 1);
    CHECK_STR(r->x.end_detail, STR("server 10.0.0.1:80: no answer within 70 ms"));
    CHECK_INT(r->n_done, 1);
    rig_free(r);
}

static void a_quick_answer_needs_no_watch(void)
{
    struct rig *r = rig_new(METHOD_GET);
    RIG_RUN(r, {SERVER_READS, HEAD_END}, {SERVER_SENDS, OK_HELLO});
    CHECK_INT(r->n_watched, 0);
    rig_free(r);
}

static void a_silent_body_times_out(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->options.body_idle_ms = 20;
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"});
    CHECK_INT(r->body_end, IO_FAIL);
    CHECK_INT(r->x.end, EXCHANGE_END_SERVER_TIMEOUT);
    CHECK_INT(r->n_done, 1);
    rig_free(r);
}

static void an_abandoned_body_closes_the_connection(void)
{
    struct rig *r = rig_new(METHOD_GET);
    r->stops_early = true;
    RIG_RUN(r, {SERVER_READS, HEAD_END},
            {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"});
    CHECK_INT(r->end, HTTP_CLIENT_OK);
    CHECK_INT(r->n_done, 1);
    CHECK_INT(r->n_reusable, 0);
    rig_free(r);
}

static void cancel_client(struct rig *r, const struct step *script, int n_turns)
{
    r->script = script;
    CHECK(fiber_start(rig_server, r) && fiber_start(rig_client, r));
    for (int i = 0; i < n_turns; i++)
        loop_turn(r->loop, 0);
    if (r->client)
        fiber_cancel(r->client);
    rig_turn_until(r, &r->is_client_done);
    sock_close(&r->server);
    rig_turn_until(r, &r->is_server_done);
    CHECK_INT(r->n_done, 1);
    CHECK_INT(r->n_reusable, 0);
    rig_free(r);
}

static void cancelling_ends_every_wait(void)
{
    for (int n_turns = 0; n_turns < 8; n_turns++) { // before it began, and at every stage
        struct rig *early = rig_new(METHOD_POST);
        RIG_UPLOAD(early, -1, "abcde", "fghij")->is_stuck = true;
        cancel_client(early,
                      (const struct step[STEPS_MAX]){
                          {SERVER_READS, "abcde"},
                          {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}},
                      n_turns);
    }
    struct rig *r = rig_new(METHOD_GET);
    cancel_client(r, (const struct step[STEPS_MAX]){{SERVER_READS, HEAD_END}}, 5);
    r = rig_new(METHOD_GET); // in the head
    cancel_client(r, (const struct step[STEPS_MAX]){{SERVER_SENDS, "HTTP/1.1 200"}}, 5);
    r = rig_new(METHOD_GET); // in the body
    cancel_client(r,
                  (const struct step[STEPS_MAX]){
                      {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}},
                  5);
    r = rig_new(METHOD_POST); // while the body is being sent
    RIG_UPLOAD(r, 20, "abcde")->is_stuck = true;
    cancel_client(r, (const struct step[STEPS_MAX]){{SERVER_READS, "abcde"}}, 5);
    r = rig_new(METHOD_POST); // while both are under way
    RIG_UPLOAD(r, 20, "abcde")->is_stuck = true;
    cancel_client(r,
                  (const struct step[STEPS_MAX]){
                      {SERVER_READS, "abcde"},
                      {SERVER_SENDS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}},
                  8);
}

TEST_MAIN(TEST(an_answer_comes_with_its_head_and_body), TEST(options_choose_host_and_path),
          TEST(the_asterisk_form_stays_one), TEST(a_connection_serves_many_exchanges),
          TEST(a_server_that_is_waited_for_costs_no_buffer),
          TEST(without_a_buffer_for_the_answer_the_exchange_ends),
          TEST(a_large_head_is_sent_and_read), TEST(an_endless_head_is_refused),
          TEST(answers_end_where_their_framing_says), TEST(a_cut_body_is_the_servers_fault),
          TEST(a_bad_chunk_is_counted_and_named), TEST(trailers_come_after_the_body),
          TEST(answers_arrive_in_any_pieces), TEST(hop_by_hop_fields_of_answers_are_removed),
          TEST(malformed_answers_are_refused_counted_and_named),
          TEST(interim_answers_are_passed_on), TEST(endless_interim_answers_are_refused),
          TEST(a_closed_connection_is_stale_only_when_it_had_served),
          TEST(a_server_that_ends_at_any_byte_is_seen_to_have_ended),
          TEST(an_idle_connection_that_was_closed_is_not_clean),
          TEST(an_idle_connection_with_unasked_bytes_is_not_clean),
          TEST(a_silent_server_times_out_and_the_client_is_watched),
          TEST(a_quick_answer_needs_no_watch), TEST(a_silent_body_times_out),
          TEST(an_abandoned_body_closes_the_connection), TEST(cancelling_ends_every_wait))
