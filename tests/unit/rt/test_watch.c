// SPDX-License-Identifier: Apache-2.0
#include "rt/watch.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"

#define SOON_MS 10000

struct fixture {
    char folder[40];
    char deep[80], file[100], link[80];
    struct watch *watch;
};

static void begin(struct fixture *f)
{
    snprintf(f->folder, sizeof f->folder, "/tmp/sallyport-test-XXXXXX");
    CHECK(mkdtemp(f->folder) != NULL);
    snprintf(f->deep, sizeof f->deep, "%s/deep", f->folder);
    snprintf(f->file, sizeof f->file, "%s/file", f->deep);
    snprintf(f->link, sizeof f->link, "%s/link", f->folder);
    f->watch = watch_new();
}

static void end(struct fixture *f)
{
    watch_free(f->watch);
    unlink(f->file);
    unlink(f->link);
    rmdir(f->deep);
    CHECK_INT(rmdir(f->folder), 0);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static bool is_seen(struct fixture *f, int wait_ms)
{
    struct pollfd p = {.fd = watch_fd(f->watch), .events = POLLIN};
    while (poll(&p, 1, wait_ms) > 0) {
        if (watch_look(f->watch))
            return true;
    }
    return false;
}

static void a_file_that_is_rewritten_is_seen_once(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(mkdir(f.deep, 0700), 0);
    put_file(f.file, "1");
    watch_add(f.watch, f.file);
    CHECK(!is_seen(&f, 0));
    for (int i = 0; i < 10; i++)
        put_file(f.file, "2");
    CHECK(is_seen(&f, SOON_MS));
    CHECK(!is_seen(&f, 0));
    end(&f);
}

static void a_file_below_folders_that_are_missing_is_seen_when_it_comes(void)
{
    struct fixture f;
    begin(&f);
    watch_add(f.watch, f.file);
    CHECK_INT(mkdir(f.deep, 0700), 0);
    CHECK(is_seen(&f, SOON_MS));
    watch_add(f.watch, f.file); // as callers do when they look again
    put_file(f.file, "1");
    CHECK(is_seen(&f, SOON_MS));
    end(&f);
}

static void what_a_link_leads_to_is_seen(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(mkdir(f.deep, 0700), 0);
    put_file(f.file, "1");
    CHECK_INT(symlink("deep/file", f.link), 0);
    watch_add(f.watch, f.link);
    CHECK_INT(unlink(f.file), 0);
    CHECK(is_seen(&f, SOON_MS));
    end(&f);
}

static void what_is_forgotten_is_not_seen(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(mkdir(f.deep, 0700), 0);
    watch_add(f.watch, f.file);
    watch_clear(f.watch);
    put_file(f.file, "1");
    CHECK(!is_seen(&f, 300));
    watch_add(f.watch, f.file);
    put_file(f.file, "2");
    CHECK(is_seen(&f, SOON_MS));
    end(&f);
}

TEST_MAIN(TEST(a_file_that_is_rewritten_is_seen_once),
          TEST(a_file_below_folders_that_are_missing_is_seen_when_it_comes),
          TEST(what_a_link_leads_to_is_seen), TEST(what_is_forgotten_is_not_seen))
