// SPDX-License-Identifier: Apache-2.0
// A request's body that is looked at as a whole before anybody behind gets it.
#pragma once

#include "http/exchange.h"

enum whole_body {
    WHOLE_BODY_READ,
    WHOLE_BODY_TOO_LARGE, // the request can't go on: a part of it is lost
    WHOLE_BODY_BROKEN,    // x->end and its detail tell why
    WHOLE_BODY_EXHAUSTED, // the exchange's memory is used up
};

// Reads all of x's request's body, which there has to be, into the exchange's memory, if it has no
// more than max_bytes, and puts one in its place that gives the same bytes and trailers. *ret: the
// bytes, for as long as the exchange. Waits for the client.
enum whole_body whole_body_read(struct exchange *x, size_t max_bytes, struct str *ret) MUST_CHECK;
