// SPDX-License-Identifier: Apache-2.0
// What an access log can say about an exchange: one row each.
#pragma once

#include "http/env.h"
#include "http/exchange.h"

enum access_kind {
    ACCESS_TEXT,
    ACCESS_NUMBER,
    ACCESS_DATE, // as in common logs
    ACCESS_TIME, // ISO 8601
    ACCESS_TRAIL,
    ACCESS_REQUEST, // the request line
};

struct access_field {
    struct str name;
    enum access_kind kind;
    bool has_query;   // text: a URL whose secret parameters are redacted
    bool is_time;     // number: nanoseconds, written as milliseconds
    bool is_composed; // made of other fields: not in JSON
    struct str (*text)(const struct exchange *x);
    int64_t (*number)(const struct exchange *x); // -1: none
    const char *doc;
};

extern const struct access_field access_fields[];
extern const size_t access_n_fields;

struct str access_version(const struct exchange *x);

// NULL: unknown.
const struct access_field *access_field_find(struct str name);
