// SPDX-License-Identifier: Apache-2.0
#include "filter/states.h"

#include "base/mem.h"
#include "unit/test.h"

struct sample {
    struct filter_state base;
    unsigned *n_ended;
};

static void end_sample(struct filter_state *s)
{
    struct sample *sample = CONTAINER_OF(s, struct sample, base);
    ++*sample->n_ended;
    mem_free(sample);
}

static struct filter_state *add(struct filter_states *states, const char *key, unsigned *n_ended)
{
    struct sample *s = MEM_NEW(struct sample);
    s->n_ended = n_ended;
    filter_states_add(states, &s->base, str_of(key), end_sample);
    return &s->base;
}

static void a_state_lives_as_long_as_anybody_holds_it(void)
{
    unsigned n_ended = 0;
    struct filter_states *states = filter_states_new();
    CHECK(filter_states_find(states, STR("a")) == NULL);
    struct filter_state *a = add(states, "a", &n_ended);
    CHECK(filter_states_find(states, STR("a")) == a); // the next snapshot's
    filter_state_unref(a);
    CHECK_INT(n_ended, 0);
    filter_state_unref(a);
    CHECK_INT(n_ended, 1);
    CHECK(filter_states_find(states, STR("a")) == NULL);
    filter_states_free(states);
}

static void states_of_other_keys_are_others(void)
{
    unsigned n_ended = 0;
    struct filter_states *states = filter_states_new();
    struct filter_state *a = add(states, "a", &n_ended), *b = add(states, "ab", &n_ended);
    CHECK(filter_states_find(states, STR("ab")) == b);
    filter_state_unref(b);
    filter_state_unref(b);
    CHECK(filter_states_find(states, STR("a")) == a);
    filter_state_unref(a);
    filter_state_unref(a);
    CHECK_INT(n_ended, 2);
    filter_states_free(states);
}

TEST_MAIN(TEST(a_state_lives_as_long_as_anybody_holds_it), TEST(states_of_other_keys_are_others))
