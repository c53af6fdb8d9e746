// SPDX-License-Identifier: Apache-2.0
// Which control socket a command means.
#pragma once

#include "base/text.h"
#include "cli/command.h"

// --control, else $SALLYPORT_CONTROL, else what the settings file says, else the default. The path
// is put into *ret_path, and into *ret_note what else there is to tell when nothing answers there
// (may stay empty). False after telling that there is none.
bool control_find(const struct cli_args *args, struct text *ret_path, struct text *ret_note)
    MUST_CHECK;
