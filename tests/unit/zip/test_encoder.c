// SPDX-License-Identifier: Apache-2.0
#include "zip/encoder.h"

#include <pthread.h>

#include "unit/zip/fixture.h"
#include "zip/encoder_priv.h"

#define STACK_MAX_BYTES ((size_t)24 * 1024)

static const struct {
    enum coding coding;
    unsigned first, last;
} codings[] = {
    {CODING_GZIP, 1, ZIP_GZIP_LEVEL_MAX},
    {CODING_BR, 0, ZIP_BR_LEVEL_MAX},
    {CODING_ZSTD, 1, ZIP_ZSTD_LEVEL_MAX},
};

struct way {
    size_t in_max, out_max;
    unsigned flush_every;
};

static void check_survives(const struct zip_options *o, struct str bytes, const struct way *way)
{
    struct zip_heap heap = {.n_kept = 0};
    struct zip_encoder *e = zip_encoder_new(&heap, o, NO_LIMIT);
    struct str small = packed(e, bytes, way->in_max, way->out_max, way->flush_every);
    CHECK(e->share.peak_bytes <= e->share.max_bytes);
    zip_encoder_free(e);
    CHECK(small.ptr != NULL);
    struct zip_decoder *d = zip_decoder_new(&heap, o->coding, NO_LIMIT);
    char *again = mem_alloc_raw(bytes.len + 64);
    size_t n = 0;
    CHECK_INT(unpacked(d, small, 1000, 5000, again, bytes.len + 64, &n), IO_EOF);
    CHECK(str_eq(str_from(again, n), bytes));
    if (test_failed)
        printf("# %s level %u, %zu bytes, length %lld, in %zu out %zu flush %u\n",
               zip_encoder_engine(o), o->level, bytes.len, (long long)o->length, way->in_max,
               way->out_max, way->flush_every);
    mem_free(again);
    zip_decoder_free(d);
    mem_free((void *)(uintptr_t)small.ptr);
    CHECK_INT(heap.promised_bytes, 0);
    zip_heap_fini(&heap);
}

// That it fits into its share shows that what was stated suffices: beyond it, packing fails.
static void bytes_survive_each_coding_and_level_within_its_memory(void)
{
    static const struct way ways[] = {{16384, 16384, 0}, {700, 100, 3}, {65536, 16384, 1}};
    static const size_t sizes[] = {0, 1, 999, 60000, 65536, 600000};
    for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
        for (unsigned level = codings[c].first; level <= codings[c].last; level++) {
            for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
                size_t size = sizes[i / 2];
                char *bytes = made_up(size, i % 2 == 1);
                struct zip_options o = {codings[c].coding, level, -1};
                check_survives(&o, str_from(bytes, size), &ways[i % ARRAY_LEN(ways)]);
                o.length = (int64_t)size;
                check_survives(&o, str_from(bytes, size), &ways[(i + 1) % ARRAY_LEN(ways)]);
                mem_free(bytes);
            }
        }
    }
}

static void what_is_flushed_can_be_unpacked_at_once(void)
{
    for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
        struct zip_heap heap = {.n_kept = 0};
        struct zip_options o = {codings[c].coding, 1, -1};
        struct zip_encoder *e = zip_encoder_new(&heap, &o, NO_LIMIT);
        struct zip_decoder *d = zip_decoder_new(&heap, codings[c].coding, NO_LIMIT);
        for (int i = 0; i < 5; i++) {
            char small[512], again[64];
            struct writer w, to;
            struct str event = STR("data: something has happened\n\n");
            writer_init(&w, small, sizeof small);
            writer_init(&to, again, sizeof again);
            CHECK_INT(zip_encoder_run(e, &event, &w, ZIP_FLUSH), IO_DONE);
            struct str in = writer_str(&w);
            CHECK_INT(zip_decoder_run(d, &in, &to), IO_DONE);
            CHECK_STR(writer_str(&to), STR("data: something has happened\n\n"));
        }
        zip_encoder_free(e);
        zip_decoder_free(d);
        zip_heap_fini(&heap);
    }
}

