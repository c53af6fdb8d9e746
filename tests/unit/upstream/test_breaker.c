// SPDX-License-Identifier: Apache-2.0
#include "upstream/breaker.h"

#include "unit/test.h"

static const struct breaker_conf conf = {
    .percent = 50,
    .slow_percent = 50,
    .slow_ms = 200,
    .requests_min = 4,
    .window_ms = 1000,
    .open_ms = 100,
    .trials = 2,
};

static void count(struct breaker *b, const char *requests, int64_t now)
{
    for (; *requests; requests++) {
        CHECK_INT(breaker_ask(b, &conf, now), BREAKER_PASS);
        (void)breaker_count(b, &conf, BREAKER_PASS, *requests == '-', *requests == 's' ? 201 : 200,
                            now);
    }
}

// '+' good, '-' failed, 's' slow.
static void failures_and_slowness_open_it(void)
{
    static const struct {
        const char *requests;
        enum breaker_state wanted;
    } cases[] = {
        {"---", BREAKER_CLOSED},    {"----", BREAKER_OPEN}, {"+++-", BREAKER_CLOSED},
        {"+-+-", BREAKER_OPEN},     {"ssss", BREAKER_OPEN}, {"+++s", BREAKER_CLOSED},
        {"++s-", BREAKER_CLOSED}, // 25 % each
        {"++++++", BREAKER_CLOSED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct breaker b = {.state = BREAKER_CLOSED};
        count(&b, cases[i].requests, 5000);
        CHECK_INT(b.state, cases[i].wanted);
    }
}

static void an_open_one_refuses_until_its_trials_are_well(void)
{
    struct breaker b = {.state = BREAKER_CLOSED};
    count(&b, "---", 5000);
    CHECK_INT(breaker_count(&b, &conf, BREAKER_PASS, true, 0, 5000), BREAKER_OPENS);
    CHECK_INT(breaker_ask(&b, &conf, 5000), BREAKER_REFUSE);
    CHECK_INT(breaker_ask(&b, &conf, 5099), BREAKER_REFUSE);
    CHECK_INT(breaker_retry_after_s(&b, 5000), 1);
    CHECK_INT(b.n_refused, 2);
    // One trial at a time.
    CHECK_INT(breaker_ask(&b, &conf, 5100), BREAKER_TRIAL);
    CHECK_INT(b.state, BREAKER_TRYING);
    CHECK_INT(breaker_ask(&b, &conf, 5101), BREAKER_REFUSE);
    // A bad one: as long again.
    CHECK_INT(breaker_count(&b, &conf, BREAKER_TRIAL, true, 0, 5110), BREAKER_STAYS);
    CHECK_INT(b.state, BREAKER_OPEN);
    CHECK_INT(breaker_ask(&b, &conf, 5209), BREAKER_REFUSE);
    // Two good ones close it, the second may come at once.
    CHECK_INT(breaker_ask(&b, &conf, 5210), BREAKER_TRIAL);
    CHECK_INT(breaker_count(&b, &conf, BREAKER_TRIAL, false, 0, 5220), BREAKER_STAYS);
    CHECK_INT(breaker_ask(&b, &conf, 5220), BREAKER_TRIAL);
    CHECK_INT(breaker_count(&b, &conf, BREAKER_TRIAL, false, 0, 5230), BREAKER_CLOSES);
    CHECK_INT(breaker_ask(&b, &conf, 5230), BREAKER_PASS);
    // What was before is forgotten.
    CHECK_INT(breaker_count(&b, &conf, BREAKER_PASS, true, 0, 5230), BREAKER_STAYS);
}

static void a_trial_of_which_nothing_comes_is_followed_by_another(void)
{
    struct breaker b = {.state = BREAKER_OPEN, .next_ms = 5000};
    CHECK_INT(breaker_ask(&b, &conf, 5000), BREAKER_TRIAL);
    CHECK_INT(breaker_ask(&b, &conf, 5099), BREAKER_REFUSE);
    CHECK_INT(breaker_ask(&b, &conf, 5100), BREAKER_TRIAL);
}

static void a_slow_trial_is_a_bad_one(void)
{
    struct breaker b = {.state = BREAKER_OPEN, .next_ms = 5000};
    CHECK_INT(breaker_ask(&b, &conf, 5000), BREAKER_TRIAL);
    CHECK_INT(breaker_count(&b, &conf, BREAKER_TRIAL, false, 500, 5500), BREAKER_STAYS);
    CHECK_INT(b.state, BREAKER_OPEN);
    CHECK_INT(breaker_ask(&b, &conf, 5599), BREAKER_REFUSE);
}

static void retry_after_is_rounded_up(void)
{
    struct breaker b = {.state = BREAKER_OPEN, .next_ms = 7001};
    CHECK_INT(breaker_retry_after_s(&b, 5000), 3);
    CHECK_INT(breaker_retry_after_s(&b, 5001), 2);
    CHECK_INT(breaker_retry_after_s(&b, 8000), 1);
    CHECK_STR(str_of(breaker_state_name(BREAKER_TRYING)), STR("trying"));
}

TEST_MAIN(TEST(failures_and_slowness_open_it), TEST(an_open_one_refuses_until_its_trials_are_well),
          TEST(a_trial_of_which_nothing_comes_is_followed_by_another),
          TEST(a_slow_trial_is_a_bad_one), TEST(retry_after_is_rounded_up))
