// SPDX-License-Identifier: Apache-2.0
// How TLS is spoken with clients: versions, ciphers, groups, client certificates. Built from
// settings off the workers, then only read, by all of them. Certificates are no part of it: each
// connection gets its own (tls/store.h).
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/str.h"
#include "tls/tls_conf.h"

struct tls_policy;

// NULL with errors: an unknown name, nothing left to choose from, a CA file without a certificate.
struct tls_policy *tls_policy_build(const struct tls_conf *conf, struct diags *diags) MUST_CHECK;

// Connections that were made with it live on. NULL is allowed.
void tls_policy_free(struct tls_policy *p);

SSL_CTX *tls_policy_ctx(const struct tls_policy *p);

// Two policies with the same settings have the same id; it is part of what a session is bound to.
#define TLS_POLICY_ID_BYTES 32
const uint8_t *tls_policy_id(const struct tls_policy *p);

// Whether clients are asked for certificates.
bool tls_policy_asks_client(const struct tls_policy *p);

// Whether requests may come before the handshake is over, and how much of them.
bool tls_policy_takes_early_data(const struct tls_policy *p);
#define TLS_EARLY_MAX_BYTES 16384

// Each name by itself, for the settings' check. ERR_RANGE with an error that has its place.
enum err tls_check_cipher(const struct conf_text *name, struct diags *diags);
enum err tls_check_suite(const struct conf_text *name, struct diags *diags);
enum err tls_check_group(const struct conf_text *name, struct diags *diags);

// True when the library has this group: X25519MLKEM768 came with OpenSSL 3.5.
bool tls_has_group(const char *name);
