// SPDX-License-Identifier: Apache-2.0
#include "keeper/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/writer.h"
#include "rt/clock.h"
#include "rt/log.h"

#define MESSAGE_MAX_BYTES 1024
#define SEND_MAX_S 2 // a manager whose queue is full must not stop the keeper

static struct {
    int fd;             // owns
    socklen_t addr_len; // 0: nobody wants to know
    struct sockaddr_un addr;
    int64_t watchdog_ms;
    char **child_environment; // owns the array, borrows the texts
} manager = {.fd = -1};

// "/path", or "@name" in the abstract namespace. Other kinds (vsock) are for virtual machines.
static bool take_address(struct str name)
{
    if (name.len < 2 || name.len >= sizeof manager.addr.sun_path ||
        (name.ptr[0] != '/' && name.ptr[0] != '@'))
        return false;
    manager.addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.addr.sun_path, name.ptr, name.len);
    if (name.ptr[0] == '@')
        manager.addr.sun_path[0] = '\0';
    manager.addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.len);
    return true;
}

static int64_t read_watchdog_ms(void)
{
    uint64_t usec, pid;
    struct str for_pid = str_of(getenv("WATCHDOG_PID"));
    if (for_pid.len > 0 && (num_dec(for_pid, INT32_MAX, &pid) != ERR_OK || (pid_t)pid != getpid()))
        return 0;
    if (num_dec(str_of(getenv("WATCHDOG_USEC")), INT64_MAX, &usec) != ERR_OK || usec == 0)
        return 0;
    return MAX((int64_t)(usec / 2000), (int64_t)1);
}

static char **copy_environment(void)
{
    static const struct str mine[] = {STR_INIT("NOTIFY_SOCKET="), STR_INIT("WATCHDOG_USEC="),
                                      STR_INIT("WATCHDOG_PID=")};
    size_t n = 0, n_kept = 0;
    while (environ[n])
        n++;
    char **copy = MEM_ARRAY(char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        bool is_mine = false;
        for (size_t k = 0; k < ARRAY_LEN(mine); k++)
            is_mine |= str_starts(str_of(environ[i]), mine[k]);
        if (!is_mine)
            copy[n_kept++] = environ[i];
    }
    copy[n_kept] = NULL;
    return copy;
}

void notify_init(void)
{
    mem_free(manager.child_environment);
    manager.child_environment = copy_environment();
    manager.watchdog_ms = 0;
    manager.addr_len = 0;
    struct str name = str_of(getenv("NOTIFY_SOCKET"));
    if (name.len == 0)
        return;
    if (!take_address(name)) {
        log_warn("NOTIFY_SOCKET is neither a path nor an abstract name: the service manager hears "
                 "nothing");
        return;
    }
    manager.watchdog_ms = read_watchdog_ms();
    if (manager.fd < 0)
        manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = SEND_MAX_S};
    if (manager.fd < 0 ||
        setsockopt(manager.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        log_warn("no socket to the service manager: %s", strerror(errno));
        manager.addr_len = 0;
    }
}

// The manager knows the sender by the credentials that the kernel adds.
static void send_message(struct str message)
{
    if (manager.addr_len == 0)
        return;
    const void *addr = &manager.addr;
    if (sendto(manager.fd, message.ptr, message.len, MSG_NOSIGNAL, addr, manager.addr_len) < 0)
        log_warn("can't tell the service manager: %s", strerror(errno));
}

// A line end in the text would begin a variable of its own.
static void put_status(struct writer *w, const char *status)
{
    if (!status)
        return;
    writer_put(w, STR("\nSTATUS="));
    for (; *status != '\0' && w->len < w->cap; status++)
        writer_byte(w, *status < ' ' && *status >= 0 ? ' ' : *status);
}

static void tell(struct str variables, const char *status)
{
    char buf[MESSAGE_MAX_BYTES];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    writer_put(&w, variables);
    put_status(&w, status);
    send_message(str_skip(writer_str(&w), variables.len == 0)); // no empty line in front
}

void notify_ready(const char *status)
{
    tell(STR("READY=1"), status);
}

void notify_reloading(void)
{
    char buf[64];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    // Type=notify-reload wants the time, to tell an answer from an older one.
    writer_put(&w, STR("RELOADING=1\nMONOTONIC_USEC="));
    writer_dec(&w, (uint64_t)clock_exact_ns() / 1000);
    send_message(writer_str(&w));
}

void notify_stopping(const char *status)
{
    tell(STR("STOPPING=1"), status);
}

void notify_status(const char *fmt, ...)
{
    char buf[MESSAGE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    tell(STR_NONE, buf);
}

int64_t notify_watchdog_ms(void)
{
    return manager.watchdog_ms;
}

void notify_alive(void)
{
    send_message(STR("WATCHDOG=1"));
}

char **notify_child_environment(void)
{
    return manager.child_environment;
}
