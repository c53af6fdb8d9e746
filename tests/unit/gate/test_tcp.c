// SPDX-License-Identifier: Apache-2.0
// A whole worker with TCP routes, clients and servers on its own thread: what a connection holds,
// and what becomes of it when one side or the worker goes at the wrong moment.
#include "gate/tcp.h"

#include "gate/worker.h"
#include "rt/sys.h"
#include "unit/rt/rt_test.h"
#include "upstream/service.h"

struct rig {
    struct rt_loop *loop;
    struct arena mem;
    struct upstream_registry *registry;
    struct worker *worker;
    int server, listener; // listening sockets: the server's, and the worker's (as the keeper's)
    struct rt_addr server_addr, addr;
};

// more: of the service's settings.
static void rig_init(struct rig *r, const char *more)
{
    *r = (struct rig){.loop = test_loop(0)};
    arena_init(&r->mem, 1 << 24, NULL, 0);
    r->registry = upstream_registry_new();
    r->server = test_listen(&r->server_addr);
    r->listener = test_listen(&r->addr);
    struct diags diags = {.n = 0};
    struct str text =
        arena_printf(&r->mem,
                     "entrypoints: { raw: { listen: ':1', protocol: tcp } }\naccess-log: off\n"
                     "routes: [{ match: HostSNI(`*`), to: app }]\n"
                     "services: { app: { servers: 'tcp://127.0.0.1:%u'%s } }\n",
                     ntohs(r->server_addr.u.in4.sin_port), more);
    struct conf_node *root = conf_yaml_parse(text, "test.yaml", &r->mem, &diags);
    CHECK(root != NULL);
    struct snapshot *s =
        root ? snapshot_build(root, &(struct snapshot_env){.registry = r->registry}, &diags) : NULL;
    for (size_t i = 0; i < diags.n; i++)
        printf("# %s\n", diags.items[i].text);
    CHECK(s != NULL);
    diags_fini(&diags);
    r->worker = worker_new(0, &(struct worker_links){.registry = r->registry, .conns_max = 100});
    if (s) {
        worker_switch(r->worker, s);
        snapshot_unref(s);
    }
    worker_add_listener(r->worker, 1, STR("raw"), r->listener);
}

static void rig_fini(struct rig *r)
{
    worker_abort(r->worker);
    for (int i = 0; i < 5; i++)
        loop_turn(r->loop, 0);
    CHECK_INT(worker_n_open(r->worker), 0);
    CHECK_INT(test_n_fibers(r->loop), 0);
    worker_free(r->worker);
    upstream_registry_free(r->registry);
    loop_turn(r->loop, 0);
    arena_fini(&r->mem);
    loop_free(r->loop);
    if (r->server >= 0)
        close(r->server);
}

#define TURN_UNTIL(r, cond)                                                                        \
    do {                                                                                           \
        int64_t end_ns_ = clock_exact_ns() + (int64_t)SOON_MS * 1000000;                           \
        while (!(cond) && clock_exact_ns() < end_ns_)                                              \
            loop_turn((r)->loop, 10);                                                              \
        CHECK(cond);                                                                               \
    } while (0)

static int client(struct rig *r)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)connect(fd, &r->addr.u.any, r->addr.len);
    return fd;
}

static uint64_t count_of(const struct rig *r, enum http_counter c)
{
    return worker_stats(r->worker)->counters[c];
}

