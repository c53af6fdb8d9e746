// SPDX-License-Identifier: Apache-2.0
#include "acme/cancel.h"

#include <time.h>

#include "base/assert.h"
#include "rt/clock.h"

#define NS_PER_S 1000000000

void acme_cancel_init(struct acme_cancel *c)
{
    *c = (struct acme_cancel){.is_set = false};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
}

void acme_cancel_fini(struct acme_cancel *c)
{
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
}

void acme_cancel_set(struct acme_cancel *c)
{
    pthread_mutex_lock(&c->lock);
    c->is_set = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

bool acme_cancel_is_set(struct acme_cancel *c)
{
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    bool is_set = c->is_set;
    pthread_mutex_unlock(&c->lock);
    return is_set;
}

bool acme_cancel_wait(struct acme_cancel *c, int64_t wait_ms)
{
    struct acme_cancel never;
    struct acme_cancel *waited = c ? c : &never;
    if (!c)
        acme_cancel_init(&never);
    int64_t until_ns = clock_exact_ns() + MAX(wait_ms, 0) * 1000000;
    struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    int error = 0;
    pthread_mutex_lock(&waited->lock);
    while (!waited->is_set && error == 0)
        error = pthread_cond_clockwait(&waited->changed, &waited->lock, CLOCK_MONOTONIC, &until);
    bool is_set = waited->is_set;
    pthread_mutex_unlock(&waited->lock);
    if (!c)
        acme_cancel_fini(&never);
    return !is_set;
}
