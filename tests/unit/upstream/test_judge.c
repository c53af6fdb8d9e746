// SPDX-License-Identifier: Apache-2.0
#include "upstream/judge.h"

#include <stdatomic.h>

#include "unit/upstream/upstream_rig.h"
#include "upstream/registry.h"

#define SAD "HTTP/1.1 503 Sad\r\nContent-Length: 3\r\n\r\nsad"

static struct conf_text statuses[] = {{.text = STR_INIT("connect")},
                                      {.text = STR_INIT("closed")},
                                      {.text = STR_INIT("timeout")},
                                      {.text = STR_INIT("malformed")},
                                      {.text = STR_INIT("502-504")}};
static const struct conf_texts all = {.items = statuses, .n = ARRAY_LEN(statuses)};

static struct eject *eject_of(const struct rig *r, size_t i)
{
    return &service_of(r->service)->servers[i].health->slots[0].eject;
}

// --- sent again ---

// What the first server does, and whether the second one is asked.
static void failures_are_tried_again_as_settings_say(void)
{
    static const struct {
        enum origin_does does;
        const char *says;
        enum method method;
        bool is_set; // the settings name all failures
        unsigned status;
        unsigned n_tries;
    } cases[] = {
        {ORIGIN_SAYS, SAD, METHOD_GET, true, 200, 2},
        {ORIGIN_SAYS, SAD, METHOD_GET, false, 503, 1},
        {ORIGIN_SAYS, SAD, METHOD_POST, true, 503, 1},
        {ORIGIN_SAYS, "HTTP/1.1 500 Bug\r\nContent-Length: 0\r\n\r\n", METHOD_GET, true, 500, 1},
        {ORIGIN_TALKS_NONSENSE, NULL, METHOD_GET, true, 200, 2},
        {ORIGIN_TALKS_NONSENSE, NULL, METHOD_GET, false, 502, 1},
        {ORIGIN_TALKS_NONSENSE, NULL, METHOD_POST, true, 502, 1},
        {ORIGIN_CLOSES_UNHEARD, NULL, METHOD_PUT, true, 200, 2},
        {ORIGIN_HANGS, NULL, METHOD_GET, true, 200, 2},
        {ORIGIN_HANGS, NULL, METHOD_GET, false, 504, 1},
        {ORIGIN_HANGS, NULL, METHOD_POST, true, 504, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct origin a, b;
        rig_init(&r);
        if (cases[i].is_set)
            r.conf.retries.on = all;
        r.conf.head_ms = cases[i].does == ORIGIN_HANGS ? 500 : SOON_MS;
        rig_server(&r, origin_start(&a, "a", cases[i].does)->url, 1);
        rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
        a.says = cases[i].says;
        rig_build(&r);
        struct call c = call(&r, cases[i].method);
        CHECK_INT(c.status, cases[i].status);
        CHECK_INT(c.n_tries, cases[i].n_tries);
        CHECK_INT(a.n_requests, 1);
        CHECK_INT(strstr(c.trail, "retried") != NULL, cases[i].n_tries > 1);
        origin_stop(&a);
        origin_stop(&b);
        rig_fini(&r);
    }
}

static void the_last_failure_is_the_clients(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    r.conf.retries.on = all;
    rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_SAYS)->url, 1);
    a.says = b.says = SAD;
    rig_build(&r);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.status, 503);
    CHECK_STR(str_of(c.body), STR("sad"));
    CHECK_INT(a.n_requests, 1);
    CHECK_INT(b.n_requests, 1);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void an_answer_is_the_clients_when_the_servers_after_it_fail(void)
{
    static const enum origin_does does[] = {ORIGIN_CLOSES_UNHEARD, ORIGIN_HANGS};
    for (size_t i = 0; i <= ARRAY_LEN(does); i++) {
        struct rig r;
        struct origin a, b;
        rig_init(&r);
        r.conf.retries.on = all;
        r.conf.balance = SERVICE_BALANCE_FIRST;
        r.conf.head_ms = 500;
        rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
        bool refuses = i == ARRAY_LEN(does);
        if (refuses)
            origin_refuse(&b);
        else
            origin_start(&b, "b", does[i]);
        rig_server(&r, b.url, 1);
        a.says = SAD;
        rig_build(&r);
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, 503);
        CHECK_INT(c.end, EXCHANGE_END_OK);
        CHECK_STR(str_of(c.body), STR("sad"));
        CHECK_INT(c.n_tries, 2);
        CHECK(strcmp(c.server, strstr(a.url, "127")) == 0);
        CHECK(strstr(c.trail, "gave the answer of") != NULL);
        origin_stop(&a);
        if (refuses)
            close(b.fd);
        else
            origin_stop(&b);
        TURN_UNTIL(&r, b.n_open == 0);
        rig_fini(&r);
    }
}

