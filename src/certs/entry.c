// SPDX-License-Identifier: Apache-2.0
#include "certs/entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "certs/disk.h"
#include "rt/file.h"

#define LOCK_NAME ".lock"
#define READ_TRIES 5 // an entry may be replaced between two looks

bool certs_entry_name_is_valid(struct str name)
{
    if (name.len == 0 || name.len > CERTS_ENTRY_NAME_MAX_BYTES || name.ptr[0] == '.' ||
        name.ptr[0] == '@')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_fine = (c >= 'a' && c <= 'z') || ascii_is(c, ASCII_DIGIT) || c == '-' || c == '_' ||
                       c == '.' || c == '@';
        if (!is_fine)
            return false;
    }
    return true;
}

static enum err failed(const char **ret_why)
{
    *ret_why = strerror(errno);
    return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
}

// The name of an entry as libc wants it.
struct entry_name {
    char text[CERTS_ENTRY_NAME_MAX_BYTES + 1];
};

static bool take_name(struct str name, struct entry_name *ret, const char **ret_why)
{
    *ret_why = "its name can't be that of a file";
    if (!certs_entry_name_is_valid(name))
        return false;
    *str_copy(ret->text, name) = '\0';
    return true;
}

// Held while something is written. Each caller opens it anew: so threads exclude each other too.
static int take_lock(int folder)
{
    int fd = openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    disk_close(fd);
    return -1;
}

// --- writing ---

