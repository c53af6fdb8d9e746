// SPDX-License-Identifier: Apache-2.0
#include "upstream/eject.h"

#include "unit/test.h"

static const struct eject_conf in_a_row = {
    .failures = 3, .window_ms = 1000, .time_ms = 100, .time_max_ms = 350};
static const struct eject_conf by_share = {
    .percent = 50, .requests_min = 4, .window_ms = 1000, .time_ms = 100, .time_max_ms = 350};

// Requests as letters, '+' good and '-' failed. Returns behind which one it was to be ejected; 0:
// behind none.
static unsigned run(const struct eject_conf *conf, const char *requests)
{
    struct eject e = {.n_row = 0};
    for (unsigned i = 0; requests[i]; i++)
        if (eject_count(&e, conf, requests[i] == '-', 5000))
            return i + 1;
    return 0;
}

static void rows_and_shares_of_failures_eject(void)
{
    static const struct {
        const struct eject_conf *conf;
        const char *requests;
        unsigned wanted;
    } cases[] = {
        {&in_a_row, "---", 3},          {&in_a_row, "--+--+", 0}, {&in_a_row, "+++++---", 8},
        {&in_a_row, "+-+-+-+-", 0},     {&by_share, "---", 0},    {&by_share, "----", 4},
        {&by_share, "+++-", 0},         {&by_share, "+-+-", 4},   {&by_share, "++++++-----", 0},
        {&by_share, "++--", 4},         {&by_share, "--++", 0}, // a good one ejects nobody
        {&by_share, "+++++------", 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(run(cases[i].conf, cases[i].requests), cases[i].wanted);
}

static void each_time_is_longer_up_to_the_longest(void)
{
    struct eject e = {.n_row = 0};
    static const int64_t wanted_ms[] = {100, 200, 300, 350, 350};
    int64_t now = 5000;
    CHECK(!eject_is_out(&e, now));
    for (size_t i = 0; i < ARRAY_LEN(wanted_ms); i++) {
        CHECK_INT(eject_begin(&e, &in_a_row, now), wanted_ms[i]);
        CHECK_INT(eject_begin(&e, &in_a_row, now + 1), 0); // it is already
        CHECK(eject_is_out(&e, now + wanted_ms[i] - 1));
        now += wanted_ms[i];
        CHECK(!eject_is_out(&e, now));
    }
    // Well for as long as the longest: it begins anew.
    CHECK_INT(eject_begin(&e, &in_a_row, now + 351), 100);
}

static void an_ejection_ends_the_row(void)
{
    struct eject e = {.n_row = 0};
    for (int i = 0; i < 3; i++)
        (void)eject_count(&e, &in_a_row, true, 5000);
    CHECK_INT(e.reason, 3);
    CHECK(eject_begin(&e, &in_a_row, 5000) > 0);
    CHECK(!eject_count(&e, &in_a_row, true, 5200));
    CHECK(!eject_count(&e, &in_a_row, true, 5200));
    CHECK(eject_count(&e, &in_a_row, true, 5200));
    eject_reset(&e);
    CHECK(!eject_is_out(&e, 5000));
    CHECK(!eject_count(&e, &in_a_row, true, 5200));
}

TEST_MAIN(TEST(rows_and_shares_of_failures_eject), TEST(each_time_is_longer_up_to_the_longest),
          TEST(an_ejection_ends_the_row))
