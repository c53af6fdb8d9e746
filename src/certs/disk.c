// SPDX-License-Identifier: Apache-2.0
#include "certs/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

#define DEPTH_MAX 4 // of folders below the one that is opened

void disk_random(char ret[static DISK_RANDOM_CHARS + 1])
{
    uint64_t number;
    ssize_t n = getrandom(&number, sizeof number, 0);
    ASSERT(n == (ssize_t)sizeof number); // the kernel gives so few bytes whole
    snprintf(ret, DISK_RANDOM_CHARS + 1, "%016llx", (unsigned long long)number);
}

void disk_close(int fd)
{
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
}

bool disk_sync(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL; // a file system that has no such thing
}

static bool write_all(int fd, struct str left)
{
    while (left.len > 0) {
        ssize_t n = write(fd, left.ptr, left.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return false;
        }
        left = str_skip(left, (size_t)n);
    }
    return true;
}

bool disk_write(int folder, const char *name, struct str bytes)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_fine = fd >= 0 && write_all(fd, bytes) && disk_sync(fd);
    disk_close(fd);
    return is_fine;
}

bool disk_replace(int folder, const char *name, struct str bytes)
{
    char random[DISK_RANDOM_CHARS + 1], fresh[sizeof DISK_NEW_PREFIX + sizeof random];
    disk_random(random);
    snprintf(fresh, sizeof fresh, DISK_NEW_PREFIX "%s", random);
    bool is_fine = disk_write(folder, fresh, bytes) && renameat(folder, fresh, folder, name) == 0;
    int error = errno;
    if (is_fine)
        disk_sync(folder);
    else
        unlinkat(folder, fresh, 0);
    errno = error;
    return is_fine;
}

bool disk_read(int folder, const char *name, size_t max, struct text *to)
{
    char piece[16 * 1024];
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT;
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 && to->len + (size_t)n <= max)
        text_put(to, str_from(piece, (size_t)n));
    disk_close(fd);
    if (n > 0)
        errno = EFBIG;
    return n == 0;
}

DIR *disk_list(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        disk_close(fd);
    return dir;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool remove_below(int folder, const char *name)
{
    int at = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = at >= 0 ? fdopendir(at) : NULL;
    if (!dir) {
        disk_close(at);
        return false;
    }
    for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (!is_dots(d->d_name))
            unlinkat(at, d->d_name, 0);
    }
    closedir(dir);
    return unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

bool disk_remove(int folder, const char *name)
{
    int error = errno;
    if (unlinkat(folder, name, 0) != 0 && (errno != EISDIR || !remove_below(folder, name)))
        return false;
    errno = error;
    return true;
}

// --- modes ---

static void repair(int fd, const char *path, const char *name, struct diags *diags)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || (st.st_mode & 077) == 0)
        return;
    struct place place = {.source = path};
    unsigned mode = st.st_mode & 0777;
    const char *slash = name[0] != '\0' ? "/" : "";
    if (fchmod(fd, st.st_mode & 0700) == 0)
        diag_warn(diags, place, "%s%s%s was open to others (mode %04o): repaired", path, slash,
                  name, mode);
    else
        diag_warn(diags, place, "%s%s%s is open to others (mode %04o) and can't be repaired: %s",
                  path, slash, name, mode, strerror(errno));
}

static void repair_below(int folder, const char *path, int depth, struct diags *diags)
{
    DIR *dir = disk_list(folder);
    for (const struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        if (is_dots(d->d_name) || d->d_type == DT_LNK)
            continue;
        int fd =
            openat(folder, d->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            continue;
        repair(fd, path, d->d_name, diags);
        if (d->d_type == DT_DIR && depth < DEPTH_MAX)
            repair_below(fd, path, depth + 1, diags);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

void disk_repair_modes(int folder, const char *path, struct diags *diags)
{
    repair(folder, path, "", diags);
    repair_below(folder, path, 0, diags);
}
