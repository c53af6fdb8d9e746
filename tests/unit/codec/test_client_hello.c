// SPDX-License-Identifier: Apache-2.0
#include "codec/client_hello.h"

#include "unit/test.h"

#define ROOM_BYTES 1024

// Builds a record with a ClientHello around extensions.
static struct str hello_with(struct str extensions, char *buf)
{
    size_t body = 2 + 32 + 1 + 4 + 2 + 2 + extensions.len, n = 0;
    unsigned char head[] = {22,
                            3,
                            1,
                            (unsigned char)((body + 4) >> 8),
                            (unsigned char)(body + 4),
                            1,
                            0,
                            (unsigned char)(body >> 8),
                            (unsigned char)body,
                            3,
                            3};
    memcpy(buf, head, sizeof head);
    n = sizeof head;
    memset(buf + n, 7, 32);
    n += 32;
    memcpy(buf + n, "\0\0\2\x13\1\1\0", 7); // no session, one suite, no compression
    n += 7;
    buf[n++] = (char)(extensions.len >> 8);
    buf[n++] = (char)extensions.len;
    memcpy(buf + n, extensions.ptr, extensions.len);
    return str_from(buf, n + extensions.len);
}

static enum io feed(struct str in, size_t piece, char *room, struct client_hello *ret,
                    enum client_hello_error *reterr)
{
    struct client_hello_reader r;
    enum io io = IO_AGAIN;
    *reterr = CLIENT_HELLO_ERROR_NONE;
    client_hello_begin(&r, room, ROOM_BYTES);
    while (in.len > 0 && io == IO_AGAIN) {
        size_t n = MIN(piece, in.len);
        io = client_hello_feed(&r, str_first(in, n), ret, reterr);
        in = str_skip(in, n);
    }
    return io;
}

static void name_protocols_and_versions_are_taken_out_in_any_pieces(void)
{
    char buf[512], room[ROOM_BYTES];
    struct client_hello h;
    enum client_hello_error e;
    struct str in = hello_with(STR("\0\0\0\x0e\0\x0c\0\0\x09"
                                   "A.Example"
                                   "\0\x10\0\x0e\0\x0c\2h2\x08http/1.1"
                                   "\0\x2b\0\5\4\x0a\x0a\3\4"),
                               buf);
    for (size_t piece = 1; piece <= in.len; piece++) {
        CHECK_INT(feed(in, piece, room, &h, &e), IO_DONE);
        CHECK_STR(h.server_name, STR("a.example"));
        CHECK_INT(h.version_max, 0x0304);
        struct str list = h.alpn, one;
        CHECK(client_hello_next_protocol(&list, &one));
        CHECK_STR(one, STR("h2"));
        CHECK(client_hello_next_protocol(&list, &one));
        CHECK_STR(one, STR("http/1.1"));
        CHECK(!client_hello_next_protocol(&list, &one));
    }
    for (size_t n = 0; n < in.len; n++)
        CHECK_INT(feed(str_first(in, n), MAX(n, (size_t)1), room, &h, &e), IO_AGAIN);
}

static void records_may_split_the_message_anywhere(void)
{
    char buf[512], split[1024], room[ROOM_BYTES];
    struct client_hello h;
    enum client_hello_error e;
    struct str in = hello_with(STR("\0\0\0\x0e\0\x0c\0\0\x09"
                                   "a.example"),
                               buf);
    struct str message = str_skip(in, 5);
    for (size_t at = 1; at < message.len; at++) {
        size_t n = 0;
        struct str parts[] = {str_first(message, at), str_skip(message, at)};
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            char head[] = {22, 3, 3, (char)(parts[i].len >> 8), (char)parts[i].len};
            memcpy(split + n, head, sizeof head);
            memcpy(split + n + sizeof head, parts[i].ptr, parts[i].len);
            n += sizeof head + parts[i].len;
        }
        CHECK_INT(feed(str_from(split, n), n, room, &h, &e), IO_DONE);
        CHECK_STR(h.server_name, STR("a.example"));
    }
}

static void without_extensions_there_is_no_name(void)
{
    char buf[512], room[ROOM_BYTES];
    struct client_hello h;
    enum client_hello_error e;
    CHECK_INT(feed(hello_with(STR(""), buf), 512, room, &h, &e), IO_DONE);
    CHECK_INT(h.server_name.len, 0);
    CHECK_INT(h.alpn.len, 0);
    CHECK_INT(h.version_max, 0x0303);
    CHECK(!h.has_early_data);
}

