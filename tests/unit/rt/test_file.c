// SPDX-License-Identifier: Apache-2.0
#include "rt/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"

// A file of n bytes, removed at once; its path leads to the open descriptor.
static int make_file(size_t n, char *path, size_t cap)
{
    char name[] = "/tmp/sallyport-test-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(write(fd, &(char){(char)('a' + i % 26)}, 1), 1);
    snprintf(path, cap, "/proc/self/fd/%d", fd);
    return fd;
}

static void files_up_to_the_limit_are_read_whole(void)
{
    static const struct {
        size_t bytes;
        enum err err;
    } cases[] = {{0, ERR_OK}, {1, ERR_OK}, {99, ERR_OK}, {100, ERR_OK}, {101, ERR_LIMIT}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct str got = STR_NONE;
        const char *why = NULL;
        char path[64];
        int fd = make_file(cases[i].bytes, path, sizeof path);
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK_INT(file_read(path, 100, &mem, &got, &why), cases[i].err);
        if (cases[i].err == ERR_OK) {
            CHECK_INT(got.len, cases[i].bytes);
            CHECK(got.ptr && got.ptr[got.len] == '\0');
            CHECK(got.len == 0 || got.ptr[0] == 'a');
        } else {
            CHECK_STR(str_of(why), STR("it is too large"));
        }
        arena_fini(&mem);
        close(fd);
    }
}

static void a_pipe_is_read_to_its_end(void)
{
    enum { N = 50000 }; // below a pipe's room
    int ends[2];
    char piece[100], path[64];
    memset(piece, 'p', sizeof piece);
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < N / 100; i++)
        CHECK_INT(write(ends[1], piece, sizeof piece), sizeof piece);
    close(ends[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    struct arena mem;
    struct str got = STR_NONE;
    const char *why = NULL;
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK_INT(file_read(path, 1 << 17, &mem, &got, &why), ERR_OK);
    CHECK_INT(got.len, N);
    arena_fini(&mem);
    close(ends[0]);
}

static void what_cannot_be_read_says_why(void)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"/nonexistent/file", "No such file or directory"},
        {"/tmp", "it is a directory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct str got;
        const char *why = NULL;
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK_INT(file_read(cases[i].path, 100, &mem, &got, &why), ERR_SYSTEM);
        CHECK_STR(str_of(why ? why : ""), str_of(cases[i].why));
        arena_fini(&mem);
    }
}

static void an_arena_that_is_too_small_is_a_limit(void)
{
    struct arena mem;
    struct str got;
    const char *why = NULL;
    char path[64];
    int fd = make_file(5000, path, sizeof path);
    arena_init(&mem, 1000, NULL, 0);
    CHECK_INT(file_read(path, 1 << 20, &mem, &got, &why), ERR_LIMIT);
    arena_fini(&mem);
    close(fd);
}

static void a_sealed_file_is_mapped_and_never_changes(void)
{
    int fd = file_sealed("test", STR("settings"));
    struct str got = STR_NONE;
    CHECK(fd >= 0);
    CHECK(write(fd, "x", 1) < 0);
    CHECK(ftruncate(fd, 0) < 0);
    CHECK(file_map_sealed(fd, &got));
    CHECK_STR(got, STR("settings"));
    close(fd);
    CHECK_STR(got, STR("settings"));
    file_unmap(got);
}

static void only_what_is_sealed_is_mapped(void)
{
    char path[64];
    struct str got = STR_NONE;
    int fd = make_file(10, path, sizeof path);
    CHECK(!file_map_sealed(fd, &got));
    CHECK(!file_map_sealed(-1, &got));
    CHECK_INT(got.len, 0);
    close(fd);
}

static void a_log_is_appended_to_and_not_readable_by_all(void)
{
    char dir[] = "/tmp/sallyport-test-XXXXXX", path[64];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/access.log", dir);
    for (int i = 0; i < 2; i++) {
        int fd = file_open_log(path);
        CHECK_INT(write(fd, "line\n", 5), 5);
        CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
    }
    struct stat st;
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_size, 10);
    CHECK_INT(st.st_mode & S_IRWXO, 0);
    unlink(path);
    rmdir(dir);
}

static void a_dash_is_a_copy_of_standard_output(void)
{
    int fd = file_open_log("-");
    CHECK(fd > STDERR_FILENO);
    close(fd);
    CHECK(fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

static void a_pipe_without_a_reader_does_not_make_the_caller_wait(void)
{
    char dir[] = "/tmp/sallyport-test-XXXXXX", path[64];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/fifo", dir);
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_INT(file_open_log(path), -1);
    unlink(path);
    rmdir(dir);
}

TEST_MAIN(TEST(files_up_to_the_limit_are_read_whole), TEST(a_pipe_is_read_to_its_end),
          TEST(what_cannot_be_read_says_why), TEST(an_arena_that_is_too_small_is_a_limit),
          TEST(a_sealed_file_is_mapped_and_never_changes), TEST(only_what_is_sealed_is_mapped),
          TEST(a_log_is_appended_to_and_not_readable_by_all),
          TEST(a_dash_is_a_copy_of_standard_output),
          TEST(a_pipe_without_a_reader_does_not_make_the_caller_wait))
