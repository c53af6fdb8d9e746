// SPDX-License-Identifier: Apache-2.0
// How client and server of a WebSocket know each other over HTTP/1.1 (RFC 6455 4). HTTP/2 does
// without (RFC 8441 5): whoever is between both makes up one half.
#pragma once

#include "base/arena.h"
#include "http/exchange.h"

// The upgrade that x asks for is to a WebSocket, and to nothing else.
bool websocket_is_asked_for(const struct request *r);
// Gives r a key of ours. False: the arena is full.
bool websocket_add_key(struct request *r, struct arena *mem) MUST_CHECK;
// The answer to r's key. ptr is NULL: it has none, or the arena is full.
struct str websocket_accept(const struct request *r, struct arena *mem);
