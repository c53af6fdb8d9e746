// SPDX-License-Identifier: Apache-2.0
#include "rt/privileges.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"

// In a process of its own: what is given up doesn't come back.
static int status_in_child(int (*fn)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int give_up_gaining(void)
{
    return privileges_never_gain() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

// A line of /proc/self/status.
static bool status_has(const char *wanted)
{
    char line[128];
    bool is_there = false;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        is_there = is_there || strcmp(line, wanted) == 0;
    if (file)
        fclose(file);
    return is_there;
}

static int drop_capabilities(void)
{
    if (!privileges_drop_capabilities())
        return 1;
    return status_has("CapEff:\t0000000000000000\n") && status_has("CapPrm:\t0000000000000000\n") &&
                   status_has("CapAmb:\t0000000000000000\n")
               ? 0
               : 2;
}

static int give_up_dumps(void)
{
    return privileges_never_dump() && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1;
}

static void no_program_gives_privileges_any_more(void)
{
    CHECK_INT(status_in_child(give_up_gaining), 0);
}

static void no_capability_is_left(void)
{
    CHECK_INT(status_in_child(drop_capabilities), 0);
}

static void nothing_is_dumped_any_more(void)
{
    CHECK_INT(status_in_child(give_up_dumps), 0);
}

TEST_MAIN(TEST(nothing_is_dumped_any_more), TEST(no_program_gives_privileges_any_more),
          TEST(no_capability_is_left))
