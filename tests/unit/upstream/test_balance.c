// SPDX-License-Identifier: Apache-2.0
#include "upstream/balance.h"

#include "rt/clock.h"
#include "unit/upstream/balance_stand.h"

// --- round-robin ---

static void turns_are_exact_and_never_a_burst(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_ROUND_ROBIN, "311");
    stand_order(&f, "abacaabaca");
    memset(f.hits, 0, sizeof f.hits);
    stand_picks(&f, 1000);
    CHECK_INT(f.hits[0], 600);
    CHECK_INT(f.hits[1], 200);
    CHECK_INT(f.hits[2], 200);
}

static void whoever_is_passed_over_leaves_the_turns_of_the_others_even(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_ROUND_ROBIN, "1111");
    stand_fail(&f, 1);
    stand_picks(&f, 300);
    CHECK_INT(f.hits[0], 100);
    CHECK_INT(f.hits[1], 0);
    CHECK_INT(f.hits[2], 100);
    CHECK_INT(f.hits[3], 100);
}

// --- who may be chosen ---

static const enum service_balance all_methods[] = {
#define X(id, name) SERVICE_BALANCE_##id,
    SERVICE_BALANCE_LIST(X)
#undef X
};

static void no_method_chooses_what_was_tried_until_all_were(void)
{
    for (size_t i = 0; i < ARRAY_LEN(all_methods); i++) {
        struct stand f;
        unsigned seen = 0;
        stand_init(&f, all_methods[i], "123");
        for (; f.n_tried < 3; f.n_tried++) {
            int chosen = stand_pick_key(&f, 7);
            CHECK(chosen >= 0);
            seen |= BIT((unsigned)chosen);
            f.tried[f.n_tried] = (uint32_t)chosen;
        }
        CHECK_INT(seen, 7);
        CHECK_INT(stand_pick(&f), -1);
    }
}

static void no_method_chooses_a_server_that_is_skipped_while_another_is_there(void)
{
    for (size_t i = 0; i < ARRAY_LEN(all_methods); i++) {
        struct stand f;
        stand_init(&f, all_methods[i], "999991");
        for (size_t k = 0; k < 5; k++)
            stand_fail(&f, k);
        for (unsigned k = 0; k < 100; k++)
            CHECK_INT(stand_pick_key(&f, k), 5);
    }
}

static void when_all_are_skipped_the_one_that_failed_the_longest_ago_is_tried(void)
{
    for (size_t i = 0; i < ARRAY_LEN(all_methods); i++) {
        struct stand f;
        stand_init(&f, all_methods[i], "111");
        f.slots[0].skip_until_ms = INT64_MAX;
        f.slots[1].skip_until_ms = INT64_MAX - 2;
        f.slots[2].skip_until_ms = INT64_MAX - 1;
        CHECK_INT(stand_pick(&f), 1);
    }
}

static void backups_get_requests_only_while_no_other_can_be_used(void)
{
    for (size_t i = 0; i < ARRAY_LEN(all_methods); i++) {
        struct stand f;
        stand_init(&f, all_methods[i], "1199");
        stand_backup(&f, 2);
        stand_backup(&f, 3);
        for (unsigned k = 0; k < 50; k++)
            CHECK(stand_pick_key(&f, k) < 2);
        stand_fail(&f, 0);
        for (unsigned k = 0; k < 50; k++)
            CHECK_INT(stand_pick_key(&f, k), 1);
        f.tried[f.n_tried++] = 1;
        CHECK(stand_pick(&f) >= 2);
        f.n_tried = 0;
        stand_fail(&f, 1);
        CHECK(stand_pick(&f) >= 2);
    }
}

static void one_without_room_waits_for_nobody_but_comes_before_a_backup(void)
{
    for (size_t i = 0; i < ARRAY_LEN(all_methods); i++) {
        struct stand f;
        stand_init(&f, all_methods[i], "911");
        stand_backup(&f, 2);
        f.conf.conns_max = 1;
        f.targets[0].n_conns = 1;
        for (unsigned k = 0; k < 20; k++)
            CHECK_INT(stand_pick_key(&f, k), 1);
        f.targets[1].n_conns = 1;
        for (unsigned k = 0; k < 20; k++)
            CHECK(stand_pick_key(&f, k) < 2);
    }
}

static void one_exchange_tries_a_server_whose_time_is_over(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_FIRST, "11");
    f.slots[0].skip_until_ms = clock_now_ms() - 1;
    CHECK_INT(stand_pick(&f), 0);
    CHECK_INT(stand_pick(&f), 1);
    CHECK_INT(stand_pick(&f), 1);
}

