// SPDX-License-Identifier: Apache-2.0
#include "keeper/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/notify.h"
#include "rt/clock.h"

#define CLOSED_MAX_MS 10000 // to end after its output has
#define LOOK_MS 100

// The usual environment, and what is added. The caller frees the array.
static char **make_environment(char *const *more)
{
    char **usual = notify_child_environment();
    size_t n = 0, n_more = 0, kept = 0;
    while (usual && usual[n])
        n++;
    while (more && more[n_more])
        n_more++;
    char **env = MEM_ARRAY(char *, n + n_more + 1);
    for (size_t i = 0; i < n; i++)
        env[kept++] = usual[i];
    for (size_t i = 0; i < n_more; i++)
        env[kept++] = more[i];
    env[kept] = NULL;
    return env;
}

static pid_t start(char *const argv[], char *const env[], int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(&pid, argv[0], &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    errno = failed;
    return failed == 0 ? pid : -1;
}

// Reads until the end, or the time is over. What doesn't fit is dropped.
static bool read_output(const struct program *p, int in, char *buf, size_t *ret_n)
{
    int64_t began_ms = clock_now_ms(), max_ms = p->timeout_ms;
    char rest[PROGRAM_OUTPUT_MAX_BYTES];
    *ret_n = 0;
    while (clock_now_ms() < began_ms + max_ms) {
        if (acme_cancel_is_set(p->cancel))
            max_ms = MIN(p->last_ms, p->timeout_ms);
        struct pollfd fd = {.fd = in, .events = POLLIN};
        if (poll(&fd, 1, LOOK_MS) <= 0)
            continue;
        size_t room = PROGRAM_OUTPUT_MAX_BYTES - *ret_n;
        ssize_t n = read(in, room > 0 ? buf + *ret_n : rest, room > 0 ? room : sizeof rest);
        if (n <= 0)
            return n == 0;
        *ret_n += room > 0 ? (size_t)n : 0;
    }
    return false;
}

// It is a group of its own: what it has started ends with it.
static bool ended_well(pid_t pid, bool has_closed)
{
    int status = 0;
    pid_t ended = 0;
    // It may have closed its output and go on.
    for (int64_t waited_ms = 0; has_closed && ended == 0 && waited_ms < CLOSED_MAX_MS;
         waited_ms++) {
        ended = waitpid(pid, &status, WNOHANG);
        if (ended == 0)
            poll(NULL, 0, 1);
    }
    if (ended == 0) {
        kill(-pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    }
    return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// It goes into logs, to terminals and into JSON: one line, without controls.
static struct str clean(char *output, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (output[i] < ' ' || output[i] > '~')
            output[i] = output[i] == '\n' ? ' ' : '?';
    }
    return str_trim(str_from(output, n));
}

bool program_run(const struct program *p, struct text *output)
{
    int ends[2];
    char buf[PROGRAM_OUTPUT_MAX_BYTES];
    size_t n = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        text_printf(output, "no pipe: %s", strerrordesc_np(errno));
        return false;
    }
    char **env = make_environment(p->env);
    pid_t pid = start(p->argv, env, ends[1]);
    int error = errno;
    mem_free(env);
    close(ends[1]);
    bool is_fine = pid > 0 && ended_well(pid, read_output(p, ends[0], buf, &n));
    if (pid <= 0)
        text_put(output, str_of(strerrordesc_np(error)));
    else
        text_put(output, clean(buf, n));
    close(ends[0]);
    return is_fine;
}
