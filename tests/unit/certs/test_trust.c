// SPDX-License-Identifier: Apache-2.0
#include "certs/trust.h"

#include "unit/certs/folder.h"
#include "unit/test.h"

static void the_root_is_installed_for_all_to_read_and_removed(void)
{
    struct test_folder f;
    struct stat st;
    char path[100];
    const char *why = "";
    test_folder_begin(&f);
    snprintf(path, sizeof path, "%s/" CERTS_TRUST_FILE, f.path);
    CHECK_INT(certs_trust_install(f.path, "true", STR("root"), &why), ERR_OK);
    CHECK_INT(certs_trust_install(f.path, "true", STR("other"), &why), ERR_OK);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0644 && st.st_size == 5);
    CHECK_INT(certs_trust_remove(f.path, "true", &why), ERR_OK);
    CHECK(access(path, F_OK) != 0);
    CHECK_INT(certs_trust_remove(f.path, "true", &why), ERR_NOT_FOUND);
    test_folder_end(&f);
}

static void what_fails_is_said(void)
{
    struct test_folder f;
    const char *why = "";
    test_folder_begin(&f);
    CHECK_INT(certs_trust_install(f.path, "false", STR("root"), &why), ERR_SYSTEM);
    CHECK_STR(str_of(why), STR("the command that updates the trust store failed"));
    CHECK_INT(certs_trust_install(f.path, "no-such-command-here", STR("root"), &why), ERR_SYSTEM);
    CHECK(strstr(why, "isn't installed") != NULL);
    CHECK_INT(certs_trust_install("/nonexistent/folder", "true", STR("root"), &why), ERR_SYSTEM);
    CHECK_STR(str_of(why), STR("No such file or directory"));
    test_folder_end(&f);
}

TEST_MAIN(TEST(the_root_is_installed_for_all_to_read_and_removed), TEST(what_fails_is_said))
