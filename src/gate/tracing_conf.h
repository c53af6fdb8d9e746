// SPDX-License-Identifier: Apache-2.0
// The setting `tracing`, and what a snapshot makes of it.
#pragma once

#include "conf/conf.h"
#include "filter/filter.h"

// Name in settings.
#define TRACING_PARENTS_LIST(X)                                                                    \
    X(TRUSTED, "trusted")                                                                          \
    X(ALL, "all")                                                                                  \
    X(NONE, "none")

enum tracing_parents {
#define X(id, name) TRACING_PARENTS_##id,
    TRACING_PARENTS_LIST(X)
#undef X
};

// The value of a field, as maps of them have it: { Authorization: "Bearer …" }.
struct tracing_field_conf {
    struct conf_text value;
};

struct tracing_conf {
    struct conf_text to; // empty: off
    struct conf_text path;
    struct conf_text sample;
    struct conf_text name;
    struct conf_map headers; // of tracing_field_conf
    unsigned parents;        // enum tracing_parents
    struct place place;
};

extern const struct conf_section tracing_section;

#define TRACING_SAMPLE_ALL 1000000 // a share is in millionths

struct tracing {
    const struct handler *service; // where spans go
    struct str authority, path, name;
    struct field *fields; // for the collector, in the snapshot's arena
    size_t n_fields;
    uint32_t sample; // of TRACING_SAMPLE_ALL
    enum tracing_parents parents;
};

// "10%", "0.05%": in millionths. ERR_SYNTAX, ERR_RANGE with an error.
enum err tracing_parse_sample(const struct conf_text *text, struct diags *diags, uint32_t *ret)
    MUST_CHECK;

// In env->mem. NULL: it is off, or there was an error.
struct tracing *tracing_build(const struct tracing_conf *c, const struct filter_env *env);
