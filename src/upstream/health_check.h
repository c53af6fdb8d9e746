// SPDX-License-Identifier: Apache-2.0
// One check of one address, on a fiber: connects, asks, reads the answer. In size everything is
// bounded here. In time each wait is, and all of them together by whoever starts it: by cancelling
// the fiber.
#pragma once

#include "http/env.h"
#include "rt/addr.h"
#include "tls/client.h"
#include "upstream/health.h"

#define HEALTH_BODY_MAX_BYTES (64 * 1024)
#define HEALTH_REGEX_MAX_BYTES (16 * 1024) // what an expression is tried on

// Whether the server at addr (with the port to be asked) works. why says what is wrong, in visible
// ASCII. session: of TLS, for the next check. env: this thread's. until: of each wait.
// Waits.
bool health_check(const struct health_plan *p, const struct rt_addr *addr,
                  struct tls_session *session, struct http_env *env, struct deadline until,
                  char why[static HEALTH_WHY_BYTES]);
