// SPDX-License-Identifier: Apache-2.0
#include "tls/bundle.h"

#include "unit/test.h"

static const struct str two_names[] = {STR_INIT("a.example"), STR_INIT("*.a.example")};

static const struct tls_bundle_item samples[] = {
    {.id = STR_INIT("a.example"),
     .names = two_names,
     .n_names = 2,
     .chain_pem = STR_INIT("chain of a"),
     .key_pem = STR_INIT("key of a"),
     .is_default = true},
    {.id = STR_INIT("b"), .is_local_ca = true},
};

static void what_is_packed_is_unpacked(void)
{
    struct text packed = {0};
    struct arena mem;
    struct tls_bundle_item *items = NULL;
    size_t n = 0;
    arena_init(&mem, 4096, NULL, 0);
    tls_bundle_pack(samples, 2, &packed);
    CHECK(tls_bundle_unpack(text_str(&packed), &mem, &items, &n));
    CHECK_INT(n, 2);
    CHECK_STR(items[0].id, STR("a.example"));
    CHECK_INT(items[0].n_names, 2);
    CHECK_STR(items[0].names[1], STR("*.a.example"));
    CHECK_STR(items[0].chain_pem, STR("chain of a"));
    CHECK_STR(items[0].key_pem, STR("key of a"));
    CHECK(items[0].is_default && !items[0].is_local_ca);
    CHECK(!items[1].is_default && items[1].is_local_ca);
    CHECK_INT(items[1].n_names, 0);
    arena_fini(&mem);
    text_wipe(&packed);
}

static void an_empty_bundle_is_one(void)
{
    struct text packed = {0};
    struct arena mem;
    struct tls_bundle_item *items = NULL;
    size_t n = 1;
    arena_init(&mem, 4096, NULL, 0);
    tls_bundle_pack(NULL, 0, &packed);
    CHECK(tls_bundle_unpack(text_str(&packed), &mem, &items, &n));
    CHECK_INT(n, 0);
    arena_fini(&mem);
    text_fini(&packed);
}

static void bytes_that_are_cut_or_added_to_are_refused(void)
{
    struct text packed = {0};
    struct tls_bundle_item *items;
    size_t n;
    tls_bundle_pack(samples, 2, &packed);
    for (size_t len = 0; len < packed.len; len++) {
        struct arena mem;
        arena_init(&mem, 4096, NULL, 0);
        CHECK(!tls_bundle_unpack(str_first(text_str(&packed), len), &mem, &items, &n));
        arena_fini(&mem);
    }
    struct arena mem;
    arena_init(&mem, 4096, NULL, 0);
    text_byte(&packed, 'x');
    CHECK(!tls_bundle_unpack(text_str(&packed), &mem, &items, &n));
    arena_fini(&mem);
    text_fini(&packed);
}

static void lengths_that_lie_cost_no_memory(void)
{
    const uint32_t many_items[] = {0x74627331u, 99999, 0, 0, 0, 0, 0};
    const uint32_t many_names[] = {0x74627331u, 1, 0, 0, 9999, 0, 0, 1};
    const uint32_t long_id[] = {0x74627331u, 1, 0, UINT32_MAX, 0, UINT32_MAX, UINT32_MAX};
    const struct str cases[] = {
        {(const char *)many_items, sizeof many_items},
        {(const char *)many_names, sizeof many_names},
        {(const char *)long_id, sizeof long_id},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct tls_bundle_item *items;
        size_t n;
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(!tls_bundle_unpack(cases[i], &mem, &items, &n));
        CHECK(mem.used_bytes <= 4096 + 64);
        arena_fini(&mem);
    }
}

static void two_defaults_are_refused(void)
{
    const struct tls_bundle_item twice[] = {samples[0], samples[0]};
    struct text packed = {0};
    struct arena mem;
    struct tls_bundle_item *items;
    size_t n;
    arena_init(&mem, 4096, NULL, 0);
    tls_bundle_pack(twice, 2, &packed);
    CHECK(!tls_bundle_unpack(text_str(&packed), &mem, &items, &n));
    arena_fini(&mem);
    text_fini(&packed);
}

TEST_MAIN(TEST(what_is_packed_is_unpacked), TEST(an_empty_bundle_is_one),
          TEST(bytes_that_are_cut_or_added_to_are_refused), TEST(lengths_that_lie_cost_no_memory),
          TEST(two_defaults_are_refused))
