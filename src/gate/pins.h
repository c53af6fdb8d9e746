// SPDX-License-Identifier: Apache-2.0
// Keys of servers that were learnt on first use: the keeper has them, and the first one that it is
// asked about counts. What it has said is kept here, for all workers.
#pragma once

#include "gate/petitions.h"
#include "upstream/service.h"

struct pins;

// petitions: borrowed.
struct pins *pins_new(struct petitions *petitions);
// Accepts NULL.
void pins_free(struct pins *p);

// For upstream_registry_set_pinning; p is borrowed.
struct upstream_pinning pins_pinning(struct pins *p);

// On the aux loop: what the keeper has said of a server, before those who have asked hear it; and
// that it may not hold any more.
void pins_know(struct pins *p, struct str server, const uint8_t key[static TLS_PIN_BYTES]);
void pins_forget(struct pins *p);
