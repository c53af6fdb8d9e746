// SPDX-License-Identifier: Apache-2.0
// Tells the service manager how the keeper is, as sd_notify(3) does: one datagram to the socket
// that $NOTIFY_SOCKET names. Without it every call does nothing. Only the keeper's main thread
// calls.
#pragma once

#include <stdint.h>

#include "base/attr.h"

// Reads the environment and leaves it as it is, so that a keeper that re-executes itself finds the
// same again. Before the other calls.
void notify_init(void);

// Serves. Also the end of a reload, whether it worked or not. status may be NULL.
void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(const char *status);
// One line of text for `systemctl status`; control characters become spaces.
void notify_status(const char *fmt, ...) PRINTF(1, 2);

// How often notify_alive is to be called at least: half the time after which the manager takes the
// keeper for dead. 0: it doesn't ask.
int64_t notify_watchdog_ms(void);
void notify_alive(void);

// The environment without what concerns the manager, for programs that the keeper executes: only
// the keeper may speak for the service. Made by notify_init, valid for the keeper's life.
char **notify_child_environment(void);
