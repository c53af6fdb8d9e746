// SPDX-License-Identifier: Apache-2.0
#include "http/trail.h"

void trail_write(const struct trail *t, struct writer *w)
{
    for (unsigned i = 0; i < MIN(t->n, (unsigned)TRAIL_MAX); i++) {
        const struct trail_step *s = &t->steps[i];
        if (i > 0)
            writer_put(w, STR("; "));
        writer_put(w, s->who);
        writer_byte(w, ' ');
        writer_put(w, str_of(s->what));
        if (s->detail.len > 0) {
            writer_put(w, STR(" ("));
            writer_put(w, s->detail);
            writer_byte(w, ')');
        }
    }
    if (t->n > TRAIL_MAX) {
        writer_put(w, STR("; and "));
        writer_dec(w, t->n - TRAIL_MAX);
        writer_put(w, STR(" more"));
    }
}
