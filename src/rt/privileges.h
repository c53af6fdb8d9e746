// SPDX-License-Identifier: Apache-2.0
// What a process gives up for good. All act on the calling thread and those that it starts: call
// them before there are others.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// No program that is executed later gives privileges (set-user-ID, file capabilities). False with
// errno.
bool privileges_never_gain(void);

// Without any capability: what a service manager or a container had granted. False with errno.
bool privileges_drop_capabilities(void);

// No core dump is made of this process, and no other one of its user's may trace it or read its
// memory. To be called again when the user has changed. False with errno.
bool privileges_never_dump(void);

// Becomes an ordinary user, with its group and no others. False with a text for people, valid until
// the thread's next call.
bool privileges_become(const char *user, const char **ret_why);
// The same with one group more; NULL: none.
bool privileges_become_with(const char *user, const gid_t *group, const char **ret_why);
