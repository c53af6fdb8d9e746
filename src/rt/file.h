// SPDX-License-Identifier: Apache-2.0
// Files of the control side: these calls block. Not for workers.
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

// A whole file of at most max_bytes into mem, NUL behind it. ERR_SYSTEM or ERR_LIMIT; *ret_why is a
// text for people, valid until the thread's next call.
enum err file_read(const char *path, size_t max_bytes, struct arena *mem, struct str *ret,
                   const char **ret_why) MUST_CHECK;

// The same of what is left to read from a descriptor, which stays open.
enum err file_read_fd(int fd, size_t max_bytes, struct arena *mem, struct str *ret,
                      const char **ret_why) MUST_CHECK;

// As fstat, by the system call that takes no path: the C library's function makes one that does,
// and that a sandbox forbids.
bool file_stat(int fd, struct stat *ret);

// A file in memory with these bytes that can't change any more (sealed memfd). -1 with errno.
int file_sealed(const char *name, struct str bytes);

// Maps a sealed file from file_sealed read-only. False unless it is fully sealed.
bool file_map_sealed(int fd, struct str *ret);
void file_unmap(struct str bytes);

// Opens a log for appending, 0640, close-on-exec; "-" is a copy of standard output. -1 with errno.
int file_open_log(const char *path);
