// SPDX-License-Identifier: Apache-2.0
#include "gate/slices.h"

#include "unit/rt/rt_test.h"

#define PIECE_BYTES 3000

struct source {
    unsigned n_left, n_written, n_ended;
};

static bool write_piece(void *arg, struct text *to)
{
    struct source *s = arg;
    if (s->n_left == 0)
        return false;
    s->n_written++;
    for (unsigned i = 0; i < PIECE_BYTES; i++)
        text_byte(to, (char)('a' + s->n_written % 26));
    return --s->n_left > 0;
}

static void end(void *arg)
{
    ((struct source *)arg)->n_ended++;
}

struct world {
    struct arena mem;
    struct exchange x;
    struct source source;
    struct text all;
    size_t longest;
};

static void begin(struct world *w, unsigned n_pieces, size_t mem_bytes)
{
    *w = (struct world){.source = {.n_left = n_pieces}};
    arena_init(&w->mem, mem_bytes, NULL, 0);
    w->x.mem = &w->mem;
    headers_init(&w->x.resp.headers, &w->mem);
}

static enum err respond(struct world *w)
{
    return slices_respond(
        &w->x, STR("text/x"),
        &(struct slices_source){.write = write_piece, .fini = end, .arg = &w->source});
}

static void run_reader(void *arg)
{
    struct world *w = arg;
    struct str piece;
    enum io io;
    while ((io = body_read(w->x.resp.body, &piece, deadline_in(SOON_MS))) == IO_DONE) {
        w->longest = MAX(w->longest, piece.len);
        text_put(&w->all, piece);
    }
    CHECK_INT(io, IO_EOF);
    CHECK_INT(body_read(w->x.resp.body, &piece, deadline_in(SOON_MS)), IO_EOF);
}

static void a_long_answer_is_written_while_it_is_read(void)
{
    static const unsigned counts[] = {0, 1, 2, 3, 100};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct world w;
        struct rt_loop *l = test_loop(0);
        begin(&w, counts[i], 1 << 16);
        CHECK_INT(respond(&w), ERR_OK);
        CHECK_INT(w.x.resp.status, 200);
        CHECK_STR(headers_get(&w.x.resp.headers, FIELD_CONTENT_TYPE), STR("text/x"));
        CHECK_INT(w.source.n_written, 0);
        fiber_start(run_reader, &w);
        CHECK(test_run_all(l));
        CHECK_INT(w.all.len, counts[i] * PIECE_BYTES);
        for (size_t k = 0; k < w.all.len; k++)
            CHECK(w.all.ptr[k] == (char)('a' + (k / PIECE_BYTES + 1) % 26));
        CHECK(w.longest < 16 * 1024); // whatever the whole is
        body_fini(w.x.resp.body);
        CHECK_INT(w.source.n_ended, 1);
        text_fini(&w.all);
        arena_fini(&w.mem);
        loop_free(l);
    }
}

static void others_have_their_turns_between_slices(void)
{
    struct world w;
    struct rt_loop *l = test_loop(0);
    struct loop_stats before, after;
    begin(&w, 400, 1 << 16);
    CHECK_INT(respond(&w), ERR_OK);
    loop_stats(l, &before);
    fiber_start(run_reader, &w);
    CHECK(test_run_all(l));
    loop_stats(l, &after);
    CHECK(after.n_turns - before.n_turns > 50); // of 1.2 MB
    body_fini(w.x.resp.body);
    text_fini(&w.all);
    arena_fini(&w.mem);
    loop_free(l);
}

#define N_EMPTY 100000

static bool write_nothing(void *arg, struct text *to)
{
    struct source *s = arg;
    (void)to;
    return ++s->n_written < N_EMPTY;
}

static void others_have_their_turns_where_there_is_nothing_to_write(void)
{
    struct world w;
    struct rt_loop *l = test_loop(0);
    struct loop_stats before, after;
    begin(&w, 0, 1 << 16);
    const struct slices_source source = {.write = write_nothing, .fini = end, .arg = &w.source};
    CHECK_INT(slices_respond(&w.x, STR("text/x"), &source), ERR_OK);
    loop_stats(l, &before);
    fiber_start(run_reader, &w);
    CHECK(test_run_all(l));
    loop_stats(l, &after);
    CHECK_INT(w.source.n_written, N_EMPTY);
    CHECK(after.n_turns - before.n_turns > 10);
    body_fini(w.x.resp.body);
    text_fini(&w.all);
    arena_fini(&w.mem);
    loop_free(l);
}

static void an_answer_that_is_dropped_ends_its_source_once(void)
{
    struct world w;
    begin(&w, 5, 1 << 16);
    CHECK_INT(respond(&w), ERR_OK);
    exchange_drop_answer(&w.x);
    CHECK_INT(w.source.n_ended, 1);
    CHECK_INT(w.source.n_written, 0);
    arena_fini(&w.mem);
}

static void without_memory_the_source_is_ended_as_well(void)
{
    struct world w;
    begin(&w, 5, 64);
    CHECK_INT(respond(&w), ERR_LIMIT);
    CHECK_INT(w.source.n_ended, 1);
    arena_fini(&w.mem);
}

TEST_MAIN(TEST(a_long_answer_is_written_while_it_is_read),
          TEST(others_have_their_turns_between_slices),
          TEST(others_have_their_turns_where_there_is_nothing_to_write),
          TEST(an_answer_that_is_dropped_ends_its_source_once),
          TEST(without_memory_the_source_is_ended_as_well))
