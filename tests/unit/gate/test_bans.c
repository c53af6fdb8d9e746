// SPDX-License-Identifier: Apache-2.0
#include "gate/bans.h"

#include <unistd.h>

#include "gate/protocol.h"
#include "http/env.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "unit/test.h"

static struct {
    struct rt_loop *loop;
    int channel[2];
    struct bans *bans;
    struct ban_rule rule;
    struct ban_rules rules;
    struct http_entry entry;
} w;

static void open_world(uint32_t times, int64_t in_ns)
{
    memset(&w, 0, sizeof w);
    log_set_level(LOG_ERROR, LOG_TEXT);
    w.loop = loop_new(NULL);
    loop_enter(w.loop);
    if (!channel_pair(w.channel))
        abort();
    w.bans = bans_new(w.loop, w.channel[0]);
    bans_set_max(w.bans, 100);
    w.rule = (struct ban_rule){
        .name = STR("r"), .times = times, .in_ns = in_ns, .for_s = 100, .at_most_s = 350};
    w.rule.statuses[404 - BAN_STATUS_MIN] = true;
    w.rules = (struct ban_rules){
        .items = &w.rule, .n = 1, .v4_bits = 32, .v6_bits = 64, .remember_s = 1000};
}

static void close_world(void)
{
    loop_turn(w.loop, 0); // what is on its way to the keeper
    bans_free(w.bans);
    close(w.channel[0]);
    close(w.channel[1]);
    loop_free(w.loop);
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    if (ip_parse(str_of(text), &ip) != ERR_OK)
        abort();
    return ip;
}

static void err_from(const char *client, unsigned status)
{
    struct exchange x = {.entry = &w.entry, .client = ip_of(client), .peer = ip_of(client)};
    x.req.method = STR("GET");
    x.resp.status = (uint16_t)status;
    bans_note(w.bans, &w.rules, &x);
}

static bool is_refused(const char *client)
{
    struct ip ip = ip_of(client);
    return bans_refuse(w.bans, &w.rules, &ip, NULL);
}

// What the keeper was told; false: nothing more.
static bool heard(struct gate_ban *ret)
{
    size_t len;
    int fd;
    loop_turn(w.loop, 0);
    return channel_receive(w.channel[1], ret, sizeof *ret, &len, &fd) == IO_DONE &&
           len == sizeof *ret;
}

static void the_nth_event_bans_and_the_keeper_hears_of_it_once(void)
{
    open_world(3, INT64_C(3600) * 1000000000);
    struct gate_ban m;
    for (int i = 0; i < 2; i++)
        err_from("192.0.2.1", 404);
    err_from("192.0.2.1", 403); // isn't counted
    err_from("192.0.2.2", 404); // is somebody else
    CHECK(!is_refused("192.0.2.1"));
    err_from("192.0.2.1", 404);
    CHECK(is_refused("192.0.2.1"));
    CHECK(!is_refused("192.0.2.2"));
    err_from("192.0.2.1", 404); // of an exchange that ran meanwhile
    CHECK(heard(&m));
    CHECK_INT(m.type, GATE_BAN);
    CHECK(ban_is_sound(&m.ban));
    CHECK_INT(m.ban.until_s - m.ban.began_s, 100);
    CHECK(!heard(&m));
    close_world();
}

static void a_window_of_time_passes(void)
{
    open_world(2, 1000000); // 1 ms
    err_from("192.0.2.1", 404);
    int64_t until_ns = clock_exact_ns() + 5000000;
    while (clock_exact_ns() < until_ns)
        loop_turn(w.loop, 1);
    err_from("192.0.2.1", 404);
    CHECK(!is_refused("192.0.2.1"));
    close_world();
}

static void clients_of_one_network_of_ipv6_are_one(void)
{
    open_world(2, INT64_C(3600) * 1000000000);
    err_from("2001:db8::1", 404);
    err_from("2001:db8::2", 404);
    CHECK(is_refused("2001:db8::3"));
    CHECK(!is_refused("2001:db8:0:1::3"));
    close_world();
}

static void the_next_ban_is_twice_as_long_up_to_a_limit(void)
{
    static const int64_t wanted_s[] = {100, 200, 350, 350};
    open_world(1, 1000000000);
    for (uint32_t i = 0; i < ARRAY_LEN(wanted_s); i++) {
        struct gate_ban m;
        err_from("192.0.2.1", 404);
        CHECK(heard(&m));
        CHECK_INT(m.ban.times, i + 1);
        CHECK_INT(m.ban.until_s - m.ban.began_s, wanted_s[i]);
        m.ban.began_s -= 400; // it is over
        m.ban.until_s -= 400;
        bans_take(w.bans, &m.ban);
        CHECK(!is_refused("192.0.2.1"));
    }
    close_world();
}

