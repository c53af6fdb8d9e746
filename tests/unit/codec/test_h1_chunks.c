// SPDX-License-Identifier: Apache-2.0
#include "unit/codec/test_h1.h"

static const struct h1_limits defaults = {16 * 1024, 64 * 1024, 128};

struct decoded {
    enum io io; // IO_EOF, IO_AGAIN or IO_FAIL
    enum h1_error error;
    size_t used;
    size_t len;
    char data[4096];
};

// Decodes in, given in pieces of piece_bytes, each in memory of its own.
static void decode_pieces(struct str in, size_t piece_bytes, struct decoded *ret)
{
    struct h1_chunks c = {0};
    memset(ret, 0, sizeof *ret);
    ret->io = IO_AGAIN;
    for (size_t at = 0; at < in.len && ret->io == IO_AGAIN; at += piece_bytes) {
        struct str piece = str_first(str_skip(in, at), piece_bytes);
        char *copy = exact_copy(piece);
        for (size_t done = 0;;) {
            struct str data = STR_NONE;
            size_t used = 0;
            ret->io = h1_chunks_next(&c, str_from(copy + done, piece.len - done), &used, &data,
                                     &ret->error);
            done += used;
            ret->used = at + done;
            if (ret->io != IO_DONE)
                break;
            CHECK(data.len > 0 && ret->len + data.len <= sizeof ret->data);
            memcpy(ret->data + ret->len, data.ptr, data.len);
            ret->len += data.len;
        }
        CHECK(ret->io != IO_AGAIN || ret->used == at + piece.len);
        free(copy);
    }
}

// The whole input at once, and any pieces, which must give the same.
static void decode(struct str in, struct decoded *ret)
{
    static struct decoded other;
    decode_pieces(in, in.len + 1, ret);
    for (size_t n = 1; n < in.len; n++) {
        decode_pieces(in, n, &other);
        CHECK_INT(other.io, ret->io);
        CHECK_INT(other.error, ret->error);
        if (ret->io == IO_EOF)
            CHECK_INT(other.used, ret->used);
        CHECK_STR(str_from(other.data, other.len), str_from(ret->data, ret->len));
    }
}

static void chunks_are_decoded(void)
{
    static const struct {
        struct str in, data;
    } cases[] = {
        {STR_INIT("0\r\n"), STR_INIT("")},
        {STR_INIT("5\r\nhello\r\n0\r\n"), STR_INIT("hello")},
        {STR_INIT("5\r\nhello\r\n6\r\n world\r\n0\r\n"), STR_INIT("hello world")},
        {STR_INIT("00000000000000a\r\n0123456789\r\n0000\r\n"), STR_INIT("0123456789")},
        {STR_INIT("A\r\n\r\n0\r\n\r\n56\x00\r\n0\r\n"), STR_INIT("\r\n0\r\n\r\n56\x00")},
        {STR_INIT("1;a\r\nx\r\n0;a\r\n"), STR_INIT("x")},
        {STR_INIT("1;a=b\r\nx\r\n0\r\n"), STR_INIT("x")},
        {STR_INIT("1;a=b;c;d=\"e\"\r\nx\r\n0\r\n"), STR_INIT("x")},
        {STR_INIT("1;a=\"\\\"; \t\xc3\"\r\nx\r\n0\r\n"), STR_INIT("x")},
        {STR_INIT("1;a=\"\"\r\nx\r\n0\r\n"), STR_INIT("x")},
    };
    static struct decoded d;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        decode(cases[i].in, &d);
        CHECK_INT(d.io, IO_EOF);
        CHECK_INT(d.used, cases[i].in.len);
        CHECK_STR(str_from(d.data, d.len), cases[i].data);
    }
}

static void trailer_section_is_left_in_the_input(void)
{
    static struct decoded d;
    decode(STR("1\r\nx\r\n0\r\nA: b\r\n\r\n"), &d);
    CHECK_INT(d.io, IO_EOF);
    CHECK_INT(d.used, 9);
}

static void end_stays_the_end(void)
{
    struct h1_chunks c = {0};
    size_t used = 77;
    struct str data;
    enum h1_error e;
    CHECK_INT(h1_chunks_next(&c, STR("0\r\n5\r\nhello"), &used, &data, &e), IO_EOF);
    CHECK_INT(used, 3);
    CHECK_INT(h1_chunks_next(&c, STR("5\r\nhello"), &used, &data, &e), IO_EOF);
    CHECK_INT(used, 0);
    CHECK_INT(h1_chunks_next(&c, STR_NONE, &used, &data, &e), IO_EOF);
}

