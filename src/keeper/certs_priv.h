// SPDX-License-Identifier: Apache-2.0
// What keeper/certs.c and keeper/certs_report.c share.
#pragma once

#include "base/map.h"
#include "keeper/certs.h"

// A certificate that a site needs, and what there is of it.
struct site_cert {
    struct keeper_certs_name wish; // texts in wishes_mem
    struct arena stored_mem;       // holds a secret
    struct certs_stored stored;    // cert.n_chain is 0: the store has none
    const char *why;               // in stored_mem or static: the store's one can't be used
    bool is_read;                  // the store was looked at
    struct arena local_mem;        // holds a secret
    struct tls_credential local;   // n_chain is 0: none; for names that nothing else covers
    const char *local_why;         // the local CA can't make one
    bool is_waiting;               // for its turn: many are to be made
};

struct keeper_certs {
    char *state; // owns: a path
    struct certs_store *store;
    bool is_store_broken; // it can't be opened, which was logged
    struct certs_local_ca *ca;
    struct certs_files *files;
    struct map file_names; // of certificates from files
    struct arena wishes_mem;
    struct site_cert **sites; // owns, and each of them
    size_t n_sites;
    struct site_cert *fallback; // owns: answers names that no certificate has; NULL: not needed
    bool has_tls;
    int64_t make_until_ms; // in this turn; then the rest waits for the next one
    size_t n_made;         // in this turn
    size_t n_waiting;
    size_t n_packed;    // certificates in the bundle
    int set;            // owns: epoll of files and timer; -1: nothing is seen
    int timer;          // owns: of the wall clock
    struct text told;   // bad files that were logged
    struct text bundle; // holds secrets
};
