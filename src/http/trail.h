// SPDX-License-Identifier: Apache-2.0
// The decisions taken for one exchange, in order, with reasons: for logs and for explaining.
#pragma once

#include "base/str.h"
#include "base/writer.h"

#define TRAIL_MAX 24

struct trail_step {
    struct str who;    // "route api", "filter basic-auth", "service app"; borrows
    const char *what;  // a static text: "matched", "passed", "denied", "redirected", "retried"
    struct str detail; // borrows; may be empty
};

struct trail {
    unsigned n; // beyond TRAIL_MAX steps are counted only
    struct trail_step steps[TRAIL_MAX];
};

static inline void trail_add(struct trail *t, struct str who, const char *what, struct str detail)
{
    if (t->n < TRAIL_MAX)
        t->steps[t->n] = (struct trail_step){who, what, detail};
    t->n++;
}

// "route api matched; filter basic-auth denied (no credentials)".
void trail_write(const struct trail *t, struct writer *w);
