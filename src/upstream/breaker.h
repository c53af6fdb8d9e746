// SPDX-License-Identifier: Apache-2.0
// A circuit breaker for a service: when too large a share of its requests fails or is slow, it
// opens, and requests are refused at once instead of waiting for what won't come. After a time a
// few are let through as trials: they decide whether it closes. Atomics, of all workers; functions
// of time.
#pragma once

#include "upstream/outcome.h"
#include "upstream/window.h"

struct breaker_conf {
    bool is_on;
    uint32_t percent;      // of the requests in the window: failed
    uint32_t slow_percent; // slow
    int64_t slow_ms;       // slower than this is slow; 0: never
    uint32_t requests_min;
    int64_t window_ms;
    int64_t open_ms;
    uint32_t trials;      // that must be well, one after the other
    struct conf_texts on; // of struct outcomes
    struct place place;
};

extern const struct conf_section breaker_section;

#define BREAKER_LIST(X)                                                                            \
    X(CLOSED, "closed")                                                                            \
    X(OPEN, "open")                                                                                \
    X(TRYING, "trying")

enum breaker_state {
#define X(id, name) BREAKER_##id,
    BREAKER_LIST(X)
#undef X
};
const char *breaker_state_name(enum breaker_state s);

struct breaker {
    _Atomic uint32_t state;   // enum breaker_state
    _Atomic uint32_t n_good;  // trials one behind the other
    _Atomic int64_t next_ms;  // of the next trial, while it isn't closed
    _Atomic int64_t since_ms; // of the state; 0: it was always closed
    _Atomic uint64_t n_refused;
    struct window failed, slow;
};

enum breaker_verdict {
    BREAKER_PASS,
    BREAKER_TRIAL,
    BREAKER_REFUSE,
};

// What a request may do that begins now.
enum breaker_verdict breaker_ask(struct breaker *b, const struct breaker_conf *conf,
                                 int64_t now_ms);

enum breaker_change {
    BREAKER_STAYS,
    BREAKER_OPENS,
    BREAKER_CLOSES,
};

// One that wasn't refused has ended. took_ms: to its answer's head.
enum breaker_change breaker_count(struct breaker *b, const struct breaker_conf *conf,
                                  enum breaker_verdict verdict, bool is_failure, int64_t took_ms,
                                  int64_t now_ms);

// Nothing came of one that wasn't refused: its client has gone, or no server was asked.
void breaker_forget(struct breaker *b, enum breaker_verdict verdict, int64_t now_ms);

// In how many seconds it is worth a try, at least 1.
int64_t breaker_retry_after_s(const struct breaker *b, int64_t now_ms);
