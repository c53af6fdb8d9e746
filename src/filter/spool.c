// SPDX-License-Identifier: Apache-2.0
#include "filter/spool.h"

#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "http/body.h"
#include "http/env.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/slots.h"

#define DISK_MAX_MS 30000              // for one slot: then the disk counts as broken
#define READ_BYTES ((size_t)16 * 1024) // of a slot at a time: so much does each slow reader hold

struct spool_piece {
    struct spool_piece *next;
    bool is_on_disk;
    uint32_t slot; // owns, on disk: SLOTS_NONE when it was given back
    size_t at, end;
    char bytes[]; // not on disk
};
#define PIECE_BYTES (HTTP_BUFFER_BYTES - sizeof(struct spool_piece))

static void hold(struct spool *s, int64_t n)
{
    s->env->spooled_bytes += (size_t)n;
    http_count(s->env, HTTP_COUNTER_AHEAD_BYTES, n);
}

// --- pieces ---

static void append(struct spool *s, struct spool_piece *p)
{
    if (s->last)
        s->last->next = p;
    else
        s->first = p;
    s->last = p;
}

static void add_piece(struct spool *s)
{
    struct spool_piece *p = pool_take(&s->env->pieces);
    ASSERT(p != NULL); // that pool has no limit of its own
    *p = (struct spool_piece){.slot = SLOTS_NONE};
    hold(s, HTTP_BUFFER_BYTES);
    s->held_bytes += PIECE_BYTES;
    append(s, p);
}

static void add_slot(struct spool *s, uint32_t slot, size_t n)
{
    struct spool_piece *p = MEM_NEW(struct spool_piece);
    *p = (struct spool_piece){.is_on_disk = true, .slot = slot, .end = n};
    http_count(s->env, HTTP_COUNTER_SPOOL_BYTES, (int64_t)SLOTS_BYTES);
    http_count(s->env, HTTP_COUNTER_SPOOL_WRITTEN, (int64_t)n);
    append(s, p);
}

static void drop_first(struct spool *s)
{
    struct spool_piece *p = s->first;
    s->first = p->next;
    if (!s->first)
        s->last = NULL;
    if (p->is_on_disk) {
        slots_release(s->env->slots, p->slot);
        http_count(s->env, HTTP_COUNTER_SPOOL_BYTES, -(int64_t)SLOTS_BYTES);
        s->has_failed = false; // there is room for one more
        mem_free(p);
        return;
    }
    pool_give(&s->env->pieces, p);
    hold(s, -HTTP_BUFFER_BYTES);
    s->held_bytes -= PIECE_BYTES;
}

static size_t room_of_last(const struct spool *s)
{
    return s->last && !s->last->is_on_disk ? PIECE_BYTES - s->last->end : 0;
}

static void fill_last(struct spool *s, struct str *bytes)
{
    struct spool_piece *p = s->last;
    struct str part = str_first(*bytes, PIECE_BYTES - p->end);
    memcpy(p->bytes + p->end, part.ptr, part.len);
    p->end += part.len;
    s->n_bytes += part.len;
    *bytes = str_skip(*bytes, part.len);
}

// --- blocks ---

static bool has_open(const struct spool *s)
{
    return s->open && s->open->n > 0;
}

static struct slots_block *new_block(struct spool *s, size_t cap)
{
    hold(s, (int64_t)cap);
    return slots_block_new(s->env->slots, cap);
}

static void free_block(struct spool *s, struct slots_block **b)
{
    if (*b)
        hold(s, -(int64_t)(*b)->cap);
    slots_block_free(*b);
    *b = NULL;
}

// It isn't ours any more, and what was in it is lost.
static void lose_block(struct spool *s, size_t cap)
{
    hold(s, -(int64_t)cap);
    s->error = fiber_is_cancelled(fiber_self()) ? ECANCELED : ETIMEDOUT;
}

static struct deadline disk_deadline(void)
{
    return deadline_at(clock_now_ms() + DISK_MAX_MS);
}

static enum spool_end write_open(struct spool *s)
{
    struct slots_block *b = s->open;
    uint32_t slot = SLOTS_NONE;
    s->is_writing = true;
    enum slots_end end = slots_write(b, disk_deadline(), &slot);
    s->is_writing = false;
    switch (end) {
    case SLOTS_DONE:
        add_slot(s, slot, b->n);
        b->n = 0;
        return SPOOL_DONE;
    case SLOTS_FAILED:
        if (!s->has_failed)
            http_count(s->env, HTTP_COUNTER_SPOOL_FULL, 1);
        s->has_failed = true;
        return SPOOL_FULL;
    case SLOTS_GONE:
        break;
    }
    s->open = NULL;
    lose_block(s, SLOTS_BYTES);
    return SPOOL_LOST;
}

// --- putting ---

