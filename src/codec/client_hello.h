// SPDX-License-Identifier: Apache-2.0
// The first message of a TLS client (RFC 8446 4.1.2), read from the bytes of a connection before
// anybody has decided who will answer it. However it is split over segments and records. Checks the
// whole structure, and takes out what decides: the server's name, protocols, versions.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define CLIENT_HELLO_ERROR_LIST(X)                                                                 \
    X(NONE, "ok")                                                                                  \
    X(PLAIN_HTTP, "it is plain HTTP")                                                              \
    X(NOT_TLS, "it is not TLS")                                                                    \
    X(RECORD, "a malformed record")                                                                \
    X(LENGTH, "the message is too long")                                                           \
    X(MESSAGE, "the first message is no ClientHello")                                              \
    X(STRUCTURE, "a malformed ClientHello")                                                        \
    X(EXTENSION_TWICE, "an extension comes twice")                                                 \
    X(SERVER_NAME, "a malformed server name")

enum client_hello_error {
#define X(id, text) CLIENT_HELLO_ERROR_##id,
    CLIENT_HELLO_ERROR_LIST(X)
#undef X
};

const char *client_hello_error_text(enum client_hello_error e);

struct client_hello {
    struct str server_name; // lower case, without a dot at its end; empty: none was sent
    struct str alpn;        // for client_hello_next_protocol; empty: none was sent
    uint16_t version_max;   // 0x0303: TLS 1.2, 0x0304: TLS 1.3
    bool has_early_data;    // more bytes follow without waiting
};

// State between two pieces of the connection's bytes.
struct client_hello_reader {
    char *room; // borrows
    size_t room_bytes;
    size_t len;  // of the message, so far
    size_t need; // of the whole message; 0: not known yet
    unsigned char head[5];
    unsigned head_bytes; // of the record's head, so far
    size_t record_left;
};

// room takes the message, without the records' heads; a longer one is an error. It lives as long as
// the result.
void client_hello_begin(struct client_hello_reader *r, char *room, size_t room_bytes);

// Takes the next bytes: IO_AGAIN: more are needed; IO_DONE: *ret is filled; IO_FAIL: *reterr says
// why. Bytes behind the message are not looked at.
enum io client_hello_feed(struct client_hello_reader *r, struct str in, struct client_hello *ret,
                          enum client_hello_error *reterr) MUST_CHECK;

// Takes the first protocol (RFC 7301) off *list. False: there is none.
bool client_hello_next_protocol(struct str *list, struct str *ret);