static const struct {
    struct str extensions;
    enum client_hello_error error;
} refused[] = {
    {STR_INIT("\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1b"), CLIENT_HELLO_ERROR_EXTENSION_TWICE},
    {STR_INIT("\0\0\0\x0a\0\x08\0\0\1a\0\0\1b"), CLIENT_HELLO_ERROR_SERVER_NAME}, // two names
    {STR_INIT("\0\0\0\6\0\4\1\0\1a"), CLIENT_HELLO_ERROR_SERVER_NAME},            // another kind
    {STR_INIT("\0\0\0\5\0\3\0\0\0"), CLIENT_HELLO_ERROR_SERVER_NAME},             // empty
    {STR_INIT("\0\0\0\6\0\4\0\0\1."), CLIENT_HELLO_ERROR_SERVER_NAME},
    {STR_INIT("\0\0\0\x08\0\6\0\0\3a\0b"), CLIENT_HELLO_ERROR_SERVER_NAME},
    {STR_INIT("\0\0\0\x09\0\7\0\0\4a..b"), CLIENT_HELLO_ERROR_SERVER_NAME},
    {STR_INIT("\0\0\0\x08\0\6\0\0\3a/b"), CLIENT_HELLO_ERROR_SERVER_NAME},
    {STR_INIT("\0\x10\0\3\0\1\0"), CLIENT_HELLO_ERROR_STRUCTURE}, // an empty protocol
    {STR_INIT("\0\x10\0\2\0\0"), CLIENT_HELLO_ERROR_STRUCTURE},   // none
    {STR_INIT("\0\x2b\0\2\1\3"), CLIENT_HELLO_ERROR_STRUCTURE},   // half a version
    {STR_INIT("\0\x2a\0\1x"), CLIENT_HELLO_ERROR_STRUCTURE},      // early data with data
    {STR_INIT("\0\x33\0\2x"), CLIENT_HELLO_ERROR_STRUCTURE},      // cut
    {STR_INIT("\0"), CLIENT_HELLO_ERROR_STRUCTURE},
};

static void malformed_extensions_are_refused(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char buf[512], room[ROOM_BYTES];
        struct client_hello h;
        enum client_hello_error e;
        CHECK_INT(feed(hello_with(refused[i].extensions, buf), 512, room, &h, &e), IO_FAIL);
        CHECK_INT(e, refused[i].error);
    }
}

static const struct {
    struct str in;
    enum client_hello_error error;
} others[] = {
    {STR_INIT("GET / HTTP/1.1\r\n"), CLIENT_HELLO_ERROR_PLAIN_HTTP},
    {STR_INIT("\x80\x2e\1\3\1"), CLIENT_HELLO_ERROR_NOT_TLS},
    {STR_INIT("\x15\3\1\0\2\2\x28"), CLIENT_HELLO_ERROR_NOT_TLS},
    {STR_INIT("\x16\2\0\0\5"), CLIENT_HELLO_ERROR_RECORD},
    {STR_INIT("\x16\3\1\0\0"), CLIENT_HELLO_ERROR_RECORD},
    {STR_INIT("\x16\3\1\x40\1"), CLIENT_HELLO_ERROR_RECORD},
    {STR_INIT("\x16\3\1\0\4\2\0\0\0"), CLIENT_HELLO_ERROR_MESSAGE},
    {STR_INIT("\x16\3\1\0\4\1\0\4\0"), CLIENT_HELLO_ERROR_LENGTH},
    {STR_INIT("\x16\3\1\0\1\1\x17\3\1\0\1x"), CLIENT_HELLO_ERROR_RECORD}, // another kind between
    {STR_INIT("\x16\3\1\0\5\1\0\0\1x"), CLIENT_HELLO_ERROR_STRUCTURE},
};

static void what_is_no_client_hello_is_named(void)
{
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        char room[ROOM_BYTES];
        struct client_hello h;
        enum client_hello_error e;
        CHECK_INT(feed(others[i].in, others[i].in.len, room, &h, &e), IO_FAIL);
        CHECK_INT(e, others[i].error);
        CHECK_INT(feed(others[i].in, 1, room, &h, &e), IO_FAIL);
        CHECK_INT(e, others[i].error);
        CHECK(client_hello_error_text(e)[0] != '\0');
    }
}

TEST_MAIN(TEST(name_protocols_and_versions_are_taken_out_in_any_pieces),
          TEST(records_may_split_the_message_anywhere), TEST(without_extensions_there_is_no_name),
          TEST(malformed_extensions_are_refused), TEST(what_is_no_client_hello_is_named))
