// SPDX-License-Identifier: Apache-2.0
// Files are replaced (a new one renamed over the old), rewritten in place, reached through links
// that change, or mounted over: so the folders on the way to a file are watched, and the file.
// Whatever happens there, both files are read again, and what they say is compared.
#include "keeper/names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/dns_files.h"
#include "rt/file.h"
#include "rt/log.h"

#define SETTLE_MS 100 // from the first change to the look at the files
#define LINKS_MAX 8
#define MEM_MAX_BYTES ((size_t)8 << 20)
#define FOLDER_EVENTS                                                                              \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY |            \
     IN_DELETE_SELF | IN_MOVE_SELF)
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct names {
    char *resolv_conf; // owns: a path
    char *hosts;       // owns: a path
    int set;           // owns: epoll of the other two; -1: nothing is watched
    int watch;         // owns: inotify; -1: none
    int timer;         // owns: runs from the first change; -1: none
    bool is_settling;
    struct text packed; // what the files said last
};

// --- watching ---

// The folder of a path; "." for one without.
static void folder_of(const char *path, char ret[static PATH_MAX])
{
    snprintf(ret, PATH_MAX, "%s", path);
    char *slash = strrchr(ret, '/');
    if (!slash)
        snprintf(ret, PATH_MAX, ".");
    else if (slash == ret)
        slash[1] = '\0';
    else
        slash[0] = '\0';
}

// Where the link at path leads. False: it isn't one.
static bool follow(char path[static PATH_MAX])
{
    char target[PATH_MAX], folder[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    folder_of(path, folder);
    int len = target[0] == '/' ? snprintf(path, PATH_MAX, "%s", target)
                               : snprintf(path, PATH_MAX, "%s/%s", folder, target);
    return len > 0 && len < PATH_MAX;
}

// Watching again what is watched already changes nothing.
static void watch_path(const struct names *n, const char *path)
{
    char at[PATH_MAX], folder[PATH_MAX];
    snprintf(at, sizeof at, "%s", path);
    for (int i = 0; i < LINKS_MAX; i++) {
        folder_of(at, folder);
        inotify_add_watch(n->watch, folder, FOLDER_EVENTS | IN_ONLYDIR);
        if (!follow(at))
            break;
    }
    // A file that something is mounted over lies in another folder than its path says.
    inotify_add_watch(n->watch, path, FILE_EVENTS);
}

static void watch_all(const struct names *n)
{
    watch_path(n, n->resolv_conf);
    watch_path(n, n->hosts);
}

static bool add_to_set(int set, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};
    return fd >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool start_watching(struct names *n)
{
    n->set = epoll_create1(EPOLL_CLOEXEC);
    n->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    n->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (n->set < 0 || !add_to_set(n->set, n->watch) || !add_to_set(n->set, n->timer))
        return false;
    watch_all(n);
    return true;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void stop_watching(struct names *n)
{
    close_fd(&n->set);
    close_fd(&n->watch);
    close_fd(&n->timer);
}

// --- reading ---

static struct text read_files(const struct names *n)
{
    struct arena mem;
    struct dns_files files;
    struct text packed = {.ptr = NULL};
    const char *why = NULL;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (!dns_files_read(n->resolv_conf, n->hosts, &mem, &files, &why))
        log_warn("%s or %s can't be read and counts as empty: %s", n->resolv_conf, n->hosts, why);
    dns_files_pack(&files, &packed);
    arena_fini(&mem);
    return packed;
}

// While one is missing, it is being replaced: its coming is another event.
static bool are_there(const struct names *n)
{
    return access(n->resolv_conf, F_OK) == 0 && access(n->hosts, F_OK) == 0;
}

static bool read_again(struct names *n)
{
    watch_all(n); // links may lead elsewhere, and the files are other ones
    if (!are_there(n))
        return false;
    struct text now = read_files(n);
    bool is_new = !str_eq(text_str(&now), text_str(&n->packed));
    if (is_new) {
        text_fini(&n->packed);
        n->packed = now;
    } else {
        text_fini(&now);
    }
    return is_new;
}

// --- for the keeper ---

struct names *names_new_at(const char *resolv_conf, const char *hosts)
{
    struct names *n = MEM_NEW(struct names);
    *n = (struct names){.set = -1, .watch = -1, .timer = -1};
    n->resolv_conf = mem_copy(resolv_conf, strlen(resolv_conf));
    n->hosts = mem_copy(hosts, strlen(hosts));
    if (!start_watching(n)) { // before reading: nothing is missed between
        log_warn("changes of %s and %s won't be seen: %s", resolv_conf, hosts, strerror(errno));
        stop_watching(n);
    }
    n->packed = read_files(n);
    return n;
}

struct names *names_new(void)
{
    return names_new_at(DNS_RESOLV_CONF, DNS_HOSTS);
}

void names_free(struct names *n)
{
    if (!n)
        return;
    stop_watching(n);
    text_fini(&n->packed);
    mem_free(n->resolv_conf);
    mem_free(n->hosts);
    mem_free(n);
}

int names_fd(const struct names *n)
{
    return n->set;
}

bool names_look(struct names *n)
{
    char events[4096];
    bool has_changed = false;
    uint64_t expired;
    if (n->set < 0)
        return false;
    while (read(n->watch, events, sizeof events) > 0)
        has_changed = true;
    if (read(n->timer, &expired, sizeof expired) == (ssize_t)sizeof expired) {
        n->is_settling = false;
        return read_again(n);
    }
    if (has_changed && !n->is_settling) {
        struct itimerspec in = {.it_value.tv_nsec = SETTLE_MS * 1000000L};
        n->is_settling = timerfd_settime(n->timer, 0, &in, NULL) == 0;
    }
    return false;
}

int names_packed(const struct names *n)
{
    return file_sealed("sallyport names", text_str(&n->packed));
}
