// SPDX-License-Identifier: Apache-2.0
// A folder of a test's own, removed with all that is in it.
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

struct test_folder {
    char path[40];
};

static inline void test_folder_begin(struct test_folder *f)
{
    snprintf(f->path, sizeof f->path, "/tmp/sallyport-test-XXXXXX");
    if (!mkdtemp(f->path))
        abort();
}

static inline int test_folder_remove_one(const char *path, const struct stat *st, int kind,
                                         struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void test_folder_end(struct test_folder *f)
{
    nftw(f->path, test_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// Writes a file below it, in place.
static inline void test_folder_put(const struct test_folder *f, const char *name, struct str text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "we");
    if (!file || fwrite(text.ptr, 1, text.len, file) != text.len || fclose(file) != 0)
        abort();
}
