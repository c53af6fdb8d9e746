// SPDX-License-Identifier: Apache-2.0
// What the tests of the HTTP/1 codec share: every parse is also made of every prefix, and by the
// scalar twin, from memory that ends where the input ends.
#pragma once

#include "codec/h1.h"
#include "codec/h1_priv.h"
#include "unit/test.h"

typedef enum io request_parse_fn(struct str in, const struct h1_limits *limits,
                                 struct field *fields, struct h1_request *ret, size_t *ret_used,
                                 enum h1_error *reterr);
typedef enum io response_parse_fn(struct str in, const struct h1_limits *limits,
                                  struct field *fields, struct h1_response *ret, size_t *ret_used,
                                  enum h1_error *reterr);

struct parsed {
    enum io io;
    enum h1_error error;
    size_t used;
    struct h1_request req;
    struct h1_response resp;
    struct field fields[H1_FIELDS_MAX];
};

enum side {
    REQUEST,
    RESPONSE,
    TRAILERS, // fields and n_fields are req's
};

// A copy with nothing behind it, so that ASan sees each byte too many. The caller frees ptr.
static inline char *exact_copy(struct str s)
{
    char *copy = malloc(s.len > 0 ? s.len : 1);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

static inline void parse_once(enum side side, bool use_vector, struct str in,
                              const struct h1_limits *limits, struct parsed *ret)
{
    memset(ret, 0, sizeof *ret);
    request_parse_fn *request = use_vector ? h1_request_parse : h1_request_parse_scalar;
    response_parse_fn *response = use_vector ? h1_response_parse : h1_response_parse_scalar;
    size_t n_fields = 0;
    switch (side) {
    case REQUEST:
        ret->io = request(in, limits, ret->fields, &ret->req, &ret->used, &ret->error);
        break;
    case RESPONSE:
        ret->io = response(in, limits, ret->fields, &ret->resp, &ret->used, &ret->error);
        break;
    case TRAILERS:
        ret->io = h1_trailers_parse(in, limits, ret->fields, &n_fields, &ret->used, &ret->error);
        ret->req.n_fields = (uint16_t)n_fields;
        ret->req.fields = ret->fields;
        break;
    }
}

// Parses in, which stays referenced by the result, and checks what holds for each input.
static inline void parse_any(enum side side, struct str in, const struct h1_limits *limits,
                             struct parsed *ret)
{
    static struct parsed part;
    parse_once(side, true, in, limits, ret);
    parse_once(side, false, in, limits, &part);
    CHECK_INT(part.io, ret->io);
    CHECK_INT(part.error, ret->error);
    CHECK_INT(part.used, ret->used);
    for (size_t len = 0; len < in.len; len++) {
        char *copy = exact_copy(str_first(in, len));
        parse_once(side, true, str_from(copy, len), limits, &part);
        free(copy);
        if (ret->io == IO_DONE && len >= ret->used)
            CHECK(part.io == IO_DONE && part.used == ret->used);
        else if (ret->io == IO_FAIL)
            CHECK(part.io == IO_AGAIN || (part.io == IO_FAIL && part.error == ret->error));
        else
            CHECK_INT(part.io, IO_AGAIN);
    }
}

// The error that in gives, or NONE; *ret may be NULL.
static inline enum h1_error error_of(enum side side, struct str in, const struct h1_limits *limits)
{
    static struct parsed result;
    parse_any(side, in, limits, &result);
    CHECK(result.io == IO_DONE || result.io == IO_FAIL);
    return result.io == IO_FAIL ? result.error : H1_ERROR_NONE;
}

// As CHECK_INT, with the input and names.
static inline void check_verdict(struct str in, enum h1_error got, enum h1_error wanted)
{
    if (got == wanted)
        return;
    printf("# got %s, wanted %s, for: ", h1_error_name(got), h1_error_name(wanted));
    for (size_t i = 0; i < in.len && i < 200; i++) {
        uint8_t c = (uint8_t)in.ptr[i];
        printf(c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
    }
    printf("\n");
    test_failed = true;
}