// A quarter of the memory is left for what is on its way to the file.
static bool may_add_piece(const struct spool *s)
{
    size_t limit = s->env->slots ? s->all_bytes - s->all_bytes / 4 : s->all_bytes;
    return s->held_bytes < s->memory_bytes && s->env->spooled_bytes + HTTP_BUFFER_BYTES <= limit;
}

static bool may_open(const struct spool *s)
{
    return s->env->slots && s->env->spooled_bytes + SLOTS_BYTES <= s->all_bytes;
}

static bool has_memory(const struct spool *s)
{
    return !has_open(s) && (room_of_last(s) > 0 || may_add_piece(s));
}

bool spool_has_room(const struct spool *s)
{
    if (has_memory(s))
        return true;
    return s->open ? !s->has_failed || s->open->n < s->open->cap : may_open(s);
}

static enum spool_end put_to_file(struct spool *s, struct str *bytes)
{
    if (!s->open && !may_open(s))
        return SPOOL_FULL;
    if (!s->open)
        s->open = new_block(s, SLOTS_BYTES);
    struct slots_block *b = s->open;
    if (b->n == b->cap)
        return write_open(s);
    struct str part = str_first(*bytes, b->cap - b->n);
    memcpy(b->bytes + b->n, part.ptr, part.len);
    b->n += part.len;
    s->n_bytes += part.len;
    *bytes = str_skip(*bytes, part.len);
    return SPOOL_DONE;
}

enum spool_end spool_put(struct spool *s, struct str *bytes)
{
    enum spool_end end = s->error == 0 ? SPOOL_DONE : SPOOL_LOST;
    while (bytes->len > 0 && end == SPOOL_DONE) {
        if (!has_memory(s)) {
            end = put_to_file(s, bytes);
            continue;
        }
        if (room_of_last(s) == 0)
            add_piece(s);
        fill_last(s, bytes);
    }
    return end;
}

void spool_force(struct spool *s, struct str *bytes)
{
    ASSERT(!has_open(s));
    while (bytes->len > 0) {
        if (room_of_last(s) == 0)
            add_piece(s);
        fill_last(s, bytes);
    }
}

enum spool_end spool_flush(struct spool *s)
{
    enum spool_end end = s->error == 0 ? SPOOL_DONE : SPOOL_LOST;
    if (!s->first && has_open(s))
        return end; // its reader comes sooner than the disk
    if (end == SPOOL_DONE && has_open(s))
        end = write_open(s);
    if (end == SPOOL_DONE)
        free_block(s, &s->open);
    return end;
}

// --- taking ---

static void end_loan(struct spool *s)
{
    free_block(s, &s->lent);
    if (s->n_lent == 0)
        return;
    s->first->at += s->n_lent;
    s->n_lent = 0;
    if (s->first->at == s->first->end)
        drop_first(s);
}

static enum io lend(struct spool *s, struct str bytes, struct str *ret)
{
    s->n_bytes -= bytes.len;
    *ret = bytes;
    return IO_DONE;
}

static enum io take_from_file(struct spool *s, struct str *ret, struct deadline until)
{
    struct spool_piece *p = s->first;
    struct slots_part part = {.slot = p->slot, .at = p->at, .n = MIN(p->end - p->at, READ_BYTES)};
    part.is_last = part.at + part.n == p->end;
    struct slots_block *b = new_block(s, READ_BYTES);
    enum slots_end end = slots_read(b, part, deadline_min(until, disk_deadline()));
    if (end != SLOTS_DONE || part.is_last)
        p->slot = SLOTS_NONE; // it was given back
    if (end == SLOTS_GONE) {
        lose_block(s, READ_BYTES);
        return IO_FAIL;
    }
    s->lent = b;
    if (end == SLOTS_FAILED) {
        s->error = b->error;
        return IO_FAIL;
    }
    p->at += part.n;
    if (part.is_last)
        drop_first(s);
    return lend(s, str_from(b->bytes, b->n), ret);
}

enum io spool_take(struct spool *s, struct str *ret, struct deadline until)
{
    end_loan(s);
    if (s->error != 0)
        return IO_FAIL;
    if (s->first && s->first->is_on_disk)
        return until.at_ms == BODY_NO_WAIT.at_ms ? IO_AGAIN : take_from_file(s, ret, until);
    if (s->first) {
        s->n_lent = s->first->end - s->first->at;
        return lend(s, str_from(s->first->bytes + s->first->at, s->n_lent), ret);
    }
    if (!has_open(s) || s->is_writing)
        return IO_EOF;
    s->lent = s->open; // its reader is faster than the disk
    s->open = NULL;
    s->has_failed = false;
    return lend(s, str_from(s->lent->bytes, s->lent->n), ret);
}

void spool_drop(struct spool *s)
{
    ASSERT(!s->is_writing);
    free_block(s, &s->lent);
    free_block(s, &s->open);
    while (s->first)
        drop_first(s);
    s->n_bytes = s->n_lent = 0;
}
