// SPDX-License-Identifier: Apache-2.0
// Everything about one certificate, as JSON: for the keeper's answers, and for commands that work
// alone on the state folder. Keys are never in it.
#pragma once

#include <jansson.h>

#include "certs/store.h"

// "valid", "expired", "not-yet-valid".
const char *cert_show_state(const struct tls_cert_info *leaf, int64_t now_s);

// What the certificate says of itself: names, issued_by, serial, not_before, not_after, key,
// sha256, spki_sha256, chain, flaw, state ("missing" when there is none).
void cert_show_credential(const struct tls_credential *cert, int64_t now_s, json_t *to);

// The same of one that the store has, and what is known beside it: where it came from, its files,
// when it is to be renewed, how orders for it went. It may be that only orders are known. Reads
// files. ERR_NOT_FOUND: nothing is known.
enum err cert_show_stored(const struct certs_store *store, struct str id, int64_t now_s, json_t *to,
                          const char **ret_why) MUST_CHECK;
