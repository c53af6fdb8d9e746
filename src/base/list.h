// SPDX-License-Identifier: Apache-2.0
// Doubly linked lists with embedded nodes. A node that is in no list is zeroed.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

struct list {
    struct list_node head; // a ring; zeroed until list_init
};

static inline void list_init(struct list *l)
{
    l->head.next = l->head.prev = &l->head;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->head.next == &l->head;
}

static inline bool list_node_is_linked(const struct list_node *n)
{
    return n->next != NULL;
}

static inline void list_insert_after(struct list_node *at, struct list_node *n)
{
    ASSERT(!list_node_is_linked(n));
    n->prev = at;
    n->next = at->next;
    at->next->prev = n;
    at->next = n;
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
    list_insert_after(&l->head, n);
}

static inline void list_push_back(struct list *l, struct list_node *n)
{
    list_insert_after(l->head.prev, n);
}

// Accepts a node that is in no list.
static inline void list_remove(struct list_node *n)
{
    if (!n->next)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = NULL;
}

// The first node, or NULL.
static inline struct list_node *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_last(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.prev;
}

// Takes the first node off, or NULL.
static inline struct list_node *list_pop_front(struct list *l)
{
    struct list_node *n = list_first(l);
    if (n)
        list_remove(n);
    return n;
}

#define LIST_FOR(n, l) for (struct list_node *n = (l)->head.next; n != &(l)->head; n = n->next)
// n may be removed inside the loop.
#define LIST_FOR_SAFE(n, l)                                                                        \
    for (struct list_node *n = (l)->head.next, *n##_next = n->next; n != &(l)->head;               \
         n = n##_next, n##_next = n->next)
