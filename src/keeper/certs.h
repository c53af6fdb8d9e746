// SPDX-License-Identifier: Apache-2.0
// All certificates of the keeper, for the gate and for people: from files, from the store, and
// where there is none yet from the local CA. Owned by the keeper's loop. Nothing is made on disk
// before it's needed. What goes wrong with one certificate is logged once, and told in the report.
#pragma once

#include <jansson.h>

#include "certs/files.h"
#include "certs/local_ca.h"
#include "certs/store.h"

struct keeper_certs;

// A certificate that a site needs. Names that a file's certificate covers need none of these.
struct keeper_certs_name {
    struct str id; // in the store
    const struct str *names;
    size_t n_names;
    struct str issuer; // who may sign, for people; CERTS_ISSUER_LOCAL: the local CA
    bool is_default;
    bool is_on_demand; // never the default; behind all that aren't
};

// What settings want.
struct keeper_certs_wish {
    const struct certs_file_wish *files;
    size_t n_files;
    const struct keeper_certs_name *names;
    size_t n_names;
    bool has_tls; // there is a TLS entrypoint: it needs a default certificate in any case
};

// state: the path of the store.
struct keeper_certs *keeper_certs_new(const char *state);
// Accepts NULL.
void keeper_certs_free(struct keeper_certs *k);

// The store, for issuing and for commands; borrowed. Opened (and made) at the first call. NULL: it
// can't be; *ret_why.
struct certs_store *keeper_certs_store(struct keeper_certs *k, const char **ret_why);

// From now on these are wanted; texts are copied. True: the bundle has changed.
bool keeper_certs_want(struct keeper_certs *k, const struct keeper_certs_wish *wish, int64_t now_s);

// Readable when keeper_certs_look is to be called.
int keeper_certs_fd(const struct keeper_certs *k);
// Looks at files, and renews what the local CA has made. True: the bundle has changed.
bool keeper_certs_look(struct keeper_certs *k, int64_t now_s);
// The store has changed: a certificate was issued, imported or forgotten; id empty: any. True: the
// bundle has changed.
bool keeper_certs_refresh(struct keeper_certs *k, struct str id, int64_t now_s);

// True when a usable certificate from a file covers name: none needs to be issued for it.
bool keeper_certs_has_file_for(const struct keeper_certs *k, struct str name);

// For GATE_CERTS: a sealed memory file with the bundle (tls/bundle.h), the caller's. -1 with errno.
int keeper_certs_packed(const struct keeper_certs *k);

// For the status: an array, for each certificate id, names, issuer (who
// signed it, else who may), not_before, not_after, key,
// source ("file", "store", "local-ca"), state ("valid", "expired", "not-yet-valid", "missing"),
// error, path and is_default. The caller's.
json_t *keeper_certs_report(const struct keeper_certs *k, int64_t now_s);

// All that is known of the certificates for a name, a file's path or an id (keeper/cert_show.h): an
// array, empty when there is none. Reads the store. The caller's.
json_t *keeper_certs_show(const struct keeper_certs *k, struct str name, struct str id,
                          int64_t now_s);

// When what the store has of an id ends, in s since 1970; 0: it has none.
int64_t keeper_certs_end_s(const struct keeper_certs *k, struct str id);

struct keeper_certs_expiring {
    struct str id;   // in the store, or the file's path
    struct str path; // of a file that settings name; empty: it is in the store
    struct str issuer;
    const struct tls_cert_info *leaf;
};
// Calls fn with each certificate, but for the local CA's, that ends within that time, and within a
// quarter of its life: one for six days isn't in trouble all along.
void keeper_certs_expiring(const struct keeper_certs *k, int64_t now_s, int64_t within_s,
                           void (*fn)(void *arg, const struct keeper_certs_expiring *e), void *arg);
