// SPDX-License-Identifier: Apache-2.0
// Comparing trees, for tests and fuzz targets.
#pragma once

#include "conf/node.h"

static inline bool places_are_equal(const struct place *a, const struct place *b)
{
    return (a->source == NULL) == (b->source == NULL) &&
           str_eq(str_of(a->source), str_of(b->source)) && a->line == b->line &&
           a->column == b->column;
}

static inline bool trees_are_equal(const struct conf_node *a, const struct conf_node *b)
{
    if (a->kind != b->kind || a->is_quoted != b->is_quoted || a->is_secret != b->is_secret ||
        a->has_content != b->has_content || a->n != b->n || !str_eq(a->key, b->key) ||
        !str_eq(a->text, b->text) || !str_eq(a->content, b->content) ||
        !places_are_equal(&a->place, &b->place) || !places_are_equal(&a->key_place, &b->key_place))
        return false;
    const struct conf_node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (!trees_are_equal(x, y))
            return false;
    }
    return !x && !y;
}
