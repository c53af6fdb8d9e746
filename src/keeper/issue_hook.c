// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_hook.h"

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

#define HOOK_MAX_MS 120000
#define LAST_MAX_MS 3000    // of one that tidies up while this process ends
#define CLOSED_MAX_MS 10000 // to end after its output has
#define LOOK_MS 100
#define OUTPUT_MAX_BYTES 1024

static pid_t start(char *const argv[], int out)
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
    int failed = posix_spawn(&pid, argv[0], &files, &attr, argv, notify_child_environment());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    errno = failed;
    return failed == 0 ? pid : -1;
}

// Reads until the end, or the time is over. What doesn't fit is dropped.
static bool read_output(int in, struct acme_cancel *cancel, bool is_last, char *buf, size_t *ret_n)
{
    int64_t began_ms = clock_now_ms(), max_ms = HOOK_MAX_MS;
    char rest[OUTPUT_MAX_BYTES];
    *ret_n = 0;
    while (clock_now_ms() < began_ms + max_ms) {
        if (acme_cancel_is_set(cancel))
            max_ms = is_last ? LAST_MAX_MS : 0;
        struct pollfd p = {.fd = in, .events = POLLIN};
        if (poll(&p, 1, LOOK_MS) <= 0)
            continue;
        size_t room = OUTPUT_MAX_BYTES - *ret_n;
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

bool issue_hook_run(struct str hook, const char *action, const struct acme_challenge *c,
                    struct acme_cancel *cancel, struct text *why)
{
    int ends[2];
    if (hook.len == 0) {
        text_put(why, STR("no hook is set"));
        return false;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        text_printf(why, "no pipe: %s", strerrordesc_np(errno));
        return false;
    }
    char *argv[] = {mem_copy(hook.ptr, hook.len),
                    mem_copy(action, strlen(action)),
                    mem_copy(c->name.ptr, c->name.len),
                    mem_copy(c->txt_name.ptr, c->txt_name.len),
                    mem_copy(c->txt_value.ptr, c->txt_value.len),
                    NULL};
    pid_t pid = start(argv, ends[1]);
    int error = errno;
    close(ends[1]);
    char output[OUTPUT_MAX_BYTES];
    size_t n = 0;
    bool is_last = strcmp(action, "clear") == 0;
    bool is_fine = pid > 0 && ended_well(pid, read_output(ends[0], cancel, is_last, output, &n));
    if (pid <= 0)
        text_printf(why, "%s: %s", argv[0], strerrordesc_np(error));
    else if (!is_fine)
        text_printf(why, "%s failed: " STR_FMT, argv[0], STR_ARG(clean(output, n)));
    close(ends[0]);
    for (size_t i = 0; argv[i]; i++)
        mem_free(argv[i]);
    return is_fine;
}
