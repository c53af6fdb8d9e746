// SPDX-License-Identifier: Apache-2.0
#include "keeper/listeners.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "conf/conf.h"
#include "rt/addr.h"
#include "rt/log.h"
#include "unit/test.h"

// A snapshot that has nothing but entrypoints.
struct fake {
    struct snapshot s;
    struct entrypoint_conf confs[4];
    struct conf_map_item items[4];
};

static void add(struct fake *f, const char *name, const char *listen)
{
    struct conf_map *map = &f->s.settings.entrypoints;
    size_t i = map->n++;
    f->confs[i].listen.text = str_of(listen);
    f->items[i] = (struct conf_map_item){.name = str_of(name), .value = &f->confs[i]};
    map->items = f->items;
}

static uint16_t port_of(const struct listener *l)
{
    struct rt_addr addr = {.len = sizeof addr.u};
    struct ip ip;
    uint16_t port = 0;
    if (getsockname(l->fd, &addr.u.any, &addr.len) == 0)
        addr_to_ip(&addr, &ip, &port);
    return port;
}

static void workers_share_the_port_that_the_kernel_chose(void)
{
    static struct fake f;
    struct listeners l = {.n = 0};
    add(&f, "web", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &f.s, 3, NULL));
    CHECK_INT(l.n, 3);
    CHECK(port_of(&l.items[0]) > 0);
    CHECK_INT(port_of(&l.items[0]), port_of(&l.items[1]));
    CHECK_INT(port_of(&l.items[0]), port_of(&l.items[2]));
    CHECK(l.items[0].id != l.items[1].id);
    listeners_close_all(&l);
}

static void what_stays_is_not_opened_again(void)
{
    static struct fake one, two;
    struct listeners l = {.n = 0};
    add(&one, "web", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &one.s, 1, NULL));
    uint32_t id = l.items[0].id;
    int fd = l.items[0].fd;
    add(&two, "web", "127.0.0.1:0");
    add(&two, "other", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &two.s, 1, NULL));
    listeners_commit(&l, NULL, NULL);
    CHECK_INT(l.n, 2);
    CHECK_INT(l.items[0].id, id);
    CHECK_INT(l.items[0].fd, fd);
    listeners_close_all(&l);
}

static void remember_id(void *arg, const struct listener *item)
{
    *(uint32_t *)arg = item->id;
}

static void what_is_gone_is_told_and_closed(void)
{
    static struct fake one, two;
    struct listeners l = {.n = 0};
    uint32_t told = 0;
    add(&one, "a", "127.0.0.1:0");
    add(&one, "b", "127.0.0.1:0");
    add(&two, "b", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &one.s, 1, NULL));
    uint32_t id_a = l.items[0].id;
    CHECK(listeners_plan(&l, &two.s, 1, NULL));
    listeners_commit(&l, remember_id, &told);
    CHECK_INT(told, id_a);
    CHECK_INT(l.n, 1);
    listeners_close_all(&l);
}

static void a_plan_that_fails_leaves_what_was_open(void)
{
    static struct fake one, two;
    struct listeners l = {.n = 0};
    struct diags diags = {.n = 0};
    add(&one, "a", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &one.s, 1, NULL));
    listeners_commit(&l, NULL, NULL);
    add(&two, "b", "127.0.0.1:0");
    add(&two, "c", "192.0.2.1:0"); // no address of this machine
    CHECK(!listeners_plan(&l, &two.s, 1, &diags));
    CHECK_INT(diags.n_errors, 1);
    CHECK(strstr(diags.items[0].text, "this machine has no such address") != NULL);
    CHECK_INT(l.n, 1);
    CHECK_STR(l.items[0].name, STR("a"));
    diags_fini(&diags);
    listeners_close_all(&l);
}

// While a gate starts anew it has none of the sockets yet: they stay open all the same.
static void a_plan_taken_back_restores_what_is_in_force(void)
{
    static struct fake one, two;
    struct listeners l = {.n = 0};
    add(&one, "a", "127.0.0.1:0");
    add(&one, "b", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &one.s, 1, NULL));
    listeners_commit(&l, NULL, NULL);
    add(&two, "b", "127.0.0.1:0");
    add(&two, "c", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &two.s, 1, NULL));
    CHECK_INT(l.n, 3);
    listeners_cancel(&l);
    CHECK_INT(l.n, 2);
    CHECK_STR(l.items[0].name, STR("a"));
    CHECK_STR(l.items[1].name, STR("b"));
    CHECK(l.items[0].is_wanted && l.items[1].is_wanted);
    listeners_close_all(&l);
}

// Connections wait in each socket: none is closed while its entrypoint is there.
static void fewer_workers_keep_all_sockets_and_more_open_further_ones(void)
{
    static struct fake f;
    struct listeners l = {.n = 0};
    add(&f, "web", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &f.s, 3, NULL));
    listeners_commit(&l, NULL, NULL);
    CHECK(listeners_plan(&l, &f.s, 1, NULL));
    listeners_commit(&l, NULL, NULL);
    CHECK_INT(l.n, 3);
    CHECK(listeners_plan(&l, &f.s, 4, NULL));
    listeners_commit(&l, NULL, NULL);
    CHECK_INT(l.n, 4);
    CHECK_INT(l.items[3].index, 3);
    CHECK_INT(port_of(&l.items[3]), port_of(&l.items[0]));
    listeners_close_all(&l);
}

