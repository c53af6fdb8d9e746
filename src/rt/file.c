// SPDX-License-Identifier: Apache-2.0
#include "rt/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define PIPE_WAIT_MS 2000 // for each piece of what a pipe brings

// wait_ms: how long to wait for each piece; -1: as long as it takes.
static enum err read_all(int fd, int wait_ms, size_t max_bytes, struct arena *mem, struct str *ret,
                         const char **ret_why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        *ret_why = strerror(errno);
        return ERR_SYSTEM;
    }
    if (S_ISDIR(st.st_mode)) {
        *ret_why = "it is a directory";
        return ERR_SYSTEM;
    }
    // Pipes and /proc tell no size: read up to the limit.
    size_t cap = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
    cap = MIN(cap, max_bytes + 1);
    char *buf = ARENA_ARRAY(mem, char, cap + 1);
    size_t len = 0;
    while (buf) {
        if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, wait_ms) == 0) {
            *ret_why = "nobody writes to it";
            return ERR_SYSTEM;
        }
        ssize_t n = read(fd, buf + len, cap - len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0) {
            *ret_why = strerror(errno);
            return ERR_SYSTEM;
        }
        if (n == 0) {
            buf[len] = '\0';
            *ret = str_from(buf, len);
            return ERR_OK;
        }
        len += (size_t)n;
        if (len > max_bytes)
            break;
        if (len == cap) {
            char *bigger = ARENA_ARRAY(mem, char, cap * 2 + 1);
            if (bigger)
                memcpy(bigger, buf, len);
            buf = bigger;
            cap *= 2;
        }
    }
    *ret_why = "it is too large";
    return ERR_LIMIT;
}

enum err file_read_fd(int fd, size_t max_bytes, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    return read_all(fd, -1, max_bytes, mem, ret, ret_why);
}

enum err file_read(const char *path, size_t max_bytes, struct arena *mem, struct str *ret,
                   const char **ret_why)
{
    // O_NONBLOCK: opening a named pipe would wait for a writer, and the keeper with it.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *ret_why = strerror(errno);
        return ERR_SYSTEM;
    }
    enum err err = read_all(fd, PIPE_WAIT_MS, max_bytes, mem, ret, ret_why);
    close(fd);
    return err;
}

bool file_stat(int fd, struct stat *ret)
{
    return syscall(SYS_fstat, fd, ret) == 0;
}

int file_sealed(const char *name, struct str bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    struct str left = bytes;
    while (left.len > 0) {
        ssize_t n = write(fd, left.ptr, left.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto out;
        left = str_skip(left, (size_t)n);
    }
    if (fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
out:;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool file_map_sealed(int fd, struct str *ret)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return false;
    struct stat st;
    if (!file_stat(fd, &st) || st.st_size <= 0)
        return false;
    void *ptr = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (ptr == MAP_FAILED)
        return false;
    // Settings have passwords and keys: they don't belong in a core dump.
    (void)madvise(ptr, (size_t)st.st_size, MADV_DONTDUMP);
    *ret = str_from(ptr, (size_t)st.st_size);
    return true;
}

void file_unmap(struct str bytes)
{
    if (bytes.len > 0)
        munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
}

int file_open_log(const char *path)
{
    if (strcmp(path, "-") == 0)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    // O_NONBLOCK: a named pipe that nobody reads is an error, and not something to wait for.
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}
