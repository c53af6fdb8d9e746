// SPDX-License-Identifier: Apache-2.0
// Where the state folder is when settings don't say: the keeper keeps keys and certificates there,
// commands that work alone look for them there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// $STATE_DIRECTORY (systemd's; the first of several), else /var/lib/sallyport for root, else
// $XDG_STATE_HOME/sallyport, else ~/.local/state/sallyport. False: the path is longer than n, and
// buf is empty.
bool state_default_path(char *buf, size_t n);

// The same for any user and environment; each text may be NULL, and those that aren't absolute are
// ignored, as the XDG Base Directory Specification wants.
struct state_env {
    const char *state_directory, *xdg_state_home, *home;
};
bool state_path_of(uid_t uid, const struct state_env *env, char *buf, size_t n);
