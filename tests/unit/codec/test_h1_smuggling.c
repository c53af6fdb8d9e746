// SPDX-License-Identifier: Apache-2.0
// Request smuggling and its tricks, as whole streams: each has one verdict, or is exactly the
// requests that every strict reader sees.
#include "unit/codec/test_h1.h"

static const struct h1_limits limits = {1024, 4096, 32};

// Reads one body off in. NONE, and *ret_used; or the error.
static enum h1_error read_chunked(struct str in, size_t *ret_used)
{
    static struct field fields[H1_FIELDS_MAX];
    struct h1_chunks c = {0};
    struct str data;
    size_t at = 0, used = 0, n_fields;
    enum h1_error e = H1_ERROR_NONE;
    enum io io;
    do {
        io = h1_chunks_next(&c, str_skip(in, at), &used, &data, &e);
        at += io == IO_FAIL ? 0 : used;
    } while (io == IO_DONE);
    if (io == IO_FAIL)
        return e;
    CHECK_INT(io, IO_EOF);
    io = h1_trailers_parse(str_skip(in, at), &limits, fields, &n_fields, &used, &e);
    CHECK(io == IO_DONE || io == IO_FAIL);
    *ret_used = at + used;
    return io == IO_DONE ? H1_ERROR_NONE : e;
}

// How many requests the stream holds, up to the first error.
static int count_requests(struct str in, enum h1_error *reterr)
{
    static struct parsed p;
    *reterr = H1_ERROR_NONE;
    int n = 0;
    while (in.len > 0) {
        parse_any(REQUEST, in, &limits, &p);
        CHECK(p.io == IO_DONE || p.io == IO_FAIL);
        struct h1_framing f = {0};
        enum h1_error e = p.io == IO_DONE ? h1_request_framing(&p.req, &f) : p.error;
        in = str_skip(in, p.used);
        size_t used = (size_t)f.length;
        if (e == H1_ERROR_NONE && f.body == H1_BODY_CHUNKED)
            e = read_chunked(in, &used);
        *reterr = e;
        if (e != H1_ERROR_NONE)
            break;
        in = str_skip(in, used);
        n++;
    }
    return n;
}

struct trick {
    struct str in;
    enum h1_error error;
    int n_requests; // before the error, or in all
};

static void check_tricks(const struct trick *tricks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum h1_error e;
        int n_requests = count_requests(tricks[i].in, &e);
        check_verdict(tricks[i].in, e, tricks[i].error);
        if (n_requests == tricks[i].n_requests)
            continue;
        printf("# %d requests, wanted %d, in \"" STR_FMT "\"\n", n_requests, tricks[i].n_requests,
               STR_ARG(tricks[i].in));
        test_failed = true;
    }
}
#define CHECK_TRICKS(tricks) check_tricks(tricks, sizeof tricks / sizeof tricks[0])

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define EVIL "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
#define TE "Transfer-Encoding: chunked\r\n"

