// SPDX-License-Identifier: Apache-2.0
// Request bodies that can be sent again: those that were in memory as a whole when they were first
// asked for, and those of which a copy is kept, up to a limit, while they are read.
#pragma once

#include "http/exchange.h"

// From now on what is read of x's request body is kept, up to max_bytes and what its memory has
// room for. Before any of it was read.
void replay_record(struct exchange *x, uint64_t max_bytes);

// piece was all of x's request body. Makes that body one that a next try finds unread again. False:
// no memory for that.
bool replay_keep(struct exchange *x, struct str piece);

// Whether a next try finds x's request body as if nothing had been read of it; if so, it does.
bool replay_rewind(struct exchange *x);
