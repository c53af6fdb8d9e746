// SPDX-License-Identifier: Apache-2.0
// The manual pages, as roff, from the tables of commands and settings.
#pragma once

#include "base/text.h"

// sallyport(1).
void manual_put_commands(struct text *to);

// sallyport.yaml(5).
void manual_put_settings(struct text *to);
