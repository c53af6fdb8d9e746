// SPDX-License-Identifier: Apache-2.0
#include "http/replay.h"

#include "unit/test.h"

// A body that comes in pieces of some bytes: "abcdefg…".
struct pieces {
    struct body body;
    const char *text;
    size_t at, len, piece;
    bool was_ended;
};

static enum io pieces_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct pieces *p = CONTAINER_OF(b, struct pieces, body);
    static char lent[64];
    if (p->at == p->len)
        return IO_EOF;
    if (until.at_ms == 0 && p->at % 2 == 1)
        return IO_AGAIN;
    size_t n = MIN(p->piece, p->len - p->at);
    memset(lent, '?', sizeof lent); // what was lent before is gone
    memcpy(lent, p->text + p->at, n);
    *ret_piece = str_from(lent, n);
    p->at += n;
    return IO_DONE;
}

static bool pieces_raw(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left)
{
    (void)b, (void)ret_sock, (void)ret_left;
    return true;
}

static void pieces_fini(struct body *b)
{
    CONTAINER_OF(b, struct pieces, body)->was_ended = true;
}

static const struct body_ops ops = {
    .name = "pieces", .read = pieces_read, .raw = pieces_raw, .fini = pieces_fini};

struct rig {
    struct arena mem;
    struct exchange x;
    struct pieces p;
};

static void rig_init(struct rig *r, const char *text, size_t piece, size_t mem_bytes)
{
    *r = (struct rig){.p = {.body = {.ops = &ops, .length = (int64_t)strlen(text)},
                            .text = text,
                            .len = strlen(text),
                            .piece = piece}};
    arena_init(&r->mem, mem_bytes, NULL, 0);
    r->x.mem = &r->mem;
    r->x.req.body = &r->p.body;
}

// Reads at most n bytes.
static void expect(struct rig *r, size_t n, const char *wanted)
{
    char got[64];
    size_t have = 0;
    struct str piece;
    while (have < n && body_read(r->x.req.body, &piece, (struct deadline){1}) == IO_DONE) {
        memcpy(got + have, piece.ptr, piece.len);
        have += piece.len;
    }
    CHECK_STR(str_from(got, have), str_of(wanted));
}

static void rig_fini(struct rig *r)
{
    body_fini(r->x.req.body);
    CHECK(r->p.was_ended);
    arena_fini(&r->mem);
}

static bool again(struct exchange *x)
{
    return replay_is_whole(x) && replay_restart(x);
}

static void what_was_read_is_read_again_and_the_rest_follows(void)
{
    for (size_t piece = 1; piece <= 8; piece++) {
        struct rig r;
        rig_init(&r, "abcdefg", piece, 65536);
        replay_record(&r.x, 7);
        CHECK_INT(r.x.req.body->length, 7);
        expect(&r, 1,
               piece < 7 ? (const char *[]){"a", "ab", "abc", "abcd", "abcde", "abcdef"}[piece - 1]
                         : "abcdefg");
        CHECK(again(&r.x));
        expect(&r, 64, "abcdefg");
        CHECK(again(&r.x));
        expect(&r, 64, "abcdefg");
        struct str none;
        CHECK_INT(body_read(r.x.req.body, &none, (struct deadline){1}), IO_EOF);
        rig_fini(&r);
    }
}

static void beyond_the_limit_there_is_no_way_back(void)
{
    struct rig r;
    rig_init(&r, "abcdefg", 2, 65536);
    r.p.body.length = -1; // unknown at first
    replay_record(&r.x, 4);
    struct rt_sock *sock;
    uint64_t left;
    expect(&r, 4, "abcd");
    CHECK(!r.x.req.body->ops->raw(r.x.req.body, &sock, &left)); // or it would pass by
    CHECK(again(&r.x));
    expect(&r, 6, "abcdef");
    CHECK(!again(&r.x));
    CHECK(r.x.req.body->ops->raw(r.x.req.body, &sock, &left));
    expect(&r, 64, "g");
    rig_fini(&r);
}

static void what_is_known_to_be_too_long_is_left_alone(void)
{
    struct rig r;
    rig_init(&r, "abcdefg", 2, 65536);
    replay_record(&r.x, 6);
    CHECK(r.x.req.body == &r.p.body);
    CHECK(!again(&r.x));
    rig_fini(&r);
}

static void full_memory_is_as_good_as_a_limit(void)
{
    char room[sizeof(void *) * 16];
    struct rig r;
    rig_init(&r, "abcdefghijklmnopqrstuvwxyz", 13, 0);
    arena_fini(&r.mem);
    arena_init(&r.mem, 0, room, sizeof room); // for the replay itself, hardly more
    replay_record(&r.x, 1000);
    expect(&r, 64, "abcdefghijklmnopqrstuvwxyz");
    CHECK(!again(&r.x));
    rig_fini(&r);
}

static void half_of_the_memory_is_left_to_the_exchange(void)
{
    char text[3000];
    struct rig r;
    struct str piece;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    rig_init(&r, text, 1, 65536); // each piece costs more than its byte
    r.p.body.length = -1;
    replay_record(&r.x, 1000000);
    while (body_read(r.x.req.body, &piece, (struct deadline){1}) == IO_DONE)
        continue;
    CHECK(!replay_is_whole(&r.x));
    CHECK(ARENA_ARRAY(&r.mem, char, 16384) != NULL);
    rig_fini(&r);
    rig_init(&r, text, 64, 4096); // too long from the beginning
    replay_record(&r.x, 1000000);
    CHECK(r.x.req.body == &r.p.body);
    rig_fini(&r);
}

static void a_whole_body_is_kept_where_it_is(void)
{
    struct rig r;
    rig_init(&r, "abcdefg", 64, 65536);
    struct str piece;
    CHECK_INT(body_read(r.x.req.body, &piece, (struct deadline){1}), IO_DONE);
    CHECK(replay_keep(&r.x, piece));
    expect(&r, 64, "abcdefg");
    CHECK(replay_keep(&r.x, piece)); // the next try does the same
    expect(&r, 64, "abcdefg");
    CHECK(again(&r.x));
    rig_fini(&r);
}

TEST_MAIN(TEST(what_was_read_is_read_again_and_the_rest_follows),
          TEST(beyond_the_limit_there_is_no_way_back),
          TEST(what_is_known_to_be_too_long_is_left_alone), TEST(full_memory_is_as_good_as_a_limit),
          TEST(half_of_the_memory_is_left_to_the_exchange), TEST(a_whole_body_is_kept_where_it_is))
