// SPDX-License-Identifier: Apache-2.0
// The certificates on disk, in the folder `state`:
//   certs/ID/{cert.pem,key.pem,meta.json}     accounts/ISSUER/{key.pem,meta.json}
//   ca/{root.pem,root.key,intermediate.pem,intermediate.key}   (certs/local_ca.h)
// Every write is whole or not at all (certs/entry.h); what is read is checked: a chain and a key
// that don't belong together are an error of this one certificate. These calls block; threads may
// call them at once.
#pragma once

#include "base/diag.h"
#include "tls/credential.h"

struct certs_store;

// What is known of a certificate beside itself. Texts may be empty, times 0.
struct certs_meta {
    const struct str *names; // that were asked for
    size_t n_names;
    struct str issuer;    // its name in settings; "local": the local CA
    struct str directory; // of the ACME server: a URL
    struct str profile;
    struct str account; // URL
    struct str order;   // URL
    struct str url;     // of the certificate
    struct str key_type;
    struct str ari_explanation; // URL
    struct str state;           // a word of the issuing side
    struct str last_error;
    struct str source;   // where it was imported from
    int64_t created_s;   // the first one of this id
    int64_t renewed_s;   // this one
    int64_t ari_start_s; // suggested window (RFC 9773 4.2)
    int64_t ari_end_s;
    int64_t ari_next_s; // ask again
    int64_t last_try_s;
    int64_t next_try_s; // not before: the authority said so
    int64_t n_failures; // since the last success
};

struct certs_account_meta {
    struct str directory; // URL
    struct str url;       // of the account
    struct str contact;   // "mailto:…", several with commas
    struct str source;    // where it was imported from
    int64_t created_s;
};

struct certs_stored {
    struct str id;
    struct tls_credential cert;
    struct certs_meta meta;
};

// Opens and makes the folders below path (itself too). NULL: the error is in diags. Warnings there:
// modes that were repaired.
struct certs_store *certs_store_open(const char *path, struct diags *diags);
// NULL is allowed.
void certs_store_close(struct certs_store *s);
// Who may change the store: proxies that run hold it together, a command that works alone keeps
// them and other commands out. Until it is closed, or the process ends. False: the others have it.
enum certs_hold { CERTS_HOLD_TOGETHER, CERTS_HOLD_ALONE };
bool certs_store_hold(const struct certs_store *s, enum certs_hold how) MUST_CHECK;
// The folder itself, for what others keep there; borrowed.
int certs_store_fd(const struct certs_store *s);

// An id for a name: itself, "_wildcard.example.com" for a wildcard, '_' for what a file can't be
// named by.
struct str certs_id_of(struct str name, struct arena *mem);

// Writes a certificate with its key, checked before. ERR_SYNTAX: they don't belong together.
enum err certs_store_put(const struct certs_store *s, struct str id, struct str chain_pem,
                         struct str key_pem, const struct certs_meta *meta, const char **ret_why)
    MUST_CHECK;
enum err certs_store_put_meta(const struct certs_store *s, struct str id,
                              const struct certs_meta *meta, const char **ret_why) MUST_CHECK;
// All in mem, which holds a secret then. ERR_NOT_FOUND, ERR_SYNTAX, ERR_SYSTEM with *ret_why. A
// meta.json that makes no sense counts as empty.
enum err certs_store_get(const struct certs_store *s, struct str id, int64_t now_s,
                         struct arena *mem, struct certs_stored *ret, const char **ret_why)
    MUST_CHECK;
// The ids, sorted.
bool certs_store_list(const struct certs_store *s, struct arena *mem, struct str **ret,
                      size_t *ret_n) MUST_CHECK;
// Deletes it.
enum err certs_store_forget(const struct certs_store *s, struct str id, const char **ret_why)
    MUST_CHECK;
// Chain and key in one, as HAProxy wants it, appended to `to`.
void certs_export_bundle(const struct tls_credential *cert, struct text *to);

enum err certs_account_put(const struct certs_store *s, struct str issuer, struct str key_pem,
                           const struct certs_account_meta *meta, const char **ret_why) MUST_CHECK;
enum err certs_account_get(const struct certs_store *s, struct str issuer, struct arena *mem,
                           struct str *ret_key_pem, struct certs_account_meta *ret_meta,
                           const char **ret_why) MUST_CHECK;
// The key that an account's is about to be changed to, beside its own, until the next
// certs_account_put. ERR_NOT_FOUND: none.
enum err certs_account_put_next(const struct certs_store *s, struct str issuer,
                                struct str next_key_pem, const char **ret_why) MUST_CHECK;
enum err certs_account_get_next(const struct certs_store *s, struct str issuer, struct arena *mem,
                                struct str *ret_next_key_pem, const char **ret_why) MUST_CHECK;
bool certs_account_list(const struct certs_store *s, struct arena *mem, struct str **ret,
                        size_t *ret_n) MUST_CHECK;
enum err certs_account_forget(const struct certs_store *s, struct str issuer, const char **ret_why)
    MUST_CHECK;
