// SPDX-License-Identifier: Apache-2.0
#include "http/h2_heap.h"

#include <stdalign.h>
#include <string.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/list.h"
#include "base/mem.h"
#include "rt/notes.h"
#include "rt/pool.h"

#define STEP_BYTES 64 // a cache line: what differs by less shares a pool
#define N_POOLS 5     // the largest one has what a stream is (about 250 bytes)
#define KEEP_MAX 1024 // free pieces of one size: less than 1 MiB for a worker

// A session has one buffer for a frame of any size, and most of its frames have a hundred bytes. In
// malloc's memory all of its pages would be there, since others have used them before: here
// only those are that a frame has reached. The system gives a large piece with none.
#define PAGE_BYTES 4096
#define FRAME_MIN_BYTES 16384 // what is so large is such a buffer: nghttp2 asks for 16 394
#define FRAME_PAGES 5
#define FRAME_BYTES ((size_t)FRAME_PAGES * PAGE_BYTES)
#define SLAB_FRAMES 16

// Some of them, one behind the other. One goes when none of its frames is used, but for the last.
struct slab {
    struct list_node node; // in h->slabs, while one is free
    char *free;            // a chain through the first word of those that were used
    uint32_t n_new, n_out; // how many were ever used, and are
    alignas(PAGE_BYTES) char frames[SLAB_FRAMES][FRAME_BYTES];
};

// Stands before each piece; as large as malloc's alignment.
struct piece {
    uint32_t n_lines; // of STEP_BYTES; more than N_POOLS: of malloc's own, or a slab's
    uint32_t nth;     // of a slab's frames, from 1 on; 0: none
    alignas(max_align_t) char bytes[];
};

_Static_assert(offsetof(struct piece, bytes) == alignof(max_align_t),
               "pieces are aligned as malloc's");

struct h2_heap {
    nghttp2_mem mem;
    struct rt_pool pools[N_POOLS];
    struct list slabs; // those with a free frame
    uint32_t n_frames; // in use
};

static size_t lines_for(size_t n)
{
    size_t bytes;
    if (__builtin_add_overflow(n, sizeof(struct piece) + STEP_BYTES - 1, &bytes))
        panic("a piece of %zu bytes", n);
    return bytes / STEP_BYTES;
}

static size_t room_of(const struct piece *p)
{
    return (size_t)p->n_lines * STEP_BYTES - sizeof *p;
}

static struct piece *piece_of(void *ptr)
{
    return (struct piece *)(void *)((char *)ptr - offsetof(struct piece, bytes));
}

// --- frames ---

static struct slab *add_slab(struct h2_heap *h)
{
    struct slab *s = mem_alloc_aligned(PAGE_BYTES, sizeof *s);
    s->node = (struct list_node){.next = NULL};
    s->free = NULL; // and nothing of the frames is touched
    s->n_new = s->n_out = 0;
    list_push_back(&h->slabs, &s->node);
    return s;
}

static void free_slab(struct slab *s)
{
    notes_show(s->frames, sizeof s->frames);
    mem_free(s);
}

static bool is_full(const struct slab *s)
{
    return s->n_out == SLAB_FRAMES;
}

static struct piece *take_frame(struct h2_heap *h)
{
    struct list_node *first = list_first(&h->slabs);
    struct slab *s = first ? CONTAINER_OF(first, struct slab, node) : add_slab(h);
    char *frame = s->free;
    if (frame) {
        notes_show(frame, FRAME_BYTES);
        s->free = *(char **)(void *)frame;
    } else {
        frame = s->frames[s->n_new++];
    }
    s->n_out++;
    h->n_frames++;
    if (is_full(s))
        list_remove(&s->node);
    struct piece *p = (struct piece *)(void *)frame;
    p->nth = (uint32_t)((size_t)(frame - s->frames[0]) / FRAME_BYTES) + 1;
    return p;
}

static void give_frame(struct h2_heap *h, struct piece *p)
{
    char *frame = (char *)p;
    struct slab *s =
        (struct slab *)(void *)(frame - (p->nth - 1) * FRAME_BYTES - offsetof(struct slab, frames));
    if (is_full(s))
        list_push_front(&h->slabs, &s->node);
    *(char **)(void *)frame = s->free;
    s->free = frame;
    notes_hide(frame, FRAME_BYTES);
    h->n_frames--;
    if (--s->n_out > 0 || list_first(&h->slabs) == list_last(&h->slabs))
        return;
    list_remove(&s->node);
    free_slab(s);
}

// --- what nghttp2 calls ---

static struct piece *take(struct h2_heap *h, size_t n_lines)
{
    if (n_lines <= N_POOLS)
        return pool_take(&h->pools[n_lines - 1]);
    size_t bytes = n_lines * STEP_BYTES;
    if (bytes >= FRAME_MIN_BYTES && bytes <= FRAME_BYTES)
        return take_frame(h);
    struct piece *p = mem_alloc_raw(bytes);
    p->nth = 0;
    return p;
}

static void *get(size_t n, void *arg)
{
    struct h2_heap *h = arg;
    size_t n_lines = lines_for(n);
    if (n_lines > UINT32_MAX)
        panic("a piece of %zu bytes", n);
    struct piece *p = take(h, n_lines);
    ASSERT(p != NULL);
    p->n_lines = (uint32_t)n_lines;
    return p->bytes;
}

static void *get_zeroed(size_t n, size_t size, void *arg)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        panic("%zu pieces of %zu bytes", n, size);
    return memset(get(bytes, arg), 0, bytes);
}

static void give(void *ptr, void *arg)
{
    struct h2_heap *h = arg;
    if (!ptr)
        return;
    struct piece *p = piece_of(ptr);
    if (p->n_lines <= N_POOLS)
        pool_give(&h->pools[p->n_lines - 1], p);
    else if (p->nth > 0)
        give_frame(h, p);
    else
        mem_free(p);
}

static void *resize(void *ptr, size_t n, void *arg)
{
    if (ptr && n <= room_of(piece_of(ptr)))
        return ptr;
    void *larger = get(n, arg);
    if (ptr)
        memcpy(larger, ptr, room_of(piece_of(ptr)));
    give(ptr, arg);
    return larger;
}

struct h2_heap *h2_heap_new(void)
{
    struct h2_heap *h = MEM_NEW(struct h2_heap);
    h->mem = (nghttp2_mem){
        .mem_user_data = h, .malloc = get, .free = give, .calloc = get_zeroed, .realloc = resize};
    list_init(&h->slabs);
    for (size_t i = 0; i < N_POOLS; i++)
        pool_init(&h->pools[i], (i + 1) * STEP_BYTES, KEEP_MAX, UINT32_MAX);
    return h;
}

void h2_heap_free(struct h2_heap **h)
{
    if (!*h)
        return;
    ASSERT((*h)->n_frames == 0);
    for (struct list_node *n; (n = list_pop_front(&(*h)->slabs)) != NULL;)
        free_slab(CONTAINER_OF(n, struct slab, node));
    for (size_t i = 0; i < N_POOLS; i++)
        pool_fini(&(*h)->pools[i]);
    mem_free(*h);
    *h = NULL;
}

nghttp2_mem *h2_heap_mem(struct h2_heap *h)
{
    return &h->mem;
}

uint32_t h2_heap_pieces(const struct h2_heap *h)
{
    uint32_t n = h->n_frames;
    for (size_t i = 0; i < N_POOLS; i++)
        n += h->pools[i].n_out;
    return n;
}
