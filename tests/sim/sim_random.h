// SPDX-License-Identifier: Apache-2.0
// OpenSSL's randomness in the simulation: a provider of ours, whose bytes come from the world's
// seed, so that keys, signatures and tickets, and with them the lengths of handshakes, repeat.
#pragma once

#include <stdint.h>

// Once, before OpenSSL has made any random byte. The configuration file isn't read.
void sim_random_init(void);
// What OpenSSL holds of it goes at the program's end.
void sim_random_fini(void);
// From here on the bytes of this seed.
void sim_random_start(uint64_t seed);
