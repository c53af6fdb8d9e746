// SPDX-License-Identifier: Apache-2.0
// Which files of a folder are certificates:
//   NAME.pem, NAME.crt, NAME.cer   with the key within, or in NAME.key or NAME.pem.key …
//   NAME/fullchain.pem and NAME/privkey.pem, as in certbot's live/
//   NAME/cert.pem and NAME/key.pem, as in this program's own store
// and a folder that itself holds such a pair is that one certificate. What begins with a dot or
// ends otherwise is skipped. A folder that is missing or empty has none.
#pragma once

#include "base/arena.h"
#include "rt/watch.h"

struct certs_found {
    struct str cert; // path, with a NUL behind it
    struct str key;  // path, with a NUL behind it; empty: in the same file
    // for the caller
    struct str name; // of both
    const char *why; // it's a folder that can't be read
    bool is_default;
};

struct certs_found_list {
    struct certs_found *items; // in the caller's arena
    size_t n, cap;
};

#define CERTS_FOLDER_FILES_MAX 100000u

// False: mem has no room.
bool certs_found_add(struct certs_found_list *list, struct arena *mem, struct str cert,
                     struct str key);

// Adds what is in the folder at path (a NUL behind it), sorted, and watches it with w. False:
// *ret_why says why it can't be read.
bool certs_folder_scan(struct str path, struct watch *w, struct arena *mem,
                       struct certs_found_list *list, const char **ret_why);
