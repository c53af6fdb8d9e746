// SPDX-License-Identifier: Apache-2.0
#include "keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "gate/protocol.h"
#include "rt/channel.h"
#include "rt/clock.h"

// In the new process: only async-signal-safe calls.
NORETURN static void become(const char *command, int channel, char *const env[])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    bool is_there = channel == GATE_CHANNEL_FD ? fcntl(channel, F_SETFD, 0) == 0
                                               : dup2(channel, GATE_CHANNEL_FD) >= 0;
    if (is_there) {
        char *argv[] = {(char[]){"sallyport"}, (char *)(uintptr_t)command, NULL};
        execve("/proc/self/exe", argv, env);
    }
    _exit(127);
}

// What such a process gets of the environment: nothing but orders to the sanitizers and to libc.
// Settings may have secrets from there.
static char **make_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **env = MEM_ARRAY(char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct str name = str_first(str_of(environ[i]), strcspn(environ[i], "="));
        if (str_ends(name, STR("SAN_OPTIONS")) || str_starts(name, STR("GLIBC_")) ||
            str_starts(name, STR("MALLOC_")))
            env[kept++] = environ[i];
    }
    env[kept] = NULL;
    return env;
}

bool child_start(struct child *c, const char *command)
{
    int ends[2];
    if (!channel_pair(ends))
        return false;
    char **env = make_environment();
    pid_t pid = fork();
    if (pid == 0)
        become(command, ends[1], env);
    int error = errno;
    mem_free(env);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = error;
        return false;
    }
    *c = (struct child){.pid = pid, .channel = ends[0], .started_ms = clock_now_ms()};
    return true;
}

enum err child_send(struct child *c, const void *message, size_t n, int fd)
{
    return channel_send(c->channel, str_from(message, n), fd);
}

void child_hang_up(struct child *c)
{
    if (c->channel >= 0)
        close(c->channel);
    c->channel = -1;
}

void child_kill(struct child *c)
{
    if (c->pid > 0)
        kill(c->pid, SIGKILL);
}