static void who_is_never_banned_is_neither_counted_nor_refused(void)
{
    open_world(1, 1000000000);
    struct arena mem;
    struct gate_ban m;
    struct ip_net never = {.ip = ip_of("192.0.2.1"), .bits = 32};
    arena_init(&mem, 1 << 16, NULL, 0);
    CHECK_INT(ip_set_build(&never, 1, &mem, &w.rules.never), ERR_OK);
    err_from("192.0.2.1", 404);
    CHECK(!heard(&m));
    struct ban ban = {
        .net = never, .until_s = INT64_C(1) << 39, .keep_s = INT64_C(1) << 39, .times = 1};
    bans_take(w.bans, &ban);
    CHECK(!is_refused("192.0.2.1"));
    arena_fini(&mem);
    close_world();
}

static void a_trusted_proxy_is_not_banned_for_others(void)
{
    open_world(1, 1000000000);
    struct ip_net trusted = {.ip = ip_of("192.0.2.9"), .bits = 32};
    w.entry.trusted = &trusted;
    w.entry.n_trusted = 1;
    struct exchange x = {.entry = &w.entry, .peer = trusted.ip, .resp = {.status = 404}};
    bans_note(w.bans, &w.rules, &x); // nothing could be read of it
    x.peer_is_trusted = true;
    x.client = trusted.ip;
    bans_note(w.bans, &w.rules, &x);
    CHECK(!is_refused("192.0.2.9"));
    x.client = ip_of("198.51.100.1");
    bans_note(w.bans, &w.rules, &x);
    CHECK(is_refused("198.51.100.1"));
    close_world();
}

static void a_balancer_that_sends_proxy_headers_is_not_banned_for_its_own_checks(void)
{
    open_world(1, 1000000000);
    struct ip_net all[] = {{.ip = ip_of("192.0.2.9"), .bits = 32},
                           {.ip = ip_of("0.0.0.0"), .bits = 0}}; // the second: anybody may
    w.entry.balancers = all;
    w.entry.n_balancers = ARRAY_LEN(all);
    w.rule.conn_events = 1u << HTTP_OFFENCE_HANDSHAKE;
    struct exchange x = {.entry = &w.entry, .resp = {.status = 404}};
    x.peer = x.client = all[0].ip;
    bans_note(w.bans, &w.rules, &x);
    bans_note_offence(w.bans, &w.rules, &w.entry, &all[0].ip, HTTP_OFFENCE_HANDSHAKE);
    CHECK(!is_refused("192.0.2.9"));
    x.peer = x.client = ip_of("198.51.100.1");
    bans_note(w.bans, &w.rules, &x);
    CHECK(is_refused("198.51.100.1"));
    close_world();
}

static void what_the_keeper_says_holds(void)
{
    open_world(1, 1000000000);
    struct ban two[2];
    memset(two, 0, sizeof two);
    for (int i = 0; i < 2; i++)
        two[i] = (struct ban){
            .net = {.ip = ip_of(i == 0 ? "192.0.2.1" : "::1"), .bits = i == 0 ? 32 : 128},
            .until_s = INT64_C(1) << 39,
            .keep_s = INT64_C(1) << 39,
            .times = 1};
    bans_take_all(w.bans, str_from((const char *)two, sizeof two));
    CHECK(is_refused("192.0.2.1") && is_refused("::1"));
    bans_lift(w.bans, &two[0].net);
    CHECK(!is_refused("192.0.2.1") && is_refused("::1"));
    close_world();
}

static void floods_of_connections_are_counted_but_not_those_of_a_trusted_proxy(void)
{
    open_world(3, INT64_C(10000000000));
    struct ip_net trusted = {.ip = ip_of("192.0.2.9"), .bits = 32};
    w.entry.trusted = &trusted;
    w.entry.n_trusted = 1;
    w.rule.conn_events = 1u << HTTP_OFFENCE_FLOOD;
    const struct ip client = ip_of("192.0.2.1");
    for (int i = 0; i < 3; i++) {
        CHECK(!is_refused("192.0.2.1"));
        bans_note_offence(w.bans, &w.rules, &w.entry, &client, HTTP_OFFENCE_FLOOD);
        bans_note_offence(w.bans, &w.rules, &w.entry, &client, HTTP_OFFENCE_SLOW);
        bans_note_offence(w.bans, &w.rules, &w.entry, &trusted.ip, HTTP_OFFENCE_FLOOD);
    }
    CHECK(is_refused("192.0.2.1"));
    CHECK(!is_refused("192.0.2.9"));
    close_world();
}

TEST_MAIN(TEST(the_nth_event_bans_and_the_keeper_hears_of_it_once), TEST(a_window_of_time_passes),
          TEST(clients_of_one_network_of_ipv6_are_one),
          TEST(the_next_ban_is_twice_as_long_up_to_a_limit),
          TEST(who_is_never_banned_is_neither_counted_nor_refused),
          TEST(a_trusted_proxy_is_not_banned_for_others),
          TEST(a_balancer_that_sends_proxy_headers_is_not_banned_for_its_own_checks),
          TEST(floods_of_connections_are_counted_but_not_those_of_a_trusted_proxy),
          TEST(what_the_keeper_says_holds))
