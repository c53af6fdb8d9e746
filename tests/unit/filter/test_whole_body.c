// SPDX-License-Identifier: Apache-2.0
#include "filter/whole_body.h"

#include "unit/filter/bodies.h"
#include "unit/test.h"

#define MAX_BYTES 10000

static char letters[MAX_BYTES + 1];

struct reading {
    size_t piece_bytes, n_bytes;
    int64_t length; // what the client says; -1: nothing
    bool fails, has_trailers;
    size_t mem_bytes;
    enum whole_body read;
};

static void check_reading(const void *arg)
{
    const struct reading *r = arg;
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i % 23);
    struct arena mem;
    struct script s;
    static struct str pieces[2 * (MAX_BYTES + 1)]; // too many for a fiber's stack
    struct str bytes = STR_NONE;
    struct headers trailers;
    size_t n = 0;
    for (size_t at = 0; at < r->n_bytes; at += r->piece_bytes) {
        pieces[n++] = str_from(letters + at, MIN(r->piece_bytes, r->n_bytes - at));
        pieces[n++] = STR_NONE; // a pause
    }
    arena_init(&mem, r->mem_bytes, NULL, 0);
    headers_init(&trailers, &mem);
    script_init(&s, pieces, n);
    s.body.length = r->length;
    s.body.trailers = r->has_trailers ? &trailers : NULL;
    s.fails = r->fails;
    struct exchange x = {.mem = &mem, .req.body = &s.body};
    CHECK_INT(whole_body_read(&x, MAX_BYTES, &bytes), r->read);
    if (r->read == WHOLE_BODY_READ) {
        CHECK_STR(bytes, str_from(letters, r->n_bytes));
        CHECK_INT(x.req.body->length, r->has_trailers ? r->length : (int64_t)r->n_bytes);
        enum io end;
        struct text again = bodies_read(x.req.body, &end);
        CHECK_INT(end, IO_EOF);
        CHECK_STR(str_from(again.ptr, again.len), str_from(letters, r->n_bytes));
        CHECK(x.req.body->trailers == s.body.trailers);
        text_fini(&again);
    } else {
        CHECK(x.req.body == &s.body);
    }
    body_fini(x.req.body);
    CHECK_INT(s.n_fini, 1);
    arena_fini(&mem);
}

static void a_body_is_read_once_and_given_on_as_it_was(void)
{
    static const struct reading readings[] = {
        {1, 1, -1, false, false, 1 << 20, WHOLE_BODY_READ},
        {7, 5000, -1, false, false, 1 << 20, WHOLE_BODY_READ},
        {4096, MAX_BYTES, -1, false, false, 1 << 20, WHOLE_BODY_READ},
        {300, MAX_BYTES, MAX_BYTES, false, false, 1 << 20, WHOLE_BODY_READ},
        {300, 0, -1, false, false, 1 << 20, WHOLE_BODY_READ},
        {300, 900, -1, false, true, 1 << 20, WHOLE_BODY_READ},
        {300, 900, 900, false, true, 1 << 20, WHOLE_BODY_READ},
    };
    for (size_t i = 0; i < ARRAY_LEN(readings); i++)
        run_on_fiber(check_reading, &readings[i]);
}

static void what_is_too_long_or_broken_is_not_given_on(void)
{
    static const struct reading readings[] = {
        {4096, MAX_BYTES + 1, -1, false, false, 1 << 20, WHOLE_BODY_TOO_LARGE},
        {1, MAX_BYTES + 1, -1, false, false, 1 << 20, WHOLE_BODY_TOO_LARGE},
        {300, 300, MAX_BYTES + 1, false, false, 1 << 20, WHOLE_BODY_TOO_LARGE},
        {300, 900, -1, true, false, 1 << 20, WHOLE_BODY_BROKEN},
        {300, 900, 1800, true, false, 1 << 20, WHOLE_BODY_BROKEN},
        {300, 9000, -1, false, false, 4096, WHOLE_BODY_EXHAUSTED},
        {300, 9000, 9000, false, false, 4096, WHOLE_BODY_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(readings); i++)
        run_on_fiber(check_reading, &readings[i]);
}

TEST_MAIN(TEST(a_body_is_read_once_and_given_on_as_it_was),
          TEST(what_is_too_long_or_broken_is_not_given_on))
