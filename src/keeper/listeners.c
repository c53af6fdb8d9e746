// SPDX-License-Identifier: Apache-2.0
#include "keeper/listeners.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/addr.h"
#include "rt/log.h"

#define BACKLOG 4096
#define DEFER_ACCEPT_S 5 // a connection is handed over once data is there, or after this long

static void set_option(int fd, int level, int name, int value)
{
    // Best effort: each of these only makes things faster, but for those checked below.
    setsockopt(fd, level, name, &value, sizeof value);
}

// Servers that speak first, behind an entrypoint for TCP, would have to wait for their clients.
static void apply_deferred(const struct listener *item)
{
    set_option(item->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, item->is_deferred ? DEFER_ACCEPT_S : 0);
}

// shares: beside other sockets on the address, those of our other workers.
static int open_socket(const struct rt_addr *addr, bool shares)
{
    int fd = socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, shares);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); // connections inherit it
    if (addr->u.any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, &addr->u.any, addr->len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

// "Every address" is one IPv6 socket for both, or IPv4's where the system has no IPv6.
static int open_any(uint16_t port, bool shares)
{
    struct rt_addr addr;
    addr_from_ip(&(struct ip){.family = 6}, port, &addr);
    int fd = open_socket(&addr, shares);
    if (fd >= 0 || errno != EAFNOSUPPORT)
        return fd;
    addr_from_ip(&(struct ip){.family = 4}, port, &addr);
    return open_socket(&addr, shares);
}

static int open_address(const struct listen_addr *where, bool shares)
{
    if (where->ip.family == 0)
        return open_any(where->port, shares);
    struct rt_addr addr;
    addr_from_ip(&where->ip, where->port, &addr);
    return open_socket(&addr, shares);
}

// The port of a socket: what the kernel chose for port 0.
static uint16_t port_of(int fd)
{
    struct rt_addr addr = {.len = sizeof addr.u};
    struct ip ip;
    uint16_t port = 0;
    if (getsockname(fd, &addr.u.any, &addr.len) == 0)
        addr_to_ip(&addr, &ip, &port);
    return port;
}

static bool has_port(const struct listeners *l, uint16_t port)
{
    for (size_t i = 0; i < l->n; i++) {
        if (port_of(l->items[i].fd) == port)
            return true;
    }
    return false;
}

// WHY: SO_REUSEPORT would let a second proxy that was started by mistake share the port, and each
// would get half of the connections. So a port that is new to us must be free without it.
static int open_listener(const struct listeners *l, const struct listen_addr *where)
{
    if (where->port > 0 && !has_port(l, where->port)) {
        int probe = open_address(where, false);
        if (probe < 0)
            return -1;
        close(probe);
    }
    return open_address(where, true);
}

static bool is_of(const struct listener *item, struct str name, struct str address)
{
    return str_eq(item->name, name) && str_eq(item->address, address);
}

static struct str copy(struct str s)
{
    return (struct str){mem_copy(s.ptr, s.len), s.len};
}

static struct listener *add(struct listeners *l, struct str name, struct str address,
                            unsigned index, int fd)
{
    if (l->n == l->cap) {
        l->cap = MAX(l->cap * 2, (size_t)16);
        l->items = mem_resize(l->items, l->cap, sizeof *l->items);
    }
    struct listener *item = &l->items[l->n++];
    *item = (struct listener){.id = ++l->next_id,
                              .index = index,
                              .fd = fd,
                              .is_wanted = true,
                              .name = copy(name),
                              .address = copy(address)};
    return item;
}

// How many sockets the entrypoint has; they are wanted now. *ret_port: theirs, when there are some.
static unsigned want_existing(struct listeners *l, struct str name, struct str address,
                              bool is_deferred, uint16_t *ret_port)
{
    unsigned n = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct listener *item = &l->items[i];
        if (!is_of(item, name, address))
            continue;
        item->is_wanted = true;
        item->is_deferred = is_deferred;
        *ret_port = port_of(item->fd);
        n++;
    }
    return n;
}

static const char *advice(int error, uint16_t port)
{
    if (error == EACCES && port < 1024)
        return "; ports below 1024 need root or CAP_NET_BIND_SERVICE: start as root, or listen on "
               "a "
               "port from 1024";
    if (error == EADDRINUSE)
        return "; another program listens there: 'ss -ltnp' tells which";
    if (error == EADDRNOTAVAIL)
        return "; this machine has no such address";
    return "";
}

