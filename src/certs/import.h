// SPDX-License-Identifier: Apache-2.0
// Certificates and accounts of other programs, into the store: Traefik's acme.json of versions 1,
// 2 and 3, and certbot's /etc/letsencrypt. Their files are data: what is damaged is reported and
// skipped, what makes no sense at all is an error.
#pragma once

#include "certs/store.h"

#define CERTS_IMPORT_JSON_MAX_BYTES ((size_t)64 << 20)
#define CERTS_IMPORT_MEM_BYTES ((size_t)512 << 20) // enough for the arena of one import

struct certs_import_cert {
    struct str id; // for the store
    struct tls_credential cert;
    struct certs_meta meta; // names, issuer, directory, source …
};

struct certs_import_account {
    struct str issuer; // for the store: a resolver's name, or a server's
    struct str key_pem;
    struct certs_account_meta meta;
};

// What a source holds. All in one arena, which holds secrets then. Zeroed: nothing.
struct certs_import {
    struct certs_import_cert *certs;
    size_t n_certs, cap_certs;
    struct certs_import_account *accounts;
    size_t n_accounts, cap_accounts;
};

// Traefik's file. ERR_SYNTAX: it's none; the error is in diags, and there are warnings for each
// certificate or account that was skipped. place: the file, for them.
enum err certs_import_traefik(struct str json, struct place place, struct arena *mem,
                              struct diags *diags, struct certs_import *ret) MUST_CHECK;

// certbot's folder: live/NAME is what there is, renewal/NAME.conf says where it came from, and
// names the accounts.
enum err certs_import_certbot(const char *path, struct arena *mem, struct diags *diags,
                              struct certs_import *ret) MUST_CHECK;

struct certs_import_count {
    size_t n_certs, n_accounts;
    size_t n_kept; // not written: the store has a newer one, or that account
};

// Writes them into the store. ERR_SYSTEM: the store can't be written; the error is in diags.
enum err certs_import_store(const struct certs_import *all, const struct certs_store *s,
                            int64_t now_s, struct diags *diags, struct certs_import_count *ret)
    MUST_CHECK;
