// SPDX-License-Identifier: Apache-2.0
#include "gate/proxy_in.h"

#include <sys/socket.h>
#include <unistd.h>

#include "http/env.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "unit/tls/server_rig.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static struct {
    struct rt_loop *loop;
    struct http_env env;
    struct http_listener listener;
    struct http_entry entry;
    struct ip_net from;
    struct proxy_in conf;
    unsigned n_gone_on;
    struct ip peer;
    uint16_t port;
    char left[64]; // what the next one can read
    size_t n_left;
} w;

static const struct http_entry *entry_of(struct http_env *env, struct http_listener *l)
{
    (void)env;
    (void)l;
    return &w.entry;
}

static const struct http_app app = {.entry = entry_of};

static void on_go_on(struct http_listener *l, struct stream *s, const struct ip *peer,
                     uint16_t peer_port)
{
    CHECK(l == &w.listener);
    w.n_gone_on++;
    w.peer = *peer;
    w.port = peer_port;
    if (stream_try_read(s, w.left, sizeof w.left, &w.n_left) != IO_DONE)
        w.n_left = 0;
    stream_close(s);
}

static void open_world(const char *from, bool takes_others)
{
    memset(&w, 0, sizeof w);
    log_set_level(LOG_ERROR, LOG_TEXT);
    w.loop = loop_new(NULL);
    loop_enter(w.loop);
    http_env_init(&w.env, &app, NULL, 100);
    w.listener.env = &w.env;
    w.entry.name = STR("web");
    if (ip_net_parse(str_of(from), &w.from) != ERR_OK)
        abort();
    w.conf = (struct proxy_in){
        .from = &w.from, .n_from = 1, .takes_others = takes_others, .timeout_ms = SOON_MS};
}

static uint64_t count_of(enum http_counter c)
{
    return w.env.stats.counters[c];
}

static void close_world(void)
{
    loop_turn(w.loop, 0);
    CHECK_INT(count_of(HTTP_COUNTER_CONNS_OPEN), 0);
    CHECK_INT(count_of(HTTP_COUNTER_CONNS_IDLE), 0);
    CHECK_INT(w.listener.n_conns, 0);
    CHECK_INT(w.env.blocks.n_out, 0);
    http_env_fini(&w.env);
    loop_free(w.loop);
}

// A connection from 127.0.0.1 that has sent these bytes already; the client's end.
static int knock(struct str first)
{
    int fds[2];
    rig_tcp_pair(fds);
    if (first.len > 0 && write(fds[0], first.ptr, first.len) != (ssize_t)first.len)
        abort();
    struct rt_addr peer = {.len = sizeof peer.u};
    if (getpeername(fds[1], &peer.u.any, &peer.len) != 0)
        abort();
    proxy_in_accept(&w.listener, &w.conf, fds[1], &peer, on_go_on);
    return fds[0];
}

static void turn_until(const unsigned *n, unsigned wanted)
{
    int64_t until_ms = clock_now_ms() + SOON_MS;
    while (*n < wanted && clock_now_ms() < until_ms)
        loop_turn(w.loop, 20);
    CHECK_INT(*n, wanted);
}

static bool is_closed(int fd)
{
    char byte;
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return read(fd, &byte, 1) <= 0;
}

