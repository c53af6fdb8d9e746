// SPDX-License-Identifier: Apache-2.0
#include "filter/states.h"

#include "base/attr.h"
#include "base/mem.h"

struct filter_states {
    struct list all; // of struct filter_state
};

struct filter_states *filter_states_new(void)
{
    struct filter_states *states = MEM_NEW(struct filter_states);
    list_init(&states->all);
    return states;
}

void filter_states_free(struct filter_states *states)
{
    ASSERT(list_is_empty(&states->all));
    mem_free(states);
}

struct filter_state *filter_states_find(struct filter_states *states, struct str key)
{
    LIST_FOR (n, &states->all) {
        struct filter_state *s = CONTAINER_OF(n, struct filter_state, node);
        if (!str_eq(s->key, key))
            continue;
        s->refs++;
        return s;
    }
    return NULL;
}

void filter_states_add(struct filter_states *states, struct filter_state *s, struct str key,
                       void (*end)(struct filter_state *s))
{
    s->key = (struct str){mem_copy(key.ptr, key.len), key.len};
    s->refs = 1;
    s->end = end;
    list_push_back(&states->all, &s->node);
}

void filter_state_unref(struct filter_state *s)
{
    if (--s->refs > 0)
        return;
    list_remove(&s->node);
    mem_free((void *)(uintptr_t)s->key.ptr);
    s->end(s);
}
