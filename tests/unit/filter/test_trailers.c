// SPDX-License-Identifier: Apache-2.0
#include "filter/trailers.h"

#include "unit/filter/fixture.h"
#include "unit/test.h"

// A request body of nothing but trailers.
struct upload {
    struct body body;
    struct headers trailers;
    unsigned n_fini;
};

static enum io read_nothing(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)ret_piece;
    (void)until;
    b->trailers = &CONTAINER_OF(b, struct upload, body)->trailers;
    return IO_EOF;
}

static void count_end(struct body *b)
{
    CONTAINER_OF(b, struct upload, body)->n_fini++;
}

static const struct body_ops upload_ops = {
    .name = "upload", .read = read_nothing, .fini = count_end};

static void begin_upload(struct upload *up, struct exchange *x, enum http_version version,
                         int64_t length)
{
    static const char *const names[] = {"X-Foo", "x_foo", "X-Bar", "X-HTTP-Method-Override",
                                        "X-Fine"};
    *up = (struct upload){.body = {.ops = &upload_ops, .length = length}};
    headers_init(&up->trailers, x->mem);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK_INT(headers_add_named(&up->trailers, str_of(names[i]), STR("c")), ERR_OK);
    x->req.version = (uint8_t)version;
    x->req.body = &up->body;
}

static struct str names_of(const struct headers *h, struct arena *mem)
{
    struct str all = STR_NONE;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        all = arena_concat(mem, all, STR(" "), f->name);
    return all;
}

// What a filter takes out of the head doesn't come behind the body either.
static void trailers_lose_what_heads_lose(void)
{
    static const struct {
        const struct filter_type *type;
        const char *yaml, *left;
    } cases[] = {
        {&filter_headers, "{ request: { remove: [X-Foo], set: { X-Bar: ours } } }",
         " X-HTTP-Method-Override X-Fine"},
        {&filter_headers, "{ response: { remove: [X-Foo] } }",
         " X-Foo x_foo X-Bar X-HTTP-Method-Override X-Fine"},
        {&filter_methods, "POST", " X-Foo x_foo X-Bar X-Fine"},
        {&filter_methods, "{ allow: POST, keep-overrides: yes }",
         " X-Foo x_foo X-Bar X-HTTP-Method-Override X-Fine"},
    };
    static const struct {
        enum http_version version;
        int64_t length;
    } kinds[] = {{HTTP_1_1, -1}, {HTTP_2, -1}, {HTTP_2, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(kinds); i++) {
        const size_t c = i / ARRAY_LEN(kinds), k = i % ARRAY_LEN(kinds);
        struct filter_fixture f;
        struct fixture e;
        struct upload up;
        struct str piece;
        filter_start(&f, cases[c].type, cases[c].yaml, NULL);
        struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
        begin_upload(&up, x, kinds[k].version, kinds[k].length);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->req.body->length, kinds[k].length);
        CHECK_INT(body_read(x->req.body, &piece, deadline_at(0)), IO_EOF);
        CHECK_STR(names_of(x->req.body->trailers, x->mem), str_of(cases[c].left));
        body_fini(x->req.body); // what a filter has put there ends with it
        CHECK_INT(up.n_fini, 1);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void drop_all(const void *arg, struct headers *trailers)
{
    CHECK(arg == trailers);
    headers_remove_twins(trailers, STR("X-Foo"));
}

static void bodies_that_have_none_stay_as_they_are(void)
{
    struct fixture e;
    struct upload up;
    struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
    CHECK_INT(filter_clean_trailers(x, drop_all, &up.trailers), ERR_OK);
    CHECK(x->req.body == NULL);
    begin_upload(&up, x, HTTP_1_1, 3);
    CHECK_INT(filter_clean_trailers(x, drop_all, &up.trailers), ERR_OK);
    CHECK(x->req.body == &up.body);
    x->req.body = NULL;
    fixture_end(&e);
}

TEST_MAIN(TEST(trailers_lose_what_heads_lose), TEST(bodies_that_have_none_stay_as_they_are))
