// SPDX-License-Identifier: Apache-2.0
// Trailers of requests, which say what heads may not any more.
#pragma once

#include "http/exchange.h"

typedef void filter_trailers_fn(const void *arg, struct headers *trailers);

// When x's trailers have come, clean drops from them what the filter has dropped from the head. arg
// lives as long as x. ERR_LIMIT: the arena is full.
enum err filter_clean_trailers(struct exchange *x, filter_trailers_fn *clean, const void *arg)
    MUST_CHECK;
