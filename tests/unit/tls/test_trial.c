// SPDX-License-Identifier: Apache-2.0
#include "tls/trial.h"

#include "unit/test.h"

static void the_installed_library_passes(void)
{
    for (unsigned i = 0; i < 3; i++)
        CHECK(tls_trial_is_passed(NULL));
}

static void count_one_more(struct tls_secrets *told)
{
    told->n_sent++;
}

static void count_none(struct tls_secrets *told)
{
    told->n_sent = 0;
}

static void change_ours(struct tls_secrets *told)
{
    told->of_server[0] ^= 1;
}

static void change_theirs(struct tls_secrets *told)
{
    told->of_client[0] ^= 1;
}

static void forget_theirs(struct tls_secrets *told)
{
    told->n_of_client = 0;
}

static void forget_ours(struct tls_secrets *told)
{
    told->n_of_server = 0;
}

static void one_that_tells_anything_else_fails(void)
{
    static void (*const ways[])(struct tls_secrets * told) = {
        count_one_more, count_none, change_ours, change_theirs, forget_theirs, forget_ours,
    };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        CHECK(!tls_trial_is_passed(ways[i]));
    CHECK(tls_trial_is_passed(NULL)); // nothing of it stays
}

TEST_MAIN(TEST(the_installed_library_passes), TEST(one_that_tells_anything_else_fails))
