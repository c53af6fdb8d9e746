// SPDX-License-Identifier: Apache-2.0
#include "acme/cancel.h"

#include "rt/clock.h"
#include "unit/test.h"

static void a_wait_lasts_as_long_as_it_is_told(void)
{
    int64_t before_ms = clock_now_ms();
    CHECK(acme_cancel_wait(NULL, 5));
    CHECK(clock_now_ms() - before_ms >= 4);
    CHECK(!acme_cancel_is_set(NULL));
    CHECK(acme_cancel_wait(NULL, -1));
}

static void *set(void *arg)
{
    acme_cancel_set(arg);
    return NULL;
}

static void a_wait_ends_when_it_is_cancelled(void)
{
    struct acme_cancel c;
    pthread_t thread;
    acme_cancel_init(&c);
    CHECK_INT(pthread_create(&thread, NULL, set, &c), 0);
    CHECK(!acme_cancel_wait(&c, 60000));
    CHECK(acme_cancel_is_set(&c));
    CHECK(!acme_cancel_wait(&c, 60000));
    pthread_join(thread, NULL);
    acme_cancel_fini(&c);
}

TEST_MAIN(TEST(a_wait_lasts_as_long_as_it_is_told), TEST(a_wait_ends_when_it_is_cancelled))