static void the_header_is_taken_off_and_its_address_counts(void)
{
    static const struct {
        struct str in;
        const char *ip; // NULL: the connection's own
        uint16_t port;
    } cases[] = {
        {STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\nrest"), "192.0.2.7", 4711},
        {STR_INIT("PROXY TCP6 2001:db8::7 ::1 1 2\r\nrest"), "2001:db8::7", 1},
        {STR_INIT("PROXY UNKNOWN\r\nrest"), NULL, 0},
        {STR_INIT(V2 "\x21\x11\0\x0c\xc0\0\2\7\12\0\0\1\1\0\1\xbbrest"), "192.0.2.7", 256},
        {STR_INIT(V2 "\x20\0\0\0rest"), NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        open_world("127.0.0.0/8", false);
        int fd = knock(cases[i].in);
        turn_until(&w.n_gone_on, 1);
        struct ip wanted;
        if (ip_parse(str_of(cases[i].ip ? cases[i].ip : "127.0.0.1"), &wanted) != ERR_OK)
            abort();
        CHECK(ip_eq(&w.peer, &wanted));
        if (cases[i].ip)
            CHECK_INT(w.port, cases[i].port);
        CHECK(str_eq(str_from(w.left, w.n_left), STR("rest")));
        CHECK_INT(count_of(HTTP_COUNTER_PROXIED), 1);
        close(fd);
        close_world();
    }
}

static void a_header_may_come_byte_by_byte(void)
{
    static const char header[] = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n";
    open_world("127.0.0.1", false);
    int fd = knock(STR_NONE);
    for (size_t i = 0; i < sizeof header - 1; i++) {
        CHECK_INT(w.n_gone_on, 0);
        if (write(fd, &header[i], 1) != 1)
            abort();
        loop_turn(w.loop, 20);
    }
    turn_until(&w.n_gone_on, 1);
    CHECK_INT(w.n_left, 0);
    close(fd);
    close_world();
}

static void what_is_no_header_is_refused(void)
{
    static const struct str cases[] = {
        STR_INIT("GET / HTTP/1.1\r\n"),
        STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n"),
        STR_INIT(V2 "\x21\x12\0\0"),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        open_world("127.0.0.1", true);
        int fd = knock(cases[i]);
        CHECK(is_closed(fd));
        CHECK_INT(w.n_gone_on, 0);
        CHECK_INT(count_of(HTTP_COUNTER_PROXY_REFUSED), 1);
        close(fd);
        close_world();
    }
}

static void strangers_are_refused_or_are_clients(void)
{
    static const char header[] = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n";
    for (int takes_others = 0; takes_others < 2; takes_others++) {
        open_world("10.0.0.0/8", takes_others);
        int fd = knock(str_of(header));
        CHECK_INT(w.n_gone_on, takes_others);
        CHECK(is_closed(fd));
        CHECK_INT(count_of(HTTP_COUNTER_PROXY_REFUSED), !takes_others);
        CHECK_INT(count_of(HTTP_COUNTER_PROXIED), 0);
        if (takes_others) // and their header is what they say as clients
            CHECK(str_eq(str_from(w.left, w.n_left), str_of(header)));
        close(fd);
        close_world();
    }
}

static void one_that_stays_silent_ends_in_time(void)
{
    open_world("127.0.0.1", false);
    w.conf.timeout_ms = 10;
    int fd = knock(STR("PROXY TCP4 "));
    CHECK_INT(count_of(HTTP_COUNTER_CONNS_IDLE), 1);
    int64_t until_ms = clock_now_ms() + SOON_MS;
    while (count_of(HTTP_COUNTER_CONNS_OPEN) > 0 && clock_now_ms() < until_ms)
        loop_turn(w.loop, 20);
    CHECK(is_closed(fd));
    CHECK_INT(count_of(HTTP_COUNTER_PROXY_REFUSED), 1);
    close(fd);
    close_world();
}

static void a_look_without_a_byte_is_no_fault(void)
{
    static const char *const begun[] = {"", "PROXY TC"};
    for (size_t i = 0; i < ARRAY_LEN(begun); i++) {
        open_world("127.0.0.1", false);
        int fd = knock(str_of(begun[i]));
        close(fd);
        int64_t until_ms = clock_now_ms() + SOON_MS;
        while (count_of(HTTP_COUNTER_CONNS_OPEN) > 0 && clock_now_ms() < until_ms)
            loop_turn(w.loop, 20);
        CHECK_INT(count_of(HTTP_COUNTER_PROXY_REFUSED), 0);
        close_world();
    }
}

static void who_waits_makes_room_and_leaves_at_the_end(void)
{
    open_world("127.0.0.1", false);
    w.env.conns_max = 1;
    int first = knock(STR_NONE);
    int second = knock(STR_NONE);
    CHECK(is_closed(first));
    CHECK_INT(count_of(HTTP_COUNTER_CONNS_OPEN), 1);
    http_env_abort(&w.env);
    CHECK(is_closed(second));
    close(first);
    close(second);
    close_world();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(the_header_is_taken_off_and_its_address_counts),
        TEST(a_header_may_come_byte_by_byte),
        TEST(what_is_no_header_is_refused),
        TEST(strangers_are_refused_or_are_clients),
        TEST(one_that_stays_silent_ends_in_time),
        TEST(a_look_without_a_byte_is_no_fault),
        TEST(who_waits_makes_room_and_leaves_at_the_end),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
