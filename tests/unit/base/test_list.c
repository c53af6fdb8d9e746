// SPDX-License-Identifier: Apache-2.0
#include "base/list.h"

#include "unit/test.h"

struct item {
    int value;
    struct list_node node;
};

static int value_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct item, node)->value;
}

// The values as digits of a number.
static int digits_of(const struct list *l)
{
    int digits = 0;
    LIST_FOR (n, l)
        digits = digits * 10 + value_of(n);
    return digits;
}

static void nodes_keep_their_order(void)
{
    struct list l;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3}, d = {.value = 4};
    list_init(&l);
    CHECK(list_is_empty(&l));
    CHECK(list_first(&l) == NULL && list_last(&l) == NULL && list_pop_front(&l) == NULL);
    list_push_back(&l, &b.node);
    list_push_back(&l, &c.node);
    list_push_front(&l, &a.node);
    list_insert_after(&b.node, &d.node);
    CHECK_INT(digits_of(&l), 1243);
    CHECK(list_first(&l) == &a.node && list_last(&l) == &c.node);
    CHECK(list_node_is_linked(&d.node));
}

static void removed_nodes_are_zeroed_and_may_come_back(void)
{
    struct list l;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    list_init(&l);
    list_push_back(&l, &a.node);
    list_push_back(&l, &b.node);
    list_push_back(&l, &c.node);
    list_remove(&b.node);
    CHECK(!list_node_is_linked(&b.node));
    list_remove(&b.node);
    CHECK_INT(digits_of(&l), 13);
    list_push_front(&l, &b.node);
    CHECK_INT(digits_of(&l), 213);
    CHECK(list_pop_front(&l) == &b.node);
    CHECK(list_pop_front(&l) == &a.node);
    CHECK(list_pop_front(&l) == &c.node);
    CHECK(list_is_empty(&l));
}

static void the_safe_loop_survives_removal(void)
{
    struct list l;
    struct item items[9] = {{.value = 0}};
    list_init(&l);
    for (int i = 0; i < 9; i++) {
        items[i].value = i + 1;
        list_push_back(&l, &items[i].node);
    }
    LIST_FOR_SAFE (n, &l) {
        if (value_of(n) % 2 == 0)
            list_remove(n);
    }
    CHECK_INT(digits_of(&l), 13579);
    LIST_FOR_SAFE (n, &l)
        list_remove(n);
    CHECK(list_is_empty(&l));
}

TEST_MAIN(TEST(nodes_keep_their_order), TEST(removed_nodes_are_zeroed_and_may_come_back),
          TEST(the_safe_loop_survives_removal))
