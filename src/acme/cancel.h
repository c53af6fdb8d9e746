// SPDX-License-Identifier: Apache-2.0
// Ends blocking work from another thread: the one who works waits and asks here, the other one
// sets it. Once set it stays set.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct acme_cancel {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_set; // under lock
};

void acme_cancel_init(struct acme_cancel *c);
void acme_cancel_fini(struct acme_cancel *c);

// Any thread. Who waits wakes at once; a request under way ends within a second.
void acme_cancel_set(struct acme_cancel *c);
// NULL is allowed: never set.
bool acme_cancel_is_set(struct acme_cancel *c);

// Sleeps; false: it was cancelled. NULL is allowed.
bool acme_cancel_wait(struct acme_cancel *c, int64_t wait_ms);
