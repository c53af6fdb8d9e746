// SPDX-License-Identifier: Apache-2.0
#include "rt/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"

#define SETTLE_MS 100 // from the first event to the look at the files
#define LINKS_MAX 8
#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY |            \
     IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct watch {
    int set;    // owns: epoll of the other two; -1: nothing is watched
    int notify; // owns: inotify; -1: none
    int timer;  // owns: runs from the first event; -1: none
    bool is_settling;
};

// Cuts a path to its folder. False: it has none.
static bool cut_to_folder(char path[static PATH_MAX])
{
    char *slash = strrchr(path, '/');
    if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
        return false;
    if (!slash)
        snprintf(path, PATH_MAX, ".");
    else
        slash[slash == path] = '\0';
    return true;
}

// Where the link at path leads. False: it isn't one.
static bool follow(char path[static PATH_MAX])
{
    char target[PATH_MAX], folder[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    snprintf(folder, sizeof folder, "%s", path);
    cut_to_folder(folder);
    int len = target[0] == '/' ? snprintf(path, PATH_MAX, "%s", target)
                               : snprintf(path, PATH_MAX, "%s/%s", folder, target);
    return len > 0 && len < PATH_MAX;
}

// The folder of path, or the nearest one above it that exists.
static void watch_folder_of(const struct watch *w, const char *path)
{
    char at[PATH_MAX];
    snprintf(at, sizeof at, "%s", path);
    while (cut_to_folder(at)) {
        if (inotify_add_watch(w->notify, at, EVENTS | IN_ONLYDIR) >= 0)
            return;
    }
}

void watch_add(struct watch *w, const char *path)
{
    char at[PATH_MAX];
    if (w->set < 0 || path[0] == '\0')
        return;
    snprintf(at, sizeof at, "%s", path);
    for (int i = 0; i < LINKS_MAX; i++) {
        watch_folder_of(w, at);
        if (!follow(at))
            break;
    }
    // A file that something is mounted over lies in another folder than its path says.
    inotify_add_watch(w->notify, path, EVENTS);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool add_to_set(int set, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};
    return fd >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0;
}

static void stop(struct watch *w)
{
    int error = errno;
    close_fd(&w->set);
    close_fd(&w->notify);
    close_fd(&w->timer);
    errno = error;
}

struct watch *watch_new(void)
{
    struct watch *w = MEM_NEW(struct watch);
    *w = (struct watch){
        .set = epoll_create1(EPOLL_CLOEXEC),
        .notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
        .timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
    };
    if (w->set < 0 || !add_to_set(w->set, w->notify) || !add_to_set(w->set, w->timer))
        stop(w);
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    stop(w);
    mem_free(w);
}

void watch_clear(struct watch *w)
{
    if (w->set < 0)
        return;
    int fresh = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fresh < 0)
        return; // the old one says too much, which does no harm
    close_fd(&w->notify);
    w->notify = fresh;
    if (!add_to_set(w->set, w->notify))
        stop(w);
}

int watch_fd(const struct watch *w)
{
    return w->set;
}

bool watch_look(struct watch *w)
{
    char events[4096];
    bool has_changed = false;
    uint64_t expired;
    if (w->set < 0)
        return false;
    while (read(w->notify, events, sizeof events) > 0)
        has_changed = true;
    if (read(w->timer, &expired, sizeof expired) == (ssize_t)sizeof expired) {
        w->is_settling = false;
        return true;
    }
    if (has_changed && !w->is_settling) {
        struct itimerspec in = {.it_value.tv_nsec = SETTLE_MS * 1000000L};
        w->is_settling = timerfd_settime(w->timer, 0, &in, NULL) == 0;
    }
    return false;
}
