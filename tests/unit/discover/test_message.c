// SPDX-License-Identifier: Apache-2.0
#include "discover/message.h"

#include "unit/discover/shapes.h"
#include "unit/test.h"

static void messages_come_out_as_they_went_in(void)
{
    struct arena mem;
    struct message back;
    arena_init(&mem, 1 << 20, NULL, 0);
    const struct message all[] = {
        {.kind = MESSAGE_HELLO, .engine = STR("Docker 27"), .api = STR("1.47")},
        {.kind = MESSAGE_CONTAINER, .container = shape_with("web", "a=b", &mem)},
        {.kind = MESSAGE_REFUSED, .id = STR("ab12"), .why = STR("a label isn't text")},
        {.kind = MESSAGE_KEPT, .id = STR("ab12"), .why = STR("it hangs")},
        {.kind = MESSAGE_GONE, .id = STR("ab12")},
        {.kind = MESSAGE_LISTING},
        {.kind = MESSAGE_SYNCED, .n_beyond = 7},
        {.kind = MESSAGE_TROUBLE, .why = STR("no")},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct text t = {.ptr = NULL};
        message_pack(&all[i], &t);
        CHECK(message_unpack(text_str(&t), &mem, &back));
        CHECK_INT(back.kind, all[i].kind);
        CHECK_STR(back.id, all[i].id);
        CHECK_STR(back.why, all[i].why);
        CHECK_STR(back.engine, all[i].engine);
        CHECK_INT(back.n_beyond, all[i].n_beyond);
        CHECK_STR(back.container.name, all[i].container.name);
        // Cut anywhere, it isn't one.
        for (size_t n = 0; n < t.len; n++)
            CHECK(!message_unpack(str_first(text_str(&t), n), &mem, &back));
        text_fini(&t);
    }
    arena_fini(&mem);
}

static void lines_and_ids_are_what_they_should_be(void)
{
    static const struct message bad[] = {
        {.kind = MESSAGE_TROUBLE, .why = STR_INIT("a\nb")},
        {.kind = MESSAGE_GONE, .id = STR_INIT("../../x")},
        {.kind = MESSAGE_REFUSED, .why = STR_INIT("no id")},
        {.kind = MESSAGE_KEPT, .why = STR_INIT("no id")},
        {.kind = MESSAGE_HELLO, .engine = STR_INIT("\xff")},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena mem;
        struct message back;
        struct text t = {.ptr = NULL};
        arena_init(&mem, 1 << 20, NULL, 0);
        message_pack(&bad[i], &t);
        CHECK(!message_unpack(text_str(&t), &mem, &back));
        text_fini(&t);
        arena_fini(&mem);
    }
}

static void an_order_has_the_engine_the_user_and_the_sandbox(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct text t = {.ptr = NULL};
    struct message_order order;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct conf_node *docker = conf_yaml_parse(STR("endpoint: tcp://h:1"), "test", &mem, &diags);
    message_pack_order(docker, STR("nobody"), SANDBOX_REQUIRE, &t);
    CHECK(message_unpack_order(text_str(&t), &mem, &order));
    CHECK_STR(order.user, STR("nobody"));
    CHECK_INT(order.sandbox, SANDBOX_REQUIRE);
    CHECK_STR(conf_node_get(order.docker, STR("endpoint"))->text, STR("tcp://h:1"));
    CHECK(!message_unpack_order(STR("SPC1"), &mem, &order));
    text_fini(&t);
    diags_fini(&diags);
    arena_fini(&mem);
}

TEST_MAIN(TEST(messages_come_out_as_they_went_in), TEST(lines_and_ids_are_what_they_should_be),
          TEST(an_order_has_the_engine_the_user_and_the_sandbox))
