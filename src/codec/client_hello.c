// SPDX-License-Identifier: Apache-2.0
#include "codec/client_hello.h"

#include <string.h>

#include "base/ascii.h"
#include "base/attr.h"

#define RECORD_HANDSHAKE 22         // RFC 8446 5.1
#define RECORD_MAX_BYTES (1u << 14) // of a plaintext fragment
#define MESSAGE_CLIENT_HELLO 1      // RFC 8446 4
#define MESSAGE_HEAD_BYTES 4
#define RANDOM_BYTES 32
#define SESSION_ID_MAX_BYTES 32
#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

// RFC 8446 4.2, RFC 6066 3, RFC 7301 3.1
enum extension {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    EXTENSION_EARLY_DATA = 42,
    EXTENSION_SUPPORTED_VERSIONS = 43,
};
#define EXTENSIONS_MAX 128 // in one message; clients send twenty or so

const char *client_hello_error_text(enum client_hello_error e)
{
    static const char *const texts[] = {
#define X(id, text) [CLIENT_HELLO_ERROR_##id] = text,
        CLIENT_HELLO_ERROR_LIST(X)
#undef X
    };
    return texts[e];
}

// --- the fields of a message ---

static bool take(struct str *in, size_t n, struct str *ret)
{
    if (in->len < n)
        return false;
    *ret = str_first(*in, n);
    *in = str_skip(*in, n);
    return true;
}

// A big-endian number of 1 to 3 bytes.
static bool take_number(struct str *in, size_t n, size_t *ret)
{
    struct str bytes;
    if (!take(in, n, &bytes))
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret << 8 | (unsigned char)bytes.ptr[i];
    return true;
}

// Bytes behind their length, which has n_length bytes.
static bool take_vector(struct str *in, size_t n_length, struct str *ret)
{
    size_t n;
    return take_number(in, n_length, &n) && take(in, n, ret);
}

// Makes it lower case where it stands.
static bool canonicalise_name(struct str *name)
{
    if (str_ends(*name, STR(".")))
        name->len--;
    if (name->len == 0 || name->len > NAME_MAX_BYTES)
        return false;
    char *bytes = (char *)(uintptr_t)name->ptr;
    size_t label = 0;
    for (size_t i = 0; i < name->len; i++) {
        char c = bytes[i];
        if (c == '.' ? label == 0 : !ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) && c != '-' && c != '_')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX_BYTES)
            return false;
        bytes[i] = ascii_lower(c);
    }
    return label > 0;
}

// RFC 6066 3: a list of names of which only one kind was ever defined, and one of each kind.
static enum client_hello_error read_server_name(struct str data, struct client_hello *ret)
{
    struct str list, name;
    size_t kind;
    if (!take_vector(&data, 2, &list) || data.len > 0 || !take_number(&list, 1, &kind) ||
        kind != 0 || !take_vector(&list, 2, &name) || list.len > 0)
        return CLIENT_HELLO_ERROR_SERVER_NAME;
    if (!canonicalise_name(&name))
        return CLIENT_HELLO_ERROR_SERVER_NAME;
    ret->server_name = name;
    return CLIENT_HELLO_ERROR_NONE;
}

bool client_hello_next_protocol(struct str *list, struct str *ret)
{
    return list->len > 0 && take_vector(list, 1, ret) && ret->len > 0;
}

static enum client_hello_error read_alpn(struct str data, struct client_hello *ret)
{
    struct str list, protocol;
    if (!take_vector(&data, 2, &list) || data.len > 0 || list.len == 0)
        return CLIENT_HELLO_ERROR_STRUCTURE;
    for (struct str rest = list; rest.len > 0;) {
        if (!client_hello_next_protocol(&rest, &protocol))
            return CLIENT_HELLO_ERROR_STRUCTURE;
    }
    ret->alpn = list;
    return CLIENT_HELLO_ERROR_NONE;
}

// RFC 8446 4.2.1. Versions nobody knows (GREASE, RFC 8701) are skipped.
static enum client_hello_error read_versions(struct str data, struct client_hello *ret)
{
    struct str list;
    size_t version;
    if (!take_vector(&data, 1, &list) || data.len > 0 || list.len < 2 || list.len % 2 != 0)
        return CLIENT_HELLO_ERROR_STRUCTURE;
    ret->version_max = 0;
    while (take_number(&list, 2, &version)) {
        if (version >= 0x0300 && version <= 0x0304)
            ret->version_max = MAX(ret->version_max, (uint16_t)version);
    }
    return CLIENT_HELLO_ERROR_NONE;
}

static enum client_hello_error read_extension(size_t kind, struct str data,
                                              struct client_hello *ret)
{
    switch (kind) {
    case EXTENSION_SERVER_NAME:
        return read_server_name(data, ret);
    case EXTENSION_ALPN:
        return read_alpn(data, ret);
    case EXTENSION_SUPPORTED_VERSIONS:
        return read_versions(data, ret);
    case EXTENSION_EARLY_DATA:
        ret->has_early_data = true;
        return data.len == 0 ? CLIENT_HELLO_ERROR_NONE : CLIENT_HELLO_ERROR_STRUCTURE;
    default: // of no interest here
        return CLIENT_HELLO_ERROR_NONE;
    }
}

