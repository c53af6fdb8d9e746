// SPDX-License-Identifier: Apache-2.0
#include "upstream/retries.h"

#include "unit/test.h"

#define MANY 100000

static uint32_t take_all(struct retry_budget *b, int64_t now_ms, uint32_t percent, uint32_t min)
{
    uint32_t n = 0;
    while (n < MANY && retry_budget_take(b, now_ms, percent, min))
        n++;
    return n;
}

static void a_share_of_the_last_seconds_may_be_sent_again(void)
{
    static const struct {
        uint32_t n_requests, percent, min, wanted;
    } cases[] = {
        {0, 20, 0, 0}, {0, 20, 1, 10},      {100, 20, 0, 20},   {100, 0, 0, 0},  {4, 20, 0, 0},
        {5, 20, 0, 1}, {1000, 20, 10, 300}, {100, 100, 0, 100}, {100, 0, 3, 30},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct retry_budget b = {.at_s = 0};
        for (uint32_t k = 0; k < cases[i].n_requests; k++)
            retry_budget_add(&b, 5000 + k % 1000);
        CHECK_INT(take_all(&b, 5999, cases[i].percent, cases[i].min), cases[i].wanted);
        CHECK_INT(take_all(&b, 5999, cases[i].percent, cases[i].min), 0);
    }
}

static void what_is_ten_seconds_old_counts_no_more(void)
{
    struct retry_budget b = {.at_s = 0};
    for (int i = 0; i < 100; i++)
        retry_budget_add(&b, 1000);
    CHECK_INT(take_all(&b, 2000, 20, 0), 20);
    CHECK_INT(take_all(&b, 10999, 20, 0), 0);
    CHECK_INT(b.n_requests, 100);
    CHECK(!retry_budget_take(&b, 11000, 20, 0)); // the requests have gone, the retries not
    CHECK_INT(b.n_requests, 0);
    CHECK_INT(b.n_retries, 20);
    CHECK(!retry_budget_take(&b, 12000, 20, 0));
    CHECK_INT(b.n_retries, 0);
    retry_budget_add(&b, MANY * 1000);
    CHECK_INT(b.n_requests, 1);
}

// However many fail: over any ten seconds there are no more retries than the share.
static void an_outage_is_not_multiplied(void)
{
    struct retry_budget b = {.at_s = 0};
    uint32_t n_retries = 0;
    for (int64_t ms = 0; ms < 60000; ms++) {
        retry_budget_add(&b, ms);
        n_retries += retry_budget_take(&b, ms, 20, 0);
    }
    CHECK(n_retries <= 60000 / 5);
    CHECK(n_retries >= 60000 / 5 * 9 / 10);
}

TEST_MAIN(TEST(a_share_of_the_last_seconds_may_be_sent_again),
          TEST(what_is_ten_seconds_old_counts_no_more), TEST(an_outage_is_not_multiplied))
