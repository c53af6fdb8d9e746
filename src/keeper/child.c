// SPDX-License-Identifier: Apache-2.0
#include "keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/protocol.h"
#include "rt/channel.h"
#include "rt/clock.h"

// In the new process: only async-signal-safe calls.
NORETURN static void become_gate(int channel)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    bool is_there = channel == GATE_CHANNEL_FD ? fcntl(channel, F_SETFD, 0) == 0
                                               : dup2(channel, GATE_CHANNEL_FD) >= 0;
    if (is_there) {
        char *argv[] = {(char[]){"sallyport"}, (char[]){"gate"}, NULL};
        execv("/proc/self/exe", argv);
    }
    _exit(127);
}

bool child_start(struct child *c)
{
    int ends[2];
    if (!channel_pair(ends))
        return false;
    pid_t pid = fork();
    if (pid == 0)
        become_gate(ends[1]);
    int error = errno;
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

bool child_reap(struct child *c, int *ret_status)
{
    if (c->pid == 0 || waitpid(c->pid, ret_status, WNOHANG) != c->pid)
        return false;
    child_hang_up(c);
    *c = (struct child){.channel = -1};
    return true;
}

void child_kill(struct child *c)
{
    if (c->pid > 0)
        kill(c->pid, SIGKILL);
}
