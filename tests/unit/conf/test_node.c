// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/support.h"

static void trees_can_be_built_by_hand(void)
{
    struct fixture f;
    fixture_init(&f);
    struct place place = {.source = "command line"};
    struct conf_node *map = conf_node_new(&f.mem, CONF_NODE_MAP, place);
    struct conf_node *list = conf_node_new(&f.mem, CONF_NODE_SEQ, place);
    conf_node_append(list, conf_node_scalar(&f.mem, STR("a"), place));
    conf_node_append(list, conf_node_scalar(&f.mem, STR("b"), place));
    conf_node_put(map, STR("list"), list);
    conf_node_put(map, STR("x"), conf_node_scalar(&f.mem, STR("y"), place));
    CHECK_INT(map->n, 2);
    CHECK(conf_node_get(map, STR("list")) == list);
    CHECK_STR(conf_node_get(map, STR("x"))->text, STR("y"));
    CHECK(!conf_node_get(map, STR("z")));
    CHECK_STR(list->last->text, STR("b"));
    CHECK_STR(str_of(list->key_place.source), STR("command line"));
    fixture_fini(&f);
}

static void a_full_arena_gives_no_node(void)
{
    struct arena mem;
    arena_init(&mem, 8, NULL, 0);
    CHECK(!conf_node_scalar(&mem, STR("a"), (struct place){.source = NULL}));
    arena_fini(&mem);
}

TEST_MAIN(TEST(trees_can_be_built_by_hand), TEST(a_full_arena_gives_no_node))