static void nothing_begins_beyond_the_limit(void)
{
    for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
        struct zip_heap heap = {.n_kept = 0};
        struct zip_options o = {codings[c].coding, 1, -1};
        size_t bytes = zip_encoder_bytes(&o);
        CHECK(zip_encoder_new(&heap, &o, bytes - 1) == NULL);
        struct zip_encoder *e = zip_encoder_new(&heap, &o, 2 * bytes - 1);
        CHECK(e != NULL);
        CHECK(zip_encoder_new(&heap, &o, 2 * bytes - 1) == NULL);
        zip_encoder_free(e);
        zip_heap_fini(&heap);
    }
}

static void text_becomes_a_fraction(void)
{
    char *bytes = made_up(200000, false);
    for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
        struct zip_heap heap = {.n_kept = 0};
        struct zip_options o = {codings[c].coding, 1, 200000};
        struct zip_encoder *e = zip_encoder_new(&heap, &o, NO_LIMIT);
        struct str small = packed(e, str_from(bytes, 200000), 16384, 16384, 0);
        CHECK(small.len > 0 && small.len < 200000 / 3);
        mem_free((void *)(uintptr_t)small.ptr);
        zip_encoder_free(e);
        zip_heap_fini(&heap);
    }
    mem_free(bytes);
}

// --- stack: fibers have 64 KiB ---

static void *use_stack(void *arg)
{
    const struct zip_options *o = arg;
    struct zip_heap heap = {.n_kept = 0};
    struct zip_encoder *e = zip_encoder_new(&heap, o, NO_LIMIT);
    char *bytes = made_up(300000, false);
    struct str small = packed(e, str_from(bytes, 300000), 16384, 16384, 4);
    struct zip_decoder *d = zip_decoder_new(&heap, o->coding, NO_LIMIT);
    char *again = mem_alloc_raw(300064);
    size_t n = 0;
    CHECK_INT(unpacked(d, small, 16384, 16384, again, 300064, &n), IO_EOF);
    mem_free(again);
    mem_free(bytes);
    mem_free((void *)(uintptr_t)small.ptr);
    zip_decoder_free(d);
    zip_encoder_free(e);
    zip_heap_fini(&heap);
    return NULL;
}

static size_t stack_used_by(const struct zip_options *o)
{
    enum { STACK_BYTES = 512 * 1024, PAINT = 0xa5 };
    char *stack = mem_alloc_aligned(4096, STACK_BYTES);
    memset(stack, PAINT, STACK_BYTES);
    pthread_attr_t attr;
    pthread_t thread;
    CHECK_INT(pthread_attr_init(&attr), 0);
    CHECK_INT(pthread_attr_setstack(&attr, stack, STACK_BYTES), 0);
    CHECK_INT(pthread_create(&thread, &attr, use_stack, (void *)(uintptr_t)o), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    size_t untouched = 0;
    while (untouched < STACK_BYTES && (unsigned char)stack[untouched] == PAINT)
        untouched++;
    mem_free(stack);
    return STACK_BYTES - untouched;
}

static void the_stack_of_a_fiber_suffices(void)
{
    for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
        for (unsigned level = codings[c].first; level <= codings[c].last; level++) {
            struct zip_options o = {codings[c].coding, level, -1};
            size_t used = stack_used_by(&o);
            if (used > STACK_MAX_BYTES)
                printf("# %s level %u: %zu bytes\n", zip_encoder_engine(&o), level, used);
            CHECK(used <= STACK_MAX_BYTES);
        }
    }
}

TEST_MAIN(TEST(bytes_survive_each_coding_and_level_within_its_memory),
          TEST(what_is_flushed_can_be_unpacked_at_once), TEST(nothing_begins_beyond_the_limit),
          TEST(text_becomes_a_fraction), TEST(the_stack_of_a_fiber_suffices))
