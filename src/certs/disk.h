// SPDX-License-Identifier: Apache-2.0
// What certs/entry.c does to folders and files, step by step. All with errno when they fail.
#pragma once

#include <dirent.h>
#include <stdbool.h>

#include "base/diag.h"
#include "base/text.h"

// Begins the names of what isn't complete yet. No entry begins so with its dot before it.
#define DISK_NEW_PREFIX "..new."
#define DISK_RANDOM_CHARS 16

// A name that nobody else has.
void disk_random(char ret[static DISK_RANDOM_CHARS + 1]);

// Accepts -1. Keeps errno.
void disk_close(int fd);

// Makes what was done to a file or folder durable.
bool disk_sync(int fd);

// A new file, 0600 and durable; its name in the folder isn't yet.
bool disk_write(int folder, const char *name, struct str bytes);

// The same in the place of another, all durable: the old file or the new one is there.
bool disk_replace(int folder, const char *name, struct str bytes);

// Appends the bytes of a file; one that isn't there is empty. False with errno: EFBIG beyond max.
bool disk_read(int folder, const char *name, size_t max, struct text *to);

// Removes a file, a link, or a folder with what is in it, two levels deep. Keeps errno when done.
bool disk_remove(int folder, const char *name);

// To read a folder from its beginning. NULL with errno.
DIR *disk_list(int folder);

// Takes away what group and others may do with this folder and all below it. Says so in diags.
void disk_repair_modes(int folder, const char *path, struct diags *diags);
