// SPDX-License-Identifier: Apache-2.0
// An answer that is written while it is sent: a slice of some kilobytes at a time, so that a long
// one takes neither memory for the whole nor a worker for long.
#pragma once

#include "base/text.h"
#include "http/exchange.h"

struct slices_source {
    // Adds the next piece of the answer, some kilobytes at most. False: that was the last. On the
    // exchange's fiber; doesn't wait.
    bool (*write)(void *arg, struct text *to);
    // Once, written to its end or not. Doesn't wait.
    void (*fini)(void *arg);
    void *arg;
};

// Makes x's answer 200 of that; also for HEAD, then nothing is written. *source is taken over,
// whatever is returned. ERR_LIMIT: the exchange's memory is used up.
enum err slices_respond(struct exchange *x, struct str content_type,
                        const struct slices_source *source) MUST_CHECK;