// --- health ---

static void servers_that_are_down_or_drained_get_nothing(void)
{
    for (size_t i = 0; i < ARRAY_LEN(all_methods); i++) {
        struct stand f;
        stand_init(&f, all_methods[i], "9991");
        f.conf.health.is_on = true;
        f.conf.panic_percent = 1;
        f.healths[0].is_down = true;
        f.healths[1].is_drained = true;
        f.healths[2].is_down = f.healths[2].is_drained = true;
        for (unsigned k = 0; k < 50; k++)
            CHECK_INT(stand_pick_key(&f, k), 3);
        f.tried[f.n_tried++] = 3;
        CHECK_INT(stand_pick(&f), -1); // not those that are known not to work
    }
}

static void when_too_few_are_up_all_are_used_that_are_not_drained(void)
{
    static const struct {
        unsigned n_down, panic_percent;
        bool panics;
    } cases[] = {{3, 1, false},  {4, 1, true},  {4, 0, false},  {2, 50, false}, {3, 50, true},
                 {1, 75, false}, {2, 75, true}, {1, 100, true}, {0, 100, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stand f;
        stand_init(&f, SERVICE_BALANCE_ROUND_ROBIN, "11111");
        f.conf.health.is_on = true;
        f.conf.panic_percent = cases[i].panic_percent;
        f.healths[4].is_drained = true;
        for (size_t k = 0; k < cases[i].n_down; k++)
            f.healths[k].is_down = true;
        unsigned n_to_down = 0;
        for (unsigned k = 0; k < 40; k++) {
            int to = stand_pick(&f);
            CHECK(to != 4);
            n_to_down += to >= 0 && f.healths[to].is_down;
        }
        CHECK_INT(n_to_down > 0, cases[i].panics);
    }
}

// --- least-connections ---

static void the_fewest_exchanges_win_by_weight(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_LEAST_CONNECTIONS, "211");
    for (unsigned i = 0; i < 400; i++)
        slot_take(&f.slots[stand_pick(&f)]);
    CHECK_INT(f.slots[0].n_active, 200);
    CHECK_INT(f.slots[1].n_active, 100);
    CHECK_INT(f.slots[2].n_active, 100);
    for (unsigned i = 0; i < 50; i++)
        slot_give(&f.slots[1]);
    for (unsigned i = 0; i < 50; i++) {
        int chosen = stand_pick(&f);
        CHECK_INT(chosen, 1);
        slot_take(&f.slots[chosen]);
    }
}

static void idle_servers_take_turns_by_weight(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_LEAST_CONNECTIONS, "311");
    stand_order(&f, "abacaabaca");
}

// --- least-time ---

static void a_server_ten_times_as_slow_gets_a_tenth(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_LEAST_TIME, "11");
    int64_t now = clock_now_ms();
    slot_observe(&f.slots[0], 1000 * 1000, now);
    slot_observe(&f.slots[1], 10 * 1000 * 1000, now);
    for (unsigned i = 0; i < 110; i++)
        slot_take(&f.slots[stand_pick(&f)]);
    CHECK_NEAR(f.hits[0], 100, 4);
    CHECK_NEAR(f.hits[1], 10, 20);
}

static void a_server_nobody_knows_gets_one_exchange_to_find_out(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_LEAST_TIME, "11");
    slot_observe(&f.slots[0], 50 * 1000 * 1000, clock_now_ms());
    CHECK_INT(stand_pick(&f), 1);
    slot_take(&f.slots[1]);
    for (unsigned i = 0; i < 20; i++) {
        CHECK_INT(stand_pick(&f), 0);
        slot_take(&f.slots[0]);
    }
    slot_give(&f.slots[1]);
    slot_observe(&f.slots[1], 1000 * 1000, clock_now_ms());
    CHECK_INT(stand_pick(&f), 1);
}

static void a_slow_answer_counts_at_once_and_fades(void)
{
    struct server_slot s = {.n_failures = 0};
    slot_observe(&s, 1000 * 1000, 1000);
    CHECK_INT((long)slot_cost(&s, 1000), 1001);
    slot_observe(&s, 100 * 1000 * 1000, 1001);
    CHECK_INT((long)slot_cost(&s, 1001), 100001);
    // A fast one doesn't make good for it, time does.
    slot_observe(&s, 1000 * 1000, 1002);
    CHECK_NEAR((double)slot_cost(&s, 1002), 100000, 1);
    CHECK_NEAR((double)slot_cost(&s, 1002 + SLOT_LATENCY_FADES_MS), 50000, 1);
    CHECK_NEAR((double)slot_cost(&s, 1002 + 9 * SLOT_LATENCY_FADES_MS), 10000, 1);
    for (int64_t ms = 1003; ms < 1003 + 20 * SLOT_LATENCY_FADES_MS; ms += 10)
        slot_observe(&s, 1000 * 1000, ms);
    CHECK_NEAR((double)slot_cost(&s, 1003 + 20 * SLOT_LATENCY_FADES_MS), 1000, 1);
}

