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

TEST_MAIN(TEST(sha_1_is_that_of_the_standard))
