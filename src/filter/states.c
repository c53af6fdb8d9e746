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

static struct filter_state *find(struct filter_states *states, const struct filter_state_type *type,
                                 struct str name, uint32_t room)
{
    LIST_FOR (n, &states->all) {
        struct filter_state *s = CONTAINER_OF(n, struct filter_state, node);
        if (s->type == type && s->room == room && str_eq(s->name, name))
            return s;
    }
    return NULL;
}

struct filter_state *filter_states_take(struct filter_states *states,
                                        const struct filter_state_type *type, struct str name,
                                        uint32_t room)
{
    struct filter_state *s = find(states, type, name, room);
    if (!s) {
        s = type->make(room);
        s->type = type;
        s->name = (struct str){mem_copy(name.ptr, name.len), name.len};
        s->room = room;
        list_push_back(&states->all, &s->node);
    }
    s->refs++;
    return s;
}

void filter_state_unref(struct filter_state *s)
{
    if (--s->refs > 0)
        return;
    list_remove(&s->node);
    mem_free((void *)(uintptr_t)s->name.ptr);
    s->type->end(s);
}

bool filter_is_counted(const struct exchange *x, void (*end)(struct exchange_guard *g),
                       const struct filter_state *state, uint64_t hash)
{
    for (struct exchange_guard *g = x->guards; g; g = g->next) {
        if (g->end != end)
            continue;
        const struct filter_count *c = CONTAINER_OF(g, struct filter_count, guard);
        if (c->state == state && c->hash == hash)
            return true;
    }
    return false;
}

void filter_count_add(struct exchange *x, struct filter_count *c,
                      void (*end)(struct exchange_guard *g), struct filter_state *state,
                      uint64_t hash)
{
    c->state = state;
    c->hash = hash;
    exchange_guard_add(x, &c->guard, end);
}
