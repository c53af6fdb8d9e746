// SPDX-License-Identifier: Apache-2.0
#include "gate/challenges.h"

#include "base/attr.h"
#include "tls/x509.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)

static const struct challenge_token tokens[] = {
    {.token = STR_INIT("abc-DEF_1"), .key_authorization = STR_INIT("abc-DEF_1.thumb")},
    {.token = STR_INIT("other"), .key_authorization = STR_INIT("other.thumb")},
};

static bool is_accepted(struct str bytes)
{
    struct diags diags = {.n = 0};
    struct challenges *c = challenges_unpack(bytes, &diags);
    bool is_accepted = c != NULL;
    challenges_unref(c);
    diags_fini(&diags);
    return is_accepted;
}

static void an_empty_set_has_no_certificates(void)
{
    struct text bytes = {.ptr = NULL};
    struct diags diags = {.n = 0};
    challenges_pack(NULL, 0, NULL, 0, &bytes);
    struct challenges *c = challenges_unpack(text_str(&bytes), &diags);
    CHECK(c && !challenges_store(c));
    CHECK(challenges_ref(c) == c);
    challenges_unref(c);
    challenges_unref(c);
    CHECK(!challenges_ref(NULL));
    challenges_unref(NULL);
    text_fini(&bytes);
}

static void certificates_are_found_by_name(void)
{
    static const struct str names[] = {STR_INIT("a.example")};
    static const uint8_t digest[32] = {7};
    struct text bytes = {.ptr = NULL}, chain = {.ptr = NULL}, key = {.ptr = NULL};
    struct diags diags = {.n = 0};
    CHECK(tls_challenge_make(names[0], digest, NOW_S, &chain, &key));
    const struct tls_bundle_item item = {.id = names[0],
                                         .names = names,
                                         .n_names = 1,
                                         .chain_pem = text_str(&chain),
                                         .key_pem = text_str(&key)};
    challenges_pack(tokens, ARRAY_LEN(tokens), &item, 1, &bytes);
    struct challenges *c = challenges_unpack(text_str(&bytes), &diags);
    CHECK(c && challenges_store(c));
    CHECK(c && tls_store_find_exact(challenges_store(c), STR("a.example")) != NULL);
    CHECK(c && tls_store_find_exact(challenges_store(c), STR("b.example")) == NULL);
    challenges_unref(c);
    text_wipe(&bytes);
    text_wipe(&chain);
    text_wipe(&key);
}

static void bytes_that_are_cut_are_refused(void)
{
    struct text bytes = {.ptr = NULL};
    challenges_pack(tokens, ARRAY_LEN(tokens), NULL, 0, &bytes);
    CHECK(is_accepted(text_str(&bytes)));
    for (size_t n = 0; n < bytes.len; n++)
        CHECK(!is_accepted(str_first(text_str(&bytes), n)));
    text_fini(&bytes);
}

static void tokens_that_are_none_are_refused(void)
{
    char long_one[CHALLENGE_TOKEN_MAX_BYTES + 2];
    memset(long_one, 'a', sizeof long_one);
    const struct challenge_token wrong[] = {
        {.token = STR("../x"), .key_authorization = STR("x.y")},
        {.token = STR(""), .key_authorization = STR("x.y")},
        {.token = STR("x.y"), .key_authorization = STR("x.y")},
        {.token = STR("x"), .key_authorization = STR("")},
        {.token = STR("x"), .key_authorization = STR("a\r\nSet-Cookie: b")},
        {.token = STR("x y"), .key_authorization = STR("z")},
        {.token = str_from(long_one, sizeof long_one), .key_authorization = STR("z")},
        {.token = STR("x"), .key_authorization = str_from(long_one, sizeof long_one)},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct text bytes = {.ptr = NULL};
        challenges_pack(&wrong[i], 1, NULL, 0, &bytes);
        if (is_accepted(text_str(&bytes)))
            printf("# accepted: token %zu\n", i);
        CHECK(!is_accepted(text_str(&bytes)));
        text_fini(&bytes);
    }
}

static void lengths_are_not_believed(void)
{
    static const struct str wrong[] = {
        STR_INIT(""),        STR_INIT("\n"),    STR_INIT("99\nx y\n"),
        STR_INIT("-1\nx\n"), STR_INIT("0x0\n"), STR_INIT("18446744073709551616\n"),
        STR_INIT("0\n"), // without a bundle
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK(!is_accepted(wrong[i]));
}

TEST_MAIN(TEST(an_empty_set_has_no_certificates), TEST(certificates_are_found_by_name),
          TEST(bytes_that_are_cut_are_refused), TEST(tokens_that_are_none_are_refused),
          TEST(lengths_are_not_believed))
