// SPDX-License-Identifier: Apache-2.0
#include "discover/engine_user.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/privileges.h"

enum way { AS_ROOT, WITH_GROUP, AS_USER };

// How the socket can be used. One that isn't there yet: as who can use any.
static enum way way_to(const struct docker_endpoint *to, gid_t *ret_group)
{
    struct stat st;
    if (to->kind == DOCKER_TCP)
        return AS_USER;
    char *path = mem_copy(to->path.ptr, to->path.len);
    bool is_there = stat(path, &st) == 0;
    mem_free(path);
    if (!is_there)
        return AS_ROOT;
    *ret_group = st.st_gid;
    if ((st.st_mode & S_IWOTH) != 0)
        return AS_USER;
    return (st.st_mode & S_IWGRP) != 0 && st.st_gid != 0 ? WITH_GROUP : AS_ROOT;
}

bool engine_user_change(const struct docker_conf *conf, struct str user, const char **ret_why)
{
    struct docker_endpoint to;
    gid_t group = 0;
    if (geteuid() != 0 || str_eq(user, STR("root")) ||
        !docker_endpoint_parse(conf->endpoint.text, &to))
        return privileges_never_dump();
    enum way way = way_to(&to, &group);
    char *name = mem_copy(user.ptr, user.len);
    bool is_fine =
        way == AS_ROOT || privileges_become_with(name, way == WITH_GROUP ? &group : NULL, ret_why);
    mem_free(name);
    return is_fine && privileges_never_dump();
}