static void data_is_lent_without_a_copy(void)
{
    struct h1_chunks c = {0};
    struct str in = STR("64\r\nabc"), data;
    size_t used;
    enum h1_error e;
    CHECK_INT(h1_chunks_next(&c, in, &used, &data, &e), IO_DONE);
    CHECK(data.ptr == in.ptr + 4 && data.len == 3);
    CHECK_INT(used, in.len);
    CHECK_INT(c.left, 97);
}

static void malformed_chunks_are_refused(void)
{
    static const struct {
        struct str in;
        enum h1_error error;
    } cases[] = {
        // RFC 9112 7.1
        {STR_INIT("\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("\n"), H1_ERROR_BARE_LF},
        {STR_INIT("x\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT(" 5\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5 \r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5\t\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("+5\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("-5\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("0x5\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5h\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5,\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5_0\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT(";a\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5\0\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("\xef\xbc\x95\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("8000000000000000\r\n"), H1_ERROR_CHUNK_LENGTH},
        {STR_INIT("ffffffffffffffff\r\n"), H1_ERROR_CHUNK_LENGTH},
        {STR_INIT("10000000000000005\r\n"), H1_ERROR_CHUNK_LENGTH},
        {STR_INIT("00000000000000005\r\n"), H1_ERROR_CHUNK_LENGTH},
        // 2.2
        {STR_INIT("5\nhello\r\n0\r\n"), H1_ERROR_BARE_LF},
        {STR_INIT("5\rhello\r\n0\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("5\r\rhello"), H1_ERROR_BARE_CR},
        {STR_INIT("5;a\nhello"), H1_ERROR_BARE_LF},
        {STR_INIT("5;a\rhello"), H1_ERROR_BARE_CR},
        {STR_INIT("5;\r\nhello"), H1_ERROR_BARE_CR},
        {STR_INIT("5;a=\r\nhello"), H1_ERROR_BARE_CR},
        {STR_INIT("5;a=\"\r\nhello"), H1_ERROR_BARE_CR},
        {STR_INIT("5;a=\"\n\"\r\nhello"), H1_ERROR_BARE_LF},
        {STR_INIT("5;a=\"\\\n\"\r\nhello"), H1_ERROR_BARE_LF},
        // 7.1.1
        {STR_INIT("5 ;a\r\n"), H1_ERROR_CHUNK_SIZE},
        {STR_INIT("5; a\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a \r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a =b\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a= b\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a=b c\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;=b\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;;a\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a=b=c\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a=\"b\"c\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a=\"\0\"\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;a\0\r\n"), H1_ERROR_CHUNK_EXTENSION},
        {STR_INIT("5;\xc3=1\r\n"), H1_ERROR_CHUNK_EXTENSION},
        // 7.1: CRLF exactly where the size says
        {STR_INIT("5\r\nhello0\r\n"), H1_ERROR_CHUNK_END},
        {STR_INIT("5\r\nhello\n0\r\n"), H1_ERROR_CHUNK_END},
        {STR_INIT("5\r\nhello\r0\r\n"), H1_ERROR_CHUNK_END},
        {STR_INIT("5\r\nhello!\r\n0\r\n"), H1_ERROR_CHUNK_END},
        {STR_INIT("5\r\nhell\r\n0\r\n"), H1_ERROR_CHUNK_END},
    };
    static struct decoded d;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        decode(cases[i].in, &d);
        check_verdict(cases[i].in, d.io == IO_FAIL ? d.error : H1_ERROR_NONE, cases[i].error);
    }
}

static void largest_size_is_the_largest_signed_number(void)
{
    struct h1_chunks c = {0};
    size_t used;
    struct str data;
    enum h1_error e;
    CHECK_INT(h1_chunks_next(&c, STR("7fffffffffffffff\r\n"), &used, &data, &e), IO_AGAIN);
    CHECK(c.left == INT64_MAX);
}

static void size_line_over_its_limit_is_refused(void)
{
    static struct decoded d;
    char in[400];
    for (int excess = 0; excess < 2; excess++) {
        int len = snprintf(in, sizeof in, "1;%0*d\r\nx\r\n0\r\n",
                           H1_CHUNK_LINE_MAX_BYTES - 2 + excess, 0);
        decode(str_from(in, (size_t)len), &d);
        CHECK_INT(d.io, excess ? IO_FAIL : IO_EOF);
        if (excess)
            CHECK_INT(d.error, H1_ERROR_CHUNK_EXTENSION);
    }
}

// Tiny chunks with long extensions would make us work for nothing.
static void extensions_of_a_body_are_bounded_by_its_data(void)
{
    struct h1_chunks c = {0};
    char in[400];
    int len = snprintf(in, sizeof in, "1;%0100d\r\nx\r\n", 0);
    size_t n_chunks = 0;
    enum h1_error e = H1_ERROR_NONE;
    for (enum io io = IO_AGAIN; io != IO_FAIL && n_chunks < 100000; n_chunks++) {
        struct str rest = str_from(in, (size_t)len), data;
        do {
            size_t used = 0;
            io = h1_chunks_next(&c, rest, &used, &data, &e);
            rest = str_skip(rest, used);
        } while (io == IO_DONE);
    }
    CHECK_INT(e, H1_ERROR_CHUNK_EXTENSION);
    CHECK(n_chunks > 100 && n_chunks < 300);
}

static void plain_tiny_chunks_may_be_many(void)
{
    struct h1_chunks c = {0};
    enum h1_error e = H1_ERROR_NONE;
    for (int i = 0; i < 100000 && e == H1_ERROR_NONE; i++) {
        struct str rest = STR("1\r\nx\r\n"), data;
        for (enum io io = IO_DONE; io == IO_DONE;) {
            size_t used = 0;
            io = h1_chunks_next(&c, rest, &used, &data, &e);
            rest = str_skip(rest, used);
        }
    }
    CHECK_INT(e, H1_ERROR_NONE);
}

static void trailers_are_fields(void)
{
    static struct parsed p;
    parse_any(TRAILERS, STR("grpc-status: 0\r\nETag: \"x\"\r\n\r\nGET"), &defaults, &p);
    CHECK_INT(p.io, IO_DONE);
    CHECK_INT(p.used, 29);
    CHECK_INT(p.req.n_fields, 2);
    CHECK_STR(p.fields[0].value, STR("0"));
    CHECK_INT(p.fields[1].id, FIELD_ETAG);
    parse_any(TRAILERS, STR("\r\n"), &defaults, &p);
    CHECK_INT(p.io, IO_DONE);
    CHECK_INT(p.used, 2);
    CHECK_INT(p.req.n_fields, 0);
}

static void forbidden_trailers_are_refused(void)
{
    static const char *const names[] = {
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Trailer",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Upgrade",
        "TE",
        "Authorization",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "WWW-Authenticate",
        "Cookie",
        "Set-Cookie",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
        "Cache-Control",
        "Expect",
        "Max-Forwards",
        "Range",
        "If-Match",
        "If-None-Match",
        "If-Anything",
        "X-Forwarded-For",
        "x-forwarded-anything",
        "X-Real-IP",
        "X-Request-Id",
        "Forwarded",
        "Location",
        "Vary",
        "Via",
        "Sec-WebSocket-Key",
        "Access-Control-Allow-Origin",
        "Strict-Transport-Security",
        "HTTP2-Settings",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char in[100];
        int len = snprintf(in, sizeof in, "A: b\r\n%s: 1\r\n\r\n", names[i]);
        check_verdict(str_of(in), error_of(TRAILERS, str_from(in, (size_t)len), &defaults),
                      H1_ERROR_TRAILER);
    }
}

static void malformed_trailers_are_refused(void)
{
    static const struct h1_limits small = {100, 40, 2};
    static const struct {
        struct str in;
        enum h1_error error;
    } cases[] = {
        {STR_INIT("A\r\n\r\n"), H1_ERROR_FIELD_COLON},
        {STR_INIT("A : b\r\n\r\n"), H1_ERROR_FIELD_SPACE},
        {STR_INIT(" A: b\r\n\r\n"), H1_ERROR_FOLD},
        {STR_INIT("A: b\n\n"), H1_ERROR_BARE_LF},
        {STR_INIT("A: b\rc\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("A: \0\r\n\r\n"), H1_ERROR_FIELD_VALUE},
        {STR_INIT("A: 1\r\nB: 2\r\nC: 3\r\n\r\n"), H1_ERROR_FIELD_COUNT},
        {STR_INIT("A: 4567890123456789012345678901234567890\r\n\r\n"), H1_ERROR_HEAD_LENGTH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_verdict(cases[i].in, error_of(TRAILERS, cases[i].in, &small), cases[i].error);
}

TEST_MAIN(TEST(chunks_are_decoded), TEST(trailer_section_is_left_in_the_input),
          TEST(end_stays_the_end), TEST(data_is_lent_without_a_copy),
          TEST(malformed_chunks_are_refused), TEST(largest_size_is_the_largest_signed_number),
          TEST(size_line_over_its_limit_is_refused),
          TEST(extensions_of_a_body_are_bounded_by_its_data), TEST(plain_tiny_chunks_may_be_many),
          TEST(trailers_are_fields), TEST(forbidden_trailers_are_refused),
          TEST(malformed_trailers_are_refused))
