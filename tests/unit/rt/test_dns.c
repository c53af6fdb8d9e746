// SPDX-License-Identifier: Apache-2.0
#include "rt/dns.h"

#include "unit/rt/fake_dns.h"

struct lookup {
    const char *name;
    struct dns *dns;
    int64_t wait_ms;
    enum err err;
    struct dns_answer answer;
    const char *why;
};

static void look_up(void *arg)
{
    struct lookup *l = arg;
    l->err = dns_resolve(l->dns, str_of(l->name), deadline_in(l->wait_ms), &l->answer, &l->why);
}

// Runs the look-ups side by side against the server f.
static void run(struct fake_dns *f, const struct dns_options *options, struct lookup *lookups,
                size_t n)
{
    struct rt_loop *loop = test_loop(0);
    fake_dns_start(f);
    struct dns_options o = *options;
    o.servers = f->servers;
    const char *why = NULL;
    struct dns *dns = dns_new(&o, &why);
    CHECK(dns != NULL);
    for (size_t i = 0; i < n; i++) {
        lookups[i].dns = dns;
        if (lookups[i].wait_ms == 0)
            lookups[i].wait_ms = SOON_MS;
        fiber_start(look_up, &lookups[i]);
    }
    CHECK(test_run_all(loop));
    dns_free(dns);
    CHECK(test_run_all(loop));
    fake_dns_stop(f);
    loop_free(loop);
}

static const struct dns_options quick = {.timeout_ms = 30, .tries = 2};
static const struct dns_options patient = {.timeout_ms = SOON_MS, .tries = 1};

static bool has_addr(const struct dns_answer *a, const char *text)
{
    for (size_t i = 0; i < a->n; i++) {
        char buf[46];
        if (str_eq(ip_text(&a->addrs[i], buf), str_of(text)))
            return true;
    }
    return false;
}

static void both_families_and_the_smallest_ttl_are_answered(void)
{
    struct fake_dns f = {
        .names = {
            {.name = "app.test", .addrs = {"10.0.0.1", "10.0.0.2", "2001:db8::1"}, .ttl_s = 77},
        }};
    struct lookup l = {.name = "app.test"};
    run(&f, &patient, &l, 1);
    CHECK_INT(l.err, ERR_OK);
    CHECK_INT(l.answer.n, 3);
    CHECK_INT(l.answer.ttl_s, 77);
    CHECK(has_addr(&l.answer, "10.0.0.1"));
    CHECK(has_addr(&l.answer, "10.0.0.2"));
    CHECK(has_addr(&l.answer, "2001:db8::1"));
    CHECK_INT(f.names[0].n_queries, 2);
}

static void look_ups_side_by_side_get_their_own_answers(void)
{
    struct fake_dns f = {.names = {
                             {.name = "a.test", .addrs = {"10.0.0.1"}, .ttl_s = 5},
                             {.name = "b.test", .addrs = {"10.0.0.2"}, .ttl_s = 6},
                             {.name = "c.test", .addrs = {"2001:db8::3"}, .ttl_s = 7},
                         }};
    struct lookup l[] = {{.name = "a.test"}, {.name = "b.test"}, {.name = "c.test"}};
    run(&f, &patient, l, ARRAY_LEN(l));
    CHECK(l[0].answer.n == 1 && has_addr(&l[0].answer, "10.0.0.1"));
    CHECK(l[1].answer.n == 1 && has_addr(&l[1].answer, "10.0.0.2"));
    CHECK(l[2].answer.n == 1 && has_addr(&l[2].answer, "2001:db8::3"));
    CHECK_INT(l[2].answer.ttl_s, 7);
}

static void failures_are_told_apart(void)
{
    struct fake_dns f = {.names = {
                             {.name = "gone.test", .rcode = 3},
                             {.name = "broken.test", .rcode = 2},
                             {.name = "empty.test"},
                             {.name = "silent.test", .is_silent = true},
                         }};
    struct lookup l[] = {{.name = "gone.test"},
                         {.name = "broken.test"},
                         {.name = "empty.test"},
                         {.name = "silent.test"},
                         {.name = ""}};
    static const enum err wanted[] = {ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_NOT_FOUND, ERR_TIMEOUT,
                                      ERR_NOT_FOUND};
    run(&f, &quick, l, ARRAY_LEN(l));
    for (size_t i = 0; i < ARRAY_LEN(l); i++) {
        CHECK_INT(l[i].err, wanted[i]);
        CHECK(l[i].why != NULL && l[i].why[0] != '\0');
    }
}

static void a_deadline_ends_a_look_up_that_goes_on_without_it(void)
{
    struct fake_dns f = {.names = {{.name = "silent.test", .is_silent = true}}};
    struct lookup l = {.name = "silent.test", .wait_ms = 20};
    run(&f, &patient, &l, 1);
    CHECK_INT(l.err, ERR_TIMEOUT);
}

