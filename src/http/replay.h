// SPDX-License-Identifier: Apache-2.0
// Request bodies that can be sent again: those that were in memory as a whole when they were first
// asked for.
#pragma once

#include "http/exchange.h"

// piece was all of x's request body. Makes that body one that a next try finds unread again. False:
// no memory for that.
bool replay_keep(struct exchange *x, struct str piece);