static enum client_hello_error read_extensions(struct str in, struct client_hello *ret)
{
    uint16_t seen[EXTENSIONS_MAX];
    size_t n = 0, kind;
    struct str data;
    while (in.len > 0) {
        if (!take_number(&in, 2, &kind) || !take_vector(&in, 2, &data) || n == EXTENSIONS_MAX)
            return CLIENT_HELLO_ERROR_STRUCTURE;
        for (size_t i = 0; i < n; i++) {
            if (seen[i] == kind) // RFC 8446 4.2
                return CLIENT_HELLO_ERROR_EXTENSION_TWICE;
        }
        seen[n++] = (uint16_t)kind;
        enum client_hello_error e = read_extension(kind, data, ret);
        if (e != CLIENT_HELLO_ERROR_NONE)
            return e;
    }
    return CLIENT_HELLO_ERROR_NONE;
}

static enum client_hello_error read_message(struct str in, struct client_hello *ret)
{
    struct str skipped, extensions;
    size_t version;
    struct client_hello hello = {.version_max = 0};
    if (!take_number(&in, 2, &version) || !take(&in, RANDOM_BYTES, &skipped))
        return CLIENT_HELLO_ERROR_STRUCTURE;
    hello.version_max = (uint16_t)version;
    if (!take_vector(&in, 1, &skipped) || skipped.len > SESSION_ID_MAX_BYTES)
        return CLIENT_HELLO_ERROR_STRUCTURE;
    if (!take_vector(&in, 2, &skipped) || skipped.len < 2 || skipped.len % 2 != 0) // cipher suites
        return CLIENT_HELLO_ERROR_STRUCTURE;
    if (!take_vector(&in, 1, &skipped) || skipped.len < 1) // compression methods
        return CLIENT_HELLO_ERROR_STRUCTURE;
    if (in.len > 0) {
        if (!take_vector(&in, 2, &extensions) || in.len > 0)
            return CLIENT_HELLO_ERROR_STRUCTURE;
        enum client_hello_error e = read_extensions(extensions, &hello);
        if (e != CLIENT_HELLO_ERROR_NONE)
            return e;
    }
    *ret = hello;
    return CLIENT_HELLO_ERROR_NONE;
}

// --- records ---

void client_hello_begin(struct client_hello_reader *r, char *room, size_t room_bytes)
{
    *r = (struct client_hello_reader){.room = room, .room_bytes = room_bytes};
}

static enum client_hello_error check_record(struct client_hello_reader *r, bool is_first)
{
    size_t n = (size_t)r->head[3] << 8 | r->head[4];
    if (r->head[0] != RECORD_HANDSHAKE)
        return is_first ? CLIENT_HELLO_ERROR_NOT_TLS : CLIENT_HELLO_ERROR_RECORD;
    if (r->head[1] != 3 || n == 0 || n > RECORD_MAX_BYTES)
        return CLIENT_HELLO_ERROR_RECORD;
    r->record_left = n;
    return CLIENT_HELLO_ERROR_NONE;
}

// The message's own head: what it is, and how long.
static enum client_hello_error check_message_head(struct client_hello_reader *r)
{
    const unsigned char *head = (const unsigned char *)r->room;
    if (head[0] != MESSAGE_CLIENT_HELLO)
        return CLIENT_HELLO_ERROR_MESSAGE;
    r->need = MESSAGE_HEAD_BYTES + ((size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]);
    return r->need > r->room_bytes ? CLIENT_HELLO_ERROR_LENGTH : CLIENT_HELLO_ERROR_NONE;
}

static enum client_hello_error take_head_byte(struct client_hello_reader *r, char c)
{
    bool is_first = r->len == 0;
    if (is_first && r->head_bytes == 0 && c != RECORD_HANDSHAKE)
        return ascii_is(c, ASCII_ALPHA) ? CLIENT_HELLO_ERROR_PLAIN_HTTP
                                        : CLIENT_HELLO_ERROR_NOT_TLS;
    r->head[r->head_bytes++] = (unsigned char)c;
    if (r->head_bytes < sizeof r->head)
        return CLIENT_HELLO_ERROR_NONE;
    r->head_bytes = 0;
    return check_record(r, is_first);
}

// A piece of a record into room, up to the end of the message's head, or of the message.
static enum client_hello_error take_piece(struct client_hello_reader *r, struct str *in)
{
    size_t goal = r->need > 0 ? r->need : MESSAGE_HEAD_BYTES;
    size_t n = MIN(MIN(in->len, r->record_left), goal - r->len);
    memcpy(r->room + r->len, in->ptr, n);
    *in = str_skip(*in, n);
    r->len += n;
    r->record_left -= n;
    return r->need == 0 && r->len == MESSAGE_HEAD_BYTES ? check_message_head(r)
                                                        : CLIENT_HELLO_ERROR_NONE;
}

enum io client_hello_feed(struct client_hello_reader *r, struct str in, struct client_hello *ret,
                          enum client_hello_error *reterr)
{
    enum client_hello_error e =
        r->room_bytes < MESSAGE_HEAD_BYTES ? CLIENT_HELLO_ERROR_LENGTH : CLIENT_HELLO_ERROR_NONE;
    while (e == CLIENT_HELLO_ERROR_NONE && in.len > 0 && (r->need == 0 || r->len < r->need)) {
        if (r->record_left > 0) {
            e = take_piece(r, &in);
        } else {
            e = take_head_byte(r, in.ptr[0]);
            in = str_skip(in, 1);
        }
    }
    if (e == CLIENT_HELLO_ERROR_NONE && (r->need == 0 || r->len < r->need))
        return IO_AGAIN;
    if (e == CLIENT_HELLO_ERROR_NONE)
        e = read_message(str_from(r->room + MESSAGE_HEAD_BYTES, r->need - MESSAGE_HEAD_BYTES), ret);
    if (e == CLIENT_HELLO_ERROR_NONE)
        return IO_DONE;
    *reterr = e;
    return IO_FAIL;
}
