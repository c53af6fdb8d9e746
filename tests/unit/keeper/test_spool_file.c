// SPDX-License-Identifier: Apache-2.0
#include "keeper/spool_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/filter.h"
#include "unit/test.h"

static char folder[64];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/spool-file-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static unsigned count_entries(void)
{
    unsigned n = 0;
    DIR *d = opendir(folder);
    while (d && readdir(d))
        n++;
    closedir(d);
    return n - 2; // . and ..
}

static void the_file_has_no_name_and_is_nobody_else_s(void)
{
    set_up();
    int fd = spool_file_open(folder);
    struct stat st;
    char got[6];
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_INT(st.st_nlink, 0);
    CHECK_INT(count_entries(), 0);
    CHECK_INT(pwrite(fd, "bytes", 6, 100), 6);
    CHECK_INT(pread(fd, got, 6, 100), 6);
    CHECK(strcmp(got, "bytes") == 0);
    close(fd);
    CHECK_INT(rmdir(folder), 0);
}

static struct settings settings_of(const char *path)
{
    struct settings s;
    memset(&s, 0, sizeof s);
    s.spool = (struct spool_conf){.is_on = true, .folder.text = str_of(path), .max_bytes = 1 << 20};
    return s;
}

static void what_settings_want_is_kept(void)
{
    set_up();
    struct settings s = settings_of(folder);
    struct diags diags = {.n = 0};
    struct spool_file f;
    CHECK(spool_file_plan(&s, &diags, &f));
    CHECK(f.folder && strcmp(f.folder, folder) == 0);
    CHECK_INT(f.max_bytes, 1 << 20);
    CHECK_INT(diags.n, 0);
    spool_file_fini(&f);
    spool_file_fini(&f);
    s.spool.is_on = false;
    CHECK(spool_file_plan(&s, &diags, &f));
    CHECK(f.folder == NULL);
    CHECK_INT(rmdir(folder), 0);
}

static void a_folder_that_somebody_chose_has_to_do(void)
{
    struct settings s = settings_of("/nowhere/at/all");
    struct diags diags = {.n = 0};
    struct spool_file f;
    CHECK(spool_file_open("/nowhere/at/all") < 0);
    CHECK_INT(errno, ENOENT);
    CHECK(!spool_file_plan(&s, &diags, &f));
    CHECK_INT(diags.n_errors, 1);
    CHECK(strstr(diags.items[0].text, "/nowhere/at/all") != NULL);
    CHECK(strstr(diags.items[0].text, "spool: off") != NULL);
    CHECK(f.folder == NULL);
    diags_fini(&diags);
}

// As a disk that is full: settings are right, and another gate may have more luck.
static void what_passes_refuses_no_settings(void)
{
    set_up();
    struct settings s = settings_of(folder);
    struct diags diags = {.n = 0};
    struct spool_file f;
    struct rlimit before, none;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(spool_file_plan(&s, &diags, &f));
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK(f.folder && strcmp(f.folder, folder) == 0);
    CHECK_INT(diags.n_errors, 0);
    spool_file_fini(&f);
    diags_fini(&diags);
    CHECK_INT(rmdir(folder), 0);
}

TEST_MAIN(TEST(the_file_has_no_name_and_is_nobody_else_s), TEST(what_settings_want_is_kept),
          TEST(a_folder_that_somebody_chose_has_to_do), TEST(what_passes_refuses_no_settings))