static void an_answer_that_comes_by_tcp_in_pieces_is_read_whole(void)
{
    struct fake_dns f = {
        .names = {{.name = "large.test", .addrs = {"10.0.0.9"}, .ttl_s = 9, .over_tcp = true}}};
    struct lookup l = {.name = "large.test"};
    run(&f, &patient, &l, 1);
    CHECK_INT(l.err, ERR_OK);
    CHECK(l.answer.n == 1 && has_addr(&l.answer, "10.0.0.9"));
    CHECK_INT(l.answer.ttl_s, 9);
}

static void more_addresses_than_fit_are_cut(void)
{
    static char texts[FAKE_DNS_ADDRS_MAX][16];
    struct fake_dns f = {.names = {{.name = "many.test", .ttl_s = 1, .over_tcp = true}}};
    for (size_t i = 0; i < FAKE_DNS_ADDRS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "10.0.1.%zu", i);
        f.names[0].addrs[i] = texts[i];
    }
    struct lookup l = {.name = "many.test"};
    run(&f, &patient, &l, 1);
    CHECK_INT(l.err, ERR_OK);
    CHECK_INT(l.answer.n, DNS_ADDRS_MAX);
}

static void localhost_needs_no_server(void)
{
    struct fake_dns f = {0};
    struct lookup l = {.name = "localhost"};
    run(&f, &quick, &l, 1);
    CHECK_INT(l.err, ERR_OK);
    CHECK(has_addr(&l.answer, "127.0.0.1") || has_addr(&l.answer, "::1"));
    printf("# localhost: %zu addresses, ttl %u\n", l.answer.n, l.answer.ttl_s);
}

static void the_hosts_file_comes_before_dns(void)
{
    struct fake_dns f = {.names = {
                             {.name = "app.test", .addrs = {"10.0.0.1"}, .ttl_s = 5},
                             {.name = "other.test", .addrs = {"10.0.0.2"}, .ttl_s = 5},
                         }};
    const struct dns_files files = {.hosts = STR("10.9.9.9 app.test app\n::9 app.test\n")};
    struct dns_options o = patient;
    o.files = &files;
    struct lookup l[] = {{.name = "App.Test."}, {.name = "app"}, {.name = "other.test"}};
    run(&f, &o, l, ARRAY_LEN(l));
    CHECK_INT(l[0].err, ERR_OK);
    CHECK(l[0].answer.n == 2 && has_addr(&l[0].answer, "10.9.9.9"));
    CHECK(has_addr(&l[0].answer, "::9"));
    CHECK_INT(l[0].answer.ttl_s, 0);
    CHECK(l[1].answer.n == 1 && has_addr(&l[1].answer, "10.9.9.9"));
    CHECK(l[2].answer.n == 1 && has_addr(&l[2].answer, "10.0.0.2"));
    CHECK_INT(f.names[0].n_queries, 0);
}

