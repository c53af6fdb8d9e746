// SPDX-License-Identifier: Apache-2.0
// Which first messages of clients with early data (0-RTT) were seen lately, so that none counts
// twice (RFC 8446 8.2). One for all workers of a process: any thread, without a lock. OpenSSL
// refuses early data whose ticket is older or younger than it says by ten seconds (8.3), and what
// is remembered for longer than that can't come again.
//
// Two processes know nothing of each other, so their times don't overlap: one takes no early data
// in its first seconds, and none from the moment on when another has taken its place.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct tls_replay;

#define TLS_REPLAY_WINDOW_MS 16000 // more than OpenSSL's ten seconds and one that it rounds

// now_ms: of a clock that never goes back; the same one for all calls. One ref is the caller's.
struct tls_replay *tls_replay_new(int64_t now_ms);
// Any thread. NULL is allowed.
struct tls_replay *tls_replay_ref(struct tls_replay *r);
void tls_replay_unref(struct tls_replay *r);

// No early data any more.
void tls_replay_end(struct tls_replay *r);

// True: this message, by its random bytes, wasn't seen before, and is remembered now. False: it
// was, or whether it was can't be known: too early, ended, or too many at a time.
bool tls_replay_is_new(struct tls_replay *r, const uint8_t random[static 32], int64_t now_ms)
    MUST_CHECK;
