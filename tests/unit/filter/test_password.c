// SPDX-License-Identifier: Apache-2.0
#include "filter/password.h"

#include "unit/test.h"

#define BCRYPT "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

static void every_kind_of_hash_is_verified(void)
{
    // Made by openssl passwd, Python's crypt and hashlib.
    static const struct {
        const char *hash, *password;
    } cases[] = {
        {BCRYPT, "secret"},
        {"$y$j7T$F5Jx5fExrKuPp53xLKQ..1$duplC7uyW/zFNFHbTvMb4a6R4FZKyZj7WdnZISTXXP7", "secret"},
        {"$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN."
         "Pq.H91p5hVO1",
         "secret"},
        {"$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA", "secret"},
        {"$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "secret"},
        {"abNANd1rDfiNc", "secret"},
        {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
        {"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret"},
        {"$apr1$x9$oPCFoVYfWRoUBDEpps8g4/", "a longer passphrase, of more than sixteen bytes"},
        {"$apr1$12345678$sHuPAw7VA9xjRbJz7zKV7/", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str hash = str_of(cases[i].hash);
        bool is_known = password_hash_fault(hash) == NULL;
        if (!is_known)
            printf("# %s is refused\n", cases[i].hash);
        CHECK(is_known);
        CHECK(password_verify(hash, str_of(cases[i].password)));
        CHECK(!password_verify(hash, STR("Secret")));
        CHECK(!password_verify(hash, STR("secret ")));
        CHECK(!password_verify(hash, (struct str)STR_INIT("secret\0x")));
    }
}

static void what_is_no_hash_is_refused(void)
{
    static const char *const cases[] = {
        "",
        "secret",
        "a plain password",
        "$",
        "$2y$05$short",
        "$9$saltsalt$9xy1btjgzLYfb7hivXtC//",
        "$apr1$abcdefgh$tooshort",
        "$apr1$abcdefghi$h9FWgUz3n9YxylKLlR5SQ/",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/Bf=",
        "{PLAIN}secret",
        "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        BCRYPT " trailing",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool is_refused = password_hash_fault(str_of(cases[i])) != NULL;
        if (!is_refused)
            printf("# '%s' is accepted\n", cases[i]);
        CHECK(is_refused);
    }
}

static void passwords_beyond_the_limit_are_wrong(void)
{
    char text[PASSWORD_MAX + 1];
    memset(text, 'x', sizeof text);
    CHECK(!password_verify(STR(BCRYPT), str_from(text, sizeof text)));
    CHECK(!password_verify(STR(BCRYPT), str_from(text, sizeof text - 1)));
}

TEST_MAIN(TEST(every_kind_of_hash_is_verified), TEST(what_is_no_hash_is_refused),
          TEST(passwords_beyond_the_limit_are_wrong))