static bool plan_entry(struct listeners *l, const struct conf_map_item *entry, unsigned n_workers,
                       struct diags *diags)
{
    const struct entrypoint_conf *conf = entry->value;
    struct listen_addr where;
    if (listen_parse(&conf->listen, diags, &where) != ERR_OK)
        return false;
    bool is_deferred = conf->protocol != ENTRYPOINT_TCP;
    unsigned n = want_existing(l, entry->name, conf->listen.text, is_deferred, &where.port);
    bool is_new = n == 0;
    for (; n < n_workers; n++) {
        int fd = open_listener(l, &where);
        if (fd < 0) {
            diag_fail(diags, ERR_SYSTEM, conf->listen.place,
                      "entrypoint '" STR_FMT "' can't listen on " STR_FMT ": %s%s",
                      STR_ARG(entry->name), STR_ARG(conf->listen.text), strerror(errno),
                      advice(errno, where.port));
            return false;
        }
        where.port = port_of(fd); // the other workers' sockets share what the kernel chose
        struct listener *item = add(l, entry->name, conf->listen.text, n, fd);
        item->is_deferred = is_deferred;
        apply_deferred(item);
    }
    if (is_new) {
        size_t colon = str_rfind(conf->listen.text, ':');
        log_info("entrypoint " STR_FMT ": listening on " STR_FMT ":%u", STR_ARG(entry->name),
                 STR_ARG(str_first(conf->listen.text, colon)), where.port);
    }
    return true;
}

bool listeners_plan(struct listeners *l, const struct snapshot *s, unsigned n_workers,
                    struct diags *diags)
{
    for (size_t i = 0; i < l->n; i++)
        l->items[i].is_wanted = false;
    const struct conf_map *entries = &s->settings.entrypoints;
    bool is_fine = true;
    for (size_t i = 0; i < entries->n; i++)
        is_fine = plan_entry(l, &entries->items[i], n_workers, diags) && is_fine;
    if (!is_fine)
        listeners_cancel(l);
    return is_fine;
}

static void close_item(struct listener *item)
{
    close(item->fd);
    mem_free((void *)(uintptr_t)item->name.ptr);
    mem_free((void *)(uintptr_t)item->address.ptr);
}

// Closes what isn't wanted; fn is called with each first.
static void sweep(struct listeners *l, listeners_close_fn *fn, void *arg)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct listener *item = &l->items[i];
        if (item->is_wanted) {
            l->items[n++] = *item;
            continue;
        }
        if (fn)
            fn(arg, item);
        close_item(item);
    }
    l->n = n;
}

void listeners_commit(struct listeners *l, listeners_close_fn *fn, void *arg)
{
    sweep(l, fn, arg);
    for (size_t i = 0; i < l->n; i++) {
        l->items[i].is_in_force = true;
        apply_deferred(&l->items[i]);
    }
}

// There is another socket of this entrypoint that is in force.
static bool has_elder(const struct listeners *l, const struct listener *item)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].is_in_force && is_of(&l->items[i], item->name, item->address))
            return true;
    }
    return false;
}

void listeners_cancel(struct listeners *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct listener *item = &l->items[i];
        item->is_in_force = item->is_in_force || has_elder(l, item);
        item->is_wanted = item->is_in_force;
    }
    sweep(l, NULL, NULL);
}

void listeners_adopt(struct listeners *l, struct str name, struct str address, int fd, uint32_t id,
                     pid_t sent_to)
{
    uint16_t ignored;
    unsigned n = want_existing(l, name, address, true, &ignored);
    struct listener *item = add(l, name, address, n, fd);
    item->id = id;
    item->sent_to = sent_to;
    item->is_in_force = true;
    l->next_id = MAX(l->next_id, id);
}

void listeners_forget(struct listeners *l, pid_t pid)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].sent_to == pid)
            l->items[i].sent_to = 0;
    }
}

bool listeners_listen(const struct listener *item)
{
    return listen(item->fd, BACKLOG) == 0;
}

void listeners_close_all(struct listeners *l)
{
    for (size_t i = 0; i < l->n; i++)
        close_item(&l->items[i]);
    mem_free(l->items);
    *l = (struct listeners){.next_id = l->next_id};
}
