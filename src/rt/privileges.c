// SPDX-License-Identifier: Apache-2.0
#include "rt/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool privileges_never_gain(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool privileges_never_dump(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool privileges_drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};
    // Ambient ones go with those that are permitted; glibc has no wrapper without libcap.
    return syscall(SYS_capset, &header, none) == 0;
}

bool privileges_become_with(const char *user, const gid_t *group, const char **ret_why)
{
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw) {
        *ret_why = errno != 0 ? strerrordesc_np(errno) : "there is no such user";
        return false;
    }
    if (setgroups(group ? 1 : 0, group) == 0 &&
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == 0 &&
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == 0)
        return true;
    *ret_why = strerrordesc_np(errno);
    return false;
}

bool privileges_become(const char *user, const char **ret_why)
{
    return privileges_become_with(user, NULL, ret_why);
}
