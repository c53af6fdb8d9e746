// SPDX-License-Identifier: Apache-2.0
// A small HTTP server that tells what reached it: to try a proxy with, and for demonstrations. It
// is the proxy's own server side with an application of a few lines.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/command.h"
#include "gate/settings.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/h1_server.h"
#include "rt/addr.h"
#include "rt/loop.h"
#include "rt/sock.h"

static const struct cli_option options[] = {
    {.name = "listen",
     .letter = 'l',
     .value = "[ADDRESS]:PORT",
     .doc = "Where to listen; by default `127.0.0.1:8081`. Port 0: one that is free, told on "
            "standard output."},
    {.name = "name",
     .letter = 'n',
     .value = "TEXT",
     .doc = "What it calls itself; by default the machine's name."},
};

struct whoami {
    struct http_env env;
    struct http_listener listener;
    struct http_entry entry;
    const char *name;
};

static void begin(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    struct whoami *w = CONTAINER_OF(env, struct whoami, env);
    (void)l;
    x->entry = &w->entry;
}

static void finish(struct http_env *env, struct exchange *x)
{
    (void)env;
    (void)x;
}

static enum err serve(struct http_env *env, struct exchange *x)
{
    struct whoami *w = CONTAINER_OF(env, struct whoami, env);
    char *buf = ARENA_ARRAY(x->mem, char, 96 * 1024);
    struct writer out;
    if (!buf)
        return ERR_LIMIT;
    writer_init(&out, buf, 96 * 1024);
    char ip[46];
    writer_printf(&out, "Name: %s\n", w->name);
    struct str peer = ip_text(&x->peer, ip);
    writer_printf(&out, "RemoteAddr: " STR_FMT ":%u\n", STR_ARG(peer), x->peer_port);
    writer_put(&out, x->req.method);
    writer_byte(&out, ' ');
    writer_put(&out, x->req.target);
    writer_printf(&out, " HTTP/%d.%d\nHost: ", x->req.version / 10, x->req.version % 10);
    writer_put(&out, x->req.authority);
    writer_byte(&out, '\n');
    for (const struct field *f = headers_next(&x->req.headers, NULL); f;
         f = headers_next(&x->req.headers, f)) {
        if (f->id == FIELD_HOST)
            continue;
        writer_put(&out, f->name);
        writer_put(&out, STR(": "));
        writer_put(&out, f->value);
        writer_byte(&out, '\n');
    }
    return exchange_respond(x, 200, STR("text/plain; charset=utf-8"), writer_str(&out));
}

static const struct http_app app = {.begin = begin, .serve = serve, .finish = finish};

static void on_accept(void *arg, int fd, const struct rt_addr *peer)
{
    h1_server_accept(arg, fd, peer);
}

static int open_listener(const struct listen_addr *where, uint16_t *ret_port)
{
    struct rt_addr addr;
    struct ip ip = where->ip;
    ip.family = ip.family > 0 ? ip.family : 4;
    addr_from_ip(&ip, where->port, &addr);
    int fd = socket(addr.u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct rt_addr got = {.len = sizeof got.u};
    if (bind(fd, &addr.u.any, addr.len) == 0 && listen(fd, SOMAXCONN) == 0 &&
        getsockname(fd, &got.u.any, &got.len) == 0 && addr_to_ip(&got, &ip, ret_port))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

// Believes forwarding fields of everybody, so that it shows what a proxy sent; adds none.
static const struct ip_net everybody[] = {{.ip.family = 4}, {.ip.family = 6}};

static void fill_entry(struct http_entry *e)
{
    *e = (struct http_entry){
        .name = STR_INIT("whoami"),
        .limits = H1_LIMITS_DEFAULT,
        .exchange_mem_bytes = 512 * 1024,
        .idle_ms = 75000,
        .head_ms = 15000,
        .body_idle_ms = 60000,
        .tunnel_idle_ms = 60000,
        .linger_ms = 2000,
        .linger_max_bytes = 1 << 20,
        .trusted = everybody,
        .n_trusted = ARRAY_LEN(everybody),
    };
}

static int run(const struct cli_args *args)
{
    char host[256] = "whoami";
    gethostname(host, sizeof host - 1);
    struct conf_text listen_text = {.text = str_of(cli_value(args, "listen", "127.0.0.1:8081"))};
    struct listen_addr where;
    if (listen_parse(&listen_text, NULL, &where) != ERR_OK)
        return cli_usage_error(args->command,
                               "whoami: '" STR_FMT "' is not an address to listen on",
                               STR_ARG(listen_text.text));
    uint16_t port = where.port;
    int fd = open_listener(&where, &port);
    if (fd < 0) {
        fprintf(stderr, "sallyport: whoami can't listen on " STR_FMT ": %s\n",
                STR_ARG(listen_text.text), strerror(errno));
        return CLI_FAILED;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 0});
    loop_enter(loop);
    static struct whoami w;
    w.name = cli_value(args, "name", host);
    fill_entry(&w.entry);
    http_env_init(&w.env, &app, &w, 10000);
    w.listener = (struct http_listener){.env = &w.env};
    listener_start(fd, on_accept, &w.listener);
    printf("whoami: listening on port %u\n", port);
    fflush(stdout);
    loop_run(loop);
    return CLI_OK;
}

const struct cli_command cli_whoami = {
    .name = "whoami",
    .summary = "Serve a page that tells what reached it.",
    .doc =
        "A server to put behind a proxy: answers every request with its own name, the address of "
        "the connection and the request as it came, fields included.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
