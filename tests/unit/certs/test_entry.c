// SPDX-License-Identifier: Apache-2.0
// Entries of the store while the process dies or the disk is full at each single step: the calls
// that change files come through here (see meson.build). openat64 is what openat is called with
// large files.
#include "certs/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs/disk.h"
#include "unit/certs/folder.h"
#include "unit/test.h"

#define STEPS_MAX 200
#define KILLED 99

enum fault { FAULT_NONE, FAULT_DIE, FAULT_FULL };

static enum fault fault;
static int steps_left; // until the fault

// True: this call fails.
static bool is_step_to_fail(void)
{
    if (fault == FAULT_NONE || steps_left-- > 0)
        return false;
    if (fault == FAULT_DIE)
        _exit(KILLED); // as after a SIGKILL: nothing is tidied up
    steps_left = 0;    // a full disk stays full
    errno = ENOSPC;
    return true;
}

int __real_mkdirat(int, const char *, mode_t);
int __real_openat64(int, const char *, int, ...);
ssize_t __real_write(int, const void *, size_t);
int __real_fsync(int);
int __real_renameat(int, const char *, int, const char *);
int __real_renameat2(int, const char *, int, const char *, unsigned);
int __real_symlinkat(const char *, int, const char *);
int __real_unlinkat(int, const char *, int);

int __wrap_mkdirat(int at, const char *path, mode_t mode);
int __wrap_mkdirat(int at, const char *path, mode_t mode)
{
    return is_step_to_fail() ? -1 : __real_mkdirat(at, path, mode);
}

int __wrap_openat64(int at, const char *path, int flags, ...);
int __wrap_openat64(int at, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(args, int) : 0;
    va_end(args);
    return (flags & O_CREAT) != 0 && is_step_to_fail() ? -1
                                                       : __real_openat64(at, path, flags, mode);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    // A disk that is full takes some of it first.
    if (fault != FAULT_NONE && steps_left == 0 && n > 1)
        __real_write(fd, bytes, n / 2);
    return is_step_to_fail() ? -1 : __real_write(fd, bytes, n);
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return is_step_to_fail() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to)
{
    return is_step_to_fail() ? -1 : __real_renameat(from_at, from, to_at, to);
}

int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags);
int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    return is_step_to_fail() ? -1 : __real_renameat2(from_at, from, to_at, to, flags);
}

int __wrap_symlinkat(const char *target, int at, const char *path);
int __wrap_symlinkat(const char *target, int at, const char *path)
{
    return is_step_to_fail() ? -1 : __real_symlinkat(target, at, path);
}

// Removing works on a full disk.
int __wrap_unlinkat(int at, const char *path, int flags);
int __wrap_unlinkat(int at, const char *path, int flags)
{
    return fault == FAULT_DIE && is_step_to_fail() ? -1 : __real_unlinkat(at, path, flags);
}

// --- what is in the entry ---

// Two files of one version say the same number.
static enum err put_number(int folder, int number)
{
    char text[2][32];
    const char *why = "";
    struct certs_entry_file files[2] = {{.name = "cert"}, {.name = "key"}};
    for (int i = 0; i < 2; i++) {
        int len = snprintf(text[i], sizeof text[i], "number %d", number);
        files[i].bytes = str_from(text[i], (size_t)len);
    }
    return certs_entry_put(folder, STR("a.example"), files, 2, &why);
}

// -1: there is none; -2: the two files differ, or one is missing.
static int get_number(int folder)
{
    struct certs_entry_file files[2] = {{.name = "cert"}, {.name = "key"}};
    struct arena mem;
    const char *why = "";
    int number = -2;
    arena_init(&mem, 1 << 20, NULL, 0);
    enum err err = certs_entry_get(folder, STR("a.example"), files, 2, &mem, &why);
    if (err == ERR_NOT_FOUND && faccessat(folder, "a.example", F_OK, 0) != 0)
        number = -1;
    else if (err == ERR_OK && str_eq(files[0].bytes, files[1].bytes) &&
             str_starts(files[0].bytes, STR("number ")))
        number = files[0].bytes.ptr[7] - '0';
    arena_fini(&mem);
    return number;
}

