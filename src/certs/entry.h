// SPDX-License-Identifier: Apache-2.0
// Files that belong together, in a folder that is replaced as one. NAME is a link to a folder
// ".NAME.RANDOM" beside it; a new one is written whole, made durable, and then the link is renamed
// over the old one. So a process that dies at any step, or a full disk, leaves the old files or the
// new ones. Folders are 0700 and files 0600. These calls block; threads and processes may call them
// at once.
#pragma once

#include "base/arena.h"
#include "base/diag.h"

#define CERTS_ENTRY_FILES_MAX 8u
#define CERTS_ENTRY_NAME_MAX_BYTES 200u
#define CERTS_FILE_MAX_BYTES ((size_t)4 << 20)

struct certs_entry_file {
    const char *name;
    struct str bytes;
};

// Of an entry: a-z, 0-9, '-', '_', and not first '.' and '@'.
bool certs_entry_name_is_valid(struct str name);

// Opens (and makes) a folder of entries below parent (AT_FDCWD: path is any path), repairs modes
// that are wider than they should be and clears what dead processes left, and says so in diags.
// -1: the error is in diags; a folder that holds other things is refused, and nothing in it
// changed.
int certs_folder_open(int parent, const char *path, struct diags *diags);

// All or nothing. ERR_SYSTEM with *ret_why: nothing has changed.
enum err certs_entry_put(int folder, struct str name, const struct certs_entry_file *files,
                         size_t n, const char **ret_why) MUST_CHECK;

// Reads files[i].bytes of the names given, of one and the same version. ERR_NOT_FOUND: no such
// entry or file.
enum err certs_entry_get(int folder, struct str name, struct certs_entry_file *files, size_t n,
                         struct arena *mem, const char **ret_why) MUST_CHECK;

// Replaces one file of an entry. ERR_NOT_FOUND: no such entry.
enum err certs_entry_put_file(int folder, struct str name, const struct certs_entry_file *file,
                              const char **ret_why) MUST_CHECK;

// Removes an entry with its files. ERR_NOT_FOUND: no such entry.
enum err certs_entry_remove(int folder, struct str name, const char **ret_why) MUST_CHECK;

// The names of all entries, sorted. False: mem has no room, or the folder can't be read.
bool certs_entry_list(int folder, struct arena *mem, struct str **ret, size_t *ret_n) MUST_CHECK;
