// SPDX-License-Identifier: Apache-2.0
// Names of servers, with a worker, the resolver and a DNS server on one loop.
#include "rt/dns.h"
#include "unit/rt/fake_dns.h"
#include "unit/upstream/upstream_rig.h"

struct names {
    struct rig r;
    struct fake_dns fake;
    struct dns *dns;
    struct upstream_resolver *resolver;
    struct origin a; // on 127.0.0.1
    struct origin b; // on 127.0.0.2, the same port
};

// False when another program has that port there.
static bool origin_start_at(struct origin *o, const char *name, const char *ip_text, uint16_t port)
{
    *o = (struct origin){.name = name, .does = ORIGIN_ANSWERS};
    struct ip ip;
    CHECK_INT(ip_parse(str_of(ip_text), &ip), ERR_OK);
    addr_from_ip(&ip, port, &o->addr);
    o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(o->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(o->fd, &o->addr.u.any, o->addr.len) != 0 || listen(o->fd, 16) != 0) {
        close(o->fd);
        return false;
    }
    origin_listen(o);
    return true;
}

// Both origins on one port, which the kernel chooses for the first.
static uint16_t start_origins(struct names *n)
{
    for (;;) {
        struct ip ip;
        uint16_t port = 0;
        origin_start(&n->a, "a", ORIGIN_ANSWERS);
        CHECK(addr_to_ip(&n->a.addr, &ip, &port));
        if (origin_start_at(&n->b, "b", "127.0.0.2", port))
            return port;
        origin_stop(&n->a);
    }
}

static void names_init(struct names *n)
{
    *n = (struct names){0};
    rig_init(&n->r);
    fake_dns_start(&n->fake);
    const char *why = NULL;
    n->dns = dns_new(
        &(struct dns_options){.servers = n->fake.servers, .timeout_ms = 200, .tries = 1}, &why);
    CHECK(n->dns != NULL);
    n->resolver = upstream_resolver_start(n->r.registry, n->dns);
    static char url[64];
    snprintf(url, sizeof url, "http://app.test:%u", start_origins(n));
    rig_server(&n->r, url, 1);
    n->fake.names[0] = (struct fake_name){.name = "app.test", .ttl_s = 1000};
}

static void names_fini(struct names *n)
{
    service_release(n->r.service);
    n->r.service = NULL;
    upstream_resolver_stop(n->resolver);
    dns_free(n->dns);
    fake_dns_stop(&n->fake);
    origin_stop(&n->a);
    origin_stop(&n->b);
    rig_fini(&n->r);
}

static void count_answers(struct names *n, unsigned calls, unsigned *ret_a, unsigned *ret_b)
{
    unsigned a = n->a.n_requests, b = n->b.n_requests;
    for (unsigned i = 0; i < calls; i++)
        CHECK_INT(call(&n->r, METHOD_GET).status, 200);
    *ret_a = n->a.n_requests - a;
    *ret_b = n->b.n_requests - b;
}

static void a_request_waits_for_the_first_answer(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].addrs[0] = "127.0.0.1";
    rig_build(&n.r);
    struct call c = call(&n.r, METHOD_GET); // at once: nothing is resolved yet
    CHECK_INT(c.status, 200);
    CHECK(str_starts(str_of(c.server), STR("127.0.0.1:")));
    names_fini(&n);
}

static void each_address_of_a_name_is_a_target(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].addrs[0] = "127.0.0.1";
    n.fake.names[0].addrs[1] = "127.0.0.2";
    rig_build(&n.r);
    unsigned a, b;
    count_answers(&n, 10, &a, &b);
    CHECK_INT(a, 5);
    CHECK_INT(b, 5);
    names_fini(&n);
}

static void names_are_resolved_again_when_their_time_to_live_ends(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].addrs[0] = "127.0.0.1";
    n.fake.names[0].ttl_s = 1;
    rig_build(&n.r);
    unsigned a, b;
    count_answers(&n, 2, &a, &b);
    CHECK_INT(a, 2);
    n.fake.names[0].addrs[0] = "127.0.0.2";
    TURN_UNTIL(&n.r, n.a.n_open == 0); // the address has gone: its connection too
    count_answers(&n, 2, &a, &b);
    CHECK_INT(b, 2);
    names_fini(&n);
}

