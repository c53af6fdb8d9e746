// SPDX-License-Identifier: Apache-2.0
// Keys of servers that are learnt on first use, for gates and for people: the first key that a gate
// asks about is the server's from then on, and another one is an alarm. On the keeper's loop.
#pragma once

#include <jansson.h>

#include "base/map.h"
#include "certs/pins.h"

struct keeper_pins;

// folder: the store's; borrowed. A file that can't be read is told in the log, and no key is
// believed then.
struct keeper_pins *keeper_pins_new(int folder);
// Accepts NULL.
void keeper_pins_free(struct keeper_pins *p);

// The key of a server of the settings that shows `key` now: that one if none is known yet. False:
// nobody can tell; it is in the log.
bool keeper_pins_ask(struct keeper_pins *p, struct str server,
                     const uint8_t key[static TLS_PIN_BYTES], int64_t now_s,
                     uint8_t ret[static TLS_PIN_BYTES]);

// The next key that it shows is learnt. False with *ret_why.
bool keeper_pins_forget(struct keeper_pins *p, struct str server, const char **ret_why);

// For the status: of each server its name, pin, learnt (a time), and refused: how many connections
// showed another key, the last one's refused_pin and refused_at, or null. The caller's.
json_t *keeper_pins_report(const struct keeper_pins *p);
