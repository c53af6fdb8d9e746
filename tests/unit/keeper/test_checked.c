// SPDX-License-Identifier: Apache-2.0
#include "keeper/checked.h"

#include "conf/conf.h"
#include "unit/test.h"

static uint64_t tree(const char *yaml, struct arena *mem)
{
    struct diags diags = {.n = 0};
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "test", mem, &diags);
    CHECK(root != NULL);
    diags_fini(&diags);
    return checked_print(root);
}

static void what_was_right_is_known_as_long_as_it_is_asked_about(void)
{
    struct arena mem;
    struct checked c = {.now = {.n = 0}};
    arena_init(&mem, 1 << 20, NULL, 0);
    uint64_t a = tree("{routes: [a]}", &mem), b = tree("{routes: [b]}", &mem);
    CHECK(!checked_knows(&c, a));
    checked_add(&c, a);
    checked_add(&c, a);
    checked_add(&c, b);
    CHECK(checked_knows(&c, tree("{routes: [a]}", &mem)));
    CHECK(!checked_knows(&c, tree("{routes: [c]}", &mem)));
    CHECK(!checked_knows(&c, tree("{routes: a}", &mem)));
    for (int i = 0; i < 3; i++) {
        checked_turn(&c);
        CHECK(checked_knows(&c, a));
        CHECK(checked_knows(&c, a));
    }
    CHECK(!checked_knows(&c, b)); // nobody asked about it for two turns
    CHECK_INT(c.now.n, 1);
    checked_turn(&c);
    checked_turn(&c);
    CHECK(!checked_knows(&c, a));
    checked_fini(&c);
    arena_fini(&mem);
}

TEST_MAIN(TEST(what_was_right_is_known_as_long_as_it_is_asked_about))