// A new folder with these files, all durable. -1 with errno; then nothing is left of it.
static bool write_version(int folder, const char *version, const struct certs_entry_file *files,
                          size_t n)
{
    if (mkdirat(folder, version, 0700) != 0)
        return false;
    int at = openat(folder, version, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    bool is_fine = at >= 0;
    for (size_t i = 0; i < n && is_fine; i++)
        is_fine = disk_write(at, files[i].name, files[i].bytes);
    is_fine = is_fine && disk_sync(at);
    int error = errno;
    disk_close(at);
    if (!is_fine)
        disk_remove(folder, version);
    errno = error;
    return is_fine;
}

// Makes name lead to version. What it led to before is in old then: its name, or that of what
// stood in its place.
static bool switch_link(int folder, const char *name, const char *version, const char *link,
                        char old[static NAME_MAX + 1])
{
    ssize_t n = readlinkat(folder, name, old, NAME_MAX);
    old[MAX(n, 0)] = '\0';
    if (symlinkat(version, folder, link) != 0)
        return false;
    if (renameat(folder, link, folder, name) == 0)
        return true;
    // A real folder, as copying programs leave it: the two change places.
    if ((errno == EISDIR || errno == ENOTDIR || errno == EEXIST) &&
        renameat2(folder, link, folder, name, RENAME_EXCHANGE) == 0) {
        snprintf(old, NAME_MAX + 1, "%s", link);
        return true;
    }
    int error = errno;
    unlinkat(folder, link, 0);
    errno = error;
    return false;
}

// Only what is named as a version of an entry is removed: a link may lead anywhere.
static bool is_version(const char *name)
{
    size_t len = strlen(name);
    if (name[0] != '.' || len <= DISK_RANDOM_CHARS + 2 || strchr(name, '/'))
        return false;
    const char *random = name + len - DISK_RANDOM_CHARS;
    for (size_t i = 0; i < DISK_RANDOM_CHARS; i++) {
        if (ascii_hex(random[i]) < 0)
            return false;
    }
    return random[-1] == '.';
}

static bool put_version(int folder, const char *name, const struct certs_entry_file *files,
                        size_t n)
{
    char random[DISK_RANDOM_CHARS + 1], version[NAME_MAX + 1], link[NAME_MAX + 1];
    char old[NAME_MAX + 1];
    disk_random(random);
    snprintf(version, sizeof version, ".%s.%s", name, random);
    snprintf(link, sizeof link, DISK_NEW_PREFIX "%s", random);
    if (!write_version(folder, version, files, n))
        return false;
    if (!switch_link(folder, name, version, link, old)) {
        int error = errno;
        disk_remove(folder, version);
        errno = error;
        return false;
    }
    disk_sync(folder); // without it a power cut may bring the old one back, whole
    if (is_version(old))
        disk_remove(folder, old);
    return true;
}

enum err certs_entry_put(int folder, struct str name, const struct certs_entry_file *files,
                         size_t n, const char **ret_why)
{
    struct entry_name entry;
    ASSERT(n > 0 && n <= CERTS_ENTRY_FILES_MAX);
    if (!take_name(name, &entry, ret_why))
        return ERR_RANGE;
    int lock = take_lock(folder);
    bool is_fine = lock >= 0 && put_version(folder, entry.text, files, n);
    if (!is_fine)
        *ret_why = strerror(errno);
    disk_close(lock);
    return is_fine ? ERR_OK : ERR_SYSTEM;
}

enum err certs_entry_put_file(int folder, struct str name, const struct certs_entry_file *file,
                              const char **ret_why)
{
    struct entry_name entry;
    enum err err = ERR_OK;
    if (!take_name(name, &entry, ret_why))
        return ERR_RANGE;
    int lock = take_lock(folder);
    int at = lock < 0 ? -1 : openat(folder, entry.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 || !disk_replace(at, file->name, file->bytes))
        err = failed(ret_why);
    disk_close(at);
    disk_close(lock);
    return err;
}

enum err certs_entry_remove(int folder, struct str name, const char **ret_why)
{
    struct entry_name entry;
    char old[NAME_MAX + 1];
    enum err err = ERR_OK;
    if (!take_name(name, &entry, ret_why))
        return ERR_RANGE;
    int lock = take_lock(folder);
    ssize_t n = lock < 0 ? -1 : readlinkat(folder, entry.text, old, NAME_MAX);
    old[MAX(n, 0)] = '\0';
    if (n < 0 && errno == EINVAL) { // a real folder
        if (!disk_remove(folder, entry.text))
            err = failed(ret_why);
    } else if (n < 0 || unlinkat(folder, entry.text, 0) != 0) {
        err = failed(ret_why);
    } else {
        disk_sync(folder);
        if (is_version(old))
            disk_remove(folder, old);
    }
    disk_close(lock);
    return err;
}

// --- reading ---

static enum err read_file(int at, struct certs_entry_file *file, struct arena *mem,
                          const char **ret_why)
{
    int fd = openat(at, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return failed(ret_why);
    enum err err = file_read_fd(fd, CERTS_FILE_MAX_BYTES, mem, &file->bytes, ret_why);
    close(fd);
    return err;
}

enum err certs_entry_get(int folder, struct str name, struct certs_entry_file *files, size_t n,
                         struct arena *mem, const char **ret_why)
{
    struct entry_name entry;
    enum err err = ERR_NOT_FOUND;
    if (!take_name(name, &entry, ret_why))
        return ERR_NOT_FOUND;
    // All files come from the folder that was opened once. It may vanish while they are read:
    // then there is a newer one.
    for (int i = 0; i < READ_TRIES && err == ERR_NOT_FOUND; i++) {
        int at = openat(folder, entry.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at < 0)
            return failed(ret_why);
        err = ERR_OK;
        for (size_t k = 0; k < n && err == ERR_OK; k++)
            err = read_file(at, &files[k], mem, ret_why);
        close(at);
    }
    return err;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

bool certs_entry_list(int folder, struct arena *mem, struct str **ret, size_t *ret_n)
{
    size_t n = 0, cap = 0;
    struct str *names = NULL;
    DIR *dir = disk_list(folder);
    bool is_fine = dir != NULL;
    for (const struct dirent *d; is_fine && (d = readdir(dir)) != NULL;) {
        struct str name = str_of(d->d_name);
        if (!certs_entry_name_is_valid(name) || d->d_type == DT_REG)
            continue;
        names = ARENA_GROW(mem, struct str, names, n, &cap);
        is_fine = names && (names[n] = arena_dup(mem, name)).ptr;
        n += is_fine;
    }
    if (dir)
        closedir(dir);
    if (!is_fine)
        return false;
    if (n > 1)
        qsort(names, n, sizeof *names, by_name);
    *ret = names;
    *ret_n = n;
    return true;
}

// --- opening ---

// True when a link leads to this folder: ".NAME.RANDOM" is what NAME leads to.
static bool is_in_use(int folder, const char *version)
{
    char name[NAME_MAX + 1], target[NAME_MAX + 1];
    size_t len = strlen(version) - DISK_RANDOM_CHARS - 2;
    *str_copy(name, str_from(version + 1, len)) = '\0';
    ssize_t n = readlinkat(folder, name, target, NAME_MAX);
    return n > 0 && str_eq(str_from(target, (size_t)n), str_of(version));
}

// What processes that died have left: versions that nothing leads to, links and files half made.
static void clear_remains(int folder)
{
    DIR *dir = disk_list(folder);
    for (const struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        bool is_new = str_starts(str_of(d->d_name), STR(DISK_NEW_PREFIX));
        bool is_old = is_version(d->d_name) && d->d_type == DT_DIR && !is_in_use(folder, d->d_name);
        if (is_new || is_old)
            disk_remove(folder, d->d_name);
    }
    if (dir)
        closedir(dir);
}

// What is in a folder that isn't ours must not be cleared, nor its modes changed: `state: /etc`. It
// is ours when it was empty, and from then on by its lock.
static bool is_ours(int folder)
{
    bool is_empty = true;
    if (faccessat(folder, LOCK_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    DIR *dir = disk_list(folder);
    for (const struct dirent *d; dir && (d = readdir(dir)) != NULL;)
        is_empty = is_empty && (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
                                strcmp(d->d_name, "lost+found") == 0);
    if (dir)
        closedir(dir);
    return dir && is_empty;
}

int certs_folder_open(int parent, const char *path, struct diags *diags)
{
    struct place place = {.source = path};
    if (mkdirat(parent, path, 0700) != 0 && errno != EEXIST) {
        diag_fail(diags, ERR_SYSTEM, place, "the folder can't be made: %s", strerror(errno));
        return -1;
    }
    int folder = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0 && !is_ours(folder)) {
        diag_fail(diags, ERR_RANGE, place,
                  "the folder holds other things: name one of its own for the state");
        disk_close(folder);
        return -1;
    }
    int lock = folder < 0 ? -1 : take_lock(folder);
    if (lock < 0) {
        diag_fail(diags, ERR_SYSTEM, place, "the folder can't be used: %s", strerror(errno));
        disk_close(folder);
        return -1;
    }
    clear_remains(folder);
    disk_repair_modes(folder, path, diags);
    disk_close(lock);
    return folder;
}
