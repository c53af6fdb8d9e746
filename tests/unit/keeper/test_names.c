// SPDX-License-Identifier: Apache-2.0
#include "keeper/names.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rt/dns_files.h"
#include "rt/file.h"
#include "unit/test.h"

#define SOON_MS 10000

// A folder with both files, and another one for what links lead to.
struct fixture {
    char folder[40];
    char etc[64], run[64], resolv_conf[80], hosts[80], other[80], link[80];
    struct names *names;
};

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

// Written beside it and renamed over it, as programs do that care.
static void replace_file(struct fixture *f, const char *path, const char *text)
{
    put_file(f->other, text);
    CHECK_INT(rename(f->other, path), 0);
}

static void begin(struct fixture *f)
{
    snprintf(f->folder, sizeof f->folder, "/tmp/sallyport-test-XXXXXX");
    CHECK(mkdtemp(f->folder) != NULL);
    snprintf(f->etc, sizeof f->etc, "%s/etc", f->folder);
    snprintf(f->run, sizeof f->run, "%s/run", f->folder);
    snprintf(f->resolv_conf, sizeof f->resolv_conf, "%s/resolv.conf", f->etc);
    snprintf(f->hosts, sizeof f->hosts, "%s/hosts", f->etc);
    snprintf(f->other, sizeof f->other, "%s/new", f->folder);
    snprintf(f->link, sizeof f->link, "%s/link", f->run);
    CHECK_INT(mkdir(f->etc, 0700) | mkdir(f->run, 0700), 0);
    put_file(f->resolv_conf, "nameserver 10.0.0.1\n");
    put_file(f->hosts, "10.0.0.1 a\n");
    f->names = names_new_at(f->resolv_conf, f->hosts);
}

static void end(struct fixture *f)
{
    names_free(f->names);
    char target[96];
    const char *const files[] = {f->resolv_conf, f->hosts, f->other, f->link};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    snprintf(target, sizeof target, "%s/real", f->run);
    unlink(target);
    CHECK_INT(rmdir(f->etc) | rmdir(f->run) | rmdir(f->folder), 0);
}

// Waits until something has changed. False: nothing has, for wait_ms.
static bool has_changed(struct fixture *f, int wait_ms)
{
    struct pollfd p = {.fd = names_fd(f->names), .events = POLLIN};
    while (poll(&p, 1, wait_ms) > 0) {
        if (names_look(f->names))
            return true;
    }
    return false;
}

static bool says(struct fixture *f, const char *resolv_conf, const char *hosts)
{
    struct str bytes;
    struct dns_files files;
    int fd = names_packed(f->names);
    bool is_said = fd >= 0 && file_map_sealed(fd, &bytes) && dns_files_unpack(bytes, &files) &&
                   str_eq(files.resolv_conf, str_of(resolv_conf)) &&
                   str_eq(files.hosts, str_of(hosts));
    if (is_said)
        file_unmap(bytes);
    close(fd);
    return is_said;
}

static void both_files_are_read_and_changes_seen(void)
{
    struct fixture f;
    begin(&f);
    CHECK(says(&f, "nameserver 10.0.0.1\n", "10.0.0.1 a\n"));
    put_file(f.hosts, "10.0.0.2 a\n"); // in place
    CHECK(has_changed(&f, SOON_MS));
    CHECK(says(&f, "nameserver 10.0.0.1\n", "10.0.0.2 a\n"));
    for (int i = 3; i < 6; i++) { // again and again
        char text[64];
        snprintf(text, sizeof text, "nameserver 10.0.0.%d\n", i);
        replace_file(&f, f.resolv_conf, text);
        CHECK(has_changed(&f, SOON_MS));
        CHECK(says(&f, text, "10.0.0.2 a\n"));
    }
    end(&f);
}

static void a_file_that_says_the_same_is_no_change(void)
{
    struct fixture f;
    begin(&f);
    replace_file(&f, f.hosts, "10.0.0.1 a\n");
    CHECK(!has_changed(&f, 400));
    end(&f);
}

static void a_link_that_is_replaced_and_its_target_are_followed(void)
{
    struct fixture f;
    char target[96];
    begin(&f);
    snprintf(target, sizeof target, "%s/real", f.run);
    put_file(target, "nameserver 10.0.0.2\n");
    CHECK_INT(symlink("real", f.link), 0); // run/link -> real
    // resolv.conf becomes a link to a link in another folder, which nobody watched before
    char moved[96];
    snprintf(moved, sizeof moved, "%s/moved", f.etc);
    CHECK_INT(symlink("../run/link", moved), 0);
    CHECK_INT(rename(moved, f.resolv_conf), 0);
    CHECK(has_changed(&f, SOON_MS));
    CHECK(says(&f, "nameserver 10.0.0.2\n", "10.0.0.1 a\n"));
    replace_file(&f, target, "nameserver 10.0.0.3\n"); // as systemd-resolved does
    CHECK(has_changed(&f, SOON_MS));
    CHECK(says(&f, "nameserver 10.0.0.3\n", "10.0.0.1 a\n"));
    end(&f);
}

static void a_file_that_is_gone_for_a_while_is_still_known(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(unlink(f.resolv_conf), 0);
    CHECK(!has_changed(&f, 400));
    CHECK(says(&f, "nameserver 10.0.0.1\n", "10.0.0.1 a\n"));
    put_file(f.resolv_conf, "nameserver 10.0.0.9\n");
    CHECK(has_changed(&f, SOON_MS));
    CHECK(says(&f, "nameserver 10.0.0.9\n", "10.0.0.1 a\n"));
    end(&f);
}

static void the_files_of_the_system_can_be_read(void)
{
    struct names *names = names_new();
    int fd = names_packed(names);
    CHECK(fd >= 0);
    CHECK(names_fd(names) >= 0);
    close(fd);
    names_free(names);
    names_free(NULL);
}

TEST_MAIN(TEST(both_files_are_read_and_changes_seen), TEST(a_file_that_says_the_same_is_no_change),
          TEST(a_link_that_is_replaced_and_its_target_are_followed),
          TEST(a_file_that_is_gone_for_a_while_is_still_known),
          TEST(the_files_of_the_system_can_be_read))