static void both_lengths_are_refused_in_any_order(void)
{
    static const struct trick tricks[] = {
        // CL.TE, TE.CL, and where they agree
        {STR_INIT(POST "Content-Length: 4\r\n" TE "\r\n0\r\n\r\n" EVIL), H1_ERROR_LENGTH_AND_CODING,
         0},
        {STR_INIT(POST TE "Content-Length: 4\r\n\r\n5c\r\n" EVIL "0\r\n\r\n"),
         H1_ERROR_LENGTH_AND_CODING, 0},
        {STR_INIT(POST TE "Content-Length: 5\r\n\r\n0\r\n\r\n"), H1_ERROR_LENGTH_AND_CODING, 0},
        {STR_INIT(POST "cONTENT-lENGTH: 0\r\ntRANSFER-eNCODING: chunked\r\n\r\n0\r\n\r\n"),
         H1_ERROR_LENGTH_AND_CODING, 0},
        // CL.CL
        {STR_INIT(POST "Content-Length: 0\r\nContent-Length: 31\r\n\r\n" EVIL),
         H1_ERROR_LENGTH_DIFFERS, 0},
        {STR_INIT(POST "Content-Length: 0, 31\r\n\r\n" EVIL), H1_ERROR_LENGTH_DIFFERS, 0},
        {STR_INIT(POST "Content-Length: 31, 31\r\n\r\n" EVIL), H1_ERROR_LENGTH_FORM, 0},
        {STR_INIT(POST "Content-Length: 0\x0b\r\n\r\n"), H1_ERROR_FIELD_VALUE, 0},
        {STR_INIT(POST "Content-Length: +0\r\n\r\n" EVIL), H1_ERROR_LENGTH_FORM, 0},
        {STR_INIT(POST "Content-Length: 0 31\r\n\r\n" EVIL), H1_ERROR_LENGTH_FORM, 0},
        // 2^64 + 1 is not 1
        {STR_INIT(POST "Content-Length: 18446744073709551617\r\n\r\nx"), H1_ERROR_LENGTH_FORM, 0},
        // 2^63 would be negative
        {STR_INIT(POST "Content-Length: 9223372036854775808\r\n\r\nx"), H1_ERROR_LENGTH_FORM, 0},
    };
    CHECK_TRICKS(tricks);
}

