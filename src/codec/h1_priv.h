// SPDX-License-Identifier: Apache-2.0
// What the files of the HTTP/1 codec share, and the twins that tests compare with.
#pragma once

#include "codec/h1.h"

// Field lines up to and with the empty line; limits->head_max_bytes is for all of them.
enum io h1_fields_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                        size_t *ret_n_fields, size_t *ret_used, enum h1_error *reterr);

// As h1_request_parse and h1_response_parse, one byte at a time: for tests, and as the measure of
// what vectors give.
enum io h1_request_parse_scalar(struct str in, const struct h1_limits *limits, struct field *fields,
                                struct h1_request *ret, size_t *ret_used, enum h1_error *reterr);
enum io h1_response_parse_scalar(struct str in, const struct h1_limits *limits,
                                 struct field *fields, struct h1_response *ret, size_t *ret_used,
                                 enum h1_error *reterr);
