// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

static void the_host_field_is_kept_or_the_servers_or_another(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    char own[192];
    snprintf(own, sizeof own, "Host: %.160s\r\n", a.url + strlen("http://"));
    const struct {
        const char *setting, *wanted;
    } cases[] = {
        {"", "Host: client.test\r\n"},
        {"keep", "Host: client.test\r\n"},
        {"server", own},
        {"other.test:81", "Host: other.test:81\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        r.conf.host.text = str_of(cases[i].setting);
        struct handler *old = r.service;
        rig_build(&r);
        service_release(old);
        CHECK_INT(call(&r, METHOD_GET).status, 200);
        CHECK(strstr(a.last, cases[i].wanted) != NULL);
    }
    CHECK_INT(a.n_conns, 1);
    origin_stop(&a);
    rig_fini(&r);
}

static void what_was_done_is_noted_in_the_exchange(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call c = call(&r, METHOD_GET);
    CHECK_STR(str_of(c.server), str_of(a.url + strlen("http://")));
    CHECK(strstr(c.trail, "service app chose") != NULL);
    CHECK_INT(c.n_tries, 1);
    CHECK_INT(c.end, EXCHANGE_END_OK);
    origin_stop(&a);
    rig_fini(&r);
}

TEST_MAIN(TEST(the_host_field_is_kept_or_the_servers_or_another),
          TEST(what_was_done_is_noted_in_the_exchange))
