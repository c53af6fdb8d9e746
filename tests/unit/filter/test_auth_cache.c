// SPDX-License-Identifier: Apache-2.0
#include "filter/auth_cache.h"

#include "unit/test.h"

static struct auth_tag tag_of(const char *user, const char *password, const char *hash)
{
    struct auth_tag tag;
    CHECK(auth_tag_make(str_of(user), str_of(password), str_of(hash), &tag));
    return tag;
}

static void what_was_right_is_known_until_nobody_has_used_it_for_a_while(void)
{
    struct auth_tag tag = tag_of("alice", "secret", "hash");
    CHECK(!auth_cache_has(&tag, 1000));
    auth_cache_put(&tag, 1000);
    CHECK(auth_cache_has(&tag, 1000));
    CHECK(auth_cache_has(&tag, 1000 + AUTH_CACHE_KEEP_MS - 1));
    CHECK(auth_cache_has(&tag, 1000 + AUTH_CACHE_KEEP_MS));
    CHECK(!auth_cache_has(&tag, 1000 + 2 * AUTH_CACHE_KEEP_MS));
}

static void other_credentials_are_other_tags(void)
{
    struct auth_tag tag = tag_of("bob", "secret", "hash");
    auth_cache_put(&tag, 0);
    static const char *const others[][3] = {
        {"bob", "secre", "thash"}, {"bo", "bsecret", "hash"}, {"bob", "secret", "hash2"},
        {"bob", "Secret", "hash"}, {"", "bobsecret", "hash"},
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct auth_tag other = tag_of(others[i][0], others[i][1], others[i][2]);
        CHECK(!auth_cache_has(&other, 1));
    }
    CHECK(auth_cache_has(&tag, 1));
}

static void the_cache_forgets_the_oldest_when_it_is_full(void)
{
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        char user[16];
        snprintf(user, sizeof user, "user%d", i);
        struct auth_tag tag = tag_of(user, "p", "h");
        auth_cache_put(&tag, i);
        CHECK(auth_cache_has(&tag, i));
    }
    struct auth_tag first = tag_of("user0", "p", "h"), last = tag_of("user19999", "p", "h");
    CHECK(!auth_cache_has(&first, N));
    CHECK(auth_cache_has(&last, N));
}

static void texts_that_no_credentials_have_are_refused(void)
{
    static char text[3000];
    memset(text, 'x', sizeof text);
    struct auth_tag tag;
    CHECK(!auth_tag_make(STR("a"), str_from(text, sizeof text), STR("h"), &tag));
}

TEST_MAIN(TEST(what_was_right_is_known_until_nobody_has_used_it_for_a_while),
          TEST(other_credentials_are_other_tags),
          TEST(the_cache_forgets_the_oldest_when_it_is_full),
          TEST(texts_that_no_credentials_have_are_refused))
