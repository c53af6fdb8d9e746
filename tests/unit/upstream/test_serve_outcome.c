// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

#include <netinet/tcp.h>

// --- servers that can't be reached ---

static void a_server_that_refuses_is_passed_over_and_then_skipped(void)
{
    struct rig r;
    struct origin dead, b;
    rig_init(&r);
    rig_server(&r, origin_refuse(&dead)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call first = call(&r, METHOD_POST);
    CHECK_INT(first.status, 200);
    CHECK_INT(first.n_tries, 2);
    CHECK(strstr(first.trail, "retried") != NULL);
    for (int i = 0; i < 5; i++) {
        struct call next = call(&r, METHOD_GET);
        CHECK_INT(next.status, 200);
        CHECK_INT(next.n_tries, 1);
    }
    CHECK(str_search(service_describe(r.service, &r.mem), STR("skipped")) != STR_NPOS);
    close(dead.fd);
    origin_stop(&b);
    rig_fini(&r);
}

static void when_all_refuse_the_client_gets_502_and_learns_nothing(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_refuse(&a)->url, 1);
    rig_server(&r, origin_refuse(&b)->url, 1);
    rig_build(&r);
    for (int i = 0; i < 3; i++) {
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.err, ERR_OK);
        CHECK_INT(c.status, 502);
        CHECK_INT(c.end, EXCHANGE_END_SERVER_CONNECT);
        CHECK_INT(c.n_tries, 2);
        CHECK(strstr(c.body, "127.0.0.1") == NULL);
        CHECK(strstr(c.detail, "127.0.0.1") != NULL);
        CHECK(strstr(c.detail, "refused") != NULL);
    }
    close(a.fd);
    close(b.fd);
    rig_fini(&r);
}

static void a_server_that_came_back_is_found_by_one_request(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    r.conf.skip_ms = 1;
    rig_server(&r, origin_refuse(&a)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).n_tries, 2);
    CHECK(listen(a.fd, 16) == 0);
    a.name = "a";
    a.does = ORIGIN_ANSWERS;
    origin_listen(&a);
    struct call c = call(&r, METHOD_GET);
    for (int i = 0; i < 1000 && c.body[0] != 'a'; i++)
        c = call(&r, METHOD_GET);
    CHECK_STR(str_of(c.body), STR("a"));
    CHECK_INT(c.n_tries, 1);
    struct str described = service_describe(r.service, &r.mem);
    CHECK(str_search(described, STR("skipped")) == STR_NPOS);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

// A listening socket whose backlog is full: connecting to it takes for ever.
struct hole {
    struct origin origin;
    int filler;
};

static const char *hole_start(struct hole *h)
{
    origin_refuse(&h->origin);
    CHECK(listen(h->origin.fd, 0) == 0);
    h->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(h->filler, &h->origin.addr.u.any, h->origin.addr.len) == 0);
    // Who connects before the system has put the filler into the backlog would get in as well. Of
    // a listening socket these two are how many wait, and how many may.
    struct tcp_info info = {.tcpi_unacked = 0};
    int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    do {
        socklen_t len = sizeof info;
        CHECK(getsockopt(h->origin.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
    } while (info.tcpi_unacked <= info.tcpi_sacked && clock_exact_ns() < end_ns);
    CHECK(info.tcpi_unacked > info.tcpi_sacked);
    return h->origin.url;
}

static void hole_stop(struct hole *h)
{
    close(h->filler);
    close(h->origin.fd);
}

static void a_server_that_does_not_answer_at_all_is_passed_over_in_time(void)
{
    struct rig r;
    struct hole hole;
    struct origin b;
    rig_init(&r);
    r.conf.connect_ms = 800;
    rig_server(&r, hole_start(&hole), 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call c = call(&r, METHOD_POST);
    CHECK_INT(c.status, 200);
    CHECK_INT(c.n_tries, 2);
    CHECK_INT(call(&r, METHOD_GET).n_tries, 1);
    hole_stop(&hole);
    origin_stop(&b);
    rig_fini(&r);
}

static void what_a_busy_worker_comes_to_late_costs_no_further_try(void)
{
    struct rig r;
    struct hole hole;
    struct origin b;
    rig_init(&r);
    r.conf.connect_ms = 400;
    rig_server(&r, hole_start(&hole), 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call c = {.r = &r, .method = METHOD_POST};
    call_start(&c);
    for (int i = 0; i < 3; i++)
        loop_turn(r.loop, 0); // it connects
    int64_t end_ns = clock_exact_ns() + INT64_C(700) * 1000000;
    while (clock_exact_ns() < end_ns)
        continue;
    call_wait(&c);
    CHECK_INT(c.status, 200);
    CHECK_INT(c.n_tries, 2);
    hole_stop(&hole);
    origin_stop(&b);
    rig_fini(&r);
}

static void all_tries_to_connect_share_one_and_a_half_times_the_limit(void)
{
    struct rig r;
    struct hole holes[3];
    rig_init(&r);
    r.conf.connect_ms = 800;
    for (int i = 0; i < 3; i++)
        rig_server(&r, hole_start(&holes[i]), 1);
    rig_build(&r);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.status, 502);
    CHECK_INT(c.end, EXCHANGE_END_SERVER_CONNECT_TIMEOUT);
    CHECK_INT(c.n_tries, 2);
    for (int i = 0; i < 3; i++)
        hole_stop(&holes[i]);
    rig_fini(&r);
}

// --- what may be repeated ---

static void repeats(enum origin_does does, enum method method, unsigned n_before,
                    unsigned wanted_status, unsigned wanted_b)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", does)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    for (unsigned i = 0; i < n_before; i++)
        CHECK_INT(call(&r, METHOD_GET).status, 200);
    unsigned n_before_b = b.n_requests;
    struct call c = call(&r, method);
    CHECK_INT(c.status, wanted_status);
    CHECK_INT(b.n_requests - n_before_b, wanted_b);
    CHECK_INT(a.n_requests + b.n_requests, n_before + 1 + wanted_b);
    if (wanted_status != 200)
        CHECK_INT(c.end, EXCHANGE_END_SERVER_GONE);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_get_is_repeated_when_the_server_closes_unheard(void)
{
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_GET, 0, 200, 1);
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_DELETE, 0, 200, 1);
}

