// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 message syntax (RFC 9112), for both sides: heads, framing, chunks. Pure: bytes in,
// values out. Everything ambiguous is refused, with a named reason; nothing is repaired.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/field.h"

// Why a message was refused: id, status to answer a request with, RFC section, text.
// A server's answer that is refused becomes 502, whatever the status here.
#define H1_ERROR_LIST(X)                                                                           \
    X(NONE, 0, "", "ok")                                                                           \
    X(METHOD, 400, "9112 3.1", "the method is not a token")                                        \
    X(TARGET, 400, "9112 3.2", "the request target is malformed")                                  \
    X(LINE, 400, "9112 3", "the request line is malformed")                                        \
    X(LINE_LENGTH, 414, "9112 3", "the request line is too long")                                  \
    X(VERSION, 400, "9112 2.3", "the version is malformed")                                        \
    X(VERSION_MAJOR, 505, "9110 15.6.6", "the major version is not 1")                             \
    X(STATUS, 502, "9112 4", "the status line is malformed")                                       \
    X(BARE_CR, 400, "9112 2.2", "a CR without LF")                                                 \
    X(BARE_LF, 400, "9112 2.2", "an LF without CR")                                                \
    X(FOLD, 400, "9112 5.2", "a folded field line")                                                \
    X(FIELD_NAME, 400, "9112 5", "a field name is empty or not a token")                           \
    X(FIELD_SPACE, 400, "9112 5.1", "white space before a colon")                                  \
    X(FIELD_COLON, 400, "9112 5", "a field line without a colon")                                  \
    X(FIELD_VALUE, 400, "9110 5.5", "a control byte in a field value")                             \
    X(HEAD_LENGTH, 431, "9110 5.4", "the head is too long")                                        \
    X(FIELD_COUNT, 431, "9110 5.4", "too many fields")                                             \
    X(OPTION_COUNT, 431, "9110 7.6.1", "too many connection options")                              \
    X(HOST_MISSING, 400, "9112 3.2", "no Host field")                                              \
    X(HOST_TWICE, 400, "9112 3.2", "more than one Host field")                                     \
    X(HOST_FORM, 400, "9112 3.2", "the Host field is malformed")                                   \
    X(LENGTH_FORM, 400, "9110 8.6", "Content-Length is not one number")                            \
    X(LENGTH_DIFFERS, 400, "9112 6.3", "Content-Length fields differ")                             \
    X(LENGTH_AND_CODING, 400, "9112 6.1", "both Content-Length and Transfer-Encoding")             \
    X(CODING_UNKNOWN, 501, "9112 6.1", "an unknown transfer coding")                               \
    X(CODING_ORDER, 400, "9112 6.3", "chunked is not the last transfer coding, or twice")          \
    X(CODING_VERSION, 400, "9112 6.1", "Transfer-Encoding in an HTTP/1.0 message")                 \
    X(CODING_FORM, 400, "9112 7", "Transfer-Encoding is not a list of coding names")               \
    X(CODING_STATUS, 502, "9112 6.1", "Transfer-Encoding in an answer that has no body")           \
    X(CHUNK_SIZE, 400, "9112 7.1", "a malformed chunk size")                                       \
    X(CHUNK_LENGTH, 400, "9112 7.1", "a chunk size out of range")                                  \
    X(CHUNK_EXTENSION, 400, "9112 7.1.1", "a malformed or too long chunk extension")               \
    X(CHUNK_END, 400, "9112 7.1", "a chunk's data doesn't end with CRLF")                          \
    X(TRAILER, 400, "9112 7.1.2", "a field that must not be in a trailer section")

enum h1_error {
#define X(id, status, section, text) H1_ERROR_##id,
    H1_ERROR_LIST(X)
#undef X
};

int h1_error_status(enum h1_error e);
const char *h1_error_section(enum h1_error e); // "RFC 9112 3.2" without "RFC "
const char *h1_error_text(enum h1_error e);
const char *h1_error_name(enum h1_error e); // "line-length": for counters and logs

#define METHOD_LIST(X)                                                                             \
    X(GET, "GET")                                                                                  \
    X(HEAD, "HEAD")                                                                                \
    X(POST, "POST")                                                                                \
    X(PUT, "PUT")                                                                                  \
    X(DELETE, "DELETE")                                                                            \
    X(CONNECT, "CONNECT")                                                                          \
    X(OPTIONS, "OPTIONS")                                                                          \
    X(TRACE, "TRACE")                                                                              \
    X(PATCH, "PATCH")

// Methods are case-sensitive (RFC 9110 9.1).
enum method {
    METHOD_OTHER,
#define X(id, text) METHOD_##id,
    METHOD_LIST(X)
#undef X
};

