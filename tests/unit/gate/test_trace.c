// SPDX-License-Identifier: Apache-2.0
#include "gate/trace.h"

#include "unit/test.h"

#define TO_WALL_NS 1000000

struct world {
    char scratch[4096];
    struct arena mem;
    struct trace trace;
    struct exchange x;
};

// An exchange in the middle of a trace.
static void begin(struct world *w)
{
    arena_init(&w->mem, sizeof w->scratch, w->scratch, sizeof w->scratch);
    w->trace = (struct trace){
        .self = {.trace = {0xaa}, .span = {0xbb}, .is_sampled = true},
        .parent = {0xcc},
        .has_parent = true,
    };
    trace_parent_write(&w->trace.self, w->trace.told);
    w->x = (struct exchange){
        .mem = &w->mem,
        .trace = &w->trace,
        .req = {.method = STR("GET"), .method_id = METHOD_GET, .host = STR("a.example")},
        .service_name = STR("app"),
        .times = {.accepted = 10},
    };
}

// A try at that server from one time to another; span: the first byte of its id.
static void try_server(struct world *w, struct str server, uint8_t span, int64_t from_ns,
                       int64_t until_ns, unsigned status, enum exchange_end end)
{
    const uint8_t id[TRACE_SPAN_BYTES] = {span};
    w->x.server_name = server;
    w->x.times.chosen = from_ns;
    trace_try_begin(&w->x, id);
    trace_try_end(&w->x, status, end, until_ns);
}

static struct str told_span(const struct world *w)
{
    return str_first(str_skip(str_from(w->trace.told, sizeof w->trace.told), 36), 2);
}

static void a_server_is_told_the_span_of_its_try(void)
{
    struct world w;
    const uint8_t id[TRACE_SPAN_BYTES] = {0x11};
    begin(&w);
    CHECK_STR(told_span(&w), STR("bb"));
    trace_try_begin(&w.x, id);
    CHECK_STR(told_span(&w), STR("11"));
    CHECK_STR(str_first(str_from(w.trace.told, sizeof w.trace.told), 5), STR("00-aa"));
    CHECK(w.trace.told[TRACE_PARENT_TEXT_BYTES - 1] == '1');
    trace_try_end(&w.x, 200, EXCHANGE_END_OK, 30);
    CHECK_STR(told_span(&w), STR("bb"));
    arena_fini(&w.mem);
}

static void each_try_is_a_span_below_ours(void)
{
    static const struct {
        const char *server;
        unsigned status;
        enum exchange_end end;       // of the try
        enum exchange_end whole_end; // of the exchange
        const char *host, *error;
        unsigned port;
    } cases[] = {
        {"10.0.0.1:8080", 200, EXCHANGE_END_OK, EXCHANGE_END_OK, "10.0.0.1", "", 8080},
        {"[::1]:80", 503, EXCHANGE_END_NO_SERVER, EXCHANGE_END_OK, "[::1]", "503", 80},
        {"10.0.0.1:80", 404, EXCHANGE_END_OK, EXCHANGE_END_OK, "10.0.0.1", "404", 80},
        {"/run/app.sock", 0, EXCHANGE_END_SERVER_CONNECT, EXCHANGE_END_SERVER_CONNECT,
         "/run/app.sock", "server-connect", 0},
        {"10.0.0.1:80", 200, EXCHANGE_END_OK, EXCHANGE_END_SERVER_GONE, "10.0.0.1", "server-gone",
         80},
        {"10.0.0.1:80", 200, EXCHANGE_END_OK, EXCHANGE_END_CLIENT_GONE, "10.0.0.1", "", 80},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        struct trace_texts texts;
        begin(&w);
        try_server(&w, str_of(cases[i].server), 0x11, 20, 30, cases[i].status, cases[i].end);
        w.x.end = cases[i].whole_end;
        w.x.times.finished = 50;
        struct otlp_span s = trace_client_span(&w.x, w.trace.tries, 0, TO_WALL_NS, &texts);
        CHECK_INT(s.kind, OTLP_CLIENT);
        CHECK(s.has_parent);
        CHECK_INT(s.self.trace[0], 0xaa);
        CHECK_INT(s.self.span[0], 0x11);
        CHECK_INT(s.parent[0], 0xbb);
        CHECK_STR(s.host, str_of(cases[i].host));
        CHECK_INT(s.port, cases[i].port);
        CHECK_INT(s.status, cases[i].status);
        CHECK_STR(s.error, str_of(cases[i].error));
        CHECK_INT(s.is_failed, cases[i].error[0] != '\0');
        CHECK_INT(s.from_ns, TO_WALL_NS + 20);
        CHECK_INT(s.until_ns, TO_WALL_NS + (cases[i].status != 0 ? 50 : 30));
        arena_fini(&w.mem);
    }
}