static int accepted(struct rig *r)
{
    int fd = -1;
    for (int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
         fd < 0 && clock_exact_ns() < end_ns;) {
        loop_turn(r->loop, 10);
        fd = accept4(r->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    CHECK(fd >= 0);
    return fd;
}

// Reads n bytes, and says whether they are these.
static bool gets(struct rig *r, int fd, const char *wanted, size_t n)
{
    char buf[64];
    size_t got = 0;
    for (int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
         got < n && clock_exact_ns() < end_ns;) {
        loop_turn(r->loop, 10);
        ssize_t more = recv(fd, buf + got, n - got, 0);
        got += more > 0 ? (size_t)more : 0;
    }
    return got == n && memcmp(buf, wanted, n) == 0;
}

static void a_tunnel_holds_no_fiber(void)
{
    struct rig r;
    rig_init(&r, "");
    int from = client(&r), to = accepted(&r);
    TURN_UNTIL(&r, count_of(&r, HTTP_COUNTER_TUNNELS_OPEN) == 1);
    CHECK_INT(test_n_fibers(r.loop), 0);
    CHECK_INT(count_of(&r, HTTP_COUNTER_CONNS_TCP), 1);
    CHECK_INT(send(to, "first", 5, 0), 5);
    CHECK(gets(&r, from, "first", 5));
    CHECK_INT(send(from, "then", 4, 0), 4);
    CHECK(gets(&r, to, "then", 4));
    CHECK_INT(test_n_fibers(r.loop), 0);
    close(from);
    close(to);
    TURN_UNTIL(&r, worker_n_open(r.worker) == 0);
    CHECK_INT(count_of(&r, HTTP_COUNTER_TUNNELS_OPEN), 0);
    rig_fini(&r);
}

// The backlog of the server is full: connecting takes for ever.
static void fill(struct rig *r, int ret_fillers[4])
{
    CHECK_INT(listen(r->server, 0), 0);
    for (int i = 0; i < 4; i++) {
        ret_fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(ret_fillers[i], &r->server_addr.u.any, r->server_addr.len);
    }
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void a_client_that_resets_while_a_server_is_sought_is_forgotten_at_once(void)
{
    struct rig r;
    int fillers[4];
    rig_init(&r, ", connect-timeout: 1m");
    fill(&r, fillers);
    int from = client(&r);
    TURN_UNTIL(&r, worker_n_open(r.worker) == 1 && test_n_fibers(r.loop) == 1);
    reset(from);
    TURN_UNTIL(&r, worker_n_open(r.worker) == 0);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    rig_fini(&r);
}

static void an_abort_ends_connections_that_seek_a_server(void)
{
    struct rig r;
    int fillers[4];
    rig_init(&r, ", connect-timeout: 1m");
    fill(&r, fillers);
    int from = client(&r);
    TURN_UNTIL(&r, worker_n_open(r.worker) == 1 && test_n_fibers(r.loop) == 1);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    rig_fini(&r);
    close(from);
}

static void an_abort_ends_tunnels(void)
{
    struct rig r;
    rig_init(&r, "");
    int from = client(&r), to = accepted(&r);
    TURN_UNTIL(&r, count_of(&r, HTTP_COUNTER_TUNNELS_OPEN) == 1);
    rig_fini(&r);
    close(from);
    close(to);
}

static void a_drain_leaves_tunnels_alone(void)
{
    struct rig r;
    rig_init(&r, "");
    int from = client(&r), to = accepted(&r);
    TURN_UNTIL(&r, count_of(&r, HTTP_COUNTER_TUNNELS_OPEN) == 1);
    worker_drain(r.worker, 0);
    CHECK_INT(send(from, "still", 5, 0), 5);
    CHECK(gets(&r, to, "still", 5));
    close(from);
    close(to);
    TURN_UNTIL(&r, worker_n_open(r.worker) == 0);
    rig_fini(&r);
}

static void without_a_server_the_connection_ends(void)
{
    struct rig r;
    rig_init(&r, "");
    close(r.server);
    r.server = -1;
    int from = client(&r);
    char byte;
    TURN_UNTIL(&r, recv(from, &byte, 1, 0) == 0); // and again, as an end stays one
    CHECK_INT(worker_n_open(r.worker), 0);
    CHECK_INT(count_of(&r, HTTP_COUNTER_CONNS_TCP), 0);
    close(from);
    rig_fini(&r);
}

static void servers_get_the_header_before_any_byte_of_the_client(void)
{
    struct rig r;
    rig_init(&r, ", proxy-protocol: v2");
    int from = client(&r);
    CHECK_INT(send(from, "abc", 3, 0), 3);
    int to = accepted(&r);
    struct sockaddr_in mine;
    socklen_t len = sizeof mine;
    CHECK_INT(getsockname(from, (struct sockaddr *)&mine, &len), 0);
    CHECK(gets(&r, to, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1", 24));
    CHECK(gets(&r, to, (const char *)&mine.sin_port, 2));
    CHECK(gets(&r, to, (const char *)&r.addr.u.in4.sin_port, 2));
    CHECK(gets(&r, to, "abc", 3));
    CHECK_INT(count_of(&r, HTTP_COUNTER_BYTES_IN), 3);
    close(from);
    close(to);
    rig_fini(&r);
}

TEST_MAIN(TEST(a_tunnel_holds_no_fiber),
          TEST(a_client_that_resets_while_a_server_is_sought_is_forgotten_at_once),
          TEST(an_abort_ends_connections_that_seek_a_server), TEST(an_abort_ends_tunnels),
          TEST(a_drain_leaves_tunnels_alone), TEST(without_a_server_the_connection_ends),
          TEST(servers_get_the_header_before_any_byte_of_the_client))
