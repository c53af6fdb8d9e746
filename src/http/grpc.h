// SPDX-License-Identifier: Apache-2.0
// What a proxy has to know of gRPC: which exchanges are such, how long they may last, and what an
// error looks like to their clients.
#pragma once

#include "http/exchange.h"

// The request is one of gRPC (not gRPC-Web), by its Content-Type.
bool grpc_is(const struct exchange *x);

// What the client gives it: grpc-timeout in ms, rounded up. -1: nothing, or nothing that is valid.
int64_t grpc_timeout_ms(const struct exchange *x);

// The code that stands for an answer of ours with this HTTP status.
unsigned grpc_status_of(unsigned http_status);

// Makes x->resp, which is empty, an answer with this code and a message: HTTP's 200 with a head
// alone, as clients of gRPC expect. False: no memory for it.
bool grpc_fail(struct exchange *x, unsigned http_status);