// The kernel has sent connections to the new one already.
static void a_plan_taken_back_keeps_sockets_beside_those_in_force(void)
{
    static struct fake one, two;
    struct listeners l = {.n = 0};
    add(&one, "a", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &one.s, 1, NULL));
    listeners_commit(&l, NULL, NULL);
    add(&two, "a", "127.0.0.1:0");
    add(&two, "b", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &two.s, 2, NULL));
    CHECK_INT(l.n, 4);
    listeners_cancel(&l);
    CHECK_INT(l.n, 2);
    CHECK_STR(l.items[1].name, STR("a"));
    CHECK(l.items[1].is_in_force);
    listeners_close_all(&l);
}

static void an_adopted_socket_is_not_opened_again(void)
{
    static struct fake f;
    struct listeners l = {.n = 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(listen(fd, 1), 0);
    listeners_adopt(&l, STR("web"), STR("127.0.0.1:0"), fd, 7, 42);
    add(&f, "web", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &f.s, 1, NULL));
    CHECK_INT(l.n, 1);
    CHECK_INT(l.items[0].fd, fd);
    CHECK_INT(l.items[0].id, 7);
    CHECK_INT(l.items[0].sent_to, 42);
    add(&f, "more", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &f.s, 1, NULL));
    CHECK(l.items[1].id > 7);
    listeners_close_all(&l);
}

static void a_port_that_another_program_has_is_told_with_advice(void)
{
    static struct fake f;
    struct listeners l = {.n = 0};
    struct diags diags = {.n = 0};
    struct rt_addr addr = {.len = sizeof addr.u};
    struct ip ip;
    uint16_t port = 0;
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(listen(other, 1), 0);
    CHECK_INT(getsockname(other, &addr.u.any, &addr.len), 0);
    CHECK(addr_to_ip(&addr, &ip, &port));
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", port);
    add(&f, "web", text);
    CHECK(!listeners_plan(&l, &f.s, 1, &diags));
    CHECK(strstr(diags.items[0].text, "another program listens there") != NULL);
    diags_fini(&diags);
    listeners_close_all(&l);
}

static bool is_deferred(const struct listener *l)
{
    int seconds = 0;
    socklen_t len = sizeof seconds;
    CHECK_INT(getsockopt(l->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &len), 0);
    return seconds > 0;
}

static void servers_may_speak_first_once_settings_for_tcp_are_in_force(void)
{
    static struct fake f;
    struct listeners l = {.n = 0};
    add(&f, "web", "127.0.0.1:0");
    add(&f, "mail", "127.0.0.1:0");
    f.confs[1].protocol = ENTRYPOINT_TCP;
    CHECK(listeners_plan(&l, &f.s, 1, NULL));
    listeners_commit(&l, NULL, NULL);
    CHECK(is_deferred(&l.items[0]) && !is_deferred(&l.items[1]));
    f.confs[0].protocol = ENTRYPOINT_TCP;
    f.confs[1].protocol = ENTRYPOINT_HTTP;
    CHECK(listeners_plan(&l, &f.s, 1, NULL));
    CHECK(is_deferred(&l.items[0]) && !is_deferred(&l.items[1])); // not in force yet
    listeners_commit(&l, NULL, NULL);
    CHECK(!is_deferred(&l.items[0]) && is_deferred(&l.items[1]));
    listeners_close_all(&l);
}

static void a_gate_that_has_ended_has_no_sockets_even_if_another_gets_its_pid(void)
{
    static struct fake f;
    struct listeners l = {.n = 0};
    add(&f, "web", "127.0.0.1:0");
    CHECK(listeners_plan(&l, &f.s, 2, NULL));
    l.items[0].sent_to = 17;
    l.items[1].sent_to = 18;
    listeners_forget(&l, 17);
    CHECK_INT(l.items[0].sent_to, 0);
    CHECK_INT(l.items[1].sent_to, 18);
    listeners_close_all(&l);
}

TEST_MAIN(TEST(workers_share_the_port_that_the_kernel_chose), TEST(what_stays_is_not_opened_again),
          TEST(what_is_gone_is_told_and_closed), TEST(a_plan_that_fails_leaves_what_was_open),
          TEST(a_plan_taken_back_restores_what_is_in_force),
          TEST(fewer_workers_keep_all_sockets_and_more_open_further_ones),
          TEST(a_plan_taken_back_keeps_sockets_beside_those_in_force),
          TEST(an_adopted_socket_is_not_opened_again),
          TEST(a_port_that_another_program_has_is_told_with_advice),
          TEST(servers_may_speak_first_once_settings_for_tcp_are_in_force),
          TEST(a_gate_that_has_ended_has_no_sockets_even_if_another_gets_its_pid))
