// SPDX-License-Identifier: Apache-2.0
#include "http/websocket.h"

#include "unit/test.h"

static void the_answer_to_a_key_is_the_rfcs(void)
{
    struct arena mem;
    struct request r = {.is_upgrade = true};
    arena_init(&mem, 4096, NULL, 0);
    headers_init(&r.headers, &mem);
    CHECK_INT(websocket_accept(&r, &mem).len, 0); // there is no key
    CHECK_INT(
        headers_add_named(&r.headers, STR("sec-websocket-key"), STR("dGhlIHNhbXBsZSBub25jZQ==")),
        ERR_OK);
    CHECK_STR(websocket_accept(&r, &mem), STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); // RFC 6455 1.3
    arena_fini(&mem);
}

static void keys_of_ours_are_24_characters_and_each_another(void)
{
    struct arena mem;
    struct request a = {.is_upgrade = true}, b = a;
    arena_init(&mem, 4096, NULL, 0);
    headers_init(&a.headers, &mem);
    headers_init(&b.headers, &mem);
    CHECK(websocket_add_key(&a, &mem) && websocket_add_key(&b, &mem));
    struct str first = headers_find_named(&a.headers, STR("Sec-WebSocket-Key"))->value;
    struct str second = headers_find_named(&b.headers, STR("Sec-WebSocket-Key"))->value;
    CHECK_INT(first.len, 24);
    CHECK_INT(second.len, 24);
    CHECK(!str_eq(first, second));
    arena_fini(&mem);
}

static void a_full_arena_is_told(void)
{
    struct arena mem;
    struct request r = {.is_upgrade = true};
    arena_init(&mem, 8, NULL, 0);
    headers_init(&r.headers, &mem);
    CHECK(!websocket_add_key(&r, &mem));
    arena_fini(&mem);
}

static void only_an_upgrade_to_websocket_alone_is_one(void)
{
    static const struct {
        struct str upgrade;
        bool is_upgrade, is_one;
    } cases[] = {
        {STR_INIT("websocket"), true, true},         {STR_INIT("WebSocket"), true, true},
        {STR_INIT("websocket"), false, false},       {STR_INIT("other"), true, false},
        {STR_INIT("websocket, other"), true, false}, {STR_INIT(""), true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct request r = {.is_upgrade = cases[i].is_upgrade, .upgrade = cases[i].upgrade};
        CHECK_INT(websocket_is_asked_for(&r), cases[i].is_one);
    }
}

TEST_MAIN(TEST(the_answer_to_a_key_is_the_rfcs),
          TEST(keys_of_ours_are_24_characters_and_each_another), TEST(a_full_arena_is_told),
          TEST(only_an_upgrade_to_websocket_alone_is_one))
