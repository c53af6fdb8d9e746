// SPDX-License-Identifier: Apache-2.0
#include "certs/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs/disk.h"

extern char **environ;

// Runs a command without arguments; what it says is dropped.
static bool run(const char *command, const char **ret_why)
{
    char *const argv[] = {(char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int error = posix_spawnp(&pid, command, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        *ret_why = error == ENOENT ? "the command that updates the trust store isn't installed "
                                     "(package ca-certificates)"
                                   : strerror(error);
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_why = "the command that updates the trust store failed";
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum err certs_trust_install(const char *folder, const char *command, struct str root_pem,
                             const char **ret_why)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_there = at >= 0 && disk_replace(at, CERTS_TRUST_FILE, root_pem) &&
                    fchmodat(at, CERTS_TRUST_FILE, 0644, 0) == 0; // for all to read
    *ret_why = strerror(errno);
    disk_close(at);
    return is_there && run(command, ret_why) ? ERR_OK : ERR_SYSTEM;
}

enum err certs_trust_remove(const char *folder, const char *command, const char **ret_why)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_gone = at >= 0 && unlinkat(at, CERTS_TRUST_FILE, 0) == 0;
    int error = errno;
    disk_close(at);
    if (is_gone)
        return run(command, ret_why) ? ERR_OK : ERR_SYSTEM;
    *ret_why = strerror(error);
    return error == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
}
