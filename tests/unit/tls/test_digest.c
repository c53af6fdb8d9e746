// SPDX-License-Identifier: Apache-2.0
#include "tls/digest.h"

#include "unit/test.h"

static void check(struct str s, const char *wanted)
{
    unsigned char hash[TLS_SHA1_BYTES];
    char text[2 * TLS_SHA1_BYTES + 1];
    tls_sha1(s, hash);
    for (size_t i = 0; i < TLS_SHA1_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    CHECK_STR(str_of(text), str_of(wanted));
}

static void sha_1_is_that_of_the_standard(void)
{
    check(STR_NONE, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    check(STR("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"); // FIPS 180-1
}

static void hmac_is_that_of_the_standard(void)
{
    unsigned char mac[TLS_SHA256_BYTES];
    char text[2 * TLS_SHA256_BYTES + 1];
    tls_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac); // RFC 4231 4.3
    for (size_t i = 0; i < TLS_SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", mac[i]);
    CHECK_STR(str_of(text),
              STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST_MAIN(TEST(sha_1_is_that_of_the_standard), TEST(hmac_is_that_of_the_standard))
