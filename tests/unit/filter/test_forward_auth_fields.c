// SPDX-License-Identifier: Apache-2.0
#include "filter/forward_auth.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

// A request body with trailers.
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

static struct str names_of(const struct headers *h, struct arena *mem)
{
    struct str all = STR_NONE;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        all = arena_concat(mem, all, STR(" "), f->name);
        all = arena_concat(mem, all, STR("="), f->value);
    }
    return all;
}

static void the_clients_copies_go_and_the_answers_come(void)
{
    static const struct {
        const char *yaml, *wanted;
    } cases[] = {
        {"{ address: a, auth-response-headers: [X-User, X-Role] }",
         " X-Auth-A=c x_auth_b=c X-Fine=c Content-Length=1 X-User=ada X-User=eve"},
        {"{ address: a, auth-response-headers-regex: ^x-auth- }",
         " x-user=c X_User=c X-Role=c X-Fine=c Content-Length=1 X-AUTH-a=1"},
        {"{ address: a, auth-response-headers-regex: . }",
         " Content-Length=1 X-User=ada X-User=eve X-AUTH-a=1"},
        {"{ address: a }", " x-user=c X_User=c X-Role=c X-Auth-A=c x_auth_b=c X-Fine=c "
                           "Content-Length=1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        struct headers answer;
        filter_start(&f, &filter_forward_auth, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
        static const char *const sent[] = {"x-user",   "X_User",   "X-Role",
                                           "X-Auth-A", "x_auth_b", "X-Fine"};
        for (size_t k = 0; k < ARRAY_LEN(sent); k++)
            fixture_field(&e, sent[k], "c");
        fixture_field(&e, "Content-Length", "1");
        headers_init(&answer, x->mem);
        static const char *const said[][2] = {
            {"X-User", "ada"}, {"X-User", "eve"}, {"X-AUTH-a", "1"}, {"Content-Length", "7"}};
        for (size_t k = 0; k < ARRAY_LEN(said); k++)
            CHECK_INT(headers_add_named(&answer, str_of(said[k][0]), str_of(said[k][1])), ERR_OK);
        const struct forward_auth *a = (const struct forward_auth *)(void *)f.filter;
        CHECK_INT(forward_auth_take_fields(a, x, &answer), ERR_OK);
        CHECK_STR(names_of(&x->req.headers, x->mem), str_of(cases[i].wanted));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void check_trailers(enum http_version version, int64_t length)
{
    struct filter_fixture f;
    struct fixture e;
    struct headers answer;
    filter_start(&f, &filter_forward_auth, "{ address: a, auth-response-headers-regex: ^X-A- }",
                 NULL);
    struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
    headers_init(&answer, x->mem);
    struct upload up = {.body = {.ops = &upload_ops, .length = length}};
    headers_init(&up.trailers, x->mem);
    static const char *const sent[] = {"X-A-User", "x_a_user", "X-B"};
    for (size_t k = 0; k < ARRAY_LEN(sent); k++)
        CHECK_INT(headers_add_named(&up.trailers, str_of(sent[k]), STR("c")), ERR_OK);
    x->req.version = (uint8_t)version;
    x->req.body = &up.body;
    const struct forward_auth *a = (const struct forward_auth *)(void *)f.filter;
    CHECK_INT(forward_auth_take_fields(a, x, &answer), ERR_OK);
    struct str piece;
    CHECK_INT(x->req.body->length, length);
    CHECK_INT(body_read(x->req.body, &piece, deadline_at(0)), IO_EOF);
    CHECK_STR(names_of(x->req.body->trailers, x->mem), STR(" X-B=c"));
    body_fini(x->req.body); // what another filter has put there ends with it
    CHECK_INT(up.n_fini, 1);
    fixture_end(&e);
    filter_end(&f);
}

static void trailers_that_fit_the_expression_go_when_they_come(void)
{
    check_trailers(HTTP_1_1, -1);
    check_trailers(HTTP_2, -1);
    check_trailers(HTTP_2, 3); // with a Content-Length as well
}

TEST_MAIN(TEST(the_clients_copies_go_and_the_answers_come),
          TEST(trailers_that_fit_the_expression_go_when_they_come))
