// SPDX-License-Identifier: Apache-2.0
// Bans as a text, one on each line, for the state folder and for an upgrade:
// NETWORK BEGAN UNTIL KEEP TIMES BY
#pragma once

#include "base/text.h"
#include "gate/ban_book.h"

void ban_file_write(const struct ban_book *b, struct text *to);

// Puts those of the text into b that aren't to be forgotten by now. Returns the number of the first
// line that makes no sense, which ends it; 0: all is well.
unsigned ban_file_read(struct str text, int64_t now_s, struct ban_book *b);
