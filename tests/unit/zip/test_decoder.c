// SPDX-License-Identifier: Apache-2.0
#include "zip/decoder.h"

#include <zlib.h>

#include "unit/zip/fixture.h"

#define GZIP_HELLO                                                                                 \
    "\x1f\x8b\x08\0\0\0\0\0\0\3\xcb\x48\xcd\xc9\xc9\xe7\x02\0\x20\x30\x3a\x36\x06\0\0\0"
#define ZSTD_HELLO "\x28\xb5\x2f\xfd\x20\x06\x31\0\0hello\n"

struct unpacking {
    struct zip_heap heap;
    struct zip_decoder *decoder;
    char text[64];
    size_t n;
};

static enum io unpack(struct unpacking *u, enum coding coding, struct str in, size_t piece)
{
    *u = (struct unpacking){.n = 0};
    u->decoder = zip_decoder_new(&u->heap, coding, NO_LIMIT);
    enum io io = unpacked(u->decoder, in, piece, 3, u->text, sizeof u->text, &u->n);
    zip_decoder_free(u->decoder);
    zip_heap_fini(&u->heap);
    return io;
}

static void each_coding_is_unpacked_however_it_comes(void)
{
    static const struct {
        enum coding coding;
        struct str in;
    } cases[] = {
        {CODING_GZIP, STR_INIT(GZIP_HELLO)},
        {CODING_DEFLATE, STR_INIT("\x78\x9c\xcb\x48\xcd\xc9\xc9\xe7\x02\0\x08\x4b\x02\x1f")},
        {CODING_BR, STR_INIT("\x8b\x02\x80hello\n\x03")},
        {CODING_ZSTD, STR_INIT(ZSTD_HELLO)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t piece = 1; piece <= cases[i].in.len; piece++) {
            struct unpacking u;
            CHECK_INT(unpack(&u, cases[i].coding, cases[i].in, piece), IO_EOF);
            CHECK_STR(str_from(u.text, u.n), STR("hello\n"));
        }
        for (size_t n = 0; n < cases[i].in.len; n++) { // cut at any byte
            struct unpacking u;
            CHECK_INT(unpack(&u, cases[i].coding, str_first(cases[i].in, n), 5), IO_DONE);
        }
    }
}

static void several_in_a_row_are_one(void)
{
    struct unpacking u;
    CHECK_INT(unpack(&u, CODING_GZIP, STR(GZIP_HELLO GZIP_HELLO), 7), IO_EOF);
    CHECK_STR(str_from(u.text, u.n), STR("hello\nhello\n"));
    CHECK_INT(unpack(&u, CODING_ZSTD, STR(ZSTD_HELLO ZSTD_HELLO), 7), IO_EOF);
    CHECK_STR(str_from(u.text, u.n), STR("hello\nhello\n"));
}

static void what_is_malformed_is_refused(void)
{
    static const struct {
        enum coding coding;
        struct str in;
    } cases[] = {
        {CODING_GZIP, STR_INIT("hello")},
        {CODING_GZIP, STR_INIT(GZIP_HELLO "rest")},
        {CODING_GZIP, STR_INIT("\x78\x9c\xcb\x48\xcd\xc9\xc9\xe7\x02\0\x08\x4b\x02\x1f")},
        {CODING_GZIP,
         STR_INIT("\x1f\x8b\x08\0\0\0\0\0\0\3\xcb\x48\xcd\xc9\xc9\xe7\x02\0zzzz\6\0\0\0")},
        {CODING_DEFLATE, STR_INIT(GZIP_HELLO)},
        {CODING_DEFLATE, STR_INIT("\xcb\x48\xcd\xc9\xc9\xe7\x02\0")}, // without zlib's head
        {CODING_BR, STR_INIT("\x8b\x02\x80hello\n\x03rest")},
        {CODING_BR, STR_INIT("\xff\xff\xff\xff\xff\xff")},
        {CODING_ZSTD, STR_INIT("hello")},
        {CODING_ZSTD, STR_INIT(ZSTD_HELLO "rest")},
        // a window of 128 MiB
        {CODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\0\x88\x31\0\0hello\n")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct unpacking u;
        enum io io = unpack(&u, cases[i].coding, cases[i].in, 6);
        if (io != IO_FAIL)
            printf("# case %zu\n", i);
        CHECK_INT(io, IO_FAIL);
    }
}

// 16 MiB of zeros are 16 KiB: no more than the room comes out at a time, from the same share.
static void a_bomb_gets_no_more_than_its_room(void)
{
    static const enum coding codings[] = {CODING_GZIP, CODING_BR, CODING_ZSTD};
    enum { BYTES = 16 << 20 };
    char *zeros = mem_alloc(1, BYTES), *room = mem_alloc_raw(4096);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        struct zip_heap heap = {.n_kept = 0};
        struct zip_options o = {codings[i], 1, -1};
        struct zip_encoder *e = zip_encoder_new(&heap, &o, NO_LIMIT);
        struct str bomb = packed(e, str_from(zeros, BYTES), 65536, 16384, 0), in = bomb;
        zip_encoder_free(e);
        struct zip_decoder *d = zip_decoder_new(&heap, codings[i], NO_LIMIT);
        size_t n = 0;
        enum io io;
        do {
            struct writer w;
            writer_init(&w, room, 4096);
            io = zip_decoder_run(d, &in, &w);
            CHECK(w.len <= 4096);
            n += w.len;
        } while (io == IO_AGAIN);
        CHECK_INT(io, IO_DONE);
        CHECK(zip_decoder_is_whole(d));
        CHECK_INT(n, BYTES);
        zip_decoder_free(d);
        mem_free((void *)(uintptr_t)bomb.ptr);
        zip_heap_fini(&heap);
    }
    mem_free(zeros);
    mem_free(room);
}

static void nothing_begins_beyond_the_limit(void)
{
    for (unsigned c = CODING_GZIP; c < CODING_COUNT; c++) {
        struct zip_heap heap = {.n_kept = 0};
        size_t bytes = zip_decoder_bytes((enum coding)c);
        CHECK(zip_decoder_new(&heap, (enum coding)c, bytes - 1) == NULL);
        struct zip_decoder *d = zip_decoder_new(&heap, (enum coding)c, bytes);
        CHECK(d != NULL);
        zip_decoder_free(d);
        zip_heap_fini(&heap);
    }
}

TEST_MAIN(TEST(each_coding_is_unpacked_however_it_comes), TEST(several_in_a_row_are_one),
          TEST(what_is_malformed_is_refused), TEST(a_bomb_gets_no_more_than_its_room),
          TEST(nothing_begins_beyond_the_limit))
