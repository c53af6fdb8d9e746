// SPDX-License-Identifier: Apache-2.0
#include "http/h2_heap.h"

#include <stdalign.h>

#include "unit/test.h"

static struct h2_heap *heap;
static nghttp2_mem *m;

static void begin(void)
{
    heap = h2_heap_new();
    m = h2_heap_mem(heap);
}

static void end(void)
{
    CHECK_INT(h2_heap_pieces(heap), 0);
    h2_heap_free(&heap);
    CHECK(heap == NULL);
    h2_heap_free(&heap); // accepts NULL
}

static void pieces_of_every_size_are_aligned_and_wholly_usable(void)
{
    begin();
    for (size_t n = 0; n < 1000; n++) {
        char *ptr = m->malloc(n, heap);
        CHECK_INT((uintptr_t)ptr % alignof(max_align_t), 0);
        memset(ptr, 'x', n);
        m->free(ptr, heap);
        ptr = m->calloc(n, 2, heap);
        for (size_t i = 0; i < 2 * n; i++)
            CHECK(ptr[i] == 0);
        m->free(ptr, heap);
    }
    m->free(NULL, heap);
    end();
}

static void what_is_given_is_taken_again(void)
{
    begin();
    void *a = m->malloc(100, heap), *b = m->malloc(100, heap);
    CHECK_INT(h2_heap_pieces(heap), 2);
    m->free(a, heap);
    void *c = m->malloc(105, heap); // the same size by lines
    CHECK(c == a);
    m->free(b, heap);
    m->free(c, heap);
    end();
}

static void resized_pieces_keep_what_they_hold(void)
{
    static const size_t sizes[] = {1, 48, 49, 200, 304, 305, 5000, 100000};
    begin();
    char *ptr = m->realloc(NULL, 1, heap);
    ptr[0] = 'a';
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        ptr = m->realloc(ptr, sizes[i], heap);
        for (size_t at = 0; at < sizes[i - 1]; at++)
            CHECK(ptr[at] == 'a');
        memset(ptr, 'a', sizes[i]);
    }
    m->free(ptr, heap);
    end();
}

// Buffers of frames come from slabs; each is its own, wherever it lies, and all go back.
static void buffers_of_frames_are_apart(void)
{
    enum { N = 100 };
    char *frames[N];
    begin();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            frames[i] = m->realloc(NULL, 16394, heap);
            CHECK_INT((uintptr_t)frames[i] % alignof(max_align_t), 0);
            memset(frames[i], i, 16394);
        }
        CHECK_INT(h2_heap_pieces(heap), N);
        for (int i = 0; i < N; i++)
            CHECK(frames[i][0] == i && frames[i][16393] == i);
        for (int i = 0; i < N; i += 2) // every other one, so that slabs have holes
            m->free(frames[i], heap);
        for (int i = 0; i < N; i += 2) {
            frames[i] = m->malloc(16384, heap);
            memset(frames[i], -i, 16384);
        }
        for (int i = 0; i < N; i++)
            CHECK(frames[i][0] == (char)(i % 2 == 0 ? -i : i));
        for (int i = N - 1; i >= 0; i--)
            m->free(frames[(i * 37 + round) % N], heap);
    }
    end();
}

TEST_MAIN(TEST(pieces_of_every_size_are_aligned_and_wholly_usable),
          TEST(what_is_given_is_taken_again), TEST(buffers_of_frames_are_apart),
          TEST(resized_pieces_keep_what_they_hold))
