// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/balance_stand.h"

#define KEYS 20000

static void a_key_stays_with_its_server_and_keys_are_spread_by_weight(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_HASH, "1124");
    for (unsigned i = 0; i < KEYS; i++) {
        int chosen = stand_pick_key(&f, i);
        CHECK_INT(stand_pick_key(&f, i), chosen);
    }
    CHECK_NEAR(f.hits[0], 2 * KEYS / 8., 5);
    CHECK_NEAR(f.hits[1], 2 * KEYS / 8., 5);
    CHECK_NEAR(f.hits[2], 2 * KEYS / 4., 5);
    CHECK_NEAR(f.hits[3], 2 * KEYS / 2., 5);
}

static void when_a_server_leaves_only_its_keys_move_and_to_all_others(void)
{
    struct stand f;
    static int before[KEYS];
    stand_init(&f, SERVICE_BALANCE_HASH, "1111111111");
    for (unsigned i = 0; i < KEYS; i++)
        before[i] = stand_pick_key(&f, i);
    memset(f.hits, 0, sizeof f.hits);
    stand_fail(&f, 3);
    unsigned n_moved = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        int now = stand_pick_key(&f, i);
        n_moved += now != before[i];
        CHECK(now == before[i] || before[i] == 3);
        CHECK(now != 3);
    }
    CHECK_NEAR(n_moved, KEYS / 10., 5);
    for (size_t i = 0; i < 10; i++)
        if (i != 3)
            CHECK_NEAR(f.hits[i], KEYS / 9., 5);
    f.slots[3].skip_until_ms = 0;
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_INT(stand_pick_key(&f, i), before[i]);
}

static void a_server_that_is_added_takes_its_share_from_all_and_moves_no_other_key(void)
{
    struct stand f;
    static int before[KEYS];
    stand_init(&f, SERVICE_BALANCE_HASH, "11111111111");
    f.roster.n = 10;
    for (unsigned i = 0; i < KEYS; i++)
        before[i] = stand_pick_key(&f, i);
    f.roster.n = 11;
    unsigned n_moved = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        int now = stand_pick_key(&f, i);
        n_moved += now != before[i];
        CHECK(now == before[i] || now == 10);
    }
    CHECK_NEAR(n_moved, KEYS / 11., 5);
}

static void a_changed_weight_moves_keys_to_or_from_that_server_alone(void)
{
    struct stand f;
    static int before[KEYS];
    stand_init(&f, SERVICE_BALANCE_HASH, "2222");
    for (unsigned i = 0; i < KEYS; i++)
        before[i] = stand_pick_key(&f, i);
    f.entries[0].weight = 1;
    for (unsigned i = 0; i < KEYS; i++) {
        int now = stand_pick_key(&f, i);
        CHECK(now == before[i] || before[i] == 0);
    }
}

static void one_popular_key_cannot_overload_its_server_within_a_bound(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_HASH, "11111");
    f.conf.hash_factor = 125;
    for (unsigned i = 0; i < 1000; i++)
        slot_take(&f.slots[stand_pick_key(&f, 1)]);
    for (size_t i = 0; i < 5; i++)
        CHECK(f.slots[i].n_active <= 251);
    stand_init(&f, SERVICE_BALANCE_HASH, "11111");
    int own = stand_pick_key(&f, 1);
    for (unsigned i = 0; i < 1000; i++)
        slot_take(&f.slots[stand_pick_key(&f, 1)]);
    CHECK_INT(f.slots[own].n_active, 1000);
}

static void requests_without_a_key_take_turns(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_HASH, "1111");
    f.service.hash_key.parts[0].kind = REQUEST_KEY_USER;
    stand_order(&f, "abcdabcd");
}

static void source_goes_by_the_client_and_its_network_of_ipv6(void)
{
    struct stand f;
    stand_init(&f, SERVICE_BALANCE_SOURCE, "1111111111");
    f.service.hash_key = (struct request_key){
        .n = 1, .parts[0].kind = REQUEST_KEY_CLIENT_IP, .v4_bits = 32, .v6_bits = 64};
    unsigned seen = 0;
    for (unsigned i = 0; i < 200; i++) {
        f.x.client = (struct ip){.bytes = {192, 0, 2, (uint8_t)i}, .family = 4};
        int chosen = stand_pick(&f);
        CHECK_INT(stand_pick(&f), chosen);
        seen |= BIT((unsigned)chosen);
    }
    CHECK_INT(seen, 1023);
    f.x.client = (struct ip){.bytes = {0x20, 1, 0xd, 0xb8, [15] = 1}, .family = 6};
    int chosen = stand_pick(&f);
    for (unsigned i = 0; i < 100; i++) {
        f.x.client.bytes[15] = (uint8_t)i;
        CHECK_INT(stand_pick(&f), chosen);
    }
}

TEST_MAIN(TEST(a_key_stays_with_its_server_and_keys_are_spread_by_weight),
          TEST(when_a_server_leaves_only_its_keys_move_and_to_all_others),
          TEST(a_server_that_is_added_takes_its_share_from_all_and_moves_no_other_key),
          TEST(a_changed_weight_moves_keys_to_or_from_that_server_alone),
          TEST(one_popular_key_cannot_overload_its_server_within_a_bound),
          TEST(requests_without_a_key_take_turns),
          TEST(source_goes_by_the_client_and_its_network_of_ipv6))