enum method method_of(struct str name);
// RFC 9110 9.2.1 and 9.2.2. METHOD_OTHER is neither.
bool method_is_safe(enum method m);
bool method_is_idempotent(enum method m);

struct h1_limits {
    uint32_t line_max_bytes; // start line, without its CRLF
    uint32_t head_max_bytes; // whole head, with the empty line
    uint32_t fields_max;     // at most H1_FIELDS_MAX
};
#define H1_FIELDS_MAX 512
#define H1_OPTIONS_MAX 64 // of Connection in all: each is looked for among the fields
#define H1_LIMITS_DEFAULT ((struct h1_limits){16 * 1024, 64 * 1024, 128})

struct h1_request {
    struct str method;
    struct str target;
    enum method method_id;
    uint8_t minor; // HTTP/1.minor; greater ones than 1 count as 1 (RFC 9110 2.5)
    uint16_t n_fields;
    struct field *fields; // borrows: the caller's array
};

struct h1_response {
    uint16_t status; // 100 to 999 as parsed: three digits, first 1 to 5
    uint8_t minor;
    uint16_t n_fields;
    struct str reason;
    struct field *fields; // borrows
};

// Parse one head at the start of in, in one pass. All slices borrow from in. fields has room for
// limits->fields_max. IO_DONE: *ret_used bytes belong to the head (empty lines before a request
// line included: at most one CRLF is skipped, RFC 9112 2.2). IO_AGAIN: incomplete so far, nothing
// consumed; what can be refused already is refused. IO_FAIL: *reterr.
// The result doesn't depend on how the input arrived: a prefix gives IO_AGAIN or the same error.
enum io h1_request_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                         struct h1_request *ret, size_t *ret_used, enum h1_error *reterr);
enum io h1_response_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                          struct h1_response *ret, size_t *ret_used, enum h1_error *reterr);

// For heads that come in many pieces: true when in may hold the end of a head that was not there
// in its first `seen` bytes (so that a parse is worth its time), else false. O(new bytes).
bool h1_head_may_end(struct str in, size_t seen);

enum h1_body {
    H1_BODY_NONE,   // a request of length 0, too
    H1_BODY_LENGTH, // a response's may be 0
    H1_BODY_CHUNKED,
    H1_BODY_UNTIL_CLOSE, // responses only
};

// What a head says about its message (RFC 9112 6 and 9.3).
struct h1_framing {
    enum h1_body body;
    uint64_t length;      // what Content-Length says, or 0. Send this on, not the field's text
    bool keep_alive;      // the connection may persist after this message
    bool expect_continue; // request: Expect: 100-continue (RFC 9110 10.1.1)
    bool wants_upgrade;   // Connection: upgrade with an Upgrade field (1.1 only)
    bool has_te_trailers; // request: TE: trailers
};

// Checks Host (count and form), Content-Length, Transfer-Encoding, Connection.
enum h1_error h1_request_framing(const struct h1_request *r, struct h1_framing *ret);
// request_method decides about bodies of answers to HEAD; CONNECT isn't relayed.
enum h1_error h1_response_framing(const struct h1_response *r, enum method request_method,
                                  struct h1_framing *ret);

// Chunked coding, incrementally. Zeroed: before the first chunk.
struct h1_chunks {
    uint64_t left;         // of the chunk being read
    uint32_t line_bytes;   // of the size line being read
    uint32_t excess_bytes; // of extensions so far, beyond what the data justifies
    uint8_t state;         // the module's
    uint8_t n_digits;
};
#define H1_CHUNK_LINE_MAX_BYTES 256            // size and extensions of one chunk
#define H1_CHUNK_EXCESS_MAX_BYTES (16u * 1024) // extensions of a whole body, over its data

// Consumes *ret_used bytes of in. IO_DONE: *ret_data lends a piece of data (not empty). IO_AGAIN:
// all of in is used up, give more. IO_EOF: the last chunk's line has been read: the trailer section
// follows in in[*ret_used…], see h1_trailers_parse. IO_FAIL.
enum io h1_chunks_next(struct h1_chunks *c, struct str in, size_t *ret_used, struct str *ret_data,
                       enum h1_error *reterr);

// The trailer section with its empty line, as a head's fields. Fields that must not be trailers
// (framing, routing, authentication: RFC 9110 6.5.1) are refused.
enum io h1_trailers_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                          size_t *ret_n_fields, size_t *ret_used, enum h1_error *reterr);

// Whether a trailer section may have this field: not what is for framing, routing, authentication,
// how content is to be read and what it may be used for (RFC 9110 6.5.1), nor what a proxy sets
// itself or removes.
bool h1_field_may_trail(const struct field *f);

// True when value (a list like Connection's) has this element, in any case.
bool h1_list_has(struct str value, struct str element);
