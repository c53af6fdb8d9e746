// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

static struct server_state *take_server(struct upstream_registry *r)
{
    const struct server_url url = {
        .kind = SERVER_NAME, .host = STR("app.test"), .port = 80, .key = STR("app.test:80")};
    return registry_take_server(r, &url, NULL);
}

static struct health_state *take_health(struct upstream_registry *r, struct server_state *server,
                                        struct str service, bool has_slots)
{
    return registry_take_health(r, &(struct health_wish){.service = service,
                                                         .server = server,
                                                         .name = STR("app.test:80"),
                                                         .has_slots = has_slots});
}

static bool is_drained(const struct health_state *h, size_t slot)
{
    return atomic_load(&h->slots[slot].is_drained);
}

static void a_server_is_drained_in_its_service_alone_and_in_all_of_its_addresses(void)
{
    struct upstream_registry *r = upstream_registry_new();
    struct server_state *server = take_server(r);
    struct health_state *app = take_health(r, server, STR("app"), true);
    struct health_state *api = take_health(r, server, STR("api"), true);
    CHECK(app != api);
    upstream_registry_drain(r, STR("app"), STR("app.test:80"), true);
    for (size_t i = 0; i < app->n_slots; i++) {
        CHECK(is_drained(app, i));
        CHECK(!is_drained(api, i));
    }
    upstream_registry_drain(r, STR("app"), STR("app.test:80"), false);
    CHECK(!is_drained(app, 0));
    registry_drop(&app->shared);
    registry_drop(&api->shared);
    registry_drop(&server->shared);
    upstream_registry_free(r);
}

static void who_is_drained_stays_so_while_no_service_names_it(void)
{
    struct upstream_registry *r = upstream_registry_new();
    upstream_registry_drain(r, STR("app"), STR("app.test:80"), true);
    struct server_state *server = take_server(r);
    for (int i = 0; i < 2; i++) {
        struct health_state *h = take_health(r, server, STR("app"), i == 1);
        CHECK_INT(h->n_slots, i == 1 ? DNS_ADDRS_MAX : 1);
        CHECK(is_drained(h, 0));
        CHECK(is_drained(h, h->n_slots - 1));
        registry_drop(&h->shared);
    }
    registry_drop(&server->shared);
    upstream_registry_free(r); // asserts that nothing is left
}

static void an_address_that_is_new_in_a_slot_has_no_past(void)
{
    struct upstream_registry *r = upstream_registry_new();
    struct server_state *server = take_server(r);
    struct health_state *h = take_health(r, server, STR("app"), true);
    const struct ip old = {.bytes = {10, 0, 0, 1}, .family = 4};
    const struct ip new = {.bytes = {10, 0, 0, 2}, .family = 4};
    CHECK(registry_put_answer(server, &old, 1, NULL));
    upstream_registry_drain(r, STR("app"), STR("app.test:80"), true);
    atomic_store(&h->slots[0].is_down, true);
    CHECK(registry_put_answer(server, &new, 1, NULL));
    CHECK(!atomic_load(&h->slots[0].is_down));
    CHECK(is_drained(h, 0)); // the server's, not the address's
    registry_drop(&h->shared);
    registry_drop(&server->shared);
    upstream_registry_free(r);
}

TEST_MAIN(TEST(a_server_is_drained_in_its_service_alone_and_in_all_of_its_addresses),
          TEST(who_is_drained_stays_so_while_no_service_names_it),
          TEST(an_address_that_is_new_in_a_slot_has_no_past))
