// SPDX-License-Identifier: Apache-2.0
// The control socket's file: made, taken over, removed.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/control_priv.h"

#define BACKLOG 64

// The folder of path, made for its owner alone when it isn't there.
static bool make_folder(const char *path)
{
    char folder[108];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    struct stat st;
    if (mkdir(folder, 0700) == 0 || errno != EEXIST)
        return stat(folder, &st) == 0;
    // In /tmp somebody else could have made it.
    if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
        (st.st_uid == geteuid() || st.st_uid == 0 || geteuid() == 0))
        return true;
    errno = EACCES;
    return false;
}

static bool fill_address(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof ret->sun_path)
        return false;
    memcpy(ret->sun_path, path, strlen(path));
    return true;
}

// Nobody listens at this socket's file any more: it may go.
static bool is_abandoned(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_refused = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof *addr) != 0 &&
                      errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return is_refused;
}

static bool bind_and_listen(int fd, const struct sockaddr_un *addr)
{
    const struct sockaddr *any = (const struct sockaddr *)addr;
    mode_t before = umask(0177);
    bool is_bound = bind(fd, any, sizeof *addr) == 0;
    if (!is_bound && errno == EADDRINUSE && is_abandoned(addr)) {
        unlink(addr->sun_path);
        is_bound = bind(fd, any, sizeof *addr) == 0;
    }
    umask(before);
    return is_bound && listen(fd, BACKLOG) == 0;
}

static void remember_file(struct control *c)
{
    struct stat st;
    if (lstat(c->path, &st) == 0) {
        c->dev = st.st_dev;
        c->ino = st.st_ino;
    }
}

void control_stop_listening(struct control *c)
{
    struct stat st;
    if (c->fd < 0)
        return;
    close(c->fd);
    // Another process may have put its own socket there.
    if (lstat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
        unlink(c->path);
    c->fd = -1;
    c->path[0] = '\0';
}

// errno, in words that lead on.
static void tell_failure(const char *path, char *reterr, size_t n)
{
    int error = errno;
    struct stat st;
    bool is_there = error == EADDRINUSE && lstat(path, &st) == 0;
    const char *why = strerror(error);
    if (is_there && !S_ISSOCK(st.st_mode))
        why = "something that is no socket is in its place: remove it, or name another path with "
              "'control: { socket: PATH }'";
    else if (is_there)
        why = "another sallyport listens there: name a path of its own with "
              "'control: { socket: PATH }'";
    snprintf(reterr, n, "%s: %s%s", path, why,
             error == ENOENT ? ": the folder's folder must exist" : "");
}

bool control_listen(struct control *c, const char *path, char *reterr, size_t n)
{
    struct sockaddr_un addr;
    if (strcmp(path, c->path) == 0)
        return true;
    if (path[0] == '\0') {
        control_stop_listening(c);
        return true;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !fill_address(path, &addr) || !make_folder(path) || !bind_and_listen(fd, &addr)) {
        tell_failure(path, reterr, n);
        if (fd >= 0)
            close(fd);
        return false;
    }
    control_stop_listening(c);
    c->fd = fd;
    snprintf(c->path, sizeof c->path, "%s", path);
    remember_file(c);
    return true;
}

void control_adopt(struct control *c, int fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof addr;
    (void)getsockname(fd, (struct sockaddr *)&addr, &len);
    c->fd = fd;
    snprintf(c->path, sizeof c->path, "%s", addr.sun_path); // control_listen has left room for NUL
    remember_file(c);
}