static void the_budget_bounds_what_is_sent_again(void)
{
    struct rig r;
    struct origin a, b;
    unsigned n = 0;
    rig_init(&r);
    r.conf.retries.on = all;
    r.conf.retries.budget_min = 0;
    rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_SAYS)->url, 1);
    a.says = b.says = SAD;
    rig_build(&r);
    for (int i = 0; i < 50; i++)
        n += call(&r, METHOD_GET).n_tries;
    CHECK_INT(n, 50 + 50 / 5);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_body_is_sent_again_up_to_its_limit(void)
{
    static char upload[2049];
    memset(upload, 'u', sizeof upload - 1);
    static const struct {
        size_t bytes;
        unsigned status;
    } cases[] = {{1000, 200}, {1024, 200}, {2048, 200}}; // in memory as a whole: any size
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct origin a, b;
        rig_init(&r);
        rig_server(&r, origin_start(&a, "a", ORIGIN_EATS)->url, 1);
        rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
        a.eats = cases[i].bytes;
        upload[cases[i].bytes] = '\0';
        rig_build(&r);
        struct call c = {.r = &r, .method = METHOD_PUT, .upload = upload};
        call_start(&c);
        call_wait(&c);
        upload[cases[i].bytes] = 'u';
        CHECK_INT(c.status, cases[i].status);
        origin_stop(&a);
        origin_stop(&b);
        rig_fini(&r);
    }
}

// --- ejection ---

static void want_ejection(struct rig *r)
{
    r->conf.eject = (struct eject_conf){.is_on = true,
                                        .failures = 2,
                                        .window_ms = SOON_MS,
                                        .time_ms = SOON_MS,
                                        .time_max_ms = SOON_MS,
                                        .max_percent = 50,
                                        .on = all};
}

