// SPDX-License-Identifier: Apache-2.0
// The file for bodies that gates read ahead (the filter `buffer`): the keeper opens it, since gates
// may not. It has no name, so that nobody else finds it, and its space is free when its gate ends.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "gate/settings.h"

// What settings want. Zeroed: none.
struct spool_file {
    char *folder; // owns; NULL: no file
    uint64_t max_bytes;
};

// Tries whether a file can be had. False: told in diags, the folder that somebody chose doesn't do.
// By default a missing one is worth a warning, if anybody would use it; and so is a full disk.
bool spool_file_plan(const struct settings *s, struct diags *diags, struct spool_file *ret);

// A new one, empty, without a name, 0600. -1 with errno.
int spool_file_open(const char *folder);

void spool_file_fini(struct spool_file *f);