// --- random-two ---

static void lots_are_drawn_by_weight(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_RANDOM_TWO, "1111");
    stand_picks(&f, 40000);
    for (size_t i = 0; i < 4; i++)
        CHECK_NEAR(f.hits[i], 10000, 4);
    stand_init(&f, SERVICE_BALANCE_RANDOM_TWO, "31");
    f.tried[f.n_tried++] = 9; // nobody
    stand_picks(&f, 40000);
    CHECK_NEAR(f.hits[0], 30000, 3);
    CHECK_NEAR(f.hits[1], 10000, 6);
}

static void of_two_the_less_busy_one_is_taken(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_RANDOM_TWO, "11");
    slot_take(&f.slots[0]);
    for (unsigned i = 0; i < 100; i++)
        CHECK_INT(stand_pick(&f), 1);
    stand_init(&f, SERVICE_BALANCE_RANDOM_TWO, "1111111111");
    for (unsigned i = 0; i < 10000; i++)
        slot_take(&f.slots[stand_pick(&f)]);
    for (size_t i = 0; i < 10; i++)
        CHECK_NEAR(f.slots[i].n_active, 1000, 1);
}

// --- first ---

static void the_first_gets_all_until_it_fails(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_FIRST, "199");
    stand_picks(&f, 10);
    CHECK_INT(f.hits[0], 10);
    stand_fail(&f, 0);
    stand_picks(&f, 10);
    CHECK_INT(f.hits[1], 10);
    f.slots[0].skip_until_ms = 0;
    stand_picks(&f, 10);
    CHECK_INT(f.hits[0], 20);
}

// --- slow start ---

static void a_server_that_came_gets_more_and_more(void)
{
    static const enum service_balance methods[] = {SERVICE_BALANCE_ROUND_ROBIN,
                                                   SERVICE_BALANCE_LEAST_CONNECTIONS};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct stand f;
        stand_init(&f, methods[i], "11");
        f.conf.slow_start_ms = 3600000;
        f.slots[0].risen_ms = clock_now_ms() - 2 * f.conf.slow_start_ms;
        f.slots[1].risen_ms = clock_now_ms() - f.conf.slow_start_ms / 4;
        stand_picks(&f, 1000);
        CHECK_NEAR(f.hits[0], 800, 2);
        CHECK_NEAR(f.hits[1], 200, 5);
        memset(f.hits, 0, sizeof f.hits);
        slot_rise(&f.slots[1], clock_now_ms());
        stand_picks(&f, 1000);
        CHECK(f.hits[1] <= 10);
        f.slots[1].risen_ms = clock_now_ms() - f.conf.slow_start_ms;
        memset(f.hits, 0, sizeof f.hits);
        stand_picks(&f, 1000);
        CHECK_NEAR(f.hits[1], 500, 1);
    }
}

TEST_MAIN(TEST(turns_are_exact_and_never_a_burst),
          TEST(whoever_is_passed_over_leaves_the_turns_of_the_others_even),
          TEST(no_method_chooses_what_was_tried_until_all_were),
          TEST(no_method_chooses_a_server_that_is_skipped_while_another_is_there),
          TEST(when_all_are_skipped_the_one_that_failed_the_longest_ago_is_tried),
          TEST(backups_get_requests_only_while_no_other_can_be_used),
          TEST(one_without_room_waits_for_nobody_but_comes_before_a_backup),
          TEST(servers_that_are_down_or_drained_get_nothing),
          TEST(when_too_few_are_up_all_are_used_that_are_not_drained),
          TEST(one_exchange_tries_a_server_whose_time_is_over),
          TEST(the_fewest_exchanges_win_by_weight), TEST(idle_servers_take_turns_by_weight),
          TEST(a_server_ten_times_as_slow_gets_a_tenth),
          TEST(a_server_nobody_knows_gets_one_exchange_to_find_out),
          TEST(a_slow_answer_counts_at_once_and_fades), TEST(lots_are_drawn_by_weight),
          TEST(of_two_the_less_busy_one_is_taken), TEST(the_first_gets_all_until_it_fails),
          TEST(a_server_that_came_gets_more_and_more))