static int opened(const struct test_folder *f)
{
    struct diags diags = {0};
    int folder = certs_folder_open(AT_FDCWD, f->path, &diags);
    CHECK(folder >= 0);
    CHECK_INT(diags.n, 0);
    diags_fini(&diags);
    return folder;
}

// The names in the folder: the entry, its version, the lock.
static size_t n_names(int folder)
{
    size_t n = 0;
    DIR *dir = disk_list(folder);
    for (const struct dirent *d; (d = readdir(dir)) != NULL;)
        n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
    closedir(dir);
    return n;
}

// --- tests ---

// Puts number 2 over `before` (-1: nothing) in a child that dies at each step in turn.
static void kill_at_each_step(int before)
{
    bool is_done = false;
    int n_old = 0, n_new = 0, steps = 0;
    for (; !is_done && steps < STEPS_MAX; steps++) {
        struct test_folder f;
        test_folder_begin(&f);
        int folder = opened(&f);
        if (before >= 0)
            CHECK_INT(put_number(folder, before), ERR_OK);
        pid_t pid = fork();
        if (pid == 0) {
            fault = FAULT_DIE;
            steps_left = steps;
            _exit(put_number(folder, 2) == ERR_OK ? 0 : 1);
        }
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        is_done = WEXITSTATUS(status) == 0;
        CHECK(is_done || WEXITSTATUS(status) == KILLED);
        int number = get_number(folder);
        CHECK(number == before || number == 2);
        n_old += number == before;
        n_new += number == 2;
        close(folder);
        folder = opened(&f); // clears what is left
        CHECK_INT(get_number(folder), number);
        CHECK_INT(n_names(folder), number < 0 ? 1 : 3);
        CHECK_INT(put_number(folder, 3), ERR_OK);
        CHECK_INT(get_number(folder), 3);
        close(folder);
        test_folder_end(&f);
    }
    CHECK(is_done && n_old > 5 && n_new > 1);
}

static void a_process_killed_at_any_step_leaves_the_old_or_the_new_files(void)
{
    kill_at_each_step(1);
}

static void a_process_killed_at_any_step_leaves_nothing_or_the_new_files(void)
{
    kill_at_each_step(-1);
}

static void a_disk_full_at_any_step_leaves_the_old_files_and_no_others(void)
{
    bool is_done = false;
    int steps = 0;
    for (; !is_done && steps < STEPS_MAX; steps++) {
        struct test_folder f;
        test_folder_begin(&f);
        int folder = opened(&f);
        CHECK_INT(put_number(folder, 1), ERR_OK);
        fault = FAULT_FULL;
        steps_left = steps;
        is_done = put_number(folder, 2) == ERR_OK;
        fault = FAULT_NONE;
        CHECK_INT(get_number(folder), is_done ? 2 : 1);
        CHECK_INT(n_names(folder), 3);
        close(folder);
        test_folder_end(&f);
    }
    CHECK(is_done && steps > 8);
}

static void one_file_is_replaced_or_stays_when_the_disk_is_full(void)
{
    const struct certs_entry_file key = {.name = "key", .bytes = STR("number 7")};
    bool is_done = false;
    for (int steps = 0; !is_done && steps < STEPS_MAX; steps++) {
        struct test_folder f;
        const char *why = "";
        test_folder_begin(&f);
        int folder = opened(&f);
        CHECK_INT(put_number(folder, 1), ERR_OK);
        fault = FAULT_FULL;
        steps_left = steps;
        is_done = certs_entry_put_file(folder, STR("a.example"), &key, &why) == ERR_OK;
        fault = FAULT_NONE;
        CHECK_INT(get_number(folder), is_done ? -2 : 1); // "number 1" and "number 7" differ
        close(folder);
        test_folder_end(&f);
    }
    CHECK(is_done);
}

