// SPDX-License-Identifier: Apache-2.0
// Scripts by which shells complete the command line, from the rows of the commands.
#pragma once

#include "base/text.h"

void completion_put_bash(struct text *to);
void completion_put_zsh(struct text *to);
