// SPDX-License-Identifier: Apache-2.0
// The end of an entrypoint's chain: finds the route of an exchange, and serves it.
#pragma once

#include "http/handler.h"

extern const struct handler routing_handler;