static void localhost_is_this_machine_whatever_the_hosts_file_says(void)
{
    static const struct {
        const char *hosts, *name;
        size_t n;
    } cases[] = {
        {"10.0.0.1 localhost\n", "localhost", 2},
        {"127.0.0.1 localhost\n", "localhost", 1},
        {"127.0.0.1 localhost\n10.0.0.1 localhost\n", "LOCALHOST.", 2},
        {"", "a.b.localhost", 2},
        {"::1 localhost\n", "localhost", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_dns f = {0};
        const struct dns_files files = {.hosts = str_of(cases[i].hosts)};
        struct dns_options o = quick;
        o.files = &files;
        struct lookup l = {.name = cases[i].name};
        run(&f, &o, &l, 1);
        CHECK_INT(l.err, ERR_OK);
        CHECK_INT(l.answer.n, cases[i].n);
        CHECK(!has_addr(&l.answer, "10.0.0.1"));
    }
}

static void short_names_are_searched_in_the_domains_of_resolv_conf(void)
{
    struct fake_dns f = {.names = {{.name = "app.b.test", .addrs = {"10.0.0.1"}, .ttl_s = 5},
                                   {.name = "a.b", .addrs = {"10.0.0.2"}, .ttl_s = 5}}};
    const struct dns_files files = {.resolv_conf = STR("search a.test b.test\n")};
    struct dns_options o = patient;
    o.files = &files;
    struct lookup l[] = {{.name = "app"}, {.name = "a.b"}};
    run(&f, &o, l, ARRAY_LEN(l));
    CHECK(l[0].answer.n == 1 && has_addr(&l[0].answer, "10.0.0.1"));
    CHECK(l[1].answer.n == 1 && has_addr(&l[1].answer, "10.0.0.2"));
}

// The servers of the second files are silent or tell other addresses.
static void new_files_serve_new_look_ups_and_lose_no_old_ones(void)
{
    struct rt_loop *loop = test_loop(0);
    struct fake_dns f = {.names = {{.name = "slow.test", .is_silent = true}}};
    fake_dns_start(&f);
    const char *why = NULL;
    struct dns *dns =
        dns_new(&(struct dns_options){.servers = f.servers, .timeout_ms = 20, .tries = 200}, &why);
    struct lookup old = {.name = "slow.test", .dns = dns, .wait_ms = SOON_MS};
    fiber_start(look_up, &old);
    loop_turn(loop, 0);
    for (int i = 0; i < 3; i++)
        CHECK(dns_use(dns, &(struct dns_files){.hosts = STR("10.0.0.7 slow.test\n")}, &why));
    struct lookup new = {.name = "slow.test", .dns = dns, .wait_ms = SOON_MS};
    fiber_start(look_up, &new);
    while (new.why == NULL &&new.answer.n == 0)
        loop_turn(loop, 10);
    CHECK(has_addr(&new.answer, "10.0.0.7"));
    CHECK_INT(old.answer.n, 0); // still asking
    f.names[0] = (struct fake_name){.name = "slow.test", .addrs = {"10.0.0.1"}, .ttl_s = 5};
    CHECK(test_run_all(loop));
    CHECK_INT(old.err, ERR_OK);
    CHECK(old.answer.n == 1 && has_addr(&old.answer, "10.0.0.1"));
    dns_free(dns);
    CHECK(test_run_all(loop));
    fake_dns_stop(&f);
    loop_free(loop);
}

static void a_hosts_file_that_is_too_large_changes_nothing(void)
{
    static char large[(1 << 20) + 1];
    struct rt_loop *loop = test_loop(0);
    const char *why = NULL;
    const struct dns_files files = {.hosts = STR("10.0.0.7 a\n")};
    struct dns *dns = dns_new(&(struct dns_options){.files = &files}, &why);
    CHECK(!dns_use(dns, &(struct dns_files){.hosts = {large, sizeof large}}, &why));
    CHECK(why != NULL);
    struct lookup l = {.name = "a", .dns = dns, .wait_ms = SOON_MS};
    fiber_start(look_up, &l);
    CHECK(test_run_all(loop));
    CHECK(has_addr(&l.answer, "10.0.0.7"));
    dns_free(dns);
    CHECK(test_run_all(loop));
    loop_free(loop);
}

struct cancelling {
    struct lookup lookup;
    struct fiber *fiber;
};

static void cancel(void *arg)
{
    struct cancelling *c = arg;
    fiber_yield();
    fiber_cancel(c->fiber);
}

static void cancelling_and_freeing_end_look_ups(void)
{
    struct rt_loop *loop = test_loop(0);
    struct fake_dns f = {.names = {{.name = "silent.test", .is_silent = true}}};
    fake_dns_start(&f);
    const char *why = NULL;
    struct dns *dns = dns_new(&(struct dns_options){.servers = f.servers}, &why);
    struct cancelling c = {
        .lookup = {.name = "silent.test", .dns = dns, .wait_ms = SOON_MS},
    };
    struct lookup other = c.lookup;
    c.fiber = fiber_start(look_up, &c.lookup);
    fiber_start(look_up, &other);
    fiber_start(cancel, &c);
    while (c.lookup.why == NULL)
        loop_turn(loop, 10);
    CHECK_INT(c.lookup.err, ERR_CANCELLED);
    CHECK(other.why == NULL);
    dns_free(dns);
    CHECK(test_run_all(loop));
    CHECK_INT(other.err, ERR_CANCELLED);
    fake_dns_stop(&f);
    loop_free(loop);
}

static void malformed_servers_are_refused(void)
{
    struct rt_loop *loop = test_loop(0);
    const char *why = NULL;
    CHECK(dns_new(&(struct dns_options){.servers = "not an address"}, &why) == NULL);
    CHECK(why != NULL);
    loop_free(loop);
}

TEST_MAIN(TEST(both_families_and_the_smallest_ttl_are_answered),
          TEST(look_ups_side_by_side_get_their_own_answers), TEST(failures_are_told_apart),
          TEST(a_deadline_ends_a_look_up_that_goes_on_without_it),
          TEST(an_answer_that_comes_by_tcp_in_pieces_is_read_whole),
          TEST(more_addresses_than_fit_are_cut), TEST(localhost_needs_no_server),
          TEST(the_hosts_file_comes_before_dns),
          TEST(localhost_is_this_machine_whatever_the_hosts_file_says),
          TEST(short_names_are_searched_in_the_domains_of_resolv_conf),
          TEST(new_files_serve_new_look_ups_and_lose_no_old_ones),
          TEST(a_hosts_file_that_is_too_large_changes_nothing),
          TEST(cancelling_and_freeing_end_look_ups), TEST(malformed_servers_are_refused))
