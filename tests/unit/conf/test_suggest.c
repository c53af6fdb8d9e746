// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/support.h"

#include "conf/conf.h"

static void the_nearest_name_is_found(void)
{
    static const char *const names[] = {"listen", "idle-timeout", "tls", "to", "sites", NULL};
    static const struct {
        const char *wrong, *right;
    } cases[] = {
        {"lisen", "listen"},
        {"lisetn", "listen"},
        {"LISTEN", "listen"},
        {"idle_timeout", "idle-timeout"},
        {"idleTimeout", "idle-timeout"},
        {"idle", "idle-timeout"},
        {"sitess", "sites"},
        {"tsl", "tls"},
        {"tp", "to"},
        {"listen-address", "listen"},
        {"xyz", NULL},
        {"", NULL},
        {"x", NULL},
        {"this-is-a-key-that-is-much-longer-than-any-name-that-a-table-would-ever-have", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STR(str_of(conf_suggest(str_of(cases[i].wrong), names)), str_of(cases[i].right));
}

static void of_two_as_near_the_one_that_goes_on_is_meant(void)
{
    static const char *const names[] = {"stop", "status", "stat", NULL};
    static const char *const without_itself[] = {"stop", "status", NULL};
    CHECK_STR(str_of(conf_suggest(STR("stat"), without_itself)), STR("status"));
    CHECK_STR(str_of(conf_suggest(STR("stat"), names)), STR("stat"));
    CHECK_STR(str_of(conf_suggest(STR("stpo"), names)), STR("stop"));
}

TEST_MAIN(TEST(the_nearest_name_is_found), TEST(of_two_as_near_the_one_that_goes_on_is_meant))
