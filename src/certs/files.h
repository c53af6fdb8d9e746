// SPDX-License-Identifier: Apache-2.0
// Certificates from the files that settings name: single ones, pairs, and folders of them. They are
// watched: new, changed and removed files count without a reload, and a bad one harms no other. A
// file that becomes bad is told, and what was good of it stays in use until it's good again or
// gone.
#pragma once

#include "tls/credential.h"

struct certs_files;

struct certs_file_wish {
    struct str cert; // path of a file, or of a folder (certs/folder.h)
    struct str key;  // path; empty: in the same file, or a folder
    bool is_folder;
    bool is_default; // the default certificate of the settings
};

// One certificate that was wanted, or found in a folder.
struct certs_file {
    struct str path;            // of the certificate, or of a folder that can't be read
    const char *why;            // what is wrong with the file, for people; NULL: nothing
    struct tls_credential cert; // n_chain is 0: there is none
    bool is_default;
};

struct certs_files *certs_files_new(void);
// Accepts NULL.
void certs_files_free(struct certs_files *f);

// From now on these are wanted, and no others; what isn't known yet is read at once. Texts are
// copied. True: certs_files_get gives something else than before.
bool certs_files_want(struct certs_files *f, const struct certs_file_wish *wishes, size_t n,
                      int64_t now_s);

// Readable when certs_files_look is to be called; -1: never, since nothing can be watched.
int certs_files_fd(const struct certs_files *f);
// Looks what has happened to the files. True: certs_files_get gives something else than before.
// Changes that follow each other closely are one.
bool certs_files_look(struct certs_files *f, int64_t now_s);

// All of them, in the order of the wishes, and by path within a folder. Valid until the next call
// of certs_files_want or _look.
size_t certs_files_n(const struct certs_files *f);
const struct certs_file *certs_files_get(const struct certs_files *f, size_t i);