static void a_server_that_fails_in_a_row_is_left_out(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    want_ejection(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    a.says = SAD;
    rig_build(&r);
    for (int i = 0; i < 20; i++)
        (void)call(&r, METHOD_GET);
    CHECK_INT(a.n_requests, 2);
    CHECK_INT(b.n_requests, 18);
    CHECK(eject_is_out(eject_of(&r, 0), clock_now_ms()));
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

// Who bounds the answer's time (a filter) ends the wait: the server is the one that was too slow.
// When the client has gone, nobody is to blame.
static void a_server_that_a_filter_does_not_wait_for_any_longer_was_too_slow(void)
{
    for (int is_interrupted = 0; is_interrupted <= 1; is_interrupted++) {
        struct rig r;
        struct origin a, b;
        rig_init(&r);
        want_ejection(&r);
        r.conf.balance = SERVICE_BALANCE_FIRST;
        rig_server(&r, origin_start(&a, "a", ORIGIN_HANGS)->url, 1);
        rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
        rig_build(&r);
        for (unsigned i = 1; i <= 2; i++) {
            struct call c = {.r = &r, .method = METHOD_POST};
            call_start(&c);
            TURN_UNTIL(&r, a.n_requests == i);
            if (is_interrupted)
                fiber_interrupt(c.fiber);
            else
                fiber_cancel(c.fiber);
            call_wait(&c);
            CHECK_INT(c.err, ERR_CANCELLED);
        }
        CHECK_INT(eject_is_out(eject_of(&r, 0), clock_now_ms()), is_interrupted);
        origin_stop(&a);
        origin_stop(&b);
        TURN_UNTIL(&r, a.n_open == 0);
        rig_fini(&r);
    }
}

static void never_are_all_ejected(void)
{
    static const struct {
        size_t n;
        uint32_t max_percent;
        size_t wanted;
    } cases[] = {{1, 99, 0}, {2, 10, 1}, {2, 99, 1}, {4, 50, 2}, {4, 10, 1}, {4, 99, 3}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct origin o[4];
        size_t n = 0;
        rig_init(&r);
        want_ejection(&r);
        r.conf.eject.max_percent = cases[i].max_percent;
        for (size_t k = 0; k < cases[i].n; k++) {
            rig_server(&r, origin_start(&o[k], "x", ORIGIN_SAYS)->url, 1);
            o[k].says = SAD;
        }
        rig_build(&r);
        for (int k = 0; k < 40; k++)
            CHECK_INT(call(&r, METHOD_GET).status, 503);
        for (size_t k = 0; k < cases[i].n; k++)
            n += eject_is_out(eject_of(&r, k), clock_now_ms());
        CHECK_INT(n, cases[i].wanted);
        for (size_t k = 0; k < cases[i].n; k++)
            origin_stop(&o[k]);
        rig_fini(&r);
    }
}

// --- the breaker ---

static void an_open_breaker_refuses_at_once_and_closes_after_a_good_trial(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.breaker = (struct breaker_conf){.is_on = true,
                                           .percent = 50,
                                           .slow_percent = 50,
                                           .requests_min = 4,
                                           .window_ms = SOON_MS,
                                           .open_ms = 1000,
                                           .trials = 1,
                                           .on = all};
    rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
    a.says = SAD;
    rig_build(&r);
    for (int i = 0; i < 4; i++)
        CHECK_INT(call(&r, METHOD_GET).end, EXCHANGE_END_OK);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.status, 503);
    CHECK_INT(c.end, EXCHANGE_END_BREAKER);
    CHECK_INT(a.n_requests, 4);
    a.does = ORIGIN_ANSWERS;
    TURN_UNTIL(&r, (c = call(&r, METHOD_GET)).status == 200);
    for (int i = 0; i < 4; i++)
        CHECK_INT(call(&r, METHOD_GET).status, 200);
    origin_stop(&a);
    rig_fini(&r);
}

// The next request is the trial in its place, and not one after all of `open` again.
static void a_trial_whose_client_has_gone_or_that_no_server_got_is_none(void)
{
    for (int is_cancelled = 0; is_cancelled <= 1; is_cancelled++) {
        struct rig r;
        struct origin a;
        rig_init(&r);
        r.conf.idle_ms = 100; // what is kept ends soon, and with it the origin's last connection
        r.conf.breaker = (struct breaker_conf){.is_on = true,
                                               .percent = 50,
                                               .slow_percent = 50,
                                               .requests_min = 1,
                                               .window_ms = SOON_MS,
                                               .open_ms = 1000,
                                               .trials = 1,
                                               .on = all};
        rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
        a.says = SAD;
        rig_build(&r);
        struct service_state *state =
            CONTAINER_OF(service_of(r.service)->shared, struct service_state, shared);
        CHECK_INT(call(&r, METHOD_GET).status, 503);
        CHECK_INT(state->breaker.state, BREAKER_OPEN);
        atomic_store(&state->breaker.next_ms, clock_now_ms());
        struct call trial = {.r = &r, .method = METHOD_GET};
        a.does = ORIGIN_HANGS;
        if (!is_cancelled) // all are drained
            upstream_registry_drain(r.registry, STR("app"), str_skip(str_of(a.url), 7), true);
        call_start(&trial);
        if (is_cancelled) {
            TURN_UNTIL(&r, a.n_requests == 2);
            CHECK_INT(call(&r, METHOD_GET).end, EXCHANGE_END_BREAKER); // one at a time
            fiber_cancel(trial.fiber);
        }
        call_wait(&trial);
        CHECK_INT(state->breaker.state, BREAKER_TRYING);
        upstream_registry_drain(r.registry, STR("app"), str_skip(str_of(a.url), 7), false);
        a.does = ORIGIN_ANSWERS;
        CHECK_INT(call(&r, METHOD_GET).status, 200);
        CHECK_INT(state->breaker.state, BREAKER_CLOSED);
        origin_stop(&a);
        TURN_UNTIL(&r, a.n_open == 0);
        rig_fini(&r);
    }
}

TEST_MAIN(TEST(failures_are_tried_again_as_settings_say), TEST(the_last_failure_is_the_clients),
          TEST(an_answer_is_the_clients_when_the_servers_after_it_fail),
          TEST(the_budget_bounds_what_is_sent_again), TEST(a_body_is_sent_again_up_to_its_limit),
          TEST(a_server_that_fails_in_a_row_is_left_out), TEST(never_are_all_ejected),
          TEST(a_server_that_a_filter_does_not_wait_for_any_longer_was_too_slow),
          TEST(a_trial_whose_client_has_gone_or_that_no_server_got_is_none),
          TEST(an_open_breaker_refuses_at_once_and_closes_after_a_good_trial))
