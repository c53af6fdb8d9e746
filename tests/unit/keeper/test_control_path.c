// SPDX-License-Identifier: Apache-2.0
#include "keeper/control_path.h"

#include <unistd.h>

#include "unit/test.h"

static void each_user_has_a_path_of_their_own(void)
{
    static const struct {
        uid_t uid;
        const char *runtime_dir, *path;
    } cases[] = {
        {0, NULL, "/run/sallyport/control.sock"},
        {0, "/run/user/0", "/run/sallyport/control.sock"},
        {1000, "/run/user/1000", "/run/user/1000/sallyport/control.sock"},
        {1000, NULL, "/tmp/sallyport-1000/control.sock"},
        {1000, "", "/tmp/sallyport-1000/control.sock"},
        {1000, "run", "/tmp/sallyport-1000/control.sock"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[108];
        CHECK(control_path_of(cases[i].uid, cases[i].runtime_dir, path, sizeof path));
        CHECK_STR(str_of(path), str_of(cases[i].path));
    }
}

static void a_path_that_does_not_fit_is_none(void)
{
    char path[27] = "before";
    CHECK(!control_path_of(0, NULL, path, sizeof path));
    CHECK_STR(str_of(path), STR(""));
    char fits[28];
    CHECK(control_path_of(0, NULL, fits, sizeof fits));
}

static void the_default_is_that_of_this_user(void)
{
    char path[108], same[108];
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    CHECK(control_default_path(path, sizeof path));
    CHECK(control_path_of(geteuid(), "/run/user/7", same, sizeof same));
    CHECK_STR(str_of(path), str_of(same));
}

static void the_environment_has_the_last_word_on_the_default(void)
{
    char path[108], small[8];
    setenv("SALLYPORT_CONTROL", "/srv/control.sock", 1);
    CHECK(control_default_path(path, sizeof path));
    CHECK_STR(str_of(path), STR("/srv/control.sock"));
    CHECK(!control_default_path(small, sizeof small));
    CHECK_STR(str_of(small), STR(""));
    setenv("SALLYPORT_CONTROL", "", 1);
    the_default_is_that_of_this_user();
    unsetenv("SALLYPORT_CONTROL");
}

TEST_MAIN(TEST(each_user_has_a_path_of_their_own), TEST(a_path_that_does_not_fit_is_none),
          TEST(the_default_is_that_of_this_user),
          TEST(the_environment_has_the_last_word_on_the_default))
