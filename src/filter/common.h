// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share.
#pragma once

#include <stdbool.h>

#include "filter/filter.h"
#include "http/exchange.h"
#include "http/regex.h"

// The start of every filter's struct.
struct filter_base {
    struct handler handler;
    struct str who; // "filter NAME": for the trail
};

// A filter of `bytes` bytes, zeroed, that begins with a struct filter_base. NULL with an error.
void *filter_new(const struct filter_env *env, size_t bytes, const struct handler_type *type,
                 struct str name, const struct handler *next);

// Reports a full arena while building. Returns NULL.
void *filter_no_memory(const struct filter_env *env);

// Notes a decision.
void filter_note(const struct handler *h, struct exchange *x, const char *what, struct str detail);

// The exchange's memory is used up: makes the answer 503.
enum err filter_exhausted(struct exchange *x);

// The client's body broke off while a filter read it: makes the answer that x->end asks for.
// ERR_CANCELLED: there is nobody to be told.
enum err filter_body_failed(struct exchange *x) MUST_CHECK;

// Adds a name to the answer's Vary, unless it is there. ERR_LIMIT: the arena is full.
enum err filter_vary(struct exchange *x, struct str name) MUST_CHECK;

// Compiles an expression, which the caller ends with regex_fini. NULL with an error.
struct regex *filter_regex(const struct conf_text *pattern, unsigned flags,
                           const struct filter_env *env);

// Compiles a list of expressions into *ret, which has patterns->n, in the snapshot's arena; those
// that are broken are NULL, with an error. The caller ends them with regex_fini, also after errors.
enum err filter_regexes(const struct conf_texts *patterns, unsigned flags,
                        const struct filter_env *env, struct regex ***ret) MUST_CHECK;

// Fields that sum or sign the bytes of a body (RFC 9530, and what came before it).
bool filter_has_digest(const struct headers *h);
void filter_drop_digests(struct headers *h);

// Which message a field belongs to.
enum filter_side {
    FILTER_REQUEST,
    FILTER_RESPONSE,
};

// Why a filter may not touch a field of that name: it is no name, or belongs to framing or to one
// connection alone. NULL: it may.
const char *filter_field_fault(struct str name, enum filter_side side);

// Why a text can't be a field value; NULL: it can.
const char *filter_value_fault(struct str value);

// The value of one header field, as maps of them have it: { X-Frame-Options: DENY }.
struct filter_field_conf {
    struct conf_text value;
};
extern const struct conf_section filter_field_section;

// An error for a name that a filter may not touch.
enum err filter_field_check(struct str name, struct place place, enum filter_side side,
                            const struct filter_env *env) MUST_CHECK;

// The same for a field that a filter makes up for servers and reserves: fields with a meaning of
// their own would be taken from clients so.
enum err filter_told_check(struct str name, struct place place, const struct filter_env *env)
    MUST_CHECK;

// Whether it has a byte below a space, or DEL.
bool filter_has_control(struct str s);

// Why a text can't stand between quotes in a field; NULL: it can.
const char *filter_quoted_fault(struct str text);

// Checks a map of filter_field_conf and makes *ret its map->n fields, in the snapshot's arena.
enum err filter_fields_build(const struct conf_map *map, enum filter_side side,
                             const struct filter_env *env, struct field **ret) MUST_CHECK;
