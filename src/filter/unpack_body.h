// SPDX-License-Identifier: Apache-2.0
// A request's body that unpacks another one, within limits.
#pragma once

#include "http/exchange.h"
#include "zip/decoder.h"

struct unpack_limits {
    uint64_t out_max_bytes; // of what comes out
    uint32_t ratio_max;     // so many times what has come in, under all layers, and
                            // UNPACK_SPARE_BYTES
};
// What is small may be as dense as it likes.
#define UNPACK_SPARE_BYTES ((uint64_t)64 * 1024)

enum unpack_begun {
    UNPACK_BEGUN,
    UNPACK_NO_MEMORY, // unpacking takes more than limit_bytes on this worker, or no buffer is free
    UNPACK_EXHAUSTED, // the exchange's memory is used up
};

// Puts such a body around x's request's, of which nothing has been read. What is malformed or ends
// too early fails as the client's mistake, what exceeds a limit as its excess: x->end says which.
// limit_bytes: for all packing and unpacking of the worker.
enum unpack_begun unpack_body_wrap(struct exchange *x, enum coding coding,
                                   const struct unpack_limits *limits, size_t limit_bytes);
