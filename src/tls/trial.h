// SPDX-License-Identifier: Apache-2.0
// Whether the installed OpenSSL tells what tls/secrets.h needs to hear. Secrets, and above all the
// number of records that were sealed with them, come through calls that were made to watch it: a
// library that does these in another way would break each connection that is taken over.
#pragma once

#include <stdbool.h>

#include "tls/secrets.h"

// A handshake with OpenSSL's own client in memory, and behind it a record each way, sealed and
// opened here. About a millisecond; it never waits. spoil is for tests, to change what was told;
// NULL: it stays as it is.
bool tls_trial_is_passed(void (*spoil)(struct tls_secrets *told)) MUST_CHECK;
