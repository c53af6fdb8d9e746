// SPDX-License-Identifier: Apache-2.0
#include "certs/cookie_key.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "unit/test.h"

static int folder(char path[static 64])
{
    snprintf(path, 64, "/tmp/cookie-key.XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_all(int fd, const char *path)
{
    unlinkat(fd, "cookie-key", 0);
    close(fd);
    CHECK_INT(rmdir(path), 0);
}

static void a_key_is_made_once_and_found_again(void)
{
    char path[64];
    const char *why = NULL;
    uint8_t first[CERTS_COOKIE_KEY_BYTES] = {0}, again[CERTS_COOKIE_KEY_BYTES] = {0};
    const uint8_t zeros[CERTS_COOKIE_KEY_BYTES] = {0};
    struct stat st;
    int fd = folder(path);
    CHECK(certs_cookie_key(fd, first, &why));
    CHECK(memcmp(first, zeros, sizeof zeros) != 0);
    CHECK_INT(fstatat(fd, "cookie-key", &st, 0), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK(certs_cookie_key(fd, again, &why));
    CHECK(memcmp(first, again, sizeof first) == 0);
    remove_all(fd, path);
}

static void a_file_that_is_no_key_stays_and_is_told(void)
{
    static const char *const contents[] = {"short",
                                           "much longer than the thirty-two bytes of a key"};
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        char path[64];
        const char *why = NULL;
        uint8_t key[CERTS_COOKIE_KEY_BYTES];
        int fd = folder(path);
        int file = openat(fd, "cookie-key", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ssize_t n = (ssize_t)strlen(contents[i]);
        CHECK_INT(write(file, contents[i], (size_t)n), n);
        close(file);
        CHECK(!certs_cookie_key(fd, key, &why));
        CHECK(why != NULL);
        remove_all(fd, path);
    }
}

static void a_folder_that_cannot_be_written_is_told(void)
{
    const char *why = NULL;
    uint8_t key[CERTS_COOKIE_KEY_BYTES];
    int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(!certs_cookie_key(fd, key, &why));
    CHECK(why != NULL);
    close(fd);
}

TEST_MAIN(TEST(a_key_is_made_once_and_found_again), TEST(a_file_that_is_no_key_stays_and_is_told),
          TEST(a_folder_that_cannot_be_written_is_told))
