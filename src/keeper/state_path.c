// SPDX-License-Identifier: Apache-2.0
#include "keeper/state_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

static bool is_absolute(const char *path)
{
    return path && path[0] == '/';
}

bool state_path_of(uid_t uid, const struct state_env *env, char *buf, size_t n)
{
    int len;
    ASSERT(n > 0);
    if (is_absolute(env->state_directory))
        len =
            snprintf(buf, n, "%.*s", (int)strcspn(env->state_directory, ":"), env->state_directory);
    else if (uid != 0 && is_absolute(env->xdg_state_home))
        len = snprintf(buf, n, "%s/sallyport", env->xdg_state_home);
    else if (uid != 0 && is_absolute(env->home))
        len = snprintf(buf, n, "%s/.local/state/sallyport", env->home);
    else
        len = snprintf(buf, n, "/var/lib/sallyport");
    if (len > 0 && (size_t)len < n)
        return true;
    buf[0] = '\0';
    return false;
}

bool state_default_path(char *buf, size_t n)
{
    const struct state_env env = {.state_directory = getenv("STATE_DIRECTORY"),
                                  .xdg_state_home = getenv("XDG_STATE_HOME"),
                                  .home = getenv("HOME")};
    return state_path_of(geteuid(), &env, buf, n);
}
