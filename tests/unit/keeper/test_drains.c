// SPDX-License-Identifier: Apache-2.0
#include "keeper/drains.h"

#include <stdio.h>

#include "gate/protocol.h"
#include "unit/test.h"

static void each_server_is_there_once_and_goes_again(void)
{
    struct drains d = {.list = NULL};
    const char *why;
    CHECK(drains_set(&d, STR("app"), STR("10.0.0.1:80"), true, &why));
    CHECK(drains_set(&d, STR("app"), STR("10.0.0.1:80"), true, &why));
    CHECK(drains_set(&d, STR("api"), STR("10.0.0.1:80"), true, &why));
    CHECK(drains_set(&d, STR("x"), STR("10.0.0.1:80"), false, &why)); // was never
    CHECK_INT(drains_count(&d), 2);
    CHECK(drains_set(&d, STR("app"), STR("10.0.0.1:80"), false, &why));
    CHECK_INT(drains_count(&d), 1);
    struct str service, server;
    drains_get(&d, 0, &service, &server);
    CHECK_STR(service, STR("api"));
    CHECK_STR(server, STR("10.0.0.1:80"));
    drains_fini(&d);
}

static void what_cannot_be_told_to_a_gate_is_refused(void)
{
    struct drains d = {.list = NULL};
    char many[GATE_SERVER_MAX_BYTES + 1];
    const char *why = NULL;
    memset(many, 'x', sizeof many);
    CHECK(!drains_set(&d, STR("app"), str_from(many, sizeof many), true, &why));
    CHECK(!drains_set(&d, str_from(many, sizeof many), STR("s"), true, &why));
    CHECK(!drains_set(&d, STR(""), STR("s"), true, &why));
    CHECK(!drains_set(&d, STR("app"), STR(""), true, &why));
    CHECK(!drains_set(&d, STR("app"), STR("\xff"), true, &why));
    CHECK(drains_set(&d, STR("app"), str_from(many, sizeof many - 1), true, &why));
    CHECK_INT(drains_count(&d), 1);
    drains_fini(&d);
}

static void there_are_not_too_many(void)
{
    struct drains d = {.list = NULL};
    const char *why = NULL;
    char name[16];
    for (int i = 0; i < DRAINS_MAX; i++) {
        snprintf(name, sizeof name, "s%d", i);
        CHECK(drains_set(&d, STR("app"), str_of(name), true, &why));
    }
    CHECK(!drains_set(&d, STR("app"), STR("one more"), true, &why));
    CHECK_STR(str_of(why), STR("too many servers are drained already"));
    CHECK(drains_set(&d, STR("app"), STR("s7"), false, &why));
    CHECK(drains_set(&d, STR("app"), STR("one more"), true, &why));
    drains_fini(&d);
}

static void the_next_binary_gets_the_list_and_believes_what_makes_sense(void)
{
    struct drains d = {.list = NULL}, next = {.list = NULL};
    const char *why;
    CHECK(drains_set(&d, STR("app"), STR("a"), true, &why));
    CHECK(drains_set(&d, STR("app"), STR("b"), true, &why));
    json_t *list = drains_pack(&d);
    json_array_append_new(list, json_string("nonsense"));
    json_array_append_new(list, json_pack("{s:s}", "service", "app"));
    drains_adopt(&next, list);
    CHECK_INT(drains_count(&next), 2);
    drains_adopt(&next, NULL);
    CHECK_INT(drains_count(&next), 2);
    json_decref(list);
    drains_fini(&d);
    drains_fini(&next);
    list = drains_pack(&d);
    CHECK_INT(json_array_size(list), 0);
    json_decref(list);
}

TEST_MAIN(TEST(each_server_is_there_once_and_goes_again),
          TEST(what_cannot_be_told_to_a_gate_is_refused), TEST(there_are_not_too_many),
          TEST(the_next_binary_gets_the_list_and_believes_what_makes_sense))
