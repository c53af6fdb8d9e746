// SPDX-License-Identifier: Apache-2.0
#include "tls/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

void tls_sha1(struct str s, unsigned char ret[static TLS_SHA1_BYTES])
{
    if (EVP_Digest(s.len > 0 ? s.ptr : "", s.len, ret, NULL, EVP_sha1(), NULL) != 1)
        panic("OpenSSL has no SHA-1");
}

void tls_hmac_sha256(struct str key, struct str s, unsigned char ret[static TLS_SHA256_BYTES])
{
    const unsigned char *bytes = (const unsigned char *)(s.len > 0 ? s.ptr : "");
    if (!HMAC(EVP_sha256(), key.ptr, (int)key.len, bytes, s.len, ret, NULL))
        panic("OpenSSL has no HMAC-SHA256");
}
