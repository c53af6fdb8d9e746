// SPDX-License-Identifier: Apache-2.0
#include "upstream/survey.h"

#include "unit/upstream/upstream_rig.h"
#include "upstream/registry.h"
#include "upstream/service_priv.h"

// Of the rig's service, with its one worker's part, in as many pieces as it takes.
static struct survey *look(struct rig *r, unsigned *ret_n_pieces)
{
    struct survey *s = survey_new(&r->service, 1);
    unsigned n = 1;
    while (!survey_add(s))
        n++;
    if (ret_n_pieces)
        *ret_n_pieces = n;
    return s;
}

static void requests_and_connections_are_told_by_server(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 0);
    rig_build(&r);
    for (int i = 0; i < 3; i++)
        CHECK_INT(call(&r, METHOD_GET).status, 200);

    struct survey *s = look(&r, NULL);
    CHECK_INT(s->n_services, 1);
    CHECK_STR(s->services[0].name, STR("app"));
    CHECK_INT(s->services[0].n_servers, 2);
    CHECK_INT(s->n_servers, 2);
    CHECK_STR(s->servers[0].url, str_of(a.url));
    CHECK_INT(s->servers[0].weight, 1);
    CHECK_INT(s->servers[0].n_requests, 3);
    CHECK_INT(s->servers[0].n_conns, 1);
    CHECK_INT(s->servers[0].n_idle, 1);
    CHECK_INT(s->servers[0].n_failures, 0);
    CHECK_INT(s->servers[0].n_addresses, 1);
    CHECK_STR(s->servers[0].addresses[0].text, STR("127.0.0.1"));
    CHECK(!s->servers[0].addresses[0].is_skipped);
    CHECK_INT(s->servers[1].weight, 0);
    CHECK_INT(s->servers[1].n_requests, 0);
    CHECK_INT(s->servers[1].n_conns, 0);
    survey_free(s);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void what_is_in_progress_and_waits_is_told(void)
{
    struct rig r;
    struct origin a;
    struct call calls[3];
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_WAITS)->url, 1);
    r.servers[0].active_max = 1;
    rig_build(&r);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        calls[i] = (struct call){.r = &r, .method = METHOD_GET};
        call_start(&calls[i]);
        loop_turn(r.loop, 0);
    }
    TURN_UNTIL(&r, a.n_requests == 1);
    struct survey *s = look(&r, NULL);
    CHECK(s->servers[0].is_counted);
    CHECK_INT(s->servers[0].addresses[0].n_active, 1);
    CHECK_INT(s->services[0].n_queued, 2);
    survey_free(s);
    a.may_answer = true;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        call_wait(&calls[i]);
    s = look(&r, NULL);
    CHECK_INT(s->servers[0].addresses[0].n_active, 0);
    CHECK_INT(s->services[0].n_queued, 0);
    survey_free(s);
    origin_stop(&a);
    rig_fini(&r);
}

static void failures_are_told_by_address(void)
{
    struct rig r;
    struct origin dead, nonsense;
    rig_init(&r);
    rig_server(&r, origin_refuse(&dead)->url, 1);
    rig_server(&r, origin_start(&nonsense, "n", ORIGIN_TALKS_NONSENSE)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).status, 502); // refused by the first, misunderstood by the other

    struct survey *s = look(&r, NULL);
    CHECK_INT(s->servers[0].n_failures, 1);
    CHECK_INT(s->servers[0].n_requests, 0); // none was sent
    CHECK(s->servers[0].addresses[0].is_skipped);
    CHECK_INT(s->servers[0].addresses[0].n_failures, 1);
    CHECK_INT(s->servers[1].n_failures, 1);
    CHECK_INT(s->servers[1].n_requests, 1);
    CHECK(!s->servers[1].addresses[0].is_skipped);
    survey_free(s);
    close(dead.fd);
    origin_stop(&nonsense);
    rig_fini(&r);
}

static struct ip ip_of(const char *text)
{
    struct ip ip = {.family = 0};
    CHECK(ip_parse(str_of(text), &ip) == ERR_OK);
    return ip;
}