static void disguised_transfer_encodings_are_refused(void)
{
    static const struct trick tricks[] = {
        // TE.TE: what one reader takes for chunked and another doesn't
        {STR_INIT(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), H1_ERROR_FIELD_SPACE, 0},
        {STR_INIT(POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"), H1_ERROR_FIELD_SPACE, 0},
        {STR_INIT(POST " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), H1_ERROR_FOLD, 0},
        {STR_INIT(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n"), H1_ERROR_FOLD, 0},
        {STR_INIT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), H1_ERROR_FOLD, 0},
        {STR_INIT(POST "Transfer-Encoding: \x0b"
                       "chunked\r\n\r\n"),
         H1_ERROR_FIELD_VALUE, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked\x0c\r\n\r\n"), H1_ERROR_FIELD_VALUE, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked\0\r\n\r\n"), H1_ERROR_FIELD_VALUE, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked\x7f\r\n\r\n"), H1_ERROR_FIELD_VALUE, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked\xa0\r\n\r\n"), H1_ERROR_CODING_FORM, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked\xff\r\n\r\n"), H1_ERROR_CODING_FORM, 0},
        {STR_INIT(POST "Transfer-Encoding: xchunked\r\n\r\n"), H1_ERROR_CODING_UNKNOWN, 0},
        {STR_INIT(POST "Transfer-Encoding: x\r\n" TE "\r\n0\r\n\r\n"), H1_ERROR_CODING_UNKNOWN, 0},
        {STR_INIT(POST TE "Transfer-Encoding: x\r\n\r\n0\r\n\r\n"), H1_ERROR_CODING_ORDER, 0},
        {STR_INIT(POST TE "Transfer-encoding: identity\r\n\r\n"), H1_ERROR_CODING_ORDER, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked, identity\r\n\r\n"), H1_ERROR_CODING_ORDER, 0},
        {STR_INIT(POST "Transfer-Encoding: identity\r\n\r\n"), H1_ERROR_CODING_UNKNOWN, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), H1_ERROR_CODING_FORM, 0},
        {STR_INIT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), H1_ERROR_CODING_FORM, 0},
        {STR_INIT(POST "Transfer-Encoding: chu\\nked\r\n\r\n"), H1_ERROR_CODING_FORM, 0},
        {STR_INIT(POST "Transfer-Encoding: cow\r\nContent-Length: 5\r\n\r\nhello"),
         H1_ERROR_LENGTH_AND_CODING, 0},
        {STR_INIT(POST "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello"),
         H1_ERROR_CODING_FORM, 0},
        {STR_INIT(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n"), H1_ERROR_BARE_LF, 0},
        {STR_INIT(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n"), H1_ERROR_BARE_CR, 0},
        {STR_INIT(POST "Transfer-Encoding: chunked\r\r\n\r\n"), H1_ERROR_BARE_CR, 0},
        {STR_INIT(POST "Transfer\x00"
                       "-Encoding: chunked\r\n\r\n"),
         H1_ERROR_FIELD_NAME, 0},
        {STR_INIT(POST "\x00Transfer-Encoding: chunked\r\n\r\n"), H1_ERROR_FIELD_NAME, 0},
        {STR_INIT(POST "Transfer\xadncoding: chunked\r\n\r\n"), H1_ERROR_FIELD_NAME, 0},
        {STR_INIT(POST "Transfer\rEncoding: chunked\r\n\r\n"), H1_ERROR_BARE_CR, 0},
        {STR_INIT(POST "Transfer-Encoding\r\n: chunked\r\n\r\n"), H1_ERROR_FIELD_COLON, 0},
        {STR_INIT("POST / HTTP/1.0\r\nHost: a\r\n" TE "\r\n0\r\n\r\n"), H1_ERROR_CODING_VERSION, 0},
        // Just other names: no meaning, whatever a CGI would make of them
        {STR_INIT(POST "Transfer_Encoding: chunked\r\n\r\n"), H1_ERROR_NONE, 1},
        {STR_INIT(POST "Transfer.Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"), H1_ERROR_NONE,
         1},
        {STR_INIT(POST "Content_Length: 5\r\n\r\n"), H1_ERROR_NONE, 1},
        {STR_INIT(POST "X-Transfer-Encoding: chunked\r\n\r\n"), H1_ERROR_NONE, 1},
        // An empty Connection element or field takes no meaning away
        {STR_INIT(POST "Connection: Transfer-Encoding\r\n" TE "\r\n0\r\n\r\n"), H1_ERROR_NONE, 1},
    };
    CHECK_TRICKS(tricks);
}

static void chunk_tricks_are_refused(void)
{
    static const struct trick tricks[] = {
        {STR_INIT(POST TE "\r\n5\nhello\r\n0\r\n\r\n"), H1_ERROR_BARE_LF, 0},
        {STR_INIT(POST TE "\r\n5\r\nhello\n0\r\n\r\n"), H1_ERROR_CHUNK_END, 0},
        {STR_INIT(POST TE "\r\n0\r\n\n" EVIL), H1_ERROR_BARE_LF, 0},
        {STR_INIT(POST TE "\r\n0\n\r\n" EVIL), H1_ERROR_BARE_LF, 0},
        {STR_INIT(POST TE "\r\n5;\nhello\r\n0\r\n\r\n"), H1_ERROR_BARE_LF, 0},
        {STR_INIT(POST TE "\r\n2;\nxx\r\n4c\r\n0\r\n\r\n" EVIL), H1_ERROR_BARE_LF, 0},
        {STR_INIT(POST TE "\r\n0x0\r\n\r\n"), H1_ERROR_CHUNK_SIZE, 0},
        {STR_INIT(POST TE "\r\n-1\r\n\r\n"), H1_ERROR_CHUNK_SIZE, 0},
        {STR_INIT(POST TE "\r\n 0\r\n\r\n"), H1_ERROR_CHUNK_SIZE, 0},
        {STR_INIT(POST TE "\r\n0 \r\n\r\n"), H1_ERROR_CHUNK_SIZE, 0},
        {STR_INIT(POST TE "\r\n\r\n0\r\n\r\n"), H1_ERROR_BARE_CR, 0},
        // 2^64 + 5 is not 5
        {STR_INIT(POST TE "\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"), H1_ERROR_CHUNK_LENGTH, 0},
        {STR_INIT(POST TE "\r\nfffffffffffffffb\r\nhello\r\n0\r\n\r\n"), H1_ERROR_CHUNK_LENGTH, 0},
        {STR_INIT(POST TE "\r\n0;a=\"\r\n\r\n" EVIL "\"\r\n\r\n"), H1_ERROR_BARE_CR, 0},
        {STR_INIT(POST TE "\r\n5\r\nhelloXX0\r\n\r\n"), H1_ERROR_CHUNK_END, 0},
        // Trailers that would change what was decided already
        {STR_INIT(POST TE "\r\n0\r\nContent-Length: 9\r\n\r\n"), H1_ERROR_TRAILER, 0},
        {STR_INIT(POST TE "\r\n0\r\n" TE "\r\n"), H1_ERROR_TRAILER, 0},
        {STR_INIT(POST TE "\r\n0\r\nHost: evil\r\n\r\n"), H1_ERROR_TRAILER, 0},
        {STR_INIT(POST TE "\r\n0\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n"), H1_ERROR_TRAILER, 0},
        {STR_INIT(POST TE "\r\n0\r\n" EVIL), H1_ERROR_FIELD_SPACE, 0},
        {STR_INIT(POST TE "\r\n0\r\n\r\n" EVIL), H1_ERROR_NONE, 2},
        {STR_INIT(POST TE "\r\n1f\r\n" EVIL "\r\n0\r\n\r\n" EVIL), H1_ERROR_NONE, 2},
    };
    CHECK_TRICKS(tricks);
}

static void head_tricks_are_refused(void)
{
    static const struct trick tricks[] = {
        {STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), H1_ERROR_HOST_TWICE, 0},
        {STR_INIT("GET / HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n"), H1_ERROR_FOLD, 0},
        {STR_INIT("GET / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n"), H1_ERROR_FOLD, 0},
        {STR_INIT("GET / HTTP/1.1\r\nHost : b\r\nHost: a\r\n\r\n"), H1_ERROR_FIELD_SPACE, 0},
        {STR_INIT("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), H1_ERROR_HOST_FORM, 0},
        {STR_INIT("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), H1_ERROR_HOST_FORM, 0},
        {STR_INIT("GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n"), H1_ERROR_HOST_FORM, 0},
        {STR_INIT("GET / HTTP/1.1\r\nHost: a\0.b\r\n\r\n"), H1_ERROR_FIELD_VALUE, 0},
        {STR_INIT("GET /\r\n\r\n" EVIL), H1_ERROR_LINE, 0},
        {STR_INIT("GET / HTTP/1.1\r\n\r\n\r\nHost: a\r\n\r\n"), H1_ERROR_HOST_MISSING, 0},
        {STR_INIT("GET / HTTP/1.1\nHost: a\n\n" EVIL), H1_ERROR_BARE_LF, 0},
        {STR_INIT("GET / HTTP/1.1 HTTP/1.0\r\nHost: a\r\n\r\n"), H1_ERROR_LINE, 0},
        {STR_INIT("GET / HTTP/1.0 HTTP/1.1\r\nHost: a\r\n\r\n"), H1_ERROR_LINE, 0},
        {STR_INIT("GET http://b/\tx HTTP/1.1\r\nHost: a\r\n\r\n"), H1_ERROR_TARGET, 0},
        {STR_INIT("\r\n\r\n" EVIL), H1_ERROR_LINE, 0},
        {STR_INIT("\r\n" EVIL "\r\n" EVIL), H1_ERROR_NONE, 2},
        {STR_INIT(EVIL EVIL EVIL), H1_ERROR_NONE, 3},
        // The bytes of a body are nothing but a body
        {STR_INIT(POST "Content-Length: 31\r\n\r\n" EVIL EVIL), H1_ERROR_NONE, 2},
        {STR_INIT(POST "Content-Length: 3\r\n\r\nabcd" EVIL), H1_ERROR_NONE, 2}, // method "dGET"
        {STR_INIT(POST "Content-Length: 3\r\n\r\nabc\r\n\r\n" EVIL), H1_ERROR_LINE, 1},
    };
    CHECK_TRICKS(tricks);
}

TEST_MAIN(TEST(both_lengths_are_refused_in_any_order),
          TEST(disguised_transfer_encodings_are_refused), TEST(chunk_tricks_are_refused),
          TEST(head_tricks_are_refused))
