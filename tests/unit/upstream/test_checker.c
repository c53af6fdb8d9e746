// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>

#include "unit/upstream/upstream_rig.h"
#include "upstream/registry.h"
#include "upstream/service_priv.h"

static struct conf_text statuses[] = {{.text = STR_INIT("200")}};

static void want_checks(struct rig *r)
{
    r->conf.health = (struct health_conf){
        .is_on = true,
        .path = {.text = STR("/")},
        .method = {.text = STR("GET")},
        .status = {.items = statuses, .n = 1},
        .every_ms = 5,
        .timeout_ms = SOON_MS,
        .rise = 1,
        .fall = 2,
    };
}

static struct health_state *health(const struct rig *r, size_t i)
{
    return service_of(r->service)->servers[i].health;
}

static bool is_down(const struct rig *r, size_t i)
{
    return atomic_load(&health(r, i)->slots[0].is_down);
}

static enum health mark(const struct rig *r, size_t i)
{
    return health(r, i)->slots[0].record.health;
}

static void stop(struct rig *r, struct upstream_checker *c)
{
    service_release(r->service);
    r->service = NULL;
    upstream_checker_stop(c);
}

static void the_server_that_is_down_gets_nothing_until_it_is_back(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    want_checks(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    a.says = "HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n";
    rig_build(&r);
    struct upstream_checker *checker = upstream_checker_start(r.registry);
    TURN_UNTIL(&r, is_down(&r, 0) && mark(&r, 1) == HEALTH_UP);
    CHECK(strstr(health(&r, 0)->slots[0].why, "status 503") != NULL);
    for (int i = 0; i < 6; i++) {
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, 200);
        CHECK_STR(str_of(c.body), STR("b"));
        CHECK_INT(c.n_tries, 1);
    }
    a.does = ORIGIN_ANSWERS;
    TURN_UNTIL(&r, !is_down(&r, 0));
    unsigned n_a = 0;
    for (int i = 0; i < 6; i++)
        n_a += call(&r, METHOD_GET).body[0] == 'a';
    CHECK_INT(n_a, 3);
    stop(&r, checker);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void when_none_is_up_all_are_used_unless_settings_say_otherwise(void)
{
    static const struct {
        uint32_t percent;
        unsigned status;
        enum exchange_end end;
    } cases[] = {{1, 503, EXCHANGE_END_OK}, {0, 503, EXCHANGE_END_NO_SERVER}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct origin a;
        rig_init(&r);
        want_checks(&r);
        r.conf.panic_percent = cases[i].percent;
        rig_server(&r, origin_start(&a, "a", ORIGIN_SAYS)->url, 1);
        a.says = "HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n";
        rig_build(&r);
        struct upstream_checker *checker = upstream_checker_start(r.registry);
        TURN_UNTIL(&r, is_down(&r, 0));
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, cases[i].status);
        CHECK_INT(c.end, cases[i].end);
        stop(&r, checker);
        origin_stop(&a);
        rig_fini(&r);
    }
}

static void what_was_found_stays_when_settings_are_built_anew(void)
{
    struct rig r;
    struct origin dead;
    rig_init(&r);
    want_checks(&r);
    rig_server(&r, origin_refuse(&dead)->url, 1);
    rig_build(&r);
    struct upstream_checker *checker = upstream_checker_start(r.registry);
    TURN_UNTIL(&r, is_down(&r, 0));
    int64_t since = health(&r, 0)->slots[0].since_ms;
    struct handler *before = r.service;
    struct health_state *state = health(&r, 0);
    r.conf.health.every_ms = SOON_MS; // another plan
    r.conf.health.path.text = STR("/other");
    rig_build(&r);
    service_release(before);
    CHECK(health(&r, 0) == state);
    CHECK(is_down(&r, 0));
    CHECK_INT(state->slots[0].since_ms, since);
    // Without checks nobody can say that it is down.
    before = r.service;
    r.conf.health.is_on = false;
    rig_build(&r);
    service_release(before);
    CHECK(!is_down(&r, 0));
    CHECK_INT(mark(&r, 0), HEALTH_UNKNOWN);
    stop(&r, checker);
    close(dead.fd);
    rig_fini(&r);
}

static void a_server_that_starts_down_waits_for_its_first_check(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    want_checks(&r);
    r.conf.health.start = HEALTH_START_DOWN;
    r.conf.panic_percent = 0;
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).status, 503);
    CHECK_INT(a.n_conns, 0);
    struct upstream_checker *checker = upstream_checker_start(r.registry);
    TURN_UNTIL(&r, !is_down(&r, 0));
    CHECK_INT(call(&r, METHOD_GET).status, 200);
    stop(&r, checker);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_good_check_ends_the_skipping_of_a_server(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    want_checks(&r);
    r.conf.health.every_ms = 20;
    rig_server(&r, origin_refuse(&a)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).status, 502);
    struct server_slot *slot = &service_of(r.service)->servers[0].state->slots[0];
    CHECK(atomic_load(&slot->skip_until_ms) > 0);
    CHECK(listen(a.fd, 16) == 0);
    a.name = "a";
    a.does = ORIGIN_ANSWERS;
    origin_listen(&a);
    struct upstream_checker *checker = upstream_checker_start(r.registry);
    TURN_UNTIL(&r, atomic_load(&slot->skip_until_ms) == 0);
    stop(&r, checker);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_check_that_takes_too_long_is_a_bad_one(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    want_checks(&r);
    r.conf.health.timeout_ms = 20;
    r.conf.health.every_ms = 50;
    rig_server(&r, origin_start(&a, "a", ORIGIN_HANGS)->url, 1);
    rig_build(&r);
    struct upstream_checker *checker = upstream_checker_start(r.registry);
    TURN_UNTIL(&r, is_down(&r, 0));
    CHECK(strstr(health(&r, 0)->slots[0].why, "in time") != NULL);
    stop(&r, checker);
    origin_stop(&a);
    rig_fini(&r);
}

TEST_MAIN(TEST(the_server_that_is_down_gets_nothing_until_it_is_back),
          TEST(when_none_is_up_all_are_used_unless_settings_say_otherwise),
          TEST(what_was_found_stays_when_settings_are_built_anew),
          TEST(a_server_that_starts_down_waits_for_its_first_check),
          TEST(a_good_check_ends_the_skipping_of_a_server),
          TEST(a_check_that_takes_too_long_is_a_bad_one))