static void what_was_counted_stays_when_addresses_change(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    origin_start(&a, "a", ORIGIN_ANSWERS);
    struct ip ip;
    uint16_t port;
    CHECK(addr_to_ip(&a.addr, &ip, &port));
    char url[64];
    snprintf(url, sizeof url, "http://app.test:%u", port);
    rig_server(&r, url, 1);
    rig_build(&r);

    struct survey *s = look(&r, NULL);
    CHECK_INT(s->servers[0].n_addresses, 0); // nothing is known yet
    survey_free(s);

    struct server_state *state = service_of(r.service)->servers[0].state;
    CHECK(registry_put_answer(state, &ip, 1, NULL));
    CHECK_INT(call(&r, METHOD_GET).status, 200);
    atomic_fetch_add(&state->slots[0].n_failures, 2);
    struct ip others[] = {ip_of("192.0.2.1"), ip_of("2001:db8::1")};
    CHECK(registry_put_answer(state, others, ARRAY_LEN(others), NULL));
    CHECK(registry_put_answer(state, &others[1], 1, NULL));
    CHECK(registry_put_answer(state, others, ARRAY_LEN(others), NULL));
    TURN_UNTIL(&r, a.n_open == 0);

    s = look(&r, NULL);
    CHECK_INT(s->servers[0].n_requests, 1);
    CHECK_INT(s->servers[0].n_failures, 2);
    CHECK_INT(s->servers[0].n_conns, 0);
    CHECK_INT(s->servers[0].n_addresses, 2);
    CHECK_STR(s->servers[0].addresses[0].text, STR("192.0.2.1"));
    CHECK_STR(s->servers[0].addresses[1].text, STR("2001:db8::1"));
    CHECK_INT(s->servers[0].addresses[0].n_failures + s->servers[0].addresses[1].n_failures, 0);
    survey_free(s);

    CHECK(!registry_put_answer(state, NULL, 0, "no such name"));
    s = look(&r, NULL);
    CHECK_STR(str_of(s->servers[0].why ? s->servers[0].why : ""), STR(""));
    survey_free(s);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_path_and_a_name_without_address_are_told(void)
{
    struct rig r;
    rig_init(&r);
    rig_server(&r, "unix:/run/app.sock", 1);
    rig_server(&r, "http://app.test", 1);
    rig_build(&r);
    struct server_state *state = service_of(r.service)->servers[1].state;
    CHECK(registry_put_answer(state, NULL, 0, "no such name"));

    struct survey *s = look(&r, NULL);
    CHECK_STR(s->servers[0].addresses[0].text, STR("unix:/run/app.sock"));
    CHECK_INT(s->servers[1].n_addresses, 0);
    CHECK_STR(str_of(s->servers[1].why), STR("no such name"));
    survey_free(s);
    rig_fini(&r);
}

static void services_with_the_same_servers_are_told_once(void)
{
    struct rig r;
    rig_init(&r);
    rig_server(&r, "http://10.0.0.1", 1);
    struct handler *all[3] = {rig_build(&r), NULL, NULL};
    all[1] = rig_build(&r);
    rig_server(&r, "http://10.0.0.2", 1);
    all[2] = rig_build(&r);

    struct survey *s = survey_new(all, ARRAY_LEN(all));
    CHECK_INT(s->n_services, 2);
    CHECK_INT(s->services[1].first, 1);
    CHECK_INT(s->services[1].n_servers, 2);
    CHECK_INT(s->n_servers, 3);
    survey_free(s);
    service_release(all[0]);
    service_release(all[1]);
    rig_fini(&r);
}

static void a_worker_adds_many_servers_in_pieces(void)
{
    enum { N = 1000 };
    static char urls[N][32];
    static struct server_conf servers[N];
    static void *items[N];
    struct rig r;
    rig_init(&r);
    for (unsigned i = 0; i < N; i++) {
        snprintf(urls[i], sizeof urls[i], "http://10.0.%u.%u", i / 250, i % 250);
        servers[i] = (struct server_conf){.url = {.text = str_of(urls[i])}, .weight = 1};
        items[i] = &servers[i];
    }
    r.conf.servers = (struct conf_list){.items = items, .n = N};
    rig_build(&r);

    unsigned n_pieces = 0;
    struct survey *s = look(&r, &n_pieces);
    CHECK(n_pieces >= 4 && n_pieces <= 8);
    while (!survey_add(s)) // another worker
        n_pieces--;
    CHECK_INT(n_pieces, 1);
    survey_free(s);
    rig_fini(&r);
}

TEST_MAIN(TEST(requests_and_connections_are_told_by_server),
          TEST(what_is_in_progress_and_waits_is_told), TEST(failures_are_told_by_address),
          TEST(what_was_counted_stays_when_addresses_change),
          TEST(a_path_and_a_name_without_address_are_told),
          TEST(services_with_the_same_servers_are_told_once),
          TEST(a_worker_adds_many_servers_in_pieces))
