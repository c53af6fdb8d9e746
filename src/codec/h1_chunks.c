// SPDX-License-Identifier: Apache-2.0
// The chunked transfer coding and trailer sections (RFC 9112 7.1).
#include "codec/h1_priv.h"

#include "base/ascii.h"
#include "base/assert.h"

enum state {
    SIZE, // of a zeroed struct
    EXT_NAME_START,
    EXT_NAME,
    EXT_VALUE_START,
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LAST, // the last chunk's line was read
};

#define SIZE_MAX_DIGITS 16

// What ends an extension, or a size: the line's CR or the next extension. White space around the
// parts of an extension (RFC 9112 7.1.1 calls it bad and lets recipients read it) is refused:
// nobody needs it, and parsers disagree about where the size ends.
static bool next_part(char c, enum h1_error otherwise, enum state *ret, enum h1_error *reterr)
{
    if (c == ';') {
        *ret = EXT_NAME_START;
        return true;
    }
    if (c == '\r') {
        *ret = SIZE_LF;
        return true;
    }
    *reterr = c == '\n' ? H1_ERROR_BARE_LF : otherwise;
    return false;
}

static bool refuse(char c, enum h1_error otherwise, enum h1_error *reterr)
{
    *reterr = c == '\n' ? H1_ERROR_BARE_LF : c == '\r' ? H1_ERROR_BARE_CR : otherwise;
    return false;
}

static bool add_digit(struct h1_chunks *c, int digit, enum h1_error *reterr)
{
    if (c->n_digits == SIZE_MAX_DIGITS || c->left > (uint64_t)INT64_MAX >> 4) {
        *reterr = H1_ERROR_CHUNK_LENGTH;
        return false;
    }
    c->left = c->left << 4 | (uint64_t)digit;
    c->n_digits++;
    return true;
}

// One byte of an extension: token [ "=" ( token / quoted-string ) ].
static bool step_extension(enum state state, char c, enum state *ret, enum h1_error *reterr)
{
    bool is_token = ascii_is(c, ASCII_TOKEN);
    switch (state) {
    case EXT_NAME_START:
        *ret = EXT_NAME;
        return is_token || refuse(c, H1_ERROR_CHUNK_EXTENSION, reterr);
    case EXT_NAME:
        *ret = c == '=' ? EXT_VALUE_START : EXT_NAME;
        return is_token || c == '=' || next_part(c, H1_ERROR_CHUNK_EXTENSION, ret, reterr);
    case EXT_VALUE_START:
        *ret = c == '"' ? EXT_QUOTED : EXT_TOKEN;
        return is_token || c == '"' || refuse(c, H1_ERROR_CHUNK_EXTENSION, reterr);
    case EXT_TOKEN:
        *ret = EXT_TOKEN;
        return is_token || next_part(c, H1_ERROR_CHUNK_EXTENSION, ret, reterr);
    case EXT_QUOTED:
        *ret = c == '"' ? EXT_QUOTED_END : c == '\\' ? EXT_ESCAPED : EXT_QUOTED;
        return ascii_is(c, ASCII_VALUE) || refuse(c, H1_ERROR_CHUNK_EXTENSION, reterr);
    case EXT_ESCAPED:
        *ret = EXT_QUOTED;
        return ascii_is(c, ASCII_VALUE) || refuse(c, H1_ERROR_CHUNK_EXTENSION, reterr);
    case EXT_QUOTED_END:
        return next_part(c, H1_ERROR_CHUNK_EXTENSION, ret, reterr);
    case SIZE:
    case SIZE_LF:
    case DATA:
    case DATA_CR:
    case DATA_LF:
    case LAST:
        break;
    }
    panic("h1_chunks: %d is not a state of an extension", (int)state);
}

// The end of a size line. What is beyond the size and a fair share of the data counts against
// the whole body's allowance: a stream of tiny chunks with long extensions costs us much and its
// sender little.
static bool end_line(struct h1_chunks *c, enum h1_error *reterr)
{
    uint64_t excess = (uint64_t)c->excess_bytes + c->line_bytes;
    uint64_t fair = SIZE_MAX_DIGITS + MIN(c->left, H1_CHUNK_EXCESS_MAX_BYTES);
    excess = excess > fair ? excess - fair : 0;
    if (excess > H1_CHUNK_EXCESS_MAX_BYTES) {
        *reterr = H1_ERROR_CHUNK_EXTENSION;
        return false;
    }
    c->excess_bytes = (uint32_t)excess;
    c->line_bytes = 0;
    c->n_digits = 0;
    c->state = c->left > 0 ? DATA : LAST;
    return true;
}

