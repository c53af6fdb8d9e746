// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

static void addresses_that_stay_keep_their_slots(void)
{
    struct upstream_registry *r = upstream_registry_new();
    struct server_url url = {
        .kind = SERVER_NAME, .host = STR("app.test"), .port = 80, .key = STR("app.test:80")};
    struct server_state *s = registry_take_server(r, &url, NULL);
    struct ip ips[4];
    for (uint8_t i = 0; i < ARRAY_LEN(ips); i++)
        ips[i] = (struct ip){.bytes = {10, 0, 0, i}, .family = 4};
    CHECK(registry_put_answer(s, ips, 3, NULL));
    CHECK(!registry_put_answer(s, ips, 3, NULL));
    atomic_store(&s->slots[1].skip_until_ms, 77);
    atomic_store(&s->slots[0].skip_until_ms, 88);
    CHECK(registry_put_answer(s, ips + 1, 3, NULL)); // 0 goes, 3 comes
    struct server_answer answer = {0};
    registry_hold_server(s, &answer);
    registry_unhold(&s->shared);
    CHECK_INT(answer.n, 3);
    for (size_t i = 0; i < answer.n; i++) {
        uint8_t last = answer.addrs[i].ip.bytes[3];
        CHECK_INT(answer.addrs[i].slot, last == 3 ? 0 : last);
    }
    CHECK_INT(atomic_load(&s->slots[1].skip_until_ms), 77);
    CHECK_INT(atomic_load(&s->slots[0].skip_until_ms), 0);
    CHECK(!registry_put_answer(s, NULL, 0, "no server answered"));
    registry_hold_server(s, &answer);
    registry_unhold(&s->shared);
    CHECK_INT(answer.n, 3);
    registry_drop(&s->shared);
    upstream_registry_free(r);
}

TEST_MAIN(TEST(addresses_that_stay_keep_their_slots))
