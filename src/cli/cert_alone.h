// SPDX-License-Identifier: Apache-2.0
// Certificates without a running proxy: what the control socket's `cert` and `status` answer, from
// the state folder. What needs an authority that comes to look is done by a proxy that runs for so
// long, at the settings' ports, and serves nothing else.
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "cli/command.h"

// Nobody answers at the control socket, and none was named; or a state folder was.
bool cert_is_alone(const struct cli_args *args);

// The answer to a request (a new reference, taken over), the caller's. NULL after telling.
json_t *cert_alone_ask(const struct cli_args *args, json_t *request);

// The state folder: that of --state, of the settings, or the usual one. In mem; empty after
// telling.
struct str cert_alone_state(const struct cli_args *args, struct arena *mem);
