// SPDX-License-Identifier: Apache-2.0
// The authorities that certificates of servers are verified against.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "conf/conf.h"

// A PEM text with its digest: those that all services trust which have no `ca` of their own.
struct tls_authorities {
    struct conf_file file; // borrows; not set: there are none
    uint8_t digest[32];
};
void tls_authorities_init(struct tls_authorities *ret, const struct conf_file *file);

// All certificates of a PEM text. NULL with *ret_why: there is none, or one is damaged. is_lenient:
// those that are damaged are left out, as long as another is there.
X509_STORE *tls_authorities_read(struct str pem, bool is_lenient, const char **ret_why) MUST_CHECK;