static void the_last_good_answer_stays_while_dns_fails(void)
{
    static const int rcodes[] = {2, 3};
    for (size_t i = 0; i < ARRAY_LEN(rcodes); i++) {
        struct names n;
        names_init(&n);
        n.fake.names[0].addrs[0] = "127.0.0.1";
        n.fake.names[0].ttl_s = 1;
        rig_build(&n.r);
        CHECK_INT(call(&n.r, METHOD_GET).status, 200);
        n.fake.names[0].rcode = rcodes[i];
        int n_before = n.fake.names[0].n_queries;
        TURN_UNTIL(&n.r, n.fake.names[0].n_queries > n_before);
        loop_turn(n.r.loop, 10);
        loop_turn(n.r.loop, 10);
        CHECK_INT(call(&n.r, METHOD_GET).status, 200);
        names_fini(&n);
    }
}

static void a_name_without_an_address_is_503_and_is_tried_again(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].rcode = 3;
    rig_build(&n.r);
    struct call c = call(&n.r, METHOD_GET);
    CHECK_INT(c.status, 503);
    CHECK_INT(c.end, EXCHANGE_END_NO_SERVER);
    CHECK(c.detail[0] != '\0');
    CHECK(strstr(c.body, "app.test") == NULL);
    n.fake.names[0].rcode = 0;
    n.fake.names[0].addrs[0] = "127.0.0.1";
    // A query that was under way may bring the old answer once more.
    TURN_UNTIL(&n.r, (c = call(&n.r, METHOD_GET)).status == 200);
    names_fini(&n);
}

static void waiting_for_an_answer_has_a_limit(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].is_silent = true;
    n.r.conf.connect_ms = 30;
    rig_build(&n.r);
    struct call c = call(&n.r, METHOD_GET);
    CHECK_INT(c.status, 503);
    CHECK(strstr(c.detail, "not resolved yet") != NULL);
    names_fini(&n);
}

static void a_request_that_waits_for_a_name_can_be_cancelled(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].is_silent = true;
    rig_build(&n.r);
    struct call c = {.r = &n.r, .method = METHOD_GET};
    call_start(&c);
    loop_turn(n.r.loop, 0);
    fiber_cancel(c.fiber);
    call_wait(&c);
    CHECK_INT(c.err, ERR_CANCELLED);
    names_fini(&n);
}

static void a_name_that_nobody_needs_is_not_resolved_any_more(void)
{
    struct names n;
    names_init(&n);
    n.fake.names[0].addrs[0] = "127.0.0.1";
    n.fake.names[0].ttl_s = 1;
    rig_build(&n.r);
    CHECK_INT(call(&n.r, METHOD_GET).status, 200);
    service_release(n.r.service);
    n.r.service = NULL;
    TURN_UNTIL(&n.r, n.a.n_open == 0);
    struct loop_stats stats;
    loop_turn(n.r.loop, 0);
    loop_stats(n.r.loop, &stats);
    CHECK_INT(stats.n_timers, 0);
    CHECK_INT(stats.n_fibers, 0);
    names_fini(&n);
}

static void exchanges_in_flight_survive_a_change_of_addresses(void)
{
    struct names n;
    names_init(&n);
    n.a.does = ORIGIN_WAITS;
    n.r.conf.conns_max = 1;
    n.fake.names[0].addrs[0] = "127.0.0.1";
    n.fake.names[0].ttl_s = 1;
    rig_build(&n.r);
    struct call first = {.r = &n.r, .method = METHOD_GET}, queued = first;
    call_start(&first);
    TURN_UNTIL(&n.r, n.a.n_requests == 1);
    call_start(&queued); // waits for a connection to an address that goes
    n.fake.names[0].addrs[0] = "127.0.0.2";
    call_wait(&queued);
    CHECK_STR(str_of(queued.body), STR("b"));
    n.a.may_answer = true;
    call_wait(&first);
    CHECK_STR(str_of(first.body), STR("a"));
    TURN_UNTIL(&n.r, n.a.n_open == 0);
    names_fini(&n);
}

TEST_MAIN(TEST(a_request_waits_for_the_first_answer), TEST(each_address_of_a_name_is_a_target),
          TEST(names_are_resolved_again_when_their_time_to_live_ends),
          TEST(the_last_good_answer_stays_while_dns_fails),
          TEST(a_name_without_an_address_is_503_and_is_tried_again),
          TEST(waiting_for_an_answer_has_a_limit),
          TEST(a_request_that_waits_for_a_name_can_be_cancelled),
          TEST(a_name_that_nobody_needs_is_not_resolved_any_more),
          TEST(exchanges_in_flight_survive_a_change_of_addresses))
