// SPDX-License-Identifier: Apache-2.0
#include "keeper/state_path.h"

#include <string.h>

#include "unit/test.h"

static void the_environment_and_the_user_decide(void)
{
    static const struct {
        uid_t uid;
        struct state_env env;
        const char *path;
    } cases[] = {
        {0, {NULL, NULL, "/root"}, "/var/lib/sallyport"},
        {0, {NULL, "/x", "/root"}, "/var/lib/sallyport"},
        {0, {"/run/state", NULL, "/root"}, "/run/state"},
        {7, {"/run/state:/run/other", "/x", "/home/u"}, "/run/state"},
        {7, {NULL, "/x", "/home/u"}, "/x/sallyport"},
        {7, {NULL, "relative", "/home/u"}, "/home/u/.local/state/sallyport"},
        {7, {"", NULL, "/home/u"}, "/home/u/.local/state/sallyport"},
        {7, {NULL, NULL, NULL}, "/var/lib/sallyport"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[64];
        CHECK(state_path_of(cases[i].uid, &cases[i].env, path, sizeof path));
        CHECK_STR(str_of(path), str_of(cases[i].path));
    }
}

static void a_path_that_does_not_fit_is_none(void)
{
    char path[8] = "before";
    CHECK(!state_path_of(0, &(struct state_env){.home = NULL}, path, sizeof path));
    CHECK_STR(str_of(path), STR(""));
}

TEST_MAIN(TEST(the_environment_and_the_user_decide), TEST(a_path_that_does_not_fit_is_none))
