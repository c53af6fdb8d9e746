// SPDX-License-Identifier: Apache-2.0
// Reading JSON (RFC 8259) that strangers have written: strictly, into nodes of an arena, with
// limits. Names that are there twice in an object are refused, because two readers could take
// different ones of them (RFC 8259 4, RFC 7519 4).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/text.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_kind kind;
    struct str name;          // of a member of an object: decoded, UTF-8, may hold any character
    struct str text;          // of strings: decoded; of numbers: as written
    const struct json *first; // of arrays and objects, in order
    const struct json *next;  // after this one in the same array or object
};

#define JSON_DEPTH_MAX 16    // of arrays and objects in each other
#define JSON_MEMBERS_MAX 256 // of one object

// One value with white space around it, and nothing else. Texts borrow from `in` or are in mem.
// NULL: *ret_why says what is wrong; a full arena is one of it.
const struct json *json_parse(struct str in, struct arena *mem, const char **ret_why) MUST_CHECK;

// The member of this name; NULL: there is none, or it is no object. Accepts NULL.
const struct json *json_get(const struct json *object, struct str name);

// A member that is a string, or an empty text.
struct str json_get_text(const struct json *object, struct str name);

// A number that fits, its fraction cut off: 1.5e9 is 1500000000. False: it isn't one, or doesn't
// fit.
bool json_int(const struct json *number, int64_t *ret);

// Writes a value again, as JSON that reads as the same.
void json_text_value(struct text *t, const struct json *value);
