// SPDX-License-Identifier: Apache-2.0
#include "upstream/kept_answer.h"

#include "unit/upstream/upstream_rig.h"

// Gives n_pieces of 1000 bytes each, then its end.
struct pieces {
    struct body body;
    int n_pieces;
    enum io end;
    char bytes[1000];
};

static enum io read_piece(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct pieces *p = CONTAINER_OF(b, struct pieces, body);
    (void)until;
    if (p->n_pieces-- == 0)
        return p->end;
    memset(p->bytes, 'a' + p->n_pieces % 26, sizeof p->bytes);
    *ret_piece = str_from(p->bytes, sizeof p->bytes);
    return IO_DONE;
}

static const struct body_ops ops = {.name = "pieces", .read = read_piece};

static struct exchange answered(struct arena *mem, struct pieces *p, struct str value)
{
    struct exchange x = {.mem = mem, .server_name = STR("10.0.0.1:80"), .end = EXCHANGE_END_OK};
    headers_init(&x.resp.headers, mem);
    x.resp.status = 503;
    x.resp.body = p ? &p->body : NULL;
    CHECK_INT(headers_add(&x.resp.headers, FIELD_RETRY_AFTER, value), ERR_OK);
    CHECK_INT(headers_add_named(&x.resp.headers, STR("X-Own"), value), ERR_OK);
    return x;
}

static void an_answer_comes_back_as_it_was(void)
{
    static const struct {
        bool has_body;
        int n_pieces;
        int64_t length;
        enum io end;
        bool is_kept;
    } cases[] = {
        {.is_kept = true},
        {true, 0, 0, IO_EOF, true},
        {true, 3, 3000, IO_EOF, true},
        {true, 3, -1, IO_EOF, true},
        {true, 16, -1, IO_EOF, true},
        {true, 17, -1, IO_EOF, false},
        {true, 17, 17000, IO_EOF, false},
        {true, 4, 3000, IO_EOF, false}, // more than it has said
        {true, 3, -1, IO_FAIL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rt_loop *loop = test_loop(0);
        struct arena mem;
        char value[] = "120";
        struct pieces p = {.body = {.ops = &ops, .length = cases[i].length},
                           .n_pieces = cases[i].n_pieces,
                           .end = cases[i].end};
        arena_init(&mem, 1 << 20, NULL, 0);
        struct exchange x = answered(&mem, cases[i].has_body ? &p : NULL, str_of(value));
        struct kept_answer *k = kept_answer_take(&x);
        CHECK_INT(k != NULL, cases[i].is_kept);
        if (k) {
            x.resp = (struct response){.status = 0};
            x.server_name = STR("10.0.0.2:80");
            x.end = EXCHANGE_END_SERVER_CONNECT;
            memset(value, '?', sizeof value - 1); // the connection's buffer is another's now
            memset(p.bytes, '?', sizeof p.bytes);
            kept_answer_give(k, &x);
            CHECK_INT(x.resp.status, 503);
            CHECK_INT(x.end, EXCHANGE_END_OK);
            CHECK_STR(x.server_name, STR("10.0.0.1:80"));
            CHECK_STR(headers_get(&x.resp.headers, FIELD_RETRY_AFTER), STR("120"));
            CHECK_STR(headers_find_named(&x.resp.headers, STR("x-own"))->value, STR("120"));
            CHECK_INT(x.resp.body != NULL, cases[i].has_body);
        }
        struct str piece = STR_NONE;
        if (k && x.resp.body && cases[i].n_pieces > 0) {
            CHECK_INT(x.resp.body->length, 1000 * cases[i].n_pieces);
            CHECK_INT(body_read(x.resp.body, &piece, deadline_in(1)), IO_DONE);
            CHECK_INT((int64_t)piece.len, x.resp.body->length);
            CHECK_INT(piece.ptr[piece.len - 1], 'a');
        }
        arena_fini(&mem);
        loop_free(loop);
    }
}

static void what_does_not_fit_into_the_exchanges_memory_is_not_kept(void)
{
    struct rt_loop *loop = test_loop(0);
    struct arena mem;
    struct pieces p = {.body = {.ops = &ops, .length = 3000}, .n_pieces = 3, .end = IO_EOF};
    arena_init(&mem, 2048, NULL, 0);
    struct exchange x = answered(&mem, &p, STR("1"));
    CHECK(kept_answer_take(&x) == NULL);
    arena_fini(&mem);
    loop_free(loop);
}

TEST_MAIN(TEST(an_answer_comes_back_as_it_was),
          TEST(what_does_not_fit_into_the_exchanges_memory_is_not_kept))
