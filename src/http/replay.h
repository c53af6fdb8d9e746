// SPDX-License-Identifier: Apache-2.0
// Request bodies that can be sent again: those that were in memory as a whole when they were first
// asked for, and those of which a copy is kept, up to a limit, while they are read.
#pragma once

#include "http/exchange.h"

// From now on what is read of x's request body is kept, up to max_bytes and half of what its
// memory may be. Before any of it was read.
void replay_record(struct exchange *x, uint64_t max_bytes);

// piece was all of x's request body, but for what its tail says. Makes that body one that a next
// try finds unread again. False: no memory for that.
bool replay_keep(struct exchange *x, struct str piece);

// Whether all that was read of x's request body is kept, so that replay_restart can do its work.
bool replay_is_whole(const struct exchange *x);

// Before a next try, when nothing reads x's request body any more: what was kept of it is read
// again. Bodies of which nothing is kept, as nothing was read, stay as they are. False: more was
// read than is kept.
bool replay_restart(struct exchange *x);
