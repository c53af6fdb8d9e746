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

TEST_MAIN(TEST(the_nearest_name_is_found))