// One byte of a size line.
static bool step_line(struct h1_chunks *c, char byte, enum h1_error *reterr)
{
    enum state state = (enum state)c->state;
    if (state == SIZE_LF) {
        if (byte == '\n')
            return end_line(c, reterr);
        *reterr = H1_ERROR_BARE_CR;
        return false;
    }
    if (state == SIZE) {
        int digit = ascii_hex(byte);
        if (digit >= 0 && !add_digit(c, digit, reterr))
            return false;
        if (digit < 0 && c->n_digits == 0)
            return refuse(byte, H1_ERROR_CHUNK_SIZE, reterr);
        if (digit < 0 && !next_part(byte, H1_ERROR_CHUNK_SIZE, &state, reterr))
            return false;
    } else if (!step_extension(state, byte, &state, reterr)) {
        return false;
    }
    if (state != SIZE_LF && ++c->line_bytes > H1_CHUNK_LINE_MAX_BYTES) {
        *reterr = H1_ERROR_CHUNK_EXTENSION;
        return false;
    }
    c->state = (uint8_t)state;
    return true;
}

// One byte of a chunk's frame: anything but data.
static bool step(struct h1_chunks *c, char byte, enum h1_error *reterr)
{
    if (c->state != DATA_CR && c->state != DATA_LF)
        return step_line(c, byte, reterr);
    if (byte != (c->state == DATA_CR ? '\r' : '\n')) {
        *reterr = H1_ERROR_CHUNK_END;
        return false;
    }
    c->state = c->state == DATA_CR ? DATA_LF : SIZE;
    return true;
}

enum io h1_chunks_next(struct h1_chunks *c, struct str in, size_t *ret_used, struct str *ret_data,
                       enum h1_error *reterr)
{
    size_t used = 0;
    while (c->state != LAST && used < in.len) {
        if (c->state == DATA) {
            size_t n = (size_t)MIN(c->left, in.len - used);
            c->left -= n;
            if (c->left == 0)
                c->state = DATA_CR;
            *ret_data = str_from(in.ptr + used, n);
            *ret_used = used + n;
            return IO_DONE;
        }
        if (!step(c, in.ptr[used], reterr))
            return IO_FAIL;
        used++;
    }
    *ret_used = used;
    return c->state == LAST ? IO_EOF : IO_AGAIN;
}

bool h1_field_may_trail(const struct field *f)
{
    switch (f->id) {
    case FIELD_ACCEPT_RANGES:
    case FIELD_AGE:
    case FIELD_ALT_SVC:
    case FIELD_AUTHORIZATION:
    case FIELD_CACHE_CONTROL:
    case FIELD_CONNECTION:
    case FIELD_CONTENT_DISPOSITION:
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_LENGTH:
    case FIELD_CONTENT_LOCATION:
    case FIELD_CONTENT_RANGE:
    case FIELD_CONTENT_TYPE:
    case FIELD_COOKIE:
    case FIELD_DATE:
    case FIELD_EXPECT:
    case FIELD_EXPIRES:
    case FIELD_FORWARDED:
    case FIELD_HOST:
    case FIELD_HTTP2_SETTINGS:
    case FIELD_KEEP_ALIVE:
    case FIELD_LOCATION:
    case FIELD_MAX_FORWARDS:
    case FIELD_ORIGIN:
    case FIELD_PRAGMA:
    case FIELD_RANGE:
    case FIELD_RETRY_AFTER:
    case FIELD_SET_COOKIE:
    case FIELD_STRICT_TRANSPORT_SECURITY:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_VARY:
    case FIELD_VIA:
    case FIELD_WWW_AUTHENTICATE:
    case FIELD_X_REAL_IP:
    case FIELD_X_REQUEST_ID:
        return false;
    }
    static const struct str prefixes[] = {STR_INIT("If-"), STR_INIT("Proxy-"), STR_INIT("Sec-"),
                                          STR_INIT("X-Forwarded-"), STR_INIT("Access-Control-")};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (str_istarts(f->name, prefixes[i]))
            return false;
    }
    return true;
}

enum io h1_trailers_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                          size_t *ret_n_fields, size_t *ret_used, enum h1_error *reterr)
{
    size_t n_fields, used;
    enum io io = h1_fields_parse(in, limits, fields, &n_fields, &used, reterr);
    if (io != IO_DONE)
        return io;
    for (size_t i = 0; i < n_fields; i++) {
        if (!h1_field_may_trail(&fields[i])) {
            *reterr = H1_ERROR_TRAILER;
            return IO_FAIL;
        }
    }
    *ret_n_fields = n_fields;
    *ret_used = used;
    return IO_DONE;
}
