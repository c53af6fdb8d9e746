// SPDX-License-Identifier: Apache-2.0
#include "filter/spool.h"

#include <string.h>

#include "base/attr.h"
#include "http/env.h"

struct spool_piece {
    struct spool_piece *next;
    size_t at, end;
    char bytes[];
};
#define PIECE_BYTES (HTTP_BUFFER_BYTES - sizeof(struct spool_piece))

static size_t room_of_last(const struct spool *s)
{
    return s->last ? PIECE_BYTES - s->last->end : 0;
}

static void add_piece(struct spool *s)
{
    struct spool_piece *p = pool_take(&s->env->pieces);
    ASSERT(p != NULL); // that pool has no limit of its own
    *p = (struct spool_piece){.next = NULL};
    s->env->spooled_bytes += HTTP_BUFFER_BYTES;
    if (s->last)
        s->last->next = p;
    else
        s->first = p;
    s->last = p;
}

bool spool_put(struct spool *s, struct str bytes, size_t limit_bytes)
{
    size_t room = room_of_last(s), more = bytes.len > room ? bytes.len - room : 0;
    size_t n_pieces = (more + PIECE_BYTES - 1) / PIECE_BYTES;
    size_t used = s->env->spooled_bytes;
    if (n_pieces > 0 && (used > limit_bytes || n_pieces > (limit_bytes - used) / HTTP_BUFFER_BYTES))
        return false;
    s->n_bytes += bytes.len;
    while (bytes.len > 0) {
        if (room_of_last(s) == 0)
            add_piece(s);
        struct spool_piece *p = s->last;
        struct str part = str_first(bytes, PIECE_BYTES - p->end);
        memcpy(p->bytes + p->end, part.ptr, part.len);
        p->end += part.len;
        bytes = str_skip(bytes, part.len);
    }
    return true;
}

static void drop_first(struct spool *s)
{
    struct spool_piece *p = s->first;
    s->first = p->next;
    if (!s->first)
        s->last = NULL;
    pool_give(&s->env->pieces, p);
    s->env->spooled_bytes -= HTTP_BUFFER_BYTES;
}

struct str spool_take(struct spool *s)
{
    if (s->n_lent > 0) {
        s->first->at += s->n_lent;
        s->n_lent = 0;
        if (s->first->at == s->first->end)
            drop_first(s);
    }
    if (!s->first)
        return STR_NONE;
    s->n_lent = s->first->end - s->first->at;
    s->n_bytes -= s->n_lent;
    return str_from(s->first->bytes + s->first->at, s->n_lent);
}

void spool_drop(struct spool *s)
{
    while (s->first)
        drop_first(s);
    s->n_bytes = s->n_lent = 0;
}
