// SPDX-License-Identifier: Apache-2.0
#include "filter/states.h"

#include "base/mem.h"
#include "unit/test.h"

struct sample {
    struct filter_state base;
    uint32_t room;
};

static unsigned n_ended;

static struct filter_state *make_sample(uint32_t room)
{
    struct sample *s = MEM_NEW(struct sample);
    s->room = room;
    return &s->base;
}

static void end_sample(struct filter_state *s)
{
    n_ended++;
    mem_free(CONTAINER_OF(s, struct sample, base));
}

static const struct filter_state_type one_type = {.make = make_sample, .end = end_sample};
static const struct filter_state_type other_type = {.make = make_sample, .end = end_sample};

static void a_state_lives_as_long_as_anybody_holds_it(void)
{
    n_ended = 0;
    struct filter_states *states = filter_states_new();
    struct filter_state *a = filter_states_take(states, &one_type, STR("a"), 7);
    CHECK_INT(CONTAINER_OF(a, struct sample, base)->room, 7);
    CHECK(filter_states_take(states, &one_type, STR("a"), 7) == a); // the next snapshot's
    filter_state_unref(a);
    CHECK_INT(n_ended, 0);
    filter_state_unref(a);
    CHECK_INT(n_ended, 1);
    filter_states_free(states);
}

static void states_of_other_types_names_and_sizes_are_others(void)
{
    n_ended = 0;
    struct filter_states *states = filter_states_new();
    struct filter_state *all[] = {
        filter_states_take(states, &one_type, STR("a"), 7),
        filter_states_take(states, &one_type, STR("ab"), 7),
        filter_states_take(states, &one_type, STR("a"), 8),
        filter_states_take(states, &other_type, STR("a"), 7),
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t k = 0; k < i; k++)
            CHECK(all[i] != all[k]);
    CHECK(filter_states_take(states, &one_type, STR("ab"), 7) == all[1]);
    filter_state_unref(all[1]);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        filter_state_unref(all[i]);
    CHECK_INT(n_ended, ARRAY_LEN(all));
    filter_states_free(states);
}

static void end_one(struct exchange_guard *g)
{
    (void)g;
}

static void end_other(struct exchange_guard *g)
{
    (void)g;
}

static void an_exchange_is_counted_by_filter_state_and_key(void)
{
    struct exchange x = {.guards = NULL};
    struct filter_state a = {.room = 1}, b = {.room = 1};
    struct filter_count c;
    CHECK(!filter_is_counted(&x, end_one, &a, 7));
    filter_count_add(&x, &c, end_one, &a, 7);
    CHECK(filter_is_counted(&x, end_one, &a, 7));
    CHECK(!filter_is_counted(&x, end_other, &a, 7));
    CHECK(!filter_is_counted(&x, end_one, &b, 7));
    CHECK(!filter_is_counted(&x, end_one, &a, 8));
    exchange_end_guards(&x);
    CHECK(!filter_is_counted(&x, end_one, &a, 7));
}

TEST_MAIN(TEST(an_exchange_is_counted_by_filter_state_and_key),
          TEST(a_state_lives_as_long_as_anybody_holds_it),
          TEST(states_of_other_types_names_and_sizes_are_others))
