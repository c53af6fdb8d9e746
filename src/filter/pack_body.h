// SPDX-License-Identifier: Apache-2.0
// A body that packs another one. What has come goes out: whenever the other pauses, all of it that
// was read can be unpacked from what is lent.
#pragma once

#include "http/exchange.h"
#include "zip/encoder.h"

enum pack_begun {
    PACK_BEGUN,
    PACK_NO_MEMORY, // packing takes more than limit_bytes on this worker, or no buffer is free
    PACK_EXHAUSTED, // the exchange's memory is used up
};

// Puts such a body around x's answer's, of which nothing has been read. limit_bytes: for all
// packing and unpacking of the worker.
enum pack_begun pack_body_wrap(struct exchange *x, enum coding coding, unsigned level,
                               size_t limit_bytes);