static void a_post_that_was_sent_is_never_repeated(void)
{
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_POST, 0, 502, 0);
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_PATCH, 0, 502, 0);
    repeats(ORIGIN_ANSWERS_ONCE, METHOD_POST, 2, 502, 0);
}

static void a_get_on_a_stale_connection_is_repeated(void)
{
    repeats(ORIGIN_ANSWERS_ONCE, METHOD_GET, 2, 200, 1);
}

static void a_stale_connection_does_not_count_as_a_try(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.tries = 1;
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS_ONCE)->url, 1);
    rig_build(&r);
    for (int i = 0; i < 4; i++) {
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, 200);
        CHECK(!c.is_reused);
    }
    CHECK_INT(a.n_conns, 4);
    origin_stop(&a);
    rig_fini(&r);
}

static void failed_answers_are_told_by_their_status_and_not_repeated(void)
{
    static const struct {
        enum origin_does does;
        unsigned status;
        enum exchange_end end;
    } cases[] = {
        {ORIGIN_HANGS, 504, EXCHANGE_END_SERVER_TIMEOUT},
        {ORIGIN_TALKS_NONSENSE, 502, EXCHANGE_END_SERVER_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct origin a, b;
        rig_init(&r);
        r.conf.head_ms = 30;
        rig_server(&r, origin_start(&a, "a", cases[i].does)->url, 1);
        rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
        rig_build(&r);
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, cases[i].status);
        CHECK_INT(c.end, cases[i].end);
        CHECK_INT(b.n_requests, 0);
        CHECK(strstr(c.detail, "127.0.0.1") != NULL);
        CHECK(strstr(c.body, "127.0.0.1") == NULL);
        TURN_UNTIL(&r, a.n_open == 0);
        origin_stop(&a);
        origin_stop(&b);
        rig_fini(&r);
    }
}

TEST_MAIN(TEST(a_server_that_refuses_is_passed_over_and_then_skipped),
          TEST(when_all_refuse_the_client_gets_502_and_learns_nothing),
          TEST(a_server_that_came_back_is_found_by_one_request),
          TEST(a_server_that_does_not_answer_at_all_is_passed_over_in_time),
          TEST(what_a_busy_worker_comes_to_late_costs_no_further_try),
          TEST(all_tries_to_connect_share_one_and_a_half_times_the_limit),
          TEST(a_get_is_repeated_when_the_server_closes_unheard),
          TEST(a_post_that_was_sent_is_never_repeated),
          TEST(a_get_on_a_stale_connection_is_repeated),
          TEST(a_stale_connection_does_not_count_as_a_try),
          TEST(failed_answers_are_told_by_their_status_and_not_repeated))
