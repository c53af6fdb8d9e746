// SPDX-License-Identifier: Apache-2.0
// What the two sources of certs/import.h share.
#pragma once

#include <jansson.h>

#include "certs/import.h"

struct certs_importing {
    struct certs_import *all;
    struct arena *mem;
    struct diags *diags;
    struct place place;
    const char *source; // "traefik", "certbot"
};

// Checks and adds one; what is wrong with it is a warning. name: its main one, or empty.
void certs_import_add_cert(const struct certs_importing *in, struct str name, struct str chain_pem,
                           struct str key_pem, const struct certs_meta *meta);
// Takes the key, which may be NULL with a reason why.
void certs_import_add_account(const struct certs_importing *in, struct str issuer, EVP_PKEY *key,
                              const char *why, const struct certs_account_meta *meta);

// Members of JSON; empty where there are none. Borrowed from the JSON.
struct str certs_import_text(const json_t *object, const char *name);
// The bytes of base64 in mem; is_url: base64url.
struct str certs_import_bytes(const json_t *object, const char *name, bool is_url,
                              struct arena *mem);
