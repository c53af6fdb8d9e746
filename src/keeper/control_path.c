// SPDX-License-Identifier: Apache-2.0
#include "keeper/control_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

bool control_path_of(uid_t uid, const char *runtime_dir, char *buf, size_t n)
{
    static const char name[] = "control.sock";
    int len;
    ASSERT(n > 0);
    if (uid == 0)
        len = snprintf(buf, n, "/run/sallyport/%s", name);
    else if (runtime_dir && runtime_dir[0] == '/')
        len = snprintf(buf, n, "%s/sallyport/%s", runtime_dir, name);
    else
        len = snprintf(buf, n, "/tmp/sallyport-%lu/%s", (unsigned long)uid, name);
    if (len > 0 && (size_t)len < n)
        return true;
    buf[0] = '\0';
    return false;
}

bool control_default_path(char *buf, size_t n)
{
    const char *given = getenv("SALLYPORT_CONTROL");
    if (!given || given[0] == '\0')
        return control_path_of(geteuid(), getenv("XDG_RUNTIME_DIR"), buf, n);
    size_t len = strlen(given);
    buf[0] = '\0';
    if (len >= n)
        return false;
    memcpy(buf, given, len + 1);
    return true;
}
