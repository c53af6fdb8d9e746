// SPDX-License-Identifier: Apache-2.0
#include "filter/spool.h"

#include "base/mem.h"
#include "http/env.h"
#include "unit/test.h"

#define LIMIT ((size_t)1024 * 1024)

static void bytes_come_out_in_their_order(void)
{
    struct http_env env;
    http_env_init(&env, NULL, NULL, 8);
    struct spool s = {.env = &env};
    char piece[977];
    size_t n_put = 0, n_taken = 0;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)((n_put + i) % 251);
        CHECK(spool_put(&s, str_from(piece, sizeof piece), LIMIT));
        n_put += sizeof piece;
        if (round % 3 != 0)
            continue;
        struct str got = spool_take(&s); // what is lent stays while more is put
        CHECK(spool_put(&s, STR_NONE, LIMIT));
        for (size_t i = 0; i < got.len; i++)
            CHECK_INT((unsigned char)got.ptr[i], (n_taken + i) % 251);
        n_taken += got.len;
        CHECK_INT(s.n_bytes, n_put - n_taken);
    }
    for (struct str got = spool_take(&s); got.len > 0; got = spool_take(&s)) {
        for (size_t i = 0; i < got.len; i++)
            CHECK_INT((unsigned char)got.ptr[i], (n_taken + i) % 251);
        n_taken += got.len;
    }
    CHECK_INT(n_taken, n_put);
    CHECK_INT(env.spooled_bytes, 0);
    spool_drop(&s);
    http_env_fini(&env);
}

static void all_spools_of_a_worker_have_one_limit(void)
{
    struct http_env env;
    http_env_init(&env, NULL, NULL, 8);
    struct spool a = {.env = &env}, b = {.env = &env};
    char *bytes = mem_alloc(1, 40000);
    CHECK(spool_put(&a, str_from(bytes, 40000), 65536)); // three pieces
    CHECK_INT(env.spooled_bytes, 3 * HTTP_BUFFER_BYTES);
    CHECK(!spool_put(&b, str_from(bytes, 20000), 65536));
    CHECK_INT(b.n_bytes, 0);
    CHECK(spool_put(&b, str_from(bytes, 10000), 65536));
    CHECK(spool_put(&a, str_from(bytes, 5000), 65536)); // room that is there already
    CHECK(!spool_put(&a, str_from(bytes, 10000), 65536));
    spool_drop(&a);
    CHECK(spool_put(&b, str_from(bytes, 40000), 65536));
    spool_drop(&b);
    spool_drop(&b);
    CHECK_INT(env.spooled_bytes, 0);
    mem_free(bytes);
    http_env_fini(&env);
}

TEST_MAIN(TEST(bytes_come_out_in_their_order), TEST(all_spools_of_a_worker_have_one_limit))
