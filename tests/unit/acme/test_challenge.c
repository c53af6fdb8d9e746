// SPDX-License-Identifier: Apache-2.0
#include "acme/challenge.h"

#include "unit/test.h"

static const struct str thumbprint = STR_INIT("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");

static void every_kind_is_found_by_its_name(void)
{
    for (unsigned i = 1; i < ACME_CHALLENGE_COUNT; i++) {
        enum acme_challenge_kind kind = (enum acme_challenge_kind)i;
        CHECK_INT(acme_challenge_parse(str_of(acme_challenge_name(kind))), kind);
    }
    CHECK_INT(acme_challenge_parse(STR("none")), ACME_CHALLENGE_NONE);
    CHECK_INT(acme_challenge_parse(STR("device-attest-01")), ACME_CHALLENGE_NONE);
}

static void a_proof_is_made_of_token_and_key(void)
{
    struct arena mem;
    struct acme_challenge c = {
        .kind = ACME_CHALLENGE_DNS_01,
        .name = STR("example.com"),
        .token = STR("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"),
    };
    arena_init(&mem, 4096, NULL, 0);
    CHECK(acme_challenge_fill(&c, thumbprint, &mem));
    CHECK_STR(c.key_authorization, STR("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
                                       "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"));
    CHECK_STR(c.txt_name, STR("_acme-challenge.example.com"));
    CHECK_STR(c.txt_value, STR("ZaJgFtIV4WA0t2MzN7kbSk0sfRd2GZjaxRqaSTAK6lI"));
    arena_fini(&mem);
}

static void a_token_that_could_be_a_path_or_a_line_is_refused(void)
{
    static const struct str bad[] = {
        STR_INIT(""),
        STR_INIT("short"),
        STR_INIT("../../../../../../etc/passwd"),
        STR_INIT("evaGxfADs6pSRb2LAv9IZf17/index.html"),
        STR_INIT("evaGxfADs6pSRb2LAv9IZf17\r\nSet-Cookie"),
        STR_INIT("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ="),
        STR_INIT("evaGxfADs6pSRb2LAv9IZf17Dt3.juxGJ"),
    };
    struct arena mem;
    arena_init(&mem, 4096, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct acme_challenge c = {.name = STR("a.example"), .token = bad[i]};
        CHECK(!acme_challenge_fill(&c, thumbprint, &mem));
    }
    arena_fini(&mem);
}

TEST_MAIN(TEST(every_kind_is_found_by_its_name), TEST(a_proof_is_made_of_token_and_key),
          TEST(a_token_that_could_be_a_path_or_a_line_is_refused))
