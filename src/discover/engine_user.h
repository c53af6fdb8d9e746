// SPDX-License-Identifier: Apache-2.0
// Who the process that speaks with an engine is.
#pragma once

#include "gate/providers_conf.h"

// Started as root: becomes `user`, with the group of the engine's socket when that may use it. A
// socket of root's alone needs root, which keeps no capabilities: see sandbox_enter. False:
// *ret_why, for people.
bool engine_user_change(const struct docker_conf *conf, struct str user, const char **ret_why)
    MUST_CHECK;
