// SPDX-License-Identifier: Apache-2.0
// Neutral pages that tell a client how things are, in the form that it reads, and nothing of the
// inside.
#pragma once

#include "http/exchange.h"

enum page_kind {
    PAGE_HTML, // browsers
    PAGE_JSON, // programs that say that they take nothing but JSON
    PAGE_TEXT,
};

// What the client of x would read.
enum page_kind page_kind_of(const struct exchange *x);

struct page {
    struct str content_type;
    struct str body; // ptr NULL: the arena is full
};

// A neutral page about a status, with the request's id. text: a sentence for people; empty: none.
// reload_s: browsers ask again after so many seconds; 0: they don't.
struct page page_neutral(struct exchange *x, unsigned status, struct str text, unsigned reload_s);
