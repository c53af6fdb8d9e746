// SPDX-License-Identifier: Apache-2.0
// Markdown as the tables' texts use it (`code`, **bold**, *italic*, links, lists, fenced blocks),
// as roff with the man macros. The output is ASCII, and nothing in the text becomes a request.
#pragma once

#include <stdbool.h>

#include "base/text.h"

// One line's worth: no line end is put.
void roff_put_inline(struct text *to, struct str markdown);

// s as it stands, with nothing special in it.
void roff_put_plain(struct text *to, struct str s);

// Whole lines: paragraphs, lists and blocks, ending with a line end. is_inside: below a tagged
// paragraph (.TP), whose indent stays.
void roff_put_text(struct text *to, struct str markdown, bool is_inside);

// s as a block of literal lines.
void roff_put_block(struct text *to, struct str s);
