// SPDX-License-Identifier: Apache-2.0
// Where the control socket is when nobody says otherwise: the keeper makes it there, commands look
// for it there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// $SALLYPORT_CONTROL, else /run/sallyport/control.sock for root, else in
// $XDG_RUNTIME_DIR/sallyport, else in /tmp/sallyport-UID. False: the path is longer than n, and buf
// is empty.
bool control_default_path(char *buf, size_t n);

// Without $SALLYPORT_CONTROL, for any user; runtime_dir may be NULL, and one that isn't absolute is
// ignored, as the XDG Base Directory Specification wants.
bool control_path_of(uid_t uid, const char *runtime_dir, char *buf, size_t n);