static void wider_modes_are_repaired_and_reported(void)
{
    struct test_folder f;
    struct stat st;
    struct diags diags = {0};
    test_folder_begin(&f);
    int folder = opened(&f);
    CHECK_INT(put_number(folder, 1), ERR_OK);
    CHECK_INT(fchmodat(folder, "a.example", 0755, 0) | fchmodat(folder, "a.example/key", 0644, 0),
              0);
    close(folder);
    folder = certs_folder_open(AT_FDCWD, f.path, &diags);
    CHECK_INT(diags.n, 2);
    CHECK_INT(diags.n_errors, 0);
    CHECK(fstatat(folder, "a.example/key", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(fstatat(folder, "a.example", &st, 0) == 0 && (st.st_mode & 0777) == 0700);
    CHECK(fstatat(folder, ".", &st, 0) == 0 && (st.st_mode & 0777) == 0700);
    diags_fini(&diags);
    close(folder);
    test_folder_end(&f);
}

static void a_folder_that_was_copied_without_its_link_is_read_and_replaced(void)
{
    struct test_folder f;
    test_folder_begin(&f);
    int folder = opened(&f);
    CHECK_INT(put_number(folder, 1), ERR_OK);
    char target[256];
    ssize_t n = readlinkat(folder, "a.example", target, sizeof target - 1);
    CHECK(n > 0);
    target[MAX(n, 0)] = '\0';
    CHECK_INT(unlinkat(folder, "a.example", 0), 0);
    CHECK_INT(renameat(folder, target, folder, "a.example"), 0);
    CHECK_INT(get_number(folder), 1);
    CHECK_INT(put_number(folder, 2), ERR_OK);
    CHECK_INT(get_number(folder), 2);
    CHECK_INT(n_names(folder), 3);
    close(folder);
    test_folder_end(&f);
}

static void entries_are_listed_and_removed(void)
{
    static const char *const names[] = {"b", "_wildcard.a", "c.example", "10.0.0.1"};
    struct test_folder f;
    struct arena mem;
    struct str *list = NULL;
    size_t n = 0;
    const char *why = "";
    const struct certs_entry_file file = {.name = "x", .bytes = STR("y")};
    test_folder_begin(&f);
    arena_init(&mem, 1 << 20, NULL, 0);
    int folder = opened(&f);
    CHECK(certs_entry_list(folder, &mem, &list, &n) && n == 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK_INT(certs_entry_put(folder, str_of(names[i]), &file, 1, &why), ERR_OK);
    CHECK(certs_entry_list(folder, &mem, &list, &n) && n == 4);
    CHECK_STR(list[0], STR("10.0.0.1"));
    CHECK_STR(list[3], STR("c.example"));
    CHECK_INT(certs_entry_remove(folder, STR("b"), &why), ERR_OK);
    CHECK_INT(certs_entry_remove(folder, STR("b"), &why), ERR_NOT_FOUND);
    CHECK(certs_entry_list(folder, &mem, &list, &n) && n == 3);
    CHECK_INT(n_names(folder), 7);
    close(folder);
    arena_fini(&mem);
    test_folder_end(&f);
}

static void names_that_could_lead_elsewhere_are_refused(void)
{
    static const char *const names[] = {"",  ".",   "..",  ".a", "a/b", "../a",
                                        "A", "a b", "a\n", "*",  "@a"};
    struct test_folder f;
    const struct certs_entry_file file = {.name = "x", .bytes = STR("y")};
    test_folder_begin(&f);
    int folder = opened(&f);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *why = "";
        CHECK(!certs_entry_name_is_valid(str_of(names[i])));
        CHECK_INT(certs_entry_put(folder, str_of(names[i]), &file, 1, &why), ERR_RANGE);
        CHECK_INT(certs_entry_remove(folder, str_of(names[i]), &why), ERR_RANGE);
    }
    close(folder);
    test_folder_end(&f);
}

TEST_MAIN(TEST(a_process_killed_at_any_step_leaves_the_old_or_the_new_files),
          TEST(a_process_killed_at_any_step_leaves_nothing_or_the_new_files),
          TEST(a_disk_full_at_any_step_leaves_the_old_files_and_no_others),
          TEST(one_file_is_replaced_or_stays_when_the_disk_is_full),
          TEST(wider_modes_are_repaired_and_reported),
          TEST(a_folder_that_was_copied_without_its_link_is_read_and_replaced),
          TEST(entries_are_listed_and_removed), TEST(names_that_could_lead_elsewhere_are_refused))