static void tries_keep_their_order_and_what_was_not_asked_is_none(void)
{
    struct world w;
    struct trace_texts texts;
    begin(&w);
    try_server(&w, STR("10.0.0.1:80"), 0x11, 20, 30, 503, EXCHANGE_END_NO_SERVER);
    try_server(&w, STR("10.0.0.2:80"), 0x12, 30, 31, 0, EXCHANGE_END_OK);
    try_server(&w, STR("10.0.0.3:80"), 0x13, 31, 40, 200, EXCHANGE_END_OK);
    w.x.times.finished = 60;
    const struct trace_try *first = w.trace.tries, *second = first->next, *third = second->next;
    CHECK(trace_try_was_made(first));
    CHECK(!trace_try_was_made(second));
    CHECK(trace_try_was_made(third));
    CHECK(third->next == NULL);
    struct otlp_span s = trace_client_span(&w.x, first, 0, 0, &texts);
    CHECK_STR(s.host, STR("10.0.0.1"));
    CHECK_INT(s.until_ns, 30); // its answer was dropped
    s = trace_client_span(&w.x, third, 1, 0, &texts);
    CHECK_STR(s.host, STR("10.0.0.3"));
    CHECK_INT(s.n_before, 1);
    CHECK_INT(s.until_ns, 60);
    arena_fini(&w.mem);
}

static void the_whole_exchange_is_a_span_below_the_clients(void)
{
    struct world w;
    struct trace_texts texts;
    begin(&w);
    w.x.req.version = HTTP_2;
    w.x.resp.status = 502;
    w.x.end = EXCHANGE_END_SERVER_GONE;
    w.x.times.finished = 5; // no head ever came
    struct otlp_span s = trace_server_span(&w.x, TO_WALL_NS, &texts);
    CHECK_INT(s.kind, OTLP_SERVER);
    CHECK_INT(s.parent[0], 0xcc);
    CHECK_STR(s.version, STR("2"));
    CHECK_STR(s.error, STR("server-gone"));
    CHECK(s.is_failed);
    CHECK_INT(s.until_ns, s.from_ns);
    w.x.req.method_id = METHOD_OTHER;
    CHECK_STR(trace_server_span(&w.x, 0, &texts).method, STR("_OTHER"));
    arena_fini(&w.mem);
}

static void a_try_without_memory_is_none_and_the_server_is_told_ours(void)
{
    struct world w;
    const uint8_t id[TRACE_SPAN_BYTES] = {0x11};
    begin(&w);
    while (ARENA_ARRAY(&w.mem, char, 1))
        ;
    trace_try_begin(&w.x, id);
    CHECK_STR(told_span(&w), STR("bb"));
    trace_try_end(&w.x, 200, EXCHANGE_END_OK, 30);
    CHECK(w.trace.tries == NULL);
    arena_fini(&w.mem);
}

TEST_MAIN(TEST(a_server_is_told_the_span_of_its_try), TEST(each_try_is_a_span_below_ours),
          TEST(tries_keep_their_order_and_what_was_not_asked_is_none),
          TEST(the_whole_exchange_is_a_span_below_the_clients),
          TEST(a_try_without_memory_is_none_and_the_server_is_told_ours))
